/**
 * Text as a value: for formats in which everything is text, what a text is as JSON by the column's type.
 *
 * Numbers, times and the rest stay texts, which the judge takes and reads
 * exactly. Only Bool and what has values inside needs another form; a text that
 * has none is left for the judge to refuse. Pure.
 *
 * @module
 */
import type { ColumnType } from "../conform/column_type.ts";
import { NotJson, parseExact } from "../conform/exact.ts";

const BOOLS: ReadonlyMap<string, string> = new Map([
  ["true", "true"],
  ["false", "false"],
  ["1", "true"],
  ["0", "false"],
]);
const NESTED: ReadonlySet<string> = new Set(["array", "map", "tuple"]);

/** The JSON text of `text`, meant for a column of this type; undefined: no column takes it. */
export function textValue(text: string, type: ColumnType | undefined): string {
  if (type?.kind === "bool") return BOOLS.get(text) ?? JSON.stringify(text);
  if (type !== undefined && NESTED.has(type.kind) && isJson(text)) return text;
  return JSON.stringify(text);
}

function isJson(text: string): boolean {
  try {
    parseExact(text);
    return true;
  } catch (error) {
    if (error instanceof NotJson) return false;
    throw error;
  }
}
