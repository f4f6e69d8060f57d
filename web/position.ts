/**
 * Positions as clients see them: opaque, URL-safe, to be handed back as they are.
 *
 *   source, partition → next offset ──▶ "MXxmbGlnaHR8MDoxMiwxOjk"
 *
 * @module
 */

/** Writes a position. */
export function encodePosition(source: string, position: ReadonlyMap<number, number>): string {
  const pairs = [...position].map(([partition, next]) => `${partition}:${next}`).join(",");
  return Buffer.from(`1|${source}|${pairs}`).toString("base64url");
}

/** A position that a client handed back: of which source, and the next offset by partition. */
export interface SourcePosition {
  readonly source: string;
  readonly position: ReadonlyMap<number, number>;
}

const CHARS_MAX = 16_384;
const FORM = /^1\|([^|]{1,200})\|((?:\d{1,5}:\d{1,15}(?:,(?=\d)|$))*)$/;

/** Reads what `encodePosition` wrote; undefined if it is nothing of the kind. */
export function decodePosition(text: string): SourcePosition | undefined {
  if (text.length > CHARS_MAX || !/^[\w-]+$/.test(text)) return undefined;
  const match = FORM.exec(Buffer.from(text, "base64url").toString("utf8"));
  if (match === null) return undefined;
  const [, source, pairs] = match as unknown as [string, string, string];
  const places = pairs === "" ? [] : pairs.split(",").map((pair) => pair.split(":").map(Number) as [number, number]);
  return { source, position: new Map(places) };
}
