/**
 * Making a batch ready: each record is judged, the good ones become the body of one insert.
 *
 *   records ──scanner──▶ certainly conform ──┐
 *              └─not sure─▶ judge ──good─────┴──▶ the bytes they came in, one a line
 *                            └──bad──▶ left out, with the reason
 *
 * The scanner costs a tenth of a microsecond and sees what the engine alone
 * would let through (`""` becomes 0 in an integer). The verdict on a record
 * depends on its bytes and its append time alone, so every try of a batch, by
 * whichever owner, has the same rows.
 *
 * @module
 */
import { hasOps } from "@weir/sql";
import { Effect } from "effect";
import { type BadRecord, type BadRecords, keepBad } from "./bad_records.ts";
import { bytesOf, type Part } from "./batch.ts";
import { BodyWriter, ChangeWriter } from "./body.ts";
import { decodeParts, rawValue, whyEmpty } from "./decoded.ts";
import { type Candidate, canComeTwice, identifierOf, type Places, timeOf } from "./duplicates.ts";
import type { Projection, Target } from "./target.ts";

/** What producers cannot know: it is in the names of what stands in front of their records. */
export const SALT = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => (byte % 36).toString(36)).join("");

/** A batch made ready to be sent. What later tries find out about bad records stays in it. */
export interface Prepared {
  /** The batch's records as JSON, without those that change no row. */
  readonly parts: readonly Part[];
  readonly bad: BadRecords;
  /** The good records, if some of them can have come before; then the body is made once that is known. */
  readonly candidates: readonly Candidate[] | undefined;
  /** The good records, one a line; undefined when it has to be made anew, without records found bad since. */
  body: readonly Uint8Array[] | undefined;
}

/** Judges every record of a batch and makes the body of the good ones; gives others the thread after each chunk. */
export const prepare = Effect.fnUntraced(function* (target: Target, cut: readonly Part[]) {
  const { projection } = target;
  const parts = yield* decodeParts(target, cut);
  if (canComeTwice(target, parts)) return yield* prepareCandidates(target, parts);
  const bad: BadRecords = new Map();
  const writer = bodyWriter(projection, parts);
  let chunks = 0;
  for (const { range, slices } of parts) {
    writer.partition(range.partition);
    for (const { records, start, end } of slices) {
      for (let index = start; index < end; index++) {
        const verdict = verdictOn(projection, { records, index });
        if (verdict === undefined) writer.add(records, index);
        else keepBad(bad, range.partition, quarantined(range.partition, { records, index }, verdict));
        if (writer.full.length === chunks) continue;
        chunks = writer.full.length;
        yield* Effect.yieldNow;
      }
    }
  }
  const prepared: Prepared = { parts, bad, candidates: undefined, body: writer.end() };
  return prepared;
});

/** Records between which others get the thread. */
const CANDIDATES_PER_TURN = 2_048;

/** Judges every record of a batch and says who the good ones are. */
const prepareCandidates = Effect.fnUntraced(function* (target: Target, parts: readonly Part[]) {
  const bad: BadRecords = new Map();
  const candidates: Candidate[] = [];
  for (const { range, slices } of parts) {
    const { partition } = range;
    const identify = identifierOf(target, partition);
    for (const { records, start, end } of slices) {
      for (let index = start; index < end; index++) {
        const verdict = verdictOn(target.projection, { records, index });
        if (verdict === undefined) {
          const [offset, timestampMs] = [records.offsets[index], timeOf(records, index)];
          const identities = identify(records, index);
          candidates.push({ partition, offset, timestampMs, identities, records, index });
        } else keepBad(bad, partition, quarantined(partition, { records, index }, verdict));
        if (index % CANDIDATES_PER_TURN === 0) yield* Effect.yieldNow;
      }
    }
  }
  const prepared: Prepared = { parts, bad, candidates, body: undefined };
  return prepared;
});

/** The body of all records but those that are left out. */
export function bodyOf({ projection }: Target, parts: readonly Part[], out: Places): readonly Uint8Array[] {
  const writer = bodyWriter(projection, parts);
  for (const { range, slices } of parts) {
    const left = out.get(range.partition);
    writer.partition(range.partition);
    for (const { records, start, end } of slices) {
      for (let index = start; index < end; index++) {
        if (!left?.has(records.offsets[index])) writer.add(records, index);
      }
    }
  }
  return writer.end();
}

function bodyWriter(projection: Projection, parts: readonly Part[]): BodyWriter {
  const bytesHint = parts.reduce(
    (sum, { slices }) => sum + slices.reduce((bytes, slice) => bytes + bytesOf(slice), 0),
    0,
  );
  const rewrite = projection.source.unknown === "keep" ? projection.normalise : undefined;
  const options = { names: projection.companions(SALT), rewrite, bytesHint };
  return hasOps(projection.source.format) ? new ChangeWriter(options) : new BodyWriter(options);
}

type Unfit = Pick<BadRecord, "column" | "reason" | "awaits">;

/** What is wrong with a record: the scanner waves through what certainly conforms, the judge has the last word on the rest. */
function verdictOn(projection: Projection, { records, index }: At): Unfit | undefined {
  const start = records.valueStarts[index];
  // Bytes that are not UTF-8 are the engine's to notice, by a guard of the insert; unless they are rewritten before it.
  const isPlain =
    start >= 0 &&
    projection.source.unknown !== "keep" &&
    projection.scanner.scan(records.bytes, start, records.valueEnds[index], records.timestamps[index]);
  return isPlain ? undefined : judgeRecord(projection, { records, index });
}

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function judgeRecord(projection: Projection, { records, index }: At): Unfit | undefined {
  if (records.valueStarts[index] < 0) return whyEmpty(records, index);
  let text: string;
  try {
    text = DECODER.decode(records.bytes.subarray(records.valueStarts[index], records.valueEnds[index]));
  } catch {
    // A fatal decoder throws for exactly one reason.
    return { column: "", reason: "the record is not valid UTF-8" };
  }
  const verdict = projection.judge(text, records.timestamps[index]);
  if (!verdict.ok) return { column: verdict.column ?? "", reason: verdict.reason };
  const { awaits } = verdict;
  return awaits && { column: awaits[0].name, reason: `no column is named ${awaits[0].name} yet`, awaits };
}

interface At {
  readonly records: Part["slices"][number]["records"];
  readonly index: number;
}

/** A record as the quarantine keeps it. */
export function quarantined(partition: number, { records, index }: At, why: Unfit): BadRecord {
  const [offset, timestampMs] = [records.offsets[index], records.timestamps[index]];
  return { partition, offset, timestampMs, raw: rawValue(records, index), ...why };
}
