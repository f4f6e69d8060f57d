/**
 * Record batches: Kafka's records on disk and on the wire, read where they lie, without an object for each.
 *
 *   fetched bytes ──batch by batch──▶ checked, decompressed ──record by record──▶ columns of positions
 *
 * Format v2: https://kafka.apache.org/documentation/#recordbatch. Left out are control batches and records of aborted
 * transactions, so offsets have gaps, as after compaction: each record's offset is its own. A batch that the fetch cut
 * off at its end is read by the next one.
 *
 * @module
 */
import { free, type Records, releasable } from "../records.ts";
import { crc32c } from "./crc32c.ts";

/** A transaction that was aborted: its producer's records from `firstOffset` on, until its end. */
export interface Aborted {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/**
 * What to take: from an offset on, within bounds, at least one record if there is one. A batch that was decompressed is
 * taken whole, unless it has more than `recordsMax`: it would be fetched, summed and decompressed again for its rest.
 */
export interface TakeFrom {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly recordsMax: number;
  readonly bytesMax: number;
  readonly aborted: readonly Aborted[];
  /** Decompresses a batch's records; throws for what it cannot. */
  readonly decompress: (codec: number, bytes: Uint8Array) => Uint8Array;
}

/** Bytes before a batch's length is counted: base offset and the length itself. */
export const PREFIX_BYTES = 12;
/** Bytes of a batch before its records. */
export const HEADER_BYTES = 61;
export const MAGIC = 2;
/** Where the checksum lies, and from where on it counts. */
export const SUM_AT = 17;
export const SUMMED_FROM = 21;
const CODEC_MASK = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
/** Smaller ones may share their memory with others: Node's pool has 8 KiB. */
const OWN_BYTES_MIN = 16 << 10;
/** The type of a control record that ends a transaction without its records. */
const ABORT = 0;

/** Bytes that are no record batch of format v2. */
export class BatchDamaged extends Error {
  override readonly name = "BatchDamaged";
}

/**
 * Reads whole batches until a bound is reached or the bytes end, or one comes that cannot be read: only who reads from
 * that one on hears why. Throws BatchDamaged, and what `decompress` throws.
 */
export function takeRecords(bytes: Uint8Array, from: TakeFrom): Records {
  const { sections, next } = sectionsOf(bytes, from);
  const taking = new Taking(from, sections, next);
  for (const section of sections) if (!taking.take(section)) break;
  return taking.taken(bytes);
}

/** One batch's records, uncompressed. */
interface Section {
  readonly bytes: Uint8Array;
  /** Where they begin in the fetched bytes; undefined if they were compressed. */
  readonly at: number | undefined;
  readonly base: number;
  /** The last offset of the batch, whether or not its record is still there. */
  readonly last: number;
  readonly count: number;
  readonly firstMs: number;
  /** When the broker appended the batch, if its records have no times of their own. */
  readonly appendedMs: number | undefined;
}

/** Walks the batches; `next` is behind those that are left out at the beginning. */
function sectionsOf(
  bytes: Uint8Array,
  from: TakeFrom,
): { readonly sections: readonly Section[]; readonly next: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const transactions = new Transactions(from.aborted);
  const sections: Section[] = [];
  let next = from.offset;
  let records = 0;
  let held = 0;
  // what lies behind the bounds stays compressed
  for (let at = 0; at + HEADER_BYTES <= bytes.length && records < from.recordsMax && held < from.bytesMax; ) {
    const end = at + PREFIX_BYTES + view.getInt32(at + 8);
    if (end > bytes.length) break;
    const batch = bytes.subarray(at, end);
    let section: Section | undefined;
    try {
      checkBatch(batch);
      section = sectionOf(batch, { at, from, transactions });
    } catch (error) {
      if (next === from.offset && sections.length === 0) throw error;
      break;
    }
    if (section !== undefined) {
      sections.push(section);
      held += section.bytes.length;
      records += Math.min(section.count, section.last + 1 - from.offset);
    } else if (sections.length === 0) next = Math.max(next, lastOffsetOf(batch) + 1);
    else sections.push({ ...NOTHING, base: lastOffsetOf(batch), last: lastOffsetOf(batch) });
    at = end;
  }
  return { sections, next };
}

/** A batch of which nothing is taken, between others. */
const NOTHING = { bytes: new Uint8Array(0), at: 0, count: 0, firstMs: 0, appendedMs: undefined } as const;

function checkBatch(batch: Uint8Array): void {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  if (view.getInt8(16) !== MAGIC)
    throw new BatchDamaged(`the records are of format ${view.getInt8(16)}, which Kafka 0.11 replaced.`);
  if (crc32c(batch.subarray(SUMMED_FROM)) !== view.getUint32(SUM_AT))
    throw new BatchDamaged(
      `the batch of offsets ${view.getBigInt64(0)} to ${lastOffsetOf(batch)} does not match its checksum.`,
    );
}

function lastOffsetOf(batch: Uint8Array): number {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  return Number(view.getBigInt64(0)) + view.getInt32(23);
}

/** The records of one batch; undefined if it has none to be taken. */
function sectionOf(
  batch: Uint8Array,
  { at, from, transactions }: { readonly at: number; readonly from: TakeFrom; readonly transactions: Transactions },
): Section | undefined {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  const attributes = view.getInt16(21);
  const last = lastOffsetOf(batch);
  const count = view.getInt32(57);
  const coded = batch.subarray(HEADER_BYTES);
  const isLeftOut = transactions.leaveOut({ attributes, last, producerId: view.getBigInt64(43), coded });
  if (isLeftOut || last < from.offset || count <= 0) return undefined;
  const codec = attributes & CODEC_MASK;
  return {
    ...{ base: Number(view.getBigInt64(0)), last, count, firstMs: Number(view.getBigInt64(27)) },
    bytes: codec === 0 ? coded : from.decompress(codec, coded),
    at: codec === 0 ? at + HEADER_BYTES : undefined,
    appendedMs: (attributes & LOG_APPEND_TIME) === 0 ? undefined : Number(view.getBigInt64(35)),
  };
}

/** Follows transactions: which batches were aborted. */
class Transactions {
  /** Producers whose open transaction was aborted. */
  readonly #aborting = new Set<bigint>();
  readonly #aborted: Aborted[];

  constructor(aborted: readonly Aborted[]) {
    this.#aborted = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  }

  /** Whether a batch is a control batch, or belongs to a transaction that was aborted. */
  leaveOut(batch: {
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
}

/** Makes the columns. Records stay where they were fetched or decompressed; of several batches, one of them compressed, all are copied. */
class Taking {
  readonly #from: TakeFrom;
  readonly #copy: Uint8Array | undefined;
  readonly #alone: Uint8Array | undefined;
  readonly #offsets: Float64Array;
  readonly #timestamps: Float64Array;
  readonly #keyStarts: Int32Array;
  readonly #keyEnds: Int32Array;
  readonly #valueStarts: Int32Array;
  readonly #valueEnds: Int32Array;
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  readonly #headers = new Map<number, Readonly<Record<string, string>>>();
  #copied = 0;
  #count = 0;
  #next: number;

  constructor(from: TakeFrom, sections: readonly Section[], next: number) {
    const count = Math.min(
      from.recordsMax,
      sections.reduce((sum, section) => sum + section.count, 0),
    );
    this.#from = from;
    this.#next = next;
    if (sections.length === 1 && sections[0]!.at === undefined) this.#alone = sections[0]!.bytes;
    else if (sections.some(({ at }) => at === undefined))
      this.#copy = new Uint8Array(sections.reduce((sum, { bytes }) => sum + bytes.length, 0));
    this.#offsets = new Float64Array(count);
    this.#timestamps = new Float64Array(count);
    this.#keyStarts = new Int32Array(count);
    this.#keyEnds = new Int32Array(count);
    this.#valueStarts = new Int32Array(count);
    this.#valueEnds = new Int32Array(count);
    this.#starts = new Int32Array(count);
    this.#ends = new Int32Array(count);
  }

  /** Takes a section's records; false if a bound was reached before its end, or they cannot be read behind others that can. */
  take(section: Section): boolean {
    const [count, next] = [this.#count, this.#next];
    try {
      return this.#takeAll(section);
    } catch (error) {
      if (next === this.#from.offset) throw error;
      [this.#count, this.#next] = [count, next];
      return false;
    }
  }

  #takeAll(section: Section): boolean {
    const shift = this.#place(section);
    const reader = new VarintReader(section.bytes);
    for (let n = 0; n < section.count; n++) {
      const start = reader.at;
      const end = reader.int() + reader.at;
      if (end > section.bytes.length)
        throw new BatchDamaged(`a record in the batch of offsets ${section.base} to ${section.last} is cut off.`);
      reader.at += 1; // attributes, of which there are none
      const delta = reader.long();
      const offset = section.base + reader.int();
      if (offset < this.#from.offset) {
        reader.at = end;
        continue;
      }
      if (this.#count >= this.#from.recordsMax) return false;
      this.#starts[this.#count] = start + shift;
      this.#ends[this.#count] = end + shift;
      this.#offsets[this.#count] = offset;
      this.#timestamps[this.#count] = section.appendedMs ?? section.firstMs + delta;
      this.#record(reader, shift);
      if (reader.at !== end)
        throw new BatchDamaged(`record ${n} in the batch of offsets ${section.base} to ${section.last} is damaged.`);
      this.#count += 1;
      this.#next = offset + 1;
    }
    this.#next = Math.max(this.#next, section.last + 1);
    if (this.#copy !== undefined) giveBack(section);
    return true;
  }

  taken(fetched: Uint8Array): Records {
    const { topic, partition } = this.#from;
    const count = this.#count;
    const columns = {
      offsets: this.#offsets.subarray(0, count),
      timestamps: this.#timestamps.subarray(0, count),
      keyStarts: this.#keyStarts.subarray(0, count),
      keyEnds: this.#keyEnds.subarray(0, count),
      valueStarts: this.#valueStarts.subarray(0, count),
      valueEnds: this.#valueEnds.subarray(0, count),
    };
    const framed = { starts: this.#starts, ends: this.#ends, headers: this.#headers };
    const own = this.#copy ?? this.#alone;
    const records = { topic, partition, count, next: this.#next, bytes: own ?? fetched, ...columns, framed };
    return releasable(records, { bytes: own !== undefined && own.length >= OWN_BYTES_MIN });
  }

  /** Where a section lies in the records' bytes, against its own. */
  #place({ bytes, at }: Section): number {
    if (this.#copy === undefined) return at ?? 0;
    const place = this.#copied;
    this.#copy.set(bytes, place);
    this.#copied += bytes.length;
    return place;
  }

  /** Reads from a record's key to its end. */
  #record(reader: VarintReader, shift: number): void {
    const at = this.#count;
    const keyBytes = reader.int();
    this.#keyStarts[at] = keyBytes < 0 ? -1 : reader.at + shift;
    reader.at += Math.max(0, keyBytes);
    this.#keyEnds[at] = reader.at + shift;
    const valueBytes = reader.int();
    this.#valueStarts[at] = valueBytes < 0 ? -1 : reader.at + shift;
    reader.at += Math.max(0, valueBytes);
    this.#valueEnds[at] = reader.at + shift;
    const headers = reader.int();
    if (headers > 0) this.#headers.set(at, reader.headers(headers));
  }
}

/** Frees what was decompressed and copied. */
function giveBack({ bytes, at }: Section): void {
  if (at === undefined && bytes.length >= OWN_BYTES_MIN) free(bytes);
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
