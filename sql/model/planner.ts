/**
 * The planner: from a draft to a model, with the engine as judge of every name and type.
 *
 *   ModelDraft ──▶ parsed tree ──▶ tables ──▶ clauses ──▶ types and resolved tree ──▶ append · fold · refresh ──▶ Model
 *                     └──────────── questions that the caller puts to the engine ────────────┘
 *
 * Pure: a generator that yields questions. They name no tables: what a model
 * reads stands there as `null('<columns>')`; only dictionaries must exist.
 *
 * @module
 */
import { type ModelDraft, modelError, optionError } from "../definition/model_definition.ts";
import { meaning, type Token } from "../definition/tokens.ts";
import { findCalls, mergingOf } from "./aggregates.ts";
import { type Asking, askColumns, askFunctions, askTree, type EngineFunctions } from "./ask.ts";
import { type Clauses, checkAgainstTree, checkNames, cutClauses } from "./clauses.ts";
import { finishAppend, finishFold, finishRefresh, type Planned } from "./finish.ts";
import { planFold } from "./fold.ts";
import { checkLanguage, checkResolved } from "./judge.ts";
import type { Model, Readable, TypedColumn } from "./model.ts";
import { aggregatesOf, functionNames, nodesOf, type TreeNode } from "./query_tree.ts";
import { aliasOf, followed, hasJoin, type Read, resolveReads } from "./reads.ts";
import { splice } from "./splice.ts";
import { nullSource, tableEdits } from "./tables.ts";

/** What the planner may be told beside the tables. */
export interface PlanOptions {
  /** Names of the user-defined functions. */
  readonly knownFunctions?: ReadonlySet<string>;
}

/** Plans one model; throws a `DefinitionError` with line and column. Drive it with `next(answer)`. */
export function* planModel(
  draft: ModelDraft,
  known: (name: string) => Readable | undefined,
  options: PlanOptions = {},
): Asking<Model> {
  const functions = yield* askFunctions(draft);
  const isRefresh = draft.options.refresh !== undefined;
  const parsed = yield* askTree(draft, draft.sql, { isResolved: false });
  checkLanguage(draft, { tree: parsed, functions, isRefresh });
  const reads = resolveReads(draft, { known, isRefresh });
  const clauses = isRefresh ? undefined : cut(draft, parsed);
  const main = clauses && followed(draft, { from: clauses.from, reads });
  const edits = tableEdits(draft.tokens, reads, (table) => nullSource((table as Read).readable.columns));
  const query = splice(draft.sql, draft.tokens, edits);
  const tree = yield* askTree(draft, query, { isResolved: true });
  const dictionaries = checkResolved(draft, { tree, functions, isRefresh, clauses });
  const columns = yield* askColumns(draft, query);
  const planned: Planned = {
    draft,
    reads,
    columns,
    dictionaries,
    feeds: main?.readable,
    userFunctions: userFunctions(parsed, options.knownFunctions),
  };
  if (clauses === undefined || main === undefined) {
    checkColumns(draft, { columns, clauses: undefined });
    return finishRefresh({ ...planned, exactness: wholeExactness(tree, functions) });
  }
  checkColumns(draft, { columns, clauses });
  const isFold = folds(draft, { clauses, functions, tree });
  checkAsked(draft, isFold);
  if (!isFold) return finishAppend(planned, { main });
  const fold = yield* planFold({
    draft,
    clauses,
    functions,
    columns,
    table: hasJoin(clauses.from) ? undefined : nameOf(aliasOf(clauses.from, main), main),
    planned: edits,
    lower: lowerOf(draft, { main, reads }),
  });
  return finishFold(planned, fold);
}

function cut(draft: ModelDraft, parsed: TreeNode): Clauses {
  const clauses = cutClauses(draft);
  checkNames(draft, clauses.select);
  checkAgainstTree(draft, { clauses, tree: parsed });
  return clauses;
}

function userFunctions(parsed: TreeNode, known: ReadonlySet<string> = new Set()): string[] {
  return [...functionNames(parsed)].filter((name) => known.has(name)).sort();
}

function nameOf(alias: Token | undefined, main: Read): string {
  return alias === undefined ? main.name.slice(main.name.indexOf(".") + 1) : meaning(alias);
}

/** Names that the engine gives the columns must be those that were cut, or at least usable. */
function checkColumns(
  draft: ModelDraft,
  { columns, clauses }: { columns: readonly TypedColumn[]; clauses: Clauses | undefined },
): void {
  const seen = new Set<string>();
  for (const [index, { name, type }] of columns.entries()) {
    const item = clauses?.select[index];
    const isUsable = clauses === undefined ? /^[A-Za-z]\w*$/.test(name) : name === item?.name;
    const at = item?.tokens[0];
    if (!isUsable || seen.has(name)) {
      const problem = `column ${index + 1} would be named '${name.slice(0, 100)}'${seen.has(name) ? " again" : ""}`;
      throw modelError(draft, at, problem, "Write AS <name> behind it.");
    }
    if (/\b(Nothing|Interval\w+|Set|Function\(.*)\b/.test(type.replaceAll(/'(?:[^'\\]|\\.)*'/g, "''")))
      throw modelError(draft, at, `column '${name}' has the type ${type}`, "Cast it to a type that a table can hold.");
    seen.add(name);
  }
  for (const name of Object.keys(draft.options.columns ?? {})) {
    if (seen.has(name)) continue;
    const hint = `Name some of: ${[...seen].join(", ")}.`;
    throw optionError(draft, ["columns", name], { problem: `there is no column '${name}'`, hint });
  }
}

/** Whether the SELECT aggregates; an aggregate that only the engine sees is refused. */
function folds(
  draft: ModelDraft,
  { clauses, functions, tree }: { clauses: Clauses; functions: EngineFunctions; tree: TreeNode },
): boolean {
  if (clauses.groupBy.length > 0 || findCalls(draft.tokens, functions.aggregates).length > 0) return true;
  const hidden = aggregatesOf(tree)[0];
  if (hidden === undefined) {
    if (clauses.having.length === 0) return false;
    throw modelError(draft, clauses.having[0], "HAVING stands without GROUP BY", "Write WHERE.");
  }
  const problem = `a function hides the aggregate ${hidden.attributes.function_name}`;
  throw modelError(draft, undefined, problem, "Write the aggregate out: a model must see it.");
}

function checkAsked(draft: ModelDraft, isFold: boolean): void {
  const asked = draft.options.strategy;
  if (asked === undefined || (asked === "fold") === isFold) return;
  const problem = isFold
    ? "its strategy is append, and the SELECT aggregates"
    : "its strategy is fold, and the SELECT has neither an aggregate nor GROUP BY";
  const hint = `Remove strategy: it is ${isFold ? "fold" : "append"}.`;
  throw optionError(draft, ["strategy"], { problem, hint });
}

/** What is below a fold over a fold. */
function lowerOf(draft: ModelDraft, { main, reads }: { main: Read; reads: readonly Read[] }) {
  const { fold: shape, name } = main.readable;
  if (shape === undefined) return undefined;
  if (shape.filtersGroups) {
    const hint = `Read what ${name} reads, or compute it on a schedule with refresh: { every: 1 hour }.`;
    throw modelError(draft, main, `${name} leaves groups out with HAVING, which a view above it cannot see`, hint);
  }
  const kept = new Set([...shape.keys.map((key) => key.name), ...shape.sums.map((sum) => sum.state)]);
  const columns = shape.stateColumns.filter((column) => kept.has(column.name));
  const planned = tableEdits(draft.tokens, reads, (table) =>
    nullSource(table.start === main.start ? columns : (table as Read).readable.columns),
  );
  return { name, shape, planned };
}

/** How exactly a whole SELECT can be computed again. */
function wholeExactness(tree: TreeNode, functions: EngineFunctions) {
  const found = [...nodesOf(tree)].flatMap(({ attributes }) => {
    if (!/^(aggregate|window)$/.test(attributes.function_type ?? "")) return [];
    if (/^(sum|avg)/.test(attributes.function_name) && /Float/.test(attributes.result_type)) return ["approximate"];
    return [mergingOf(attributes.function_name, functions.aggregates)];
  });
  if (found.includes("approximate")) return "approximate";
  return found.every((one) => one === "exact") ? "exact" : "ordered";
}
