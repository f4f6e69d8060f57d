/**
 * State columns: what a fold keeps of an aggregate call, and how the finished value is read from it.
 *
 *   sum(x)       ──▶ SimpleAggregateFunction(sum, Int128)   ──▶ accurateCast(sum(_state_1), 'Int64')
 *   uniqIf(x, c) ──▶ AggregateFunction(uniqIf, …)           ──▶ uniqIfMerge(_state_2)
 *
 * A plain value is kept only where the value of no rows changes nothing: an
 * empty `minIf` is 0, which would win.
 *
 * @module
 */
import { identifier, literal, tokenize } from "../definition/tokens.ts";
import type { AggregateCall } from "./aggregates.ts";
import type { Exactness } from "./model.ts";
import { type Edit, splice, splitAtCommas } from "./splice.ts";

/** One distinct aggregate call with its column. */
export interface State {
  readonly column: string;
  readonly call: AggregateCall;
  /** Text of the call that makes the state. */
  readonly fill: string;
  /** Text that reads the finished value. */
  readonly read: string;
  /** How plain values merge; undefined for states of the engine. */
  readonly simple: string | undefined;
  readonly exactness: Exactness;
  /** The function as the engine resolved it, for example `sumIf`. */
  readonly resolved: string;
  /** How it is kept, for the explanation. */
  readonly why: string;
}

/** `AggregateFunction(1, quantiles(0.5, 0.9), Int64)` in parts. */
export interface StateType {
  readonly name: string;
  /** With brackets; empty without parameters. */
  readonly parameters: string;
  readonly arguments: readonly string[];
}

/** Reads the type of a `-State` call; undefined if it is none. */
export function readStateType(type: string): StateType | undefined {
  const tokens = tokenize(type);
  if (tokens[0]?.text !== "AggregateFunction") return undefined;
  const parts = splitAtCommas(tokens.slice(2, -1));
  if (parts[0]?.[0]?.kind === "number") parts.shift();
  const [[name, ...parameters] = [], ...types] = parts;
  if (name === undefined) return undefined;
  return { name: name.text, parameters: splice(type, parameters), arguments: types.map((one) => splice(type, one)) };
}

/** Text of the call that makes the engine's state; DISTINCT moves into the function, where it survives merging. */
export function stateCall(sql: string, call: AggregateCall, edits: readonly Edit[] = []): string {
  const [name] = call.tokens;
  const isCount = call.name.toLowerCase() === "count";
  const whole = call.isDistinct ? (isCount ? "uniqExact" : `${call.name}Distinct`) : call.name;
  const renamed: Edit = { start: name.start, end: name.end, text: `${whole}State` };
  return splice(sql, call.tokens, [renamed, ...withoutDistinct(call), ...edits]);
}

function withoutDistinct(call: AggregateCall): Edit[] {
  const [first] = call.arguments;
  if (!call.isDistinct || first === undefined) return [];
  const index = call.tokens.indexOf(first) - 1;
  return [{ start: call.tokens[index].start, end: first.start, text: "" }];
}

/** What the engine said of one call. */
export interface Described {
  /** Type of the finished value. */
  readonly result: string;
  /** Type of its `-State`. */
  readonly state: string;
}

/** Plans the state column of one call; undefined if the engine made no state of it. */
export function planState(
  sql: string,
  of: {
    readonly column: string;
    readonly call: AggregateCall;
    readonly described: Described;
    readonly exactness: Exactness;
    /** Replaces the first argument, for folds over folds. */
    readonly edits?: readonly Edit[];
  },
): State | undefined {
  const { column, call, described, edits = [] } = of;
  const type = readStateType(described.state);
  if (type === undefined) return undefined;
  const { name, parameters } = type;
  const exactness = isFloatSum(type) ? "approximate" : of.exactness;
  const base = { column, call, exactness, resolved: name };
  const simple = simpleMerge(call, { type, result: described.result });
  if (simple === undefined) {
    const read = `${name}Merge${parameters}(${identifier(column)})`;
    const why = `is kept as the engine's state ${described.state}`;
    return { ...base, simple, fill: stateCall(sql, call, edits), read, why };
  }
  const wide = simple === "sum" && name !== "count" && name !== "countIf" ? widerType(type.arguments[0]) : undefined;
  const merged = `${simple}(${identifier(column)})`;
  // The engine gives min and max of such a column the column's own special type.
  const isTyped = simple === "min" || simple === "max";
  const value = isTyped ? `CAST(${merged}, ${literal(described.result)})` : merged;
  const fill = splice(sql, call.tokens, wide === undefined ? edits : widened(call, { wide, edits }));
  if (wide === undefined)
    return { ...base, simple, fill, read: value, why: `is kept as a value that merges by ${simple}` };
  const read = `accurateCast(${value}, ${literal(described.result)})`;
  return { ...base, simple, fill, read, why: `is kept as ${wide.type} so that it cannot wrap, and checked on reading` };
}

/** The function that merges finished values of a call, where that is exact. */
function simpleMerge(call: AggregateCall, { type, result }: { type: StateType; result: string }): string | undefined {
  const { name } = type;
  if (call.isDistinct || type.parameters !== "") return undefined;
  if ((name === "count" || name === "countIf") && result === "UInt64") return "sum";
  const isNumber = /^(Nullable\()?(U?Int|Float|Decimal|Bool)/;
  if (name === "sum" || name === "sumIf") return isNumber.test(type.arguments[0]) ? "sum" : undefined;
  if (call.filter.length > 0) return undefined;
  if (/^groupBit(And|Or|Xor)$/.test(name)) return name;
  const isPlain = !/\b(Array|Map|Tuple|Variant|Dynamic|JSON|Object|LowCardinality)\(?/.test(result);
  return (name === "min" || name === "max") && isPlain ? name : undefined;
}

interface Wide {
  readonly type: string;
  readonly cast: (argument: string) => string;
}

/** The type in which sums of an argument's type cannot wrap; undefined where the engine's own is wide enough. */
function widerType(argument: string): Wide | undefined {
  const plain = argument.replace(/^Nullable\((.*)\)$/, "$1");
  const bits = Number(/^U?Int(\d+)$/.exec(plain)?.[1] ?? 0);
  if (bits === 64 || bits === 128) {
    const type = `${plain.startsWith("U") ? "UInt" : "Int"}${bits * 2}`;
    return { type, cast: (text) => `to${type}(${text})` };
  }
  const [, precision, scale] = /^Decimal\((\d+), (\d+)\)$/.exec(plain) ?? [];
  if (Number(precision) <= 18 || Number(precision) > 38 || precision === undefined) return undefined;
  return { type: `Decimal(76, ${scale})`, cast: (text) => `toDecimal256(${text}, ${scale})` };
}

/** Edits that put the cast around the first argument. */
function widened(call: AggregateCall, { wide, edits }: { wide: Wide; edits: readonly Edit[] }): Edit[] {
  const [first] = splitAtCommas(call.arguments);
  const [start, end] = [first[0].start, first.at(-1)?.end ?? 0];
  const replaced = edits.find((edit) => edit.start === start && edit.end === end);
  if (replaced !== undefined) return [{ start, end, text: wide.cast(replaced.text) }];
  const [before, after] = wide.cast("\u0000").split("\u0000");
  return [
    { start, end: start, text: before },
    { start: end, end, text: after },
  ];
}

function isFloatSum({ name, arguments: types }: StateType): boolean {
  return /^(sum|avg|sumCount|sumMap|sumWithOverflow)/.test(name) && types.some((type) => /Float/.test(type));
}

/** Whether a call is the whole of an expression. */
export function isWhole(
  call: AggregateCall,
  expression: readonly { readonly start: number; readonly end: number }[],
): boolean {
  return call.tokens[0].start === expression[0]?.start && call.tokens.at(-1)?.end === expression.at(-1)?.end;
}
