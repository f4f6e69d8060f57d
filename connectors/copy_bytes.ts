/**
 * Copies of a few bytes from one buffer to another, hundreds of thousands of times a second.
 *
 * `target.set(source.subarray(start, end), at)` makes a view for each of them, which costs far more than the copy.
 *
 * @module
 */

/** Below it a loop is cheaper than a call. */
const LOOP_BYTES_MAX = 32;

const copy: (this: Uint8Array, target: Uint8Array, at: number, start: number, end: number) => number =
  Buffer.prototype.copy;

/** Copies `source[start, end)` to `target[at…)`; bounds are the caller's to check. */
export function copyBytes(source: Uint8Array, target: Uint8Array, at: number, start: number, end: number): void {
  if (end - start > LOOP_BYTES_MAX) copy.call(source, target, at, start, end);
  else for (let from = start, to = at; from < end; from++, to++) target[to] = source[from]!;
}

/** Repeats `length` bytes of `out` at `at`; where the two overlap it goes on with its own copy, as LZ4 and snappy ask for. */
export function repeatBytes(
  out: Uint8Array,
  { from, at, length }: { readonly from: number; readonly at: number; readonly length: number },
): void {
  if (length > LOOP_BYTES_MAX && from + length <= at) out.copyWithin(at, from, from + length);
  else for (let n = 0; n < length; n++) out[at + n] = out[from + n]!;
}
