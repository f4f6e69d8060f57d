/**
 * Strangers: fields of a record which no column declares, in a source that says `drift: evolve`.
 *
 *   fields ──strangersOf──▶ null: nothing is lost without a column
 *                     ├───▶ the columns that the record awaits
 *                     └───▶ why it must be kept in the quarantine, and what to do about it
 *
 * Pure. The verdict depends on the record and the definition alone, so it is the
 * same on every try under one version of the catalog; what a bound or a model
 * keeps out stands in the definition, too (`leave_out`).
 *
 * @module
 */
import { readType } from "../conform/column_type.ts";
import type { Field, Node } from "../conform/exact.ts";
import { INTEGER } from "../conform/grammar.ts";
import { type Check, checkOf } from "../conform/values.ts";
import type { Source } from "../source.ts";

/** The types that a value can ask for. */
export type NewType = "Nullable(Bool)" | "Nullable(Int64)" | "Nullable(Float64)" | "Nullable(String)";

/** A column that records await. */
export interface NewColumn {
  readonly name: string;
  readonly type: NewType;
}

/** What the strangers of a record come to. */
export type Strangers =
  | { readonly awaits: readonly NewColumn[] }
  | { readonly column: string; readonly reason: string };

/** Bounds of a source that evolves. */
export const EVOLVE_LIMITS = {
  /** Columns that one record may ask for, and that one change adds. */
  columnsPerChangeMax: 20,
  /** Fields of one source that are decided on without its author: added, or left out. */
  columnsMax: 100,
  /** Characters of a name. */
  nameCharsMax: 64,
} as const;

/** How the comment of a column begins that was added; with another comment it is its author's own. */
export const EVOLVED = "added by evolve";

/** Whether a column was added, and nobody has made it his own since. */
export const isEvolved = ({ comment }: { readonly comment: string }): boolean => comment.startsWith(EVOLVED);

/** How many more fields may be decided on without the source's author. */
export function roomIn({ columns, leaveOut = [] }: Pick<Source, "columns" | "leaveOut">): number {
  return Math.max(0, EVOLVE_LIMITS.columnsMax - columns.filter(isEvolved).length - leaveOut.length);
}

const NAME = /^[A-Za-z][A-Za-z0-9_]*$/;
/** What always helps. */
const DECLARE = "declare it, apply, then replay";
const QUOTE_CHARS_MAX = 100;
const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };
/** Digits of the largest number that is looked at as a whole one; beyond it is no Int64, whatever they are. */
const INT64_CHARS_MAX = 20;

const CHECKS = new Map<NewType, Check>(
  (["Nullable(Bool)", "Nullable(Int64)", "Nullable(Float64)", "Nullable(String)"] as const).map((type) => [
    type,
    checkOf(readType(type), false),
  ]),
);

/** Makes what judges the strangers of a source's records; whose columns are there fits for certain. */
export function strangersOf(
  source: Pick<Source, "columns" | "leaveOut">,
): (fields: readonly Field[], text: string) => Strangers {
  const declared = new Map(source.columns.map(({ name }) => [name.toLowerCase(), name]));
  const leftOut = new Set(source.leaveOut);
  const room = roomIn(source);
  return (fields, text) => {
    const awaits: NewColumn[] = [];
    const names = new Map(declared);
    const seen = new Set<string>();
    for (const { name, node } of fields) {
      const refused = (reason: string) => ({ column: name, reason });
      if (seen.has(name)) return refused("appears more than once");
      seen.add(name);
      // A column would hold nothing else.
      if (node.kind === "null") continue;
      if (leftOut.has(name)) return refused(`no column is named ${name}, which leave_out keeps out: ${DECLARE}`);
      const problem = nameProblem(name, names);
      if (problem !== undefined) return refused(`no column is named ${cut(name)}, and ${problem}`);
      const type = typeOf(node, text);
      if (typeof type === "object") return refused(`${cut(text.slice(node.start, node.end))} ${type.reason}`);
      names.set(name.toLowerCase(), name);
      awaits.push({ name, type });
    }
    const reason = boundProblem(awaits.length, room);
    return reason === undefined ? { awaits } : { column: awaits[0].name, reason };
  };
}

/** Why no column of this name is added; `names` are those that are there, by their lower case. */
function nameProblem(name: string, names: ReadonlyMap<string, string>): string | undefined {
  const { nameCharsMax } = EVOLVE_LIMITS;
  if (name.startsWith("_")) return "names that begin with an underscore are Weir's own: rename it where it is sent";
  if (!NAME.test(name)) return `evolve adds names of letters, digits and underscores only: ${DECLARE}`;
  if (name.length > nameCharsMax) return `evolve adds names of ${nameCharsMax} characters at most: ${DECLARE}`;
  const other = names.get(name.toLowerCase());
  return other === undefined ? undefined : `only its case tells it from ${other}: rename it where it is sent`;
}

/** The type of the column that takes a value; or why none is added for it. */
function typeOf(node: Node, text: string): NewType | { readonly reason: string } {
  const type = plainType(node);
  if (type === undefined) return { reason: `is no plain value, which is all that evolve adds columns for: ${DECLARE}` };
  if (type === "Nullable(Int64)" && !isInt64(node.value))
    return { reason: `is a whole number beyond Int64, which Float64 would round: ${DECLARE}` };
  const reason = node.isBroken ? "has half of a surrogate pair" : CHECKS.get(type)?.(node, text);
  return reason === undefined ? type : { reason };
}

function plainType({ kind, value }: Node): NewType | undefined {
  switch (kind) {
    case "true":
    case "false":
      return "Nullable(Bool)";
    case "number":
      return INTEGER.test(value) ? "Nullable(Int64)" : "Nullable(Float64)";
    case "string":
      return "Nullable(String)";
    default:
      return undefined;
  }
}

function isInt64(digits: string): boolean {
  if (digits.length > INT64_CHARS_MAX) return false;
  const value = BigInt(digits);
  return value >= INT64.min && value <= INT64.max;
}

function boundProblem(count: number, room: number): string | undefined {
  const { columnsPerChangeMax, columnsMax } = EVOLVE_LIMITS;
  if (count > columnsPerChangeMax)
    return `the record has ${count} fields which no column declares; evolve adds ${columnsPerChangeMax} for a record at most: declare them, apply, then replay`;
  if (count > room)
    return `evolve has decided on ${columnsMax - room} fields of this source, and does so for ${columnsMax} at most: ${DECLARE}, or make its columns yours with comments of your own`;
  return undefined;
}

function cut(text: string): string {
  return text.length > QUOTE_CHARS_MAX ? `${text.slice(0, QUOTE_CHARS_MAX)}…` : text;
}
