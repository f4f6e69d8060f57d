/**
 * The judge: the authority on a record, in plain JavaScript.
 *
 *   text ──parseExact()──▶ Node ──checks of the columns──▶ Verdict
 *
 * Interpreted and unhurried: it runs on what the scanner does not wave through,
 * and whatever it accepts the engine must accept and store unchanged. The
 * verdict depends on the text and the record's own time, never on a clock. Pure.
 *
 * @module
 */

import { isEvolved, type NewColumn, strangersOf } from "../evolve/strangers.ts";
import type { Source } from "../source.ts";
import type { ColumnType } from "./column_type.ts";
import { type Field, type Node, NotJson, parseExact } from "./exact.ts";
import { type DateType, dateReader, type TimeReading, type TimeType, timeReader } from "./time.ts";
import { type Check, checkOf } from "./values.ts";

/**
 * What becomes of a record. `key` is what a Kafka client would key it with; undefined: no key. A record that `awaits`
 * columns fits once they are there, and not before; only sources with `drift: evolve` have such.
 */
export type Verdict =
  | { readonly ok: true; readonly key: string | undefined; readonly awaits?: readonly NewColumn[] }
  | { readonly ok: false; readonly column: string | undefined; readonly reason: string };

/** How far an event's time may lie after its record's. */
export const FUTURE_MS_MAX = 3_600_000;

const QUOTE_CHARS_MAX = 100;

interface Judged {
  readonly name: string;
  readonly type: ColumnType;
  readonly check: Check;
  readonly readMs: ((text: string) => TimeReading) | undefined;
  /** Its type was taken from the first value that came. */
  readonly isGuessed: boolean;
}

const GUESSED = "evolve took the type from the first value; correct it in the definition, apply, then replay";

/** Makes the judge of a source's records. */
export function judgeOf(source: Source, types: readonly ColumnType[]): (text: string, timestampMs: number) => Verdict {
  const columns = source.columns.map((column, index): Judged => {
    const type = types[index];
    const isGuessed = source.drift === "evolve" && isEvolved(column);
    const readMs = msReader(column.name, type, source);
    return { name: column.name, type, check: checkOf(type, false), readMs, isGuessed };
  });
  const places = new Map(columns.map((column, index) => [column.name, index]));
  const isStrict = source.unknown === "reject";
  const judgeStrangers = source.drift === "evolve" ? strangersOf(source) : undefined;
  return (text, timestampMs) => {
    let root: Node;
    try {
      root = parseExact(text);
    } catch (error) {
      if (error instanceof NotJson) return { ok: false, column: undefined, reason: error.message };
      throw error;
    }
    if (root.kind !== "object") return refused(undefined, text, root, "is not an object");
    if (root.fields.length === 0) return { ok: false, column: undefined, reason: "has no fields" };
    const found: (Node | undefined)[] = new Array(columns.length).fill(undefined);
    const strangers: Field[] | undefined = judgeStrangers && [];
    const problem = place(root, { places, found, strangers, isStrict, isKept: source.unknown === "keep", text });
    if (problem !== undefined) return problem;
    let key: string | undefined;
    for (let index = 0; index < columns.length; index++) {
      const column = columns[index];
      const node = found[index];
      const verdict = judgeColumn(column, node, { text, timestampMs });
      if (verdict !== undefined) return verdict;
      if (column.name === source.key && node !== undefined && node.kind !== "null") key = keyOf(column.type, node);
    }
    if (judgeStrangers === undefined || strangers === undefined || strangers.length === 0) return { ok: true, key };
    const said = judgeStrangers(strangers, text);
    if ("reason" in said) return { ok: false, ...said };
    return said.awaits.length === 0 ? { ok: true, key } : { ok: true, key, awaits: said.awaits };
  };
}

/** Finds each column's field; refuses repeated and broken names, and unknown ones unless they are gathered. */
function place(
  root: Node,
  at: {
    readonly places: ReadonlyMap<string, number>;
    readonly found: (Node | undefined)[];
    readonly strangers: Field[] | undefined;
    readonly isStrict: boolean;
    readonly isKept: boolean;
    readonly text: string;
  },
): Verdict | undefined {
  const kept = new Set<string>();
  for (const field of root.fields) {
    if (!field.name.isWellFormed()) {
      return { ok: false, column: undefined, reason: "a field's name has half of a surrogate pair" };
    }
    const index = at.places.get(field.name);
    if (index === undefined) {
      at.strangers?.push(field);
      if (at.strangers !== undefined) continue;
      if (at.isStrict) return { ok: false, column: field.name, reason: `no column is named ${cut(field.name)}` };
      if (!at.isKept) continue;
      if (kept.has(field.name)) return { ok: false, column: field.name, reason: "appears more than once" };
      kept.add(field.name);
      const reason = restProblem(field.node);
      if (reason !== undefined) return refused(field.name, at.text, field.node, reason);
    } else {
      if (at.found[index] !== undefined) return { ok: false, column: field.name, reason: "appears more than once" };
      at.found[index] = field.node;
    }
  }
  return undefined;
}

/** What cannot be kept in `_rest`: fields repeated at any depth, half surrogates. */
function restProblem(node: Node): string | undefined {
  if (node.isBroken) return "has half of a surrogate pair";
  const names = new Set<string>();
  for (const field of node.fields) {
    if (names.has(field.name)) return `repeats the field ${cut(field.name)}`;
    names.add(field.name);
    if (!field.name.isWellFormed()) return "has half of a surrogate pair";
    const problem = restProblem(field.node);
    if (problem !== undefined) return problem;
  }
  for (const item of node.items) {
    const problem = restProblem(item);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function judgeColumn(
  column: Judged,
  node: Node | undefined,
  record: { readonly text: string; readonly timestampMs: number },
): Verdict | undefined {
  if (node === undefined) {
    return column.type.nullable ? undefined : { ok: false, column: column.name, reason: "is missing" };
  }
  if (node.kind === "null") {
    return column.type.nullable
      ? undefined
      : { ok: false, column: column.name, reason: `null is not allowed for ${column.type.text}` };
  }
  const reason =
    column.readMs !== undefined && node.kind === "string"
      ? eventProblem(column.readMs(node.value), record.timestampMs)
      : column.check(node, record.text);
  if (reason === undefined) return undefined;
  return refused(column.name, record.text, node, column.isGuessed ? `${reason}; ${GUESSED}` : reason);
}

function eventProblem(reading: TimeReading, timestampMs: number): string | undefined {
  if ("reason" in reading) return reading.reason;
  return reading.ms > timestampMs + FUTURE_MS_MAX ? "is more than an hour after the record's own time" : undefined;
}

function msReader(name: string, type: ColumnType, source: Source): Judged["readMs"] {
  if (name !== source.eventTime) return undefined;
  return type.kind === "date" ? dateReader(type as DateType) : timeReader(type as TimeType);
}

function keyOf(type: ColumnType, node: Node): string {
  switch (type.kind) {
    case "int":
      return BigInt(node.value).toString();
    case "decimal":
      return canonicalDecimal(node.value);
    case "uuid":
      return node.value.toLowerCase();
    case "bool":
      return String(node.kind === "true" || node.value === "1");
    default:
      return node.value;
  }
}

/** The shortest text of a decimal number without exponent. */
function canonicalDecimal(text: string): string {
  const [, sign, whole, fraction = "", exponent = "0"] =
    /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const point = whole.length + Number(exponent);
  const digits = (whole + fraction).padStart(whole.length + fraction.length + Math.max(0, -point), "0");
  const at = Math.max(0, point);
  const integer = digits
    .slice(0, at)
    .padEnd(at, "0")
    .replace(/^0+(?=.)/, "");
  const rest = digits.slice(at).replace(/0+$/, "");
  const number = `${integer === "" ? "0" : integer}${rest === "" ? "" : `.${rest}`}`;
  return sign === "-" && number !== "0" ? `-${number}` : number;
}

function refused(column: string | undefined, text: string, node: Node, reason: string): Verdict {
  return { ok: false, column, reason: `${cut(text.slice(node.start, node.end))} ${reason}` };
}

function cut(text: string): string {
  return text.length > QUOTE_CHARS_MAX ? `${text.slice(0, QUOTE_CHARS_MAX)}…` : text;
}
