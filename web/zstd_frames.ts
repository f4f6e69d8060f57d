/**
 * Zstandard's frames: whether bytes are whole ones (RFC 8878, section 3.1), without decompressing them.
 *
 *   magic · header · block · block(last) · checksum ──▶ next frame, or the end
 *
 * The decompressor takes an end in the middle of a frame for the end of what was
 * sent, and gives out the part before it.
 *
 * @module
 */

const MAGIC = 0xfd2fb528;
const SKIPPED_MAGIC = 0x184d2a50;
const DICTIONARY_BYTES = [0, 1, 2, 4] as const;
const RUN = 1;

/** Whether these bytes are one frame or several, each from its beginning to its end. */
export function areWholeFrames(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at < bytes.length) {
    const end = frameEnd(view, at);
    if (end === undefined || end > bytes.length) return false;
    at = end;
  }
  return at > 0;
}

/** Where the frame at `start` ends, perhaps behind the bytes; undefined if they end before that can be said, or if it is none. */
function frameEnd(view: DataView, start: number): number | undefined {
  if (start + 8 > view.byteLength) return undefined;
  const magic = view.getUint32(start, true);
  if ((magic & ~0xf) >>> 0 === SKIPPED_MAGIC) return start + 8 + view.getUint32(start + 4, true);
  if (magic !== MAGIC) return undefined;
  const about = view.getUint8(start + 4);
  const isSingle = (about & 0x20) !== 0;
  const sizeBytes = about >> 6 === 0 ? Number(isSingle) : 2 ** (about >> 6);
  let at = start + 5 + Number(!isSingle) + DICTIONARY_BYTES[(about & 0b11) as 0 | 1 | 2 | 3] + sizeBytes;
  for (;;) {
    if (at + 3 > view.byteLength) return undefined;
    const block = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    const isRun = ((block >> 1) & 0b11) === RUN;
    at += 3 + (isRun ? 1 : block >> 3);
    if ((block & 1) === 1) return at + ((about & 0x04) === 0 ? 0 : 4);
  }
}
