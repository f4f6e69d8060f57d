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
