/**
 * Record batches: Kafka's records on disk and on the wire, made into packed records without an object for each.
 *
 *   fetched bytes ──batch by batch──▶ decompressed ──record by record──▶ RecordWriter + runs of consecutive offsets
 *
 * Format v2: https://kafka.apache.org/documentation/#recordbatch. Left out are control batches and records of aborted
 * transactions, so offsets have gaps, as after compaction: each record's offset is its own. A batch that the fetch cut
 * off at its end is read by the next one.
 *
 * @module
 */
import { type PackedRun, RecordWriter } from "../records.ts";
import { crc32c } from "./crc32c.ts";

/** A transaction that was aborted: its producer's records from `firstOffset` on, until its end. */
export interface Aborted {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/** What to take: from an offset on, within bounds, at least one record if there is one. */
export interface TakeFrom {
  readonly offset: number;
  readonly recordsMax: number;
  readonly bytesMax: number;
  readonly aborted: readonly Aborted[];
  /** Decompresses a batch's records; throws for a codec that it does not know. */
  readonly decompress: (codec: number, bytes: Uint8Array) => Uint8Array;
}

/** Packed records and where they lie; `next` is the offset to go on with, behind what was left out. */
export interface Taken {
  readonly bytes: Uint8Array;
  readonly runs: readonly PackedRun[];
  readonly next: number;
  readonly count: number;
}

/** Bytes before a batch's length is counted: base offset and the length itself. */
const PREFIX_BYTES = 12;
/** Bytes of a batch before its records. */
const HEADER_BYTES = 61;
const MAGIC = 2;
/** Where the checksum lies, and from where on it counts. */
const SUM_AT = 17;
const SUMMED_FROM = 21;
/** What the packed form takes for a record beside its key, headers and value. */
const PACKED_BYTES = 20;
const CODEC_MASK = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
/** The type of a control record that ends a transaction without its records. */
const ABORT = 0;

/** Bytes that are no record batch of format v2. */
export class BatchDamaged extends Error {
  override readonly name = "BatchDamaged";
}

/** Reads whole batches until a bound is reached or the bytes end. Throws BatchDamaged, and what `decompress` throws. */
export function takeRecords(bytes: Uint8Array, from: TakeFrom): Taken {
  const taking = new Taking(from, Math.min(from.bytesMax, 2 * bytes.length));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + HEADER_BYTES <= bytes.length && !taking.isFull; ) {
    const end = at + PREFIX_BYTES + view.getInt32(at + 8);
    if (end > bytes.length) break;
    if (view.getInt8(at + 16) !== MAGIC)
      throw new BatchDamaged(
        `Cannot read the records at ${at}: they are of format ${view.getInt8(at + 16)}, which Kafka 0.11 replaced.`,
      );
    if (crc32c(bytes.subarray(at + SUMMED_FROM, end)) !== view.getUint32(at + SUM_AT))
      throw new BatchDamaged(`Cannot read the batch at offset ${view.getBigInt64(at)}: its checksum does not match.`);
    taking.batch(bytes.subarray(at, end));
    at = end;
  }
  return taking.taken();
}

class Taking {
  isFull = false;
  readonly #from: TakeFrom;
  readonly #writer: RecordWriter;
  readonly #runs: PackedRun[] = [];
  /** Producers whose open transaction was aborted. */
  readonly #aborting = new Set<bigint>();
  readonly #aborted: Aborted[];
  #next: number;

  constructor(from: TakeFrom, bytesHint: number) {
    this.#from = from;
    this.#writer = new RecordWriter(bytesHint);
    this.#next = from.offset;
    this.#aborted = from.aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  }

  batch(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const base = Number(view.getBigInt64(0));
    const attributes = view.getInt16(21);
    const last = base + view.getInt32(23);
    const producerId = view.getBigInt64(43);
    const count = view.getInt32(57);
    const coded = bytes.subarray(HEADER_BYTES);
    const codec = attributes & CODEC_MASK;
    const isLeftOut = this.#isLeftOut({ attributes, last, producerId, coded });
    if (!isLeftOut && last >= this.#from.offset && count > 0) {
      const records = codec === 0 ? coded : this.#from.decompress(codec, coded);
      const times = { first: Number(view.getBigInt64(27)), appended: Number(view.getBigInt64(35)) };
      const isAppendTime = (attributes & LOG_APPEND_TIME) !== 0;
      this.#records(records, {
        base,
        count,
        firstMs: times.first,
        appendedMs: isAppendTime ? times.appended : undefined,
      });
    }
    if (!this.isFull) this.#next = Math.max(this.#next, last + 1);
  }

  taken(): Taken {
    return { bytes: this.#writer.packed(), runs: this.#runs, next: this.#next, count: this.#writer.count };
  }

  /** Follows transactions: whether a batch is a control batch, or belongs to one that was aborted. */
  #isLeftOut(batch: {
    readonly attributes: number;
    readonly last: number;
    readonly producerId: bigint;
    readonly coded: Uint8Array;
  }): boolean {
    const { attributes, last, producerId, coded } = batch;
    while (this.#aborted.length > 0 && this.#aborted[0]!.firstOffset <= last)
      this.#aborting.add(this.#aborted.shift()!.producerId);
    if ((attributes & CONTROL) !== 0) {
      if (controlType(coded) === ABORT) this.#aborting.delete(producerId);
      return true;
    }
    return (attributes & TRANSACTIONAL) !== 0 && this.#aborting.has(producerId);
  }

  #records(
    bytes: Uint8Array,
    batch: { readonly base: number; readonly count: number; readonly firstMs: number; readonly appendedMs?: number },
  ): void {
    const reader = new VarintReader(bytes);
    for (let n = 0; n < batch.count; n++) {
      const end = reader.int() + reader.at;
      if (end > bytes.length) throw new BatchDamaged(`Cannot read the batch at ${batch.base}: a record is cut off.`);
      reader.at += 1; // attributes, of which there are none
      const timestampMs = batch.appendedMs ?? batch.firstMs + reader.long();
      const offset = batch.base + (batch.appendedMs === undefined ? reader.int() : reader.skipThenInt());
      if (offset < this.#from.offset) {
        reader.at = end;
        continue;
      }
      if (this.#isFullFor(end - reader.at)) {
        this.isFull = true;
        return;
      }
      this.#record(reader, { bytes, offset, timestampMs });
      if (reader.at !== end) throw new BatchDamaged(`Cannot read the batch at ${batch.base}: record ${n} is damaged.`);
      this.#next = offset + 1;
    }
  }

  #isFullFor(bytes: number): boolean {
    const { count, length } = this.#writer;
    return count > 0 && (count >= this.#from.recordsMax || length + PACKED_BYTES + bytes > this.#from.bytesMax);
  }

  #record(
    reader: VarintReader,
    {
      bytes,
      offset,
      timestampMs,
    }: { readonly bytes: Uint8Array; readonly offset: number; readonly timestampMs: number },
  ): void {
    const writer = this.#writer;
    const start = writer.length;
    const keyBytes = reader.int();
    const keyStart = keyBytes < 0 ? -1 : reader.at;
    const keyEnd = reader.at + Math.max(0, keyBytes);
    reader.at = keyEnd;
    const valueBytes = reader.int();
    const valueStart = reader.at;
    const valueEnd = reader.at + Math.max(0, valueBytes);
    reader.at = valueEnd;
    const headers = reader.int();
    if (headers === 0 && valueBytes >= 0)
      writer.addSlice(bytes, { keyStart, keyEnd, valueStart, valueEnd, timestampMs });
    else
      writer.add({
        key: keyStart < 0 ? null : bytes.subarray(keyStart, keyEnd),
        value: valueBytes < 0 ? null : bytes.subarray(valueStart, valueEnd),
        timestampMs,
        ...(headers === 0 ? {} : { headers: reader.headers(headers) }),
      });
    this.#run(offset, { start, end: writer.length });
  }

  /** Grows the last run, or begins one behind a gap. */
  #run(offset: number, { start, end }: { readonly start: number; readonly end: number }): void {
    const run = this.#runs.at(-1);
    if (run === undefined || run.firstOffset + run.count !== offset)
      this.#runs.push({ firstOffset: offset, count: 1, start, end });
    else this.#runs[this.#runs.length - 1] = { ...run, count: run.count + 1, end };
  }
}

/** The type of a control batch's only record: its key is a version and a type, both of two bytes. */
function controlType(bytes: Uint8Array): number {
  const reader = new VarintReader(bytes);
  reader.int();
  reader.at += 1;
  reader.long();
  reader.int();
  reader.int();
  return new DataView(bytes.buffer, bytes.byteOffset + reader.at + 2, 2).getInt16(0);
}

const TEXT = new TextDecoder();

/** Reads zigzag varints, as in Protocol Buffers. */
class VarintReader {
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** An integer of 32 bits. */
  int(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.at++]!;
    let value = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = bytes[this.at++]!;
      value |= (byte & 0x7f) << shift;
    }
    return (value >>> 1) ^ -(value & 1);
  }

  /** An integer of 64 bits, exact to 2^53. */
  long(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.at++]!;
    let value = byte & 0x7f;
    for (let factor = 128; byte >= 0x80; factor *= 128) {
      byte = bytes[this.at++]!;
      value += (byte & 0x7f) * factor;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** Leaves a long out and reads the integer behind it. */
  skipThenInt(): number {
    this.long();
    return this.int();
  }

  /** Headers by name; of a name that comes again the last one counts. */
  headers(count: number): Record<string, string> {
    const headers: Record<string, string> = Object.create(null);
    for (let n = 0; n < count; n++) {
      const name = this.#text(this.int());
      const valueBytes = this.int();
      headers[name] = valueBytes < 0 ? "" : this.#text(valueBytes);
    }
    return headers;
  }

  #text(length: number): string {
    const text = TEXT.decode(this.#bytes.subarray(this.at, this.at + length));
    this.at += length;
    return text;
  }
}
