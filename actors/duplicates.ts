/**
 * Duplicates: which good records of a batch were stored before, in the log or earlier in the same batch.
 *
 *   good record ──identifierOf──▶ candidate ──decide(what was stored below the batch)──▶ stored · duplicate · reused
 *
 * The rule: a good record at offset o and time t is a duplicate if a *stored*
 * record of the same source, epoch, partition and identity lies below o and is
 * younger than t - within. A record has up to two identities: the value of its
 * source's `dedupe.by`, and the place in the request that its Idempotency-Key
 * names, if the log itself keeps no keys. A record whose key and index came
 * before with other content is not taken for a repeat but quarantined.
 *
 * Pure, and in the order of the log, so the verdicts are those of a reader of one
 * record at a time, wherever a batch was cut and whichever records the engine
 * refuses: what it refuses was not stored, so it makes nothing a duplicate. A
 * duplicate is never shown to the engine. Two batches of a partition never land
 * at the same time, and the first is in `weir.seen` before the second begins.
 *
 * @module
 */
import { carriesOnce, hasHeaders, ONCE_MS, onceMarkOf, type Records } from "@weir/connectors";
import { type Dedupe, IDENTITY_BYTES, identityPrefix } from "@weir/sql";
import type { Part } from "./batch.ts";
import type { Projection, Target } from "./target.ts";

/** Why a record is quarantined whose Idempotency-Key names another one. */
export const REUSED = "its Idempotency-Key came with other content before";

/** One way in which a record can be known again. */
export interface Identity {
  /** In hex. */
  readonly hash: string;
  /** Of the request's content, in hex; empty where the identity alone decides. */
  readonly fingerprint: string;
  /** How much older than the record a stored one may be to make it a duplicate. */
  readonly withinMs: number;
}

/** A good record that may have come before. */
export interface Candidate {
  readonly partition: number;
  readonly offset: number;
  /** Append time, as are all times here: whole milliseconds. */
  readonly timestampMs: number;
  readonly identities: readonly Identity[];
  readonly records: Records;
  readonly index: number;
}

/** That a record of an identity was stored, and when last. */
export interface Sighting {
  readonly hash: string;
  readonly fingerprint: string;
  readonly atMs: number;
}

/** An identity that is asked for: was a record of it stored later than `sinceMs`? */
export interface Wanted {
  readonly hash: string;
  readonly sinceMs: number;
}

/** Places of records, by partition and offset. */
export type Places = ReadonlyMap<number, Pick<ReadonlySet<number>, "has" | "size">>;

/** What became of candidates; who is in neither is stored, or refused by the engine. */
export interface Verdicts {
  readonly duplicates: ReadonlyMap<number, ReadonlySet<number>>;
  readonly reused: readonly Candidate[];
}

/** Whether records of a batch can have come before: its source says so, or one of them carries an Idempotency-Key. */
export function canComeTwice({ dedupe }: Pick<Target, "dedupe">, parts: readonly Part[]): boolean {
  if (dedupe !== undefined) return true;
  for (const { slices } of parts) {
    for (const { records, start, end } of slices) {
      for (let index = start; index < end; index++) {
        // Nearly always there are no headers.
        if (hasHeaders(records, index) && carriesOnce(records, index)) return true;
      }
    }
  }
  return false;
}

/** Says who the good records of one partition are. */
export function identifierOf(
  { dedupe, projection }: Pick<Target, "dedupe" | "projection">,
  partition: number,
): (records: Records, index: number) => readonly Identity[] {
  const byValue = dedupe && valueIdentifier({ dedupe, projection, partition });
  return (records, index) => {
    const identities: Identity[] = [];
    const value = byValue?.(records, index);
    if (value !== undefined) identities.push(value);
    const mark = onceMarkOf(records, index);
    if (mark !== undefined) {
      const hash = hashOf(Buffer.from(`once\n${partition}\n${mark.key}\n${mark.index}`));
      const fingerprint = hashOf(Buffer.from(mark.fingerprint));
      identities.push({ hash, fingerprint, withinMs: ONCE_MS });
    }
    return identities;
  };
}

interface ValueIdentifier {
  readonly dedupe: Dedupe;
  readonly projection: Pick<Projection, "scanner" | "judge">;
  readonly partition: number;
}

function valueIdentifier({ dedupe: { by, withinMs }, projection, partition }: ValueIdentifier) {
  const prefix = Buffer.from(identityPrefix({ by, partition }));
  const { scanner } = projection;
  return (records: Records, index: number): Identity | undefined => {
    const { bytes, valueStarts, valueEnds, timestamps } = records;
    const [start, end] = [valueStarts[index], valueEnds[index]];
    let key: Uint8Array | undefined;
    if (scanner.scan(bytes, start, end, timestamps[index])) {
      if (scanner.keyStart >= 0) key = bytes.subarray(scanner.keyStart, scanner.keyEnd);
    } else {
      const verdict = projection.judge(DECODER.decode(bytes.subarray(start, end)), timestamps[index]);
      if (verdict.ok && verdict.key !== undefined) key = Buffer.from(verdict.key);
    }
    return key && { hash: hashOf(Buffer.concat([prefix, key])), fingerprint: "", withinMs };
  };
}

const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** What a Date can hold; a producer of its own can write any number as a record's time. */
const TIME_MS_MAX = 8.64e15;

/** A record's time as it is remembered: the same whether it is compared within its batch or with the batches before. */
export function timeOf({ timestamps }: Records, index: number): number {
  return Math.trunc(Math.min(TIME_MS_MAX, Math.max(-TIME_MS_MAX, timestamps[index])));
}

function hashOf(bytes: Uint8Array): string {
  return Bun.SHA256.hash(bytes, "hex").slice(0, 2 * IDENTITY_BYTES);
}

/** What has to be known of the past to decide on candidates: each identity once, back to the earliest time that matters. */
export function wantedOf(candidates: readonly Candidate[]): readonly Wanted[] {
  const sinceMs = new Map<string, number>();
  for (const { timestampMs, identities } of candidates) {
    for (const { hash, withinMs } of identities)
      sinceMs.set(hash, Math.min(timestampMs - withinMs, sinceMs.get(hash) ?? Number.POSITIVE_INFINITY));
  }
  return Array.from(sinceMs, ([hash, since]) => ({ hash, sinceMs: since }));
}

/**
 * Decides on the candidates of a batch, those of each partition in the order of their offsets; `refused` are those that the
 * engine does not take.
 */
export function decide(
  candidates: readonly Candidate[],
  { sightings, refused }: { readonly sightings: readonly Sighting[]; readonly refused: Places },
): Verdicts {
  // When a record of an identity was stored last, with its fingerprint and, where it has one, with any.
  const latestMs = new Map<string, number>();
  const raise = (of: string, atMs: number) => void latestMs.set(of, Math.max(atMs, latestMs.get(of) ?? atMs));
  const note = ({ hash, fingerprint, atMs }: Sighting) => {
    raise(hash + fingerprint, atMs);
    if (fingerprint !== "") raise(hash, atMs);
  };
  for (const sighting of sightings) note(sighting);
  const duplicates = new Map<number, Set<number>>();
  const reused: Candidate[] = [];
  for (const candidate of candidates) {
    const { partition, offset, timestampMs, identities } = candidate;
    const verdict = verdictOn(candidate, latestMs);
    if (verdict === "duplicate")
      duplicates.set(partition, (duplicates.get(partition) ?? new Set<number>()).add(offset));
    else if (verdict === "reused") reused.push(candidate);
    else if (refused.get(partition)?.has(offset) !== true)
      for (const { hash, fingerprint } of identities) note({ hash, fingerprint, atMs: timestampMs });
  }
  return { duplicates, reused };
}

function verdictOn(
  { timestampMs, identities }: Candidate,
  latestMs: ReadonlyMap<string, number>,
): "new" | "duplicate" | "reused" {
  let verdict: "new" | "duplicate" = "new";
  for (const { hash, fingerprint, withinMs } of identities) {
    const isStored = (of: string) => (latestMs.get(of) ?? Number.NEGATIVE_INFINITY) > timestampMs - withinMs;
    if (isStored(hash + fingerprint)) verdict = "duplicate";
    else if (fingerprint !== "" && isStored(hash)) return "reused";
  }
  return verdict;
}
