/**
 * The body of a strict insert: each record's own bytes with its place in the log spliced in front.
 *
 *   {"flight_id":"a",…}  ──▶  {"<partition>":0,"<offset>":12,"<time>":1700000000000,"flight_id":"a",…}
 *
 * The producer's bytes are never parsed here; the engine judges them. The three
 * names carry a salt which no producer knows, so that bytes which pretend to be
 * several rows fail instead of forging one. An empty object never comes here:
 * no source takes it.
 *
 * @module
 */
import { copyBytes, type Records } from "@weir/connectors";
import type { Op } from "@weir/sql";
import { opOf } from "./decoded.ts";

/** Names of the companions, as the insert statement expects them. */
export interface Companions {
  readonly partition: string;
  readonly offset: string;
  readonly time: string;
  /** Only where records say what happened to their row. */
  readonly op: string;
}

/** Bytes of one chunk; larger than any HTTP write buffer, small beside a batch. */
const CHUNK_BYTES = 1 << 20;
const OPEN = 0x7b;
const COMMA = 0x2c;
const NEWLINE = 0x0a;

/** Index of the first byte after the `{` of a record's JSON object; -1 if the record is not an object. */
function insideObject(records: Records, index: number): number {
  let at = records.valueStarts[index];
  if (at < 0) return -1;
  const end = records.valueEnds[index];
  while (at < end && isSpace(records.bytes[at])) at++;
  return at < end && records.bytes[at] === OPEN ? at + 1 : -1;
}

/** How a body is made. */
export interface BodyOptions {
  readonly names: Companions;
  /** Rewrites each record's text, for sources whose bytes cannot go to the engine as they are. */
  readonly rewrite: ((text: string) => string) | undefined;
  /** Roughly how much is to come, in bytes: small bodies take small chunks. */
  readonly bytesHint: number;
}

/** Makes the body of a batch, record by record, in chunks. */
export class BodyWriter {
  /** Chunks that are full. */
  readonly full: Uint8Array[] = [];
  readonly #options: BodyOptions;
  /** What stands between offset and time. */
  protected middle: Uint8Array;
  #head: Uint8Array = new Uint8Array(0);
  #chunk: Chunk;

  constructor(options: BodyOptions) {
    this.#options = options;
    this.middle = Buffer.from(`,"${options.names.time}":`);
    this.#chunk = new Chunk(Math.min(CHUNK_BYTES, 2 * options.bytesHint + 256));
  }

  /** The records that follow are of this partition. */
  partition(partition: number): void {
    const { names } = this.#options;
    this.#head = Buffer.from(`{"${names.partition}":${partition},"${names.offset}":`);
  }

  /** Adds one record, which must be a JSON object with at least one field. */
  add(records: Records, index: number): void {
    const { rewrite } = this.#options;
    const value = rewrite === undefined ? originalBytes(records, index) : rewritten(records, { index, rewrite });
    const head = this.#head;
    const { middle } = this;
    const needed = head.length + middle.length + 40 + value.end - value.inside;
    if (this.#chunk.at + needed > this.#chunk.bytes.length) {
      if (this.#chunk.at > 0) this.full.push(this.#chunk.taken());
      this.#chunk = new Chunk(Math.max(CHUNK_BYTES, needed));
    }
    const [offset, timestampMs] = [records.offsets[index], records.timestamps[index]];
    splice(this.#chunk, { value, offset, timestampMs, head, middle });
  }

  /** All chunks; nothing is added afterwards. */
  end(): readonly Uint8Array[] {
    if (this.#chunk.at > 0) this.full.push(this.#chunk.taken());
    return this.full;
  }
}

/** Makes the body of records that changed their rows: each says how. */
export class ChangeWriter extends BodyWriter {
  readonly #middles: Readonly<Record<Op, Uint8Array>>;

  constructor(options: BodyOptions) {
    super(options);
    const { op, time } = options.names;
    const middleOf = (name: Op) => Buffer.from(`,"${op}":"${name}","${time}":`);
    this.#middles = { c: middleOf("c"), u: middleOf("u"), d: middleOf("d"), r: middleOf("r") };
  }

  override add(records: Records, index: number): void {
    this.middle = this.#middles[opOf(records, index)];
    super.add(records, index);
  }
}

/** Chunks that are kept for the next bodies: fresh memory costs more than what is written into it. */
const SPARE_CHUNKS_MAX = 32;
const spare: ArrayBufferLike[] = [];

/** Gives the chunks of a body back when nobody will read them any more. */
export function recycle(chunks: readonly Uint8Array[]): void {
  for (const { buffer } of chunks) {
    if (buffer.byteLength === CHUNK_BYTES && spare.length < SPARE_CHUNKS_MAX) spare.push(buffer);
  }
}

class Chunk {
  readonly bytes: Uint8Array;
  at = 0;
  /** The decimal digits of the last append time: neighbours usually share it. */
  lastMs = Number.NaN;
  lastDigits: Uint8Array = new Uint8Array(0);

  constructor(size: number) {
    const known = size === CHUNK_BYTES ? spare.pop() : undefined;
    this.bytes = known === undefined ? new Uint8Array(size) : new Uint8Array(known);
  }

  taken(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }
}

/** An object's bytes from behind its `{` to its end. */
interface ObjectBytes {
  readonly bytes: Uint8Array;
  readonly inside: number;
  readonly end: number;
}

function originalBytes(records: Records, index: number): ObjectBytes {
  return { bytes: records.bytes, inside: insideObject(records, index), end: records.valueEnds[index] };
}

function rewritten(
  records: Records,
  { index, rewrite }: { index: number; rewrite: (text: string) => string },
): ObjectBytes {
  const text = new TextDecoder().decode(records.bytes.subarray(records.valueStarts[index], records.valueEnds[index]));
  const bytes = new TextEncoder().encode(rewrite(text).trimStart());
  return { bytes, inside: 1, end: bytes.length };
}

interface Spliced {
  readonly value: ObjectBytes;
  readonly offset: number;
  readonly timestampMs: number;
  readonly head: Uint8Array;
  readonly middle: Uint8Array;
}

function splice(chunk: Chunk, { value, offset, timestampMs, head, middle }: Spliced): void {
  const to = chunk.bytes;
  let at = copy(to, chunk.at, head);
  at = writeInteger(to, at, offset);
  at = copy(to, at, middle);
  const ms = Math.trunc(timestampMs);
  if (ms !== chunk.lastMs) {
    chunk.lastMs = ms;
    chunk.lastDigits = Buffer.from(String(ms));
  }
  at = copy(to, at, chunk.lastDigits);
  const { bytes, inside, end } = value;
  to[at++] = COMMA;
  copyBytes(bytes, to, at, inside, end);
  at += end - inside;
  to[at++] = NEWLINE;
  chunk.at = at;
}

function copy(to: Uint8Array, at: number, from: Uint8Array): number {
  copyBytes(from, to, at, 0, from.length);
  return at + from.length;
}

function writeInteger(to: Uint8Array, at: number, value: number): number {
  let digits = 1;
  for (let bound = 10; value >= bound; bound *= 10) digits++;
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const tenth = Math.floor(rest / 10);
    to[i] = 48 + (rest - tenth * 10);
    rest = tenth;
  }
  return at + digits;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
