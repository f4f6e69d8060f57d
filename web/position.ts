/**
 * Positions as clients see them: opaque, URL-safe, to be handed back as they are.
 *
 *   source, partition → next offset ──▶ "MXxmbGlnaHR8MDoxMiwxOjk"
 *
 * @module
 */

/** A place in one source's topic: the offset after the last record meant, by partition. */
export interface DecodedPosition {
  readonly source: string;
  readonly position: ReadonlyMap<number, number>;
}

/** Writes a position. */
export function encodePosition(source: string, position: ReadonlyMap<number, number>): string {
  const pairs = [...position].map(([partition, next]) => `${partition}:${next}`).join(",");
  return Buffer.from(`1|${source}|${pairs}`).toString("base64url");
}

/** Reads a position; undefined if it is none. */
export function decodePosition(text: string): DecodedPosition | undefined {
  if (!/^[\w-]{1,8192}$/.test(text)) return undefined;
  const match = /^1\|([^|]*)\|((?:\d+:\d+(?:,|$))*)$/.exec(Buffer.from(text, "base64url").toString());
  if (match === null) return undefined;
  const pairs = match[2].split(",").filter((pair) => pair !== "");
  return { source: match[1], position: new Map(pairs.map((pair) => pair.split(":").map(Number) as [number, number])) };
}
