/**
 * Records: what a log holds, packed into one buffer and read in place.
 *
 *   door ──RecordWriter──▶ Log.append … Log.read ──Records──▶ partition actor
 *
 * A million records a second leave no room for an object each: a writer packs
 * them into bytes, a reader sees columns of positions into those bytes. The
 * packed form is the embedded log's blob format and the form that crosses its
 * Worker, so it must only ever grow by a new `FORMAT` number. A log with a form of
 * its own (Kafka) is read where its bytes lie: such records are `framed`.
 *
 *   record = i32 keyBytes (-1: no key) · i32 valueBytes (-1: tombstone) · u32 headersBytes · f64 timestampMs
 *            · key · headers (JSON object of strings, UTF-8) · value          (all little endian)
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { copyBytes } from "./copy_bytes.ts";

/** Number of the packed form described above. */
export const FORMAT = 1;

const FIXED_BYTES = 20;
const NONE = new Uint8Array(0);

/** Packs records of one partition; bounded by whoever fills it. */
export class RecordWriter {
  /** Records packed so far. */
  count = 0;
  /** Bytes packed so far. */
  length = 0;
  /** The latest timestamp packed so far; -Infinity while there is none. */
  newestMs = Number.NEGATIVE_INFINITY;
  #bytes: Uint8Array;

  constructor(bytesHint = 512) {
    this.#bytes = new Uint8Array(bytesHint);
  }

  /** Packs `source[valueStart, valueEnd)` with an optional key `source[keyStart, keyEnd)`; keyStart < 0 means no key. */
  addSlice(source: Uint8Array, at: RecordSlice): void {
    const { keyStart, valueStart, valueEnd } = at;
    const keyBytes = keyStart < 0 ? 0 : at.keyEnd - keyStart;
    const position = this.#grow(FIXED_BYTES + keyBytes + valueEnd - valueStart);
    this.#fixed(position, keyStart < 0 ? -1 : keyBytes, valueEnd - valueStart, 0, at.timestampMs);
    const keyAt = position + FIXED_BYTES;
    if (keyBytes > 0) copyBytes(source, this.#bytes, keyAt, keyStart, at.keyEnd);
    copyBytes(source, this.#bytes, keyAt + keyBytes, valueStart, valueEnd);
  }

  /** Packs one record given as separate parts; a `null` value is a tombstone. */
  add(record: RecordParts): void {
    const key = record.key ?? NONE;
    const value = record.value ?? NONE;
    const headers = record.headers === undefined ? NONE : new TextEncoder().encode(JSON.stringify(record.headers));
    const position = this.#grow(FIXED_BYTES + key.length + headers.length + value.length);
    this.#fixed(
      position,
      record.key === null ? -1 : key.length,
      record.value === null ? -1 : value.length,
      headers.length,
      record.timestampMs,
    );
    this.#bytes.set(key, position + FIXED_BYTES);
    this.#bytes.set(headers, position + FIXED_BYTES + key.length);
    this.#bytes.set(value, position + FIXED_BYTES + key.length + headers.length);
  }

  /** Appends everything another writer has packed. */
  addAll(other: RecordWriter): void {
    if (other.count === 0) return;
    const position = this.#grow(other.length);
    other.copyTo(this.#bytes, position);
    this.count += other.count - 1;
    if (other.newestMs > this.newestMs) this.newestMs = other.newestMs;
  }

  /** The packed bytes, valid until the next add. */
  packed(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  /** Copies the packed bytes to `target[at…)`. */
  copyTo(target: Uint8Array, at: number): void {
    copyBytes(this.#bytes, target, at, 0, this.length);
  }

  #grow(bytes: number): number {
    const position = this.length;
    const needed = position + bytes;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      this.copyTo(larger, 0);
      this.#bytes = larger;
    }
    this.length = needed;
    this.count += 1;
    return position;
  }

  /** Byte by byte: a DataView would cost a writer of one record more than all the rest. */
  #fixed(position: number, keyBytes: number, valueBytes: number, headersBytes: number, timestampMs: number): void {
    const bytes = this.#bytes;
    putInt32(bytes, position, keyBytes);
    putInt32(bytes, position + 4, valueBytes);
    putInt32(bytes, position + 8, headersBytes);
    TIMESTAMP[0] = timestampMs;
    for (let i = 0; i < 8; i++) bytes[position + 12 + i] = TIMESTAMP_BYTES[i];
    if (timestampMs > this.newestMs) this.newestMs = timestampMs;
  }
}

const TIMESTAMP = new Float64Array(1);
const TIMESTAMP_BYTES = new Uint8Array(TIMESTAMP.buffer);

function putInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >> 8;
  bytes[at + 2] = value >> 16;
  bytes[at + 3] = value >> 24;
}

/** Where one record's key and value lie in a larger buffer. */
export interface RecordSlice {
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  readonly timestampMs: number;
}

/** One record in parts, for callers that are not in a hurry. */
export interface RecordParts {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestampMs: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Records of one partition in offset order, as columns of positions into `bytes`. */
export interface Records {
  readonly topic: string;
  readonly partition: number;
  readonly count: number;
  /** The offset to read next: behind the last record and what is left out after it; the one asked for when nothing is there. */
  readonly next: number;
  readonly bytes: Uint8Array;
  /** Offset of each record; ascending, gaps are possible (compaction, control records). */
  readonly offsets: Float64Array;
  /** Append time of each record, milliseconds since 1970. */
  readonly timestamps: Float64Array;
  /** Start of each key in `bytes`, -1 for none; in the packed form the headers lie between key and value. */
  readonly keyStarts: Int32Array;
  readonly keyEnds: Int32Array;
  /** Start of each value in `bytes`, -1 for a tombstone. */
  readonly valueStarts: Int32Array;
  readonly valueEnds: Int32Array;
  /** Present where the bytes are not in the packed form. */
  readonly framed?: Framed;
  /** Frees the memory, if it is nobody else's: nothing of the records may be read afterwards. Without it the collector does, later. */
  readonly release?: () => void;
}

/** Records in the form of their own log: where each begins and ends in `bytes`, and the headers of those that have some. */
export interface Framed {
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly headers: ReadonlyMap<number, Readonly<Record<string, string>>>;
}

/** What eight columns cost beside what is in them. */
const READ_BYTES = 2_048;
/** A record's share of those columns. */
const COLUMNS_BYTES = 2 * 8 + 6 * 4;

/** What records take in memory, in bytes: of a read that found few, most of it describes them. */
export function heldBytes({ bytes, count }: Pick<Records, "bytes" | "count">): number {
  return READ_BYTES + COLUMNS_BYTES * count + bytes.length;
}

/** One stretch of packed records with consecutive offsets, `count` of them from `firstOffset`. */
export interface PackedRun {
  readonly firstOffset: number;
  readonly count: number;
  /** Where the run lies in the shared buffer. */
  readonly start: number;
  readonly end: number;
}

/** Opens packed runs that lie in one buffer; throws a RangeError if they do not hold what they say. */
export function openRecords(
  at: { topic: string; partition: number; next: number },
  bytes: Uint8Array,
  runs: readonly PackedRun[],
): Records {
  let count = 0;
  for (const run of runs) count += run.count;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const offsets = new Float64Array(count);
  const timestamps = new Float64Array(count);
  const keyStarts = new Int32Array(count);
  const keyEnds = new Int32Array(count);
  const valueStarts = new Int32Array(count);
  const valueEnds = new Int32Array(count);
  let index = 0;
  for (const run of runs) {
    let position = run.start;
    for (let n = 0; n < run.count; n++, index++) {
      const keyBytes = view.getInt32(position, true);
      const valueBytes = view.getInt32(position + 4, true);
      const headersBytes = view.getUint32(position + 8, true);
      offsets[index] = run.firstOffset + n;
      timestamps[index] = view.getFloat64(position + 12, true);
      position += FIXED_BYTES;
      keyStarts[index] = keyBytes < 0 ? -1 : position;
      position += Math.max(keyBytes, 0);
      keyEnds[index] = position;
      position += headersBytes;
      valueStarts[index] = valueBytes < 0 ? -1 : position;
      position += Math.max(valueBytes, 0);
      valueEnds[index] = position;
    }
    if (position !== run.end) {
      throw new RangeError(
        `Cannot open records of ${at.topic}/${at.partition}: the run at ${run.firstOffset} is damaged`,
      );
    }
  }
  return { ...at, count, bytes, offsets, timestamps, keyStarts, keyEnds, valueStarts, valueEnds };
}

/** Records whose columns are nobody else's, and with `bytes` these neither: they can be released. */
export function releasable(records: Records, own: { readonly bytes: boolean }): Records {
  const { offsets, timestamps, keyStarts, keyEnds, valueStarts, valueEnds, framed, bytes } = records;
  const columns = [offsets, timestamps, keyStarts, keyEnds, valueStarts, valueEnds];
  if (framed !== undefined) columns.push(framed.starts, framed.ends);
  const release = () => {
    for (const column of columns) free(column);
    if (own.bytes) free(bytes);
  };
  return { ...records, release };
}

/** Frees an array's memory, which nobody else may use: the collector would let hundreds of MiB gather first. */
export function free({ buffer }: ArrayBufferView): void {
  (buffer as ArrayBuffer).transfer(0);
}

/** Walks packed records from `start` while they fit the bounds; says how many fit and where the last one ends. */
export function walkPacked(
  bytes: Uint8Array,
  start: number,
  bounds: { readonly recordsMax: number; readonly bytesMax: number },
): { readonly count: number; readonly end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const endMax = Math.min(bytes.length, start + bounds.bytesMax);
  let count = 0;
  let end = start;
  while (count < bounds.recordsMax && end + FIXED_BYTES <= endMax) {
    const keyBytes = Math.max(0, view.getInt32(end, true));
    const valueBytes = Math.max(0, view.getInt32(end + 4, true));
    const next = end + FIXED_BYTES + keyBytes + valueBytes + view.getUint32(end + 8, true);
    if (next > endMax) break;
    end = next;
    count += 1;
  }
  return { count, end };
}

/** Whether a record has headers. */
export function hasHeaders(records: Records, index: number): boolean {
  const { framed, keyEnds, valueStarts, valueEnds } = records;
  if (framed !== undefined) return framed.headers.has(index);
  return keyEnds[index] !== (valueStarts[index] < 0 ? valueEnds[index] : valueStarts[index]);
}

/** The headers of one record; empty when it has none. */
export function headersOf(records: Records, index: number): Readonly<Record<string, string>> {
  if (records.framed !== undefined) return records.framed.headers.get(index) ?? {};
  const start = records.keyEnds[index];
  const end = records.valueStarts[index] < 0 ? records.valueEnds[index] : records.valueStarts[index];
  return start === end ? {} : JSON.parse(new TextDecoder().decode(records.bytes.subarray(start, end)));
}

/** CRC-32 over the bytes of records [start, end), continuing `seed`; the same for the same records however they were read. */
export function crcOf(records: Records, at: { readonly start: number; readonly end: number }, seed: number): number {
  if (at.start === at.end) return seed;
  if (records.framed !== undefined) return framedCrc(records.bytes, records.framed, { ...at, seed });
  const first = records.keyStarts[at.start] < 0 ? records.keyEnds[at.start] : records.keyStarts[at.start];
  return crc32(records.bytes.subarray(first - FIXED_BYTES, records.valueEnds[at.end - 1]), seed);
}

/** What lies between two stretches of records belongs to neither: it depends on how they were read. */
function framedCrc(
  bytes: Uint8Array,
  { starts, ends }: Framed,
  { start, end, seed }: { readonly start: number; readonly end: number; readonly seed: number },
): number {
  let sum = seed;
  for (let from = start; from < end; ) {
    let to = from + 1;
    while (to < end && starts[to] === ends[to - 1]) to++;
    sum = crc32(bytes.subarray(starts[from], ends[to - 1]), sum);
    from = to;
  }
  return sum;
}

/**
 * CRC-32 over one record's time, key and value: the same even if its log was compacted in between, which may write the
 * record's frame anew.
 */
export function recordCrc(records: Records, index: number): number {
  const { bytes, framed, keyStarts, keyEnds, valueStarts, valueEnds, timestamps } = records;
  if (framed === undefined) return crcOf(records, { start: index, end: index + 1 }, 0);
  TIMESTAMP[0] = timestamps[index];
  let sum = crc32(TIMESTAMP_BYTES);
  if (keyStarts[index] >= 0) sum = crc32(bytes.subarray(keyStarts[index], keyEnds[index]), sum);
  if (valueStarts[index] >= 0) sum = crc32(bytes.subarray(valueStarts[index], valueEnds[index]), sum);
  return sum;
}
