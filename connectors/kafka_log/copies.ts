/**
 * The two copies that snappy and LZ4 are made of: bytes as they are, and bytes that came before.
 *
 * Both are short nearly always, and a call costs more than a loop of a few bytes. Bounds are the callers' to check.
 *
 * @module
 */

const LOOP_BYTES_MAX = 32;

/** What to copy, and to where. */
interface Copy {
  readonly from: number;
  readonly at: number;
  readonly length: number;
}

/** Copies `length` bytes of `source`, from `from` on. */
export function copyBytes(source: Uint8Array, out: Uint8Array, { from, at, length }: Copy): void {
  if (length > LOOP_BYTES_MAX) out.set(source.subarray(from, from + length), at);
  else for (let n = 0; n < length; n++) out[at + n] = source[from + n]!;
}

/** Repeats bytes of `out` itself; where the two overlap it goes on with its own copy, as both formats ask for. */
export function repeatBytes(out: Uint8Array, { from, at, length }: Copy): void {
  if (length > LOOP_BYTES_MAX && from + length <= at) out.copyWithin(at, from, from + length);
  else for (let n = 0; n < length; n++) out[at + n] = out[from + n]!;
}
