/**
 * The name that was probably meant: the nearest of those that there are, by letters missing, added, changed or exchanged.
 *
 * Optimal string alignment distance. Bounded, because the names come from whoever asks.
 *
 * @module
 */

/** Bounds of a search. */
export const NEAREST_LIMITS = { nameCharsMax: 64, namesMax: 10_000, editsMax: 3 } as const;

/** The nearest name, in any case of its letters; undefined if none is near: one edit in two letters, two in five. */
export function nearest(wanted: string, names: Iterable<string>): string | undefined {
  if (wanted.length > NEAREST_LIMITS.nameCharsMax) return undefined;
  let found: string | undefined;
  let bound = Math.min(NEAREST_LIMITS.editsMax, Math.floor((wanted.length + 1) / 3));
  let looked = 0;
  for (const name of names) {
    looked += 1;
    if (looked > NEAREST_LIMITS.namesMax) break;
    if (Math.abs(name.length - wanted.length) > bound) continue;
    const edits = editsBetween(wanted.toLowerCase(), name.toLowerCase());
    if (edits > bound || (edits === bound && found !== undefined)) continue;
    [found, bound] = [name, edits];
  }
  return found;
}

function editsBetween(from: string, to: string): number {
  let [before, last]: [readonly number[], readonly number[]] = [
    [],
    Array.from({ length: to.length + 1 }, (_, at) => at),
  ];
  for (let row = 1; row <= from.length; row++) {
    const next = [row];
    for (let at = 1; at <= to.length; at++) {
      const isSame = from[row - 1] === to[at - 1];
      const isSwapped = row > 1 && at > 1 && from[row - 1] === to[at - 2] && from[row - 2] === to[at - 1];
      const changed = last[at - 1]! + (isSame ? 0 : 1);
      const swapped = isSwapped ? before[at - 2]! + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(changed, swapped, last[at]! + 1, next[at - 1]! + 1));
    }
    [before, last] = [last, next];
  }
  return last[to.length]!;
}
