/**
 * Snappy: decompression of raw blocks, and of the stream that Java's producers make of them (Xerial's snappy-java).
 *
 *   header? ──no──▶ one raw block                          header: 0x82 "SNAPPY" 0, two versions of 4 bytes
 *      └──yes──▶ length, raw block · length, raw block …
 *
 * A raw block: https://github.com/google/snappy/blob/main/format_description.txt. Nothing is believed: every length is
 * checked against what is there, and what would become too much is refused before memory is taken.
 *
 * @module
 */
import { copyBytes, repeatBytes } from "../copy_bytes.ts";

const XERIAL = Uint8Array.of(0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0);
const XERIAL_BYTES = 16;
/** Bytes of a block's length inside Xerial's stream. */
const LENGTH_BYTES = 4;

/** Decompresses either form; throws RangeError for what is no snappy, or becomes more than `bytesMax`. */
export function snappyDecompress(bytes: Uint8Array, bytesMax: number): Uint8Array {
  const blocks = hasHeader(bytes, 0) ? blocksOf(bytes) : [bytes];
  const sizes = blocks.map(sizeOf);
  const total = sizes.reduce((sum, { size }) => sum + size, 0);
  if (total > bytesMax) throw new RangeError(`it becomes ${total} bytes, at most ${bytesMax} are taken`);
  const out = new Uint8Array(total);
  let at = 0;
  for (const [index, block] of blocks.entries()) {
    const { size, start } = sizes[index]!;
    fillBlock(block.subarray(start), out.subarray(at, at + size));
    at += size;
  }
  return out;
}

function hasHeader(bytes: Uint8Array, at: number): boolean {
  return bytes.length >= at + XERIAL_BYTES && XERIAL.every((byte, index) => bytes[at + index] === byte);
}

/** The raw blocks of a stream; streams may follow each other, each with its header. */
function blocksOf(bytes: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blocks: Uint8Array[] = [];
  for (let at = XERIAL_BYTES; at < bytes.length; ) {
    if (hasHeader(bytes, at)) {
      at += XERIAL_BYTES;
      continue;
    }
    const start = at + LENGTH_BYTES;
    if (start > bytes.length) throw damaged("a length is cut off");
    at = start + view.getUint32(at);
    if (at > bytes.length) throw damaged("a block is cut off");
    blocks.push(bytes.subarray(start, at));
  }
  return blocks;
}

/** The size that a raw block says it becomes, and where its elements start. */
function sizeOf(block: Uint8Array): { readonly size: number; readonly start: number } {
  let size = 0;
  for (let start = 0, factor = 1; start < 5 && start < block.length; start++, factor *= 128) {
    const byte = block[start]!;
    size += (byte & 0x7f) * factor;
    if (byte < 0x80) return { size, start: start + 1 };
  }
  throw damaged("it does not say its size");
}

/** Fills `out` from the elements of a block: bytes as they are, and copies of what came before. */
function fillBlock(block: Uint8Array, out: Uint8Array): void {
  let at = 0;
  let filled = 0;
  while (at < block.length) {
    const tag = block[at++]!;
    const more = MORE_BYTES[tag & 3]!;
    if ((tag & 3) === 0) {
      const short = tag >> 2;
      const extra = Math.max(0, short - 59);
      const length = 1 + (extra === 0 ? short : little(block, at, extra));
      at += extra;
      if (at + length > block.length || filled + length > out.length) throw damaged("bytes run over its end");
      copyBytes(block, out, filled, at, at + length);
      at += length;
      filled += length;
      continue;
    }
    const low = little(block, at, more);
    at += more;
    const length = more === 1 ? 4 + ((tag >> 2) & 7) : 1 + (tag >> 2);
    const distance = more === 1 ? ((tag >> 5) << 8) + low : low;
    if (distance === 0 || distance > filled || filled + length > out.length)
      throw damaged("a copy runs over its bounds");
    repeatBytes(out, { from: filled - distance, at: filled, length });
    filled += length;
  }
  if (filled !== out.length) throw damaged(`it says ${out.length} bytes and has ${filled}`);
}

/** Bytes of a copy's distance behind its tag, by the tag's kind; kind 0 is no copy. */
const MORE_BYTES = [0, 1, 2, 4] as const;

function little(bytes: Uint8Array, at: number, count: number): number {
  if (at + count > bytes.length) throw damaged("a length is cut off");
  let value = 0;
  for (let n = count - 1; n >= 0; n--) value = value * 256 + bytes[at + n]!;
  return value;
}

function damaged(why: string): RangeError {
  return new RangeError(`it is no snappy: ${why}`);
}
