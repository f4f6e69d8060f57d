/**
 * LZ4: decompression of frames, as producers of records of format v2 write them.
 *
 *   magic, flags ──▶ block ──▶ block ──▶ … ──▶ end mark ──▶ checksum? ──▶ the next frame, or the end
 *
 * https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md and lz4_Block_format.md. A block may repeat what an
 * earlier one became (Java's blocks never do, librdkafka's may). The frame's own checksums are passed over: the batch
 * around it has one, which was checked. Nothing else is believed.
 *
 * @module
 */
import { copyBytes, repeatBytes } from "../copy_bytes.ts";

const MAGIC = 0x184d2204;
const VERSION_MASK = 0xc0;
const VERSION = 0x40;
const BLOCK_SUMS = 0x10;
const SIZE_SAID = 0x08;
const FRAME_SUM = 0x04;
const DICTIONARY = 0x01;
const SUM_BYTES = 4;
const SIZE_BYTES = 8;
/** Magic, flags, the block's size and the header's checksum. */
const HEADER_BYTES_MIN = 7;
/** A block with this bit in its size was not compressed. */
const STORED = 0x8000_0000;
const MATCH_BYTES_MIN = 4;
/** A length of this many goes on in further bytes. */
const GOES_ON = 15;

/** Decompresses frames; throws RangeError for what is no LZ4, or becomes more than `bytesMax`. */
export function lz4Decompress(bytes: Uint8Array, bytesMax: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Growing(bytes.length, bytesMax);
  for (let at = 0; at < bytes.length; ) at = frame(view, at, out);
  return out.bytes();
}

/** Decompresses one frame; answers where it ends. */
function frame(view: DataView, start: number, out: Growing): number {
  if (start + HEADER_BYTES_MIN > view.byteLength || view.getUint32(start, true) !== MAGIC)
    throw damaged("it does not begin as one");
  const flags = view.getUint8(start + 4);
  if ((flags & VERSION_MASK) !== VERSION || (flags & DICTIONARY) !== 0) throw damaged("its flags are not of version 1");
  let at = start + HEADER_BYTES_MIN + ((flags & SIZE_SAID) === 0 ? 0 : SIZE_BYTES);
  for (;;) {
    if (at + 4 > view.byteLength) throw damaged("it has no end");
    const said = view.getUint32(at, true);
    at += 4;
    if (said === 0) break;
    const end = at + (said & ~STORED);
    if (end > view.byteLength) throw damaged("a block is cut off");
    const block = new Uint8Array(view.buffer, view.byteOffset + at, end - at);
    if ((said & STORED) === 0) fillBlock(block, out);
    else out.add(block, 0, block.length);
    at = end + ((flags & BLOCK_SUMS) === 0 ? 0 : SUM_BYTES);
  }
  return at + ((flags & FRAME_SUM) === 0 ? 0 : SUM_BYTES);
}

/** Sequences: bytes as they are, then a copy of what came before; the last one has no copy. */
function fillBlock(block: Uint8Array, out: Growing): void {
  const reader = new LengthReader(block);
  while (reader.at < block.length) {
    const token = block[reader.at++]!;
    const literals = reader.length(token >> 4);
    const end = reader.at + literals;
    if (end > block.length) throw damaged("bytes run over a block's end");
    out.add(block, reader.at, literals);
    reader.at = end;
    if (end === block.length) return;
    if (end + 2 > block.length) throw damaged("a distance is cut off");
    const distance = block[end]! + 256 * block[end + 1]!;
    reader.at += 2;
    out.repeat(distance, MATCH_BYTES_MIN + reader.length(token & GOES_ON));
  }
}

/** Reads lengths: what does not fit a token's four bits goes on until a byte is not full. */
class LengthReader {
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  length(first: number): number {
    let length = first;
    for (let byte = first === GOES_ON ? 255 : 0; byte === 255; length += byte) {
      if (this.at >= this.#bytes.length) throw damaged("a length is cut off");
      byte = this.#bytes[this.at++]!;
    }
    return length;
  }
}

/** What it becomes: nobody says how much that is, so the room doubles up to a bound. */
class Growing {
  readonly #bytesMax: number;
  #room: Uint8Array;
  #filled = 0;

  constructor(compressedBytes: number, bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#room = new Uint8Array(Math.min(bytesMax, 4 * compressedBytes));
  }

  add(source: Uint8Array, from: number, length: number): void {
    this.#need(length);
    copyBytes(source, this.#room, this.#filled, from, from + length);
    this.#filled += length;
  }

  repeat(distance: number, length: number): void {
    if (distance === 0 || distance > this.#filled) throw damaged("a copy begins before its start");
    this.#need(length);
    repeatBytes(this.#room, { from: this.#filled - distance, at: this.#filled, length });
    this.#filled += length;
  }

  bytes(): Uint8Array {
    return this.#room.subarray(0, this.#filled);
  }

  #need(more: number): void {
    const needed = this.#filled + more;
    if (needed <= this.#room.length) return;
    if (needed > this.#bytesMax) throw new RangeError(`it becomes more than ${this.#bytesMax} bytes`);
    const room = new Uint8Array(Math.min(this.#bytesMax, Math.max(needed, 2 * this.#room.length)));
    room.set(this.#room.subarray(0, this.#filled));
    this.#room = room;
  }
}

function damaged(why: string): RangeError {
  return new RangeError(`it is no LZ4: ${why}`);
}
