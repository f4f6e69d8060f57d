/**
 * New columns: which of those that records await the next change of a source adds. Pure.
 *
 *   columns awaited by many records ──mergedColumns──▶ one type each ──nextColumns──▶ what is missing, up to the bounds
 *
 * @module
 */
import type { Source } from "../source.ts";
import { EVOLVE_LIMITS, isEvolved, type NewColumn, type NewType, roomIn } from "./strangers.ts";

/** Columns that a source has because records asked for them. */
export const evolvedColumns = ({ columns }: Pick<Source, "columns">): number => columns.filter(isEvolved).length;

/**
 * Columns as they are awaited by all: the first record says the type, and a whole number gives way to one with a
 * fraction. What fits neither is judged once the column is there. At most `columnsMax`.
 */
export function mergedColumns(lists: Iterable<readonly NewColumn[]>): readonly NewColumn[] {
  const types = new Map<string, NewType>();
  for (const list of lists) {
    for (const { name, type } of list) {
      const first = types.get(name);
      if (first === undefined && types.size < EVOLVE_LIMITS.columnsMax) types.set(name, type);
      if (first === "Nullable(Int64)" && type === "Nullable(Float64)") types.set(name, type);
    }
  }
  return Array.from(types, ([name, type]) => ({ name, type }));
}

/** What of it the next change adds to a source: none for a source that does not evolve. */
export function nextColumns(source: Source, awaited: readonly NewColumn[]): readonly NewColumn[] {
  if (source.drift !== "evolve") return [];
  const names = new Set([...source.columns.map(({ name }) => name), ...(source.leaveOut ?? [])].map(lower));
  const next: NewColumn[] = [];
  const countMax = Math.min(EVOLVE_LIMITS.columnsPerChangeMax, roomIn(source));
  for (const column of awaited) {
    if (next.length >= countMax) break;
    if (names.has(lower(column.name))) continue;
    names.add(lower(column.name));
    next.push(column);
  }
  return next;
}

const lower = (name: string) => name.toLowerCase();
