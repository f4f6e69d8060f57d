/**
 * The strategy `fold`: keys and states instead of rows, merged by the engine, finished on reading.
 *
 *   author's SELECT ──calls become states──▶ fill:  SELECT keys, xState(…) … GROUP BY keys
 *                   ──calls become merges──▶ read:  SELECT items, xMerge(…) … GROUP BY keys HAVING …
 *
 * The engine describes both; the finished columns must have the types of the
 * author's own SELECT, to the letter.
 *
 * @module
 */
import { type ModelDraft, modelError } from "../definition/model_definition.ts";
import { identifier, meaning } from "../definition/tokens.ts";
import { type AggregateCall, findCalls, mergingOf, unmergeable } from "./aggregates.ts";
import { type Asking, askColumns, askTree, type EngineFunctions, type Why } from "./ask.ts";
import type { Clauses, Named } from "./clauses.ts";
import { type Key, keyEdits, resolveKeys } from "./keys.ts";
import type { Exactness, FoldShape, TypedColumn } from "./model.ts";
import { overFold } from "./over_fold.ts";
import { aggregatesOf, type TreeNode } from "./query_tree.ts";
import { canonical, type Edit, splice, usesOf } from "./splice.ts";
import { isWhole, planState, type State, stateCall } from "./state.ts";
import { nullSource } from "./tables.ts";

/** The SELECT that becomes a fold, with what it reads. */
export interface Folding {
  readonly draft: ModelDraft;
  readonly clauses: Clauses;
  readonly functions: EngineFunctions;
  /** Columns of the author's SELECT. */
  readonly columns: readonly TypedColumn[];
  /** Name by which the text may qualify the table's columns; undefined beside a JOIN. */
  readonly table: string | undefined;
  /** Edits of the FROM clause for questions. */
  readonly planned: readonly Edit[];
  /** The fold that it reads, if it reads one, and the edits of FROM for questions about its states. */
  readonly lower: { readonly name: string; readonly shape: FoldShape; readonly planned: readonly Edit[] } | undefined;
}

/** A fold, compiled. */
export interface Fold {
  readonly keys: readonly Key[];
  readonly states: readonly State[];
  readonly stateColumns: readonly TypedColumn[];
  readonly classes: Readonly<Record<string, Exactness>>;
  readonly shape: FoldShape;
  readonly fill: (edits: readonly Edit[]) => string;
  readonly read: (stateTable: string) => string;
}

/** Compiles a SELECT with aggregates or GROUP BY. */
export function* planFold(folding: Folding): Asking<Fold> {
  const { draft, clauses, functions, columns, lower } = folding;
  const callsIn = (tokens: Named["expression"]) => findCalls(tokens, functions.aggregates);
  const aggregated = aggregatedNames(clauses, (one) => callsIn(one.expression).length > 0);
  const prefix = freePrefix(folding);
  const hiddenName = (index: number) => `${prefix}key_${index}`;
  const keys = resolveKeys(draft, clauses, { aggregated, hiddenName, table: folding.table });
  const shown = shownParts(clauses, { keys, functions });
  const calls = distinctCalls(shown.flatMap((part) => callsIn(part)));
  for (const call of calls) {
    const wrong = unmergeable(call, functions.aggregates);
    if (wrong !== undefined) throw modelError(draft, call.tokens[0], wrong.problem, wrong.hint);
  }
  const parts = { ...folding, keys, aggregated };
  const states = yield* planStates(parts, { calls, prefix });
  const fill = (edits: readonly Edit[]) => fillText(parts, { states: states.map(fillColumn), edits });
  const described = yield* askColumns(draft, fill((lower ?? folding).planned), lower && aboveFold(lower));
  const stateColumns = described.map(({ name, type }) => {
    const simple = states.find((state) => state.column === name)?.simple;
    return { name, type: simple === undefined ? type : `SimpleAggregateFunction(${simple}, ${type})` };
  });
  checkKeyTypes(draft, { keys, stateColumns });
  const read = (source: string) => readText(parts, { states, source, edits: [] });
  const asked = readText(parts, { states, source: nullSource(stateColumns), edits: folding.planned });
  yield* checkRead(folding, { read: asked, states });
  const classes = Object.fromEntries(
    clauses.select.map((item) => [item.name, exactnessOf(item, { clauses, states, functions })] as const),
  );
  return {
    keys,
    states,
    stateColumns,
    classes,
    fill,
    read,
    shape: shapeOf(folding, { keys, states, stateColumns, columns }),
  };
}

interface Parts extends Folding {
  readonly keys: readonly Key[];
  readonly aggregated: ReadonlySet<string>;
}

const fillColumn = (state: State) => `${state.fill} AS ${identifier(state.column)}`;

/** Names of items and scalars that hold an aggregate, also by using one another. */
function aggregatedNames({ select, with: scalars }: Clauses, has: (one: Named) => boolean): Set<string> {
  const all = [...scalars, ...select];
  const names = new Set(all.filter(has).map((one) => one.name));
  for (let before = -1; before !== names.size; ) {
    before = names.size;
    for (const { name, expression } of all)
      if ([...names].some((used) => used !== name && usesOf(expression, used).length > 0)) names.add(name);
  }
  return names;
}

/** A beginning that no name of the text has, nor any column of the states below, which its aliases would shadow. */
function freePrefix({ draft, lower }: Folding): string {
  let prefix = "_";
  const words = [...draft.tokens.map(meaning), ...(lower?.shape.stateColumns ?? []).map(({ name }) => name)];
  while (words.some((word) => word.startsWith(`${prefix}state_`) || word.startsWith(`${prefix}key_`))) prefix += "_";
  return prefix;
}

/** The parts of the text that the finished view shows: items that are no keys, HAVING, and scalars which those use. */
function shownParts(
  { select, with: scalars, having }: Clauses,
  { keys, functions }: { keys: readonly Key[]; functions: EngineFunctions },
): Named["expression"][] {
  const shown = select.filter((item) => !keys.some((key) => key.item === item)).map((item) => item.expression);
  if (having.length > 0) shown.push(having);
  const isKey = (name: string) => keys.some((key) => key.scalar === name);
  for (const scalar of scalars.toReversed()) {
    if (isKey(scalar.name)) continue;
    const uses = (part: Named["expression"]) => {
      const calls = findCalls(part, functions.aggregates);
      const outside = part.filter((token) => !calls.some((call) => call.tokens.includes(token)));
      return usesOf(outside, scalar.name).length > 0;
    };
    if (shown.some(uses)) shown.push(scalar.expression);
  }
  return shown;
}

function distinctCalls(calls: readonly AggregateCall[]): AggregateCall[] {
  return [...new Map(calls.map((call) => [canonical(call.tokens), call])).values()];
}

function* planStates(
  parts: Parts,
  { calls, prefix }: { calls: readonly AggregateCall[]; prefix: string },
): Asking<State[]> {
  const { draft, functions, planned, lower } = parts;
  if (calls.length === 0) return [];
  const column = (index: number) => `${prefix}state_${index + 1}`;
  const probes = calls.flatMap((call, index) => [
    `${splice(draft.sql, call.tokens)} AS ${identifier(`${column(index)}_result`)}`,
    `${stateCall(draft.sql, call)} AS ${identifier(column(index))}`,
  ]);
  const described = yield* askColumns(draft, fillText(parts, { states: probes, edits: planned }));
  const typeOf = (name: string) => described.find((one) => one.name === name)?.type ?? "";
  return calls.map((call, index): State => {
    const merging = mergingOf(call.name, functions.aggregates);
    const about = {
      column: column(index),
      call,
      described: { result: typeOf(`${column(index)}_result`), state: typeOf(column(index)) },
      exactness: merging === "ordered" || merging === "approximate" ? merging : ("exact" as const),
    };
    const state = planState(draft.sql, about);
    if (state === undefined) {
      const hint = "Write another aggregate, or compute it on a schedule with refresh: { every: 1 hour }.";
      throw modelError(draft, call.tokens[0], `the engine keeps no state of ${call.name}`, hint);
    }
    if (lower === undefined) return state;
    return planState(draft.sql, { ...about, edits: overFold(draft, { state, lower, table: parts.table }) }) ?? state;
  });
}

/** The SELECT that fills: keys and states, with the aliases that they use. */
function fillText(parts: Parts, is: { states: readonly string[]; edits: readonly Edit[] }): string {
  const { clauses, keys, aggregated } = parts;
  const { sql } = parts.draft;
  const text = (tokens: Named["tokens"]) => splice(sql, tokens, is.edits);
  const scalars = clauses.with.filter((one) => !aggregated.has(one.name));
  const carried = clauses.select.filter(
    (item) => !aggregated.has(item.name) && !keys.some((key) => key.item === item) && isUsedElsewhere(parts, item),
  );
  const columns = keys.map(({ column, expression }) => {
    const isItself = expression.length === 1 && meaning(expression[0]) === column;
    return isItself ? text(expression) : `${text(expression)} AS ${identifier(column)}`;
  });
  const names = keys.map(({ column }) => identifier(column));
  const lines = [
    scalars.length + carried.length > 0
      ? `WITH ${[...scalars, ...carried].map((one) => text(one.tokens)).join(", ")}`
      : "",
    `SELECT ${[...columns, ...is.states].join(", ")}`,
    `FROM ${text(clauses.from)}`,
    clauses.where.length > 0 ? `WHERE ${text(clauses.where)}` : "",
    // Without keys an insert that WHERE leaves nothing of would still make a row, and its min would be 0.
    names.length > 0 ? `GROUP BY ${names.join(", ")}` : "HAVING count() > 0",
  ];
  return lines.filter((line) => line !== "").join("\n");
}

function isUsedElsewhere({ draft, clauses }: Parts, { name, tokens }: Named): boolean {
  const others = draft.tokens.filter((token) => !tokens.includes(token));
  const isAliased = tokens.length > 1 && clauses.select.some((item) => item.tokens === tokens);
  return isAliased && usesOf(others, name).length > 0;
}

/** The SELECT that reads: the author's items over merged states. */
function readText(
  parts: Parts,
  { states, source, edits }: { states: readonly State[]; source: string; edits: readonly Edit[] },
): string {
  const { clauses, keys, functions } = parts;
  const { sql } = parts.draft;
  const reads = new Map(states.map((state) => [canonical(state.call.tokens), state.read]));
  const text = (tokens: Named["tokens"]) => {
    const merges = findCalls(tokens, functions.aggregates).flatMap((call): Edit[] => {
      const read = reads.get(canonical(call.tokens));
      return read === undefined ? [] : [{ start: call.tokens[0].start, end: call.tokens.at(-1)?.end ?? 0, text: read }];
    });
    return splice(sql, tokens, [...merges, ...keyEdits(tokens, keys), ...edits]);
  };
  const named = (one: Named) => `${text(one.expression)} AS ${identifier(one.name)}`;
  const shown = shownParts(clauses, { keys, functions });
  const scalars = clauses.with.filter((one) => shown.includes(one.expression));
  const items = clauses.select.map((item) => {
    const key = keys.find((one) => one.item === item);
    if (key !== undefined) return identifier(key.column);
    const isItself = item.expression.length === 1 && meaning(item.expression[0]) === item.name;
    return isItself ? text(item.expression) : named(item);
  });
  const names = keys.map(({ column }) => identifier(column));
  const lines = [
    scalars.length > 0 ? `WITH ${scalars.map(named).join(", ")}` : "",
    `SELECT ${items.join(", ")}`,
    `FROM ${source}`,
    names.length > 0 ? `GROUP BY ${names.join(", ")}` : "",
    clauses.having.length > 0 ? `HAVING ${text(clauses.having)}` : "",
  ];
  return lines.filter((line) => line !== "").join("\n");
}

const UNKEEPABLE =
  /\b(Float32|Float64|BFloat16|Map|JSON|Object|Dynamic|Variant|AggregateFunction|Interval\w+|Nothing)\b/;

function checkKeyTypes(
  draft: ModelDraft,
  { keys, stateColumns }: { keys: readonly Key[]; stateColumns: readonly TypedColumn[] },
): void {
  for (const { column, expression } of keys) {
    const type = stateColumns.find(({ name }) => name === column)?.type ?? "";
    const [, wrong] = UNKEEPABLE.exec(type.replaceAll(/'(?:[^'\\]|\\.)*'/g, "''")) ?? [];
    if (wrong === undefined) continue;
    const isFloat = wrong.includes("Float");
    const hint = isFloat
      ? "Round it into an integer or a Decimal: equal Floats are not one group."
      : "Use another type.";
    throw modelError(draft, expression[0], `a group key has the type ${type}`, hint);
  }
}

/** The finished columns must be those of the author's SELECT, and nothing but states may be aggregated. */
function* checkRead(
  { draft, clauses, columns }: Folding,
  { read, states }: { read: string; states: readonly State[] },
): Asking<void> {
  const hint = "Write aggregates and group keys out, or compute it on a schedule with refresh: { every: 1 hour }.";
  const why: Why = (message) => ({ problem: `its result cannot be put together from its parts: ${message}`, hint });
  const finished = yield* askColumns(draft, read, why);
  for (const [index, { name, type }] of columns.entries()) {
    const other = finished[index];
    if (other?.name === name && other.type === type) continue;
    const problem = `column '${name}' would be ${other?.type ?? "missing"}, and the SELECT makes ${type} of it`;
    throw modelError(draft, clauses.select[index]?.tokens[0], problem, "Cast it to the type that it should have.");
  }
  const tree = yield* askTree(draft, read, { isResolved: true, why });
  const own = new Set(states.map((state) => state.column));
  for (const node of aggregatesOf(tree)) {
    if (isOverState(node, own)) continue;
    const problem = `a function hides the aggregate ${node.attributes.function_name}`;
    throw modelError(draft, undefined, problem, "Write the aggregate out: a model must see it.");
  }
}

function isOverState(node: TreeNode, own: ReadonlySet<string>): boolean {
  const [list] = node.children.find((child) => child.kind === "ARGUMENTS")?.children ?? [];
  const [only, ...more] = list?.children ?? [];
  return more.length === 0 && only?.kind === "COLUMN" && own.has(only.attributes.column_name ?? "");
}

function exactnessOf(
  item: Named,
  about: { clauses: Clauses; states: readonly State[]; functions: EngineFunctions },
  seen: readonly Named[] = [],
): Exactness {
  const { clauses, states, functions } = about;
  const direct = findCalls(item.expression, functions.aggregates).map(
    (call) => states.find((state) => canonical(state.call.tokens) === canonical(call.tokens))?.exactness ?? "exact",
  );
  const used = [...clauses.with, ...clauses.select].filter(
    (one) => one !== item && !seen.includes(one) && usesOf(item.expression, one.name).length > 0,
  );
  const all = [...direct, ...used.map((one) => exactnessOf(one, about, [...seen, item]))];
  return (["approximate", "ordered"] as const).find((one) => all.includes(one)) ?? "exact";
}

function shapeOf(
  { clauses }: Folding,
  of: {
    keys: readonly Key[];
    states: readonly State[];
    stateColumns: readonly TypedColumn[];
    columns: readonly TypedColumn[];
  },
): FoldShape {
  const sums = clauses.select.flatMap(({ name, expression }) => {
    const state = of.states.find(
      (one) => isWhole(one.call, expression) || canonical(one.call.tokens) === canonical(expression),
    );
    const merge = state?.simple;
    if (state === undefined || (merge !== "sum" && merge !== "min" && merge !== "max")) return [];
    return [{ name, state: state.column, merge } as const];
  });
  const keys = of.columns.filter(({ name }) => of.keys.some((key) => key.column === name));
  return { keys, sums, stateColumns: of.stateColumns, filtersGroups: clauses.having.length > 0 };
}

function aboveFold(lower: { readonly name: string; readonly shape: FoldShape }): Why {
  return (message) => ({
    problem: `it uses more of ${lower.name} than its group keys (${message})`,
    hint: `A view above a fold sees fragments of its groups: use its keys ${lower.shape.keys.map(({ name }) => name).join(", ")} and sum, min or max of what it sums, or compute it on a schedule with refresh: { every: 1 hour }.`,
  });
}
