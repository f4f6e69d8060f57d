/**
 * The header of records that must be stored once, where the log itself keeps no keys.
 *
 *   append(once) ──▶ weir-once: <key>.<index>.<content> ──▶ log ──▶ whoever lands the record drops what came before
 *
 * Key and content are hashes: an `Idempotency-Key` is its sender's own. The index
 * is that of the event in its request, so a repeat of which other events are
 * taken, or which was stored in part, still names each event the same.
 *
 * @module
 */
import type { Once } from "./log.ts";
import { headersOf, type Records } from "./records.ts";

/** Name of the header. */
export const ONCE_HEADER = "weir-once";

/** Bytes that the header adds to a record at most. */
export const ONCE_HEADER_BYTES = 80;

/** 128 bits, which no two keys or contents share but by breaking SHA-256. */
const HASH_CHARS = 22;
const FORM = /^([\w-]{22})\.(\d{1,9})\.([\w-]{22})$/;
const NAME_BYTES = Buffer.from(`"${ONCE_HEADER}"`);

/** What a record says of the request that brought it. */
export interface OnceMark {
  readonly key: string;
  /** Of the event in its request. */
  readonly index: number;
  /** Hash of the request's content. */
  readonly fingerprint: string;
}

/** The header's value for one record, made from what all records of the append share. */
export function onceMarker({ key, fingerprint }: Pick<Once, "key" | "fingerprint">): (index: number) => string {
  const [ofKey, ofContent] = [shortHash(key), shortHash(fingerprint)];
  return (index) => `${ofKey}.${index}.${ofContent}`;
}

/** What a record's header says; undefined without one, and for one that is not of this form. */
export function onceMarkOf(records: Records, index: number): OnceMark | undefined {
  if (!carriesOnce(records, index)) return undefined;
  const [, key, at, fingerprint] = FORM.exec(headersOf(records, index)[ONCE_HEADER] ?? "") ?? [];
  if (key === undefined || at === undefined || fingerprint === undefined) return undefined;
  return { key, index: Number(at), fingerprint };
}

/** Whether a record may have the header: a look at its bytes, without reading them. */
export function carriesOnce(records: Records, index: number): boolean {
  const { bytes, keyEnds, valueStarts, framed } = records;
  const [start, end] = [keyEnds[index]!, valueStarts[index]!];
  // A record without a value is never stored, so it cannot come twice.
  if (end < 0) return false;
  if (framed !== undefined) return framed.headers.get(index)?.[ONCE_HEADER] !== undefined;
  if (end === start) return false;
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).includes(NAME_BYTES);
}

function shortHash(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("base64url").slice(0, HASH_CHARS);
}
