/**
 * A record batch as it is produced: records packed one behind the other, compressed, numbered and summed, without an
 * object for each.
 *
 *   Records ──add──▶ packed records ──seal(producer, sequence)──▶ header · zstd(records)
 *
 * Format v2: https://kafka.apache.org/documentation/#recordbatch; `record_batch.ts` reads it.
 *
 * @module
 */
import { copyBytes } from "../copy_bytes.ts";
import { hasHeaders, headersOf, type Records } from "../records.ts";
import { compress } from "./compression.ts";
import { crc32c } from "./crc32c.ts";
import { HEADER_BYTES, MAGIC, PREFIX_BYTES, SUM_AT, SUMMED_FROM } from "./record_batch.ts";

/** Who numbers a batch's records: Kafka drops those whose numbers it has already. */
export interface Producer {
  readonly id: bigint;
  readonly epoch: number;
}

/**
 * What a record costs beside its key, headers and value, at most: its length, attributes, two deltas, the lengths of key
 * and value, and the count of headers.
 */
export const RECORD_BYTES_MAX = 5 + 1 + 10 + 5 + 5 + 5 + 5;
type Headers = Readonly<Record<string, string>>;

const BEGIN_BYTES = 16 << 10;
/** Whatever its partition's leader is. */
const NO_LEADER_EPOCH = -1;
const NONE = -1;
const UTF8 = new TextEncoder();
const NO_HEADERS: readonly Uint8Array[][] = [];

/** Packs records of one partition. */
export class BatchWriter {
  /** Records packed so far. */
  count = 0;
  /** Bytes packed so far, before they are compressed. */
  length = 0;
  #bytes = new Uint8Array(BEGIN_BYTES);
  #firstMs = 0;
  #newestMs = 0;

  /** Packs a record with its headers and `more` of them. */
  add(records: Records, { index, more }: { readonly index: number; readonly more?: Headers | undefined }): void {
    const ms = Math.trunc(records.timestamps[index]!);
    if (this.count === 0) this.#firstMs = this.#newestMs = ms;
    if (ms > this.#newestMs) this.#newestMs = ms;
    const [keyStart, keyEnd] = [records.keyStarts[index]!, records.keyEnds[index]!];
    const [valueStart, valueEnd] = [records.valueStarts[index]!, records.valueEnds[index]!];
    const [key, value] = [keyStart < 0 ? NONE : keyEnd - keyStart, valueStart < 0 ? NONE : valueEnd - valueStart];
    const headers = hasHeaders(records, index) ? { ...headersOf(records, index), ...more } : more;
    const coded =
      headers === undefined
        ? NO_HEADERS
        : Object.entries(headers).map((texts) => texts.map((text) => UTF8.encode(text)));
    const [delta, number] = [ms - this.#firstMs, this.count];
    let size = 1 + varintBytes(delta) + varintBytes(number) + varintBytes(coded.length);
    size += varintBytes(key) + Math.max(0, key) + varintBytes(value) + Math.max(0, value);
    for (const parts of coded) for (const part of parts) size += varintBytes(part.length) + part.length;
    this.#grow(varintBytes(size) + size);
    this.#int(size);
    this.#bytes[this.length++] = 0; // attributes, of which there are none
    this.#int(delta);
    this.#int(number);
    this.#int(key);
    if (key > 0) this.#copy(records.bytes, keyStart, keyEnd);
    this.#int(value);
    if (value > 0) this.#copy(records.bytes, valueStart, valueEnd);
    this.#int(coded.length);
    for (const parts of coded)
      for (const part of parts) {
        this.#int(part.length);
        this.#copy(part, 0, part.length);
      }
    this.count += 1;
  }

  /** The whole batch, whose first record has this number. Nothing is added afterwards. */
  seal({ id, epoch }: Producer, sequence: number): Buffer {
    const { codec, bytes: coded } = compress(this.#bytes.subarray(0, this.length));
    const batch = Buffer.allocUnsafe(HEADER_BYTES + coded.length);
    batch.writeBigInt64BE(0n, 0); // the leader sets the offsets
    batch.writeInt32BE(batch.length - PREFIX_BYTES, 8);
    batch.writeInt32BE(NO_LEADER_EPOCH, 12);
    batch.writeInt8(MAGIC, 16);
    batch.writeInt16BE(codec, 21);
    batch.writeInt32BE(this.count - 1, 23);
    batch.writeBigInt64BE(BigInt(this.#firstMs), 27);
    batch.writeBigInt64BE(BigInt(this.#newestMs), 35);
    batch.writeBigInt64BE(id, 43);
    batch.writeInt16BE(epoch, 51);
    batch.writeInt32BE(sequence, 53);
    batch.writeInt32BE(this.count, 57);
    batch.set(coded, HEADER_BYTES);
    batch.writeUInt32BE(crc32c(batch, SUMMED_FROM), SUM_AT);
    return batch;
  }

  #grow(bytes: number): void {
    if (this.length + bytes <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.length + bytes, 2 * this.#bytes.length));
    copyBytes(this.#bytes, larger, 0, 0, this.length);
    this.#bytes = larger;
  }

  #copy(source: Uint8Array, start: number, end: number): void {
    copyBytes(source, this.#bytes, this.length, start, end);
    this.length += end - start;
  }

  /** Writes a zigzag varint, as in Protocol Buffers. */
  #int(value: number): void {
    let rest = zigzag(value);
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#bytes[this.length++] = (rest % 0x80) | 0x80;
    this.#bytes[this.length++] = rest;
  }
}

/** What a record takes in a batch at most, in bytes. */
export function bytesOfRecord({ keyStarts, keyEnds, valueEnds }: Records, index: number): number {
  // Key, headers and value lie behind each other. The headers are JSON there, whose six marks for each are more than the
  // two lengths in the batch.
  const start = keyStarts[index]! < 0 ? keyEnds[index]! : keyStarts[index]!;
  return RECORD_BYTES_MAX + valueEnds[index]! - start;
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = zigzag(value); rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes += 1;
  return bytes;
}
