/**
 * Bytes of an event as JSON can carry them: text if it is text, else base64.
 *
 * @module
 */
import { isUtf8 } from "node:buffer";

/** An event's bytes, cut or whole. */
export interface RawText {
  readonly raw: string;
  readonly raw_encoding: "utf-8" | "base64";
  /** How many there are in all. */
  readonly raw_bytes: number;
  readonly raw_is_cut: boolean;
}

/** Shows `bytes`, the beginning of `bytesTotal`; text is cut at a character's border. */
export function rawText(bytes: Uint8Array, bytesTotal = bytes.length): RawText {
  const isCut = bytesTotal > bytes.length;
  const whole = isCut ? withoutHalfCharacter(bytes) : bytes;
  const isText = isUtf8(whole);
  return {
    raw: isText ? Buffer.from(whole).toString("utf8") : Buffer.from(bytes).toString("base64"),
    raw_encoding: isText ? "utf-8" : "base64",
    raw_bytes: bytesTotal,
    raw_is_cut: isCut,
  };
}

/** Bytes without a character that the cut has halved; a character has four bytes at most. */
function withoutHalfCharacter(bytes: Uint8Array): Uint8Array {
  for (let cut = 0; cut < 4 && cut < bytes.length; cut++) {
    const end = bytes.length - cut;
    if (isUtf8(bytes.subarray(0, end))) return bytes.subarray(0, end);
  }
  return bytes;
}
