/**
 * A reader over the bytes of one record: what Avro and Protobuf are made of.
 *
 * Nothing is read past the end, and nothing that the bytes claim is believed
 * before it is compared with what is left of them. What a record unfolds into
 * is bounded by its own bytes and its schema: a few bytes may stand for many
 * empty values, and a batch has many records. Pure.
 *
 * @module
 */
import { Undecodable } from "./undecodable.ts";

/** Values of one record, and of values inside each other. */
export const VALUES_MAX = 100_000;
export const NESTING_MAX = 64;
/** Characters of JSON that a record may become: some for each of its bytes, and those of its schema, whose names it repeats. */
export const CHARS_PER_BYTE_MAX = 64;
const CHARS_FREE = 4_096;
/** Bytes of a 64-bit number in groups of seven bits. */
const VARINT_BYTES_MAX = 10;

/** How much one record has unfolded into so far; shared by the readers of its parts. */
interface Spent {
  values: number;
  chars: number;
  readonly charsMax: number;
}

/** Reads forward through one record, or a part of it. */
export class ByteReader {
  at = 0;
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #spent: Spent;

  private constructor(bytes: Uint8Array, spent: Spent) {
    this.bytes = bytes;
    this.#spent = spent;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Over a whole record, whose schema has so many characters. */
  static of(bytes: Uint8Array, schemaChars: number): ByteReader {
    const charsMax = CHARS_FREE + schemaChars + CHARS_PER_BYTE_MAX * bytes.length;
    return new ByteReader(bytes, { values: 0, chars: 0, charsMax });
  }

  /** Bytes that are left. */
  get left(): number {
    return this.bytes.length - this.at;
  }

  /** One byte. */
  byte(): number {
    if (this.left < 1) throw cutOff();
    return this.bytes[this.at++];
  }

  /** So many bytes, as a view. */
  take(count: number): Uint8Array {
    if (count < 0 || count > this.left) throw cutOff();
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  /** A reader over `bytes`, which are part of the same record. */
  inside(bytes: Uint8Array): ByteReader {
    return new ByteReader(bytes, this.#spent);
  }

  /** An unsigned number of at most 64 bits, seven in each byte, the lowest first. */
  varint(): bigint {
    const start = this.at;
    let low = 0;
    // Most numbers are small, and BigInt is slow.
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte();
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt(low);
    }
    let value = BigInt(low);
    for (let shift = 28n; this.at - start < VARINT_BYTES_MAX; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new Undecodable(`a number at byte ${start} has more than ${VARINT_BYTES_MAX} bytes`);
  }

  /** A signed number whose sign is its lowest bit. */
  zigzag(): bigint {
    const value = this.varint();
    return (value >> 1n) ^ -(value & 1n);
  }

  /** 4 or 8 bytes, little endian. */
  fixed32(): number {
    return this.#view.getUint32(this.#step(4), true);
  }
  fixed64(): bigint {
    return this.#view.getBigUint64(this.#step(8), true);
  }
  float(): number {
    return this.#view.getFloat32(this.#step(4), true);
  }
  double(): number {
    return this.#view.getFloat64(this.#step(8), true);
  }

  /** Counts one value against the record's bounds. */
  value(nesting: number): void {
    if (++this.#spent.values > VALUES_MAX) throw new Undecodable(`the record has more than ${VALUES_MAX} values`);
    if (nesting > NESTING_MAX)
      throw new Undecodable(`the record has more than ${NESTING_MAX} values inside each other`);
  }

  /** Counts text that is written against the record's bounds. */
  text(text: string): string {
    this.#spent.chars += text.length;
    if (this.#spent.chars <= this.#spent.charsMax) return text;
    throw new Undecodable(`the record would be more than ${this.#spent.charsMax} characters of JSON`);
  }

  #step(bytes: number): number {
    this.take(bytes);
    return this.at - bytes;
  }
}

const cutOff = () => new Undecodable("the record ends too early");
