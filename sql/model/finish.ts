/**
 * Finishing a plan: the model of each strategy, with its columns, layout and the three texts of its SELECT.
 *
 * @module
 */
import { asksClock } from "../clock.ts";
import { type ModelDraft, modelError } from "../definition/model_definition.ts";
import { identifier } from "../definition/tokens.ts";
import type { Fold } from "./fold.ts";
import { layOut } from "./layout.ts";
import type { Exactness, Model, ModelColumn, Readable, Strategy, TypedColumn } from "./model.ts";
import type { Read } from "./reads.ts";
import { splice } from "./splice.ts";
import { type TableReference, tableEdits } from "./tables.ts";

/** What is known of a model whatever its strategy. */
export interface Planned {
  readonly draft: ModelDraft;
  readonly reads: readonly Read[];
  readonly columns: readonly TypedColumn[];
  readonly dictionaries: readonly string[];
  /** The table that drives it. */
  readonly feeds: Readable | undefined;
  readonly userFunctions: readonly string[];
}

/** A model of rows that stay as they arrive. */
export function finishAppend(planned: Planned, { main }: { readonly main: Read }): Model {
  const { draft, columns } = planned;
  if (main.readable.strategy === "fold") {
    const hint = "Aggregate it, or compute it on a schedule with refresh: { every: 1 hour }.";
    throw modelError(draft, main, `${main.name} is a fold: a view above it sees fragments of its groups`, hint);
  }
  const base = baseOf(planned, { strategy: "append", stored: columns, sortable: columns });
  return {
    ...base,
    keys: undefined,
    fold: undefined,
    classes: Object.fromEntries(columns.map(({ name }) => [name, "exact"] as const)),
    explanation: [`append: no aggregate, so every row of ${main.name} makes its rows by itself`, ...base.explanation],
    fillSelect: (upstreamTable) => splice(draft.sql, draft.tokens, upstreamEdits(planned, upstreamTable)),
    readSelect: (stateTable) => selectColumns(columns, stateTable),
  };
}

/** A model of groups whose aggregates merge. */
export function finishFold(planned: Planned, fold: Fold): Model {
  const names = fold.keys.map((key) => key.column);
  const sortable = fold.stateColumns.filter(({ name }) => names.includes(name));
  const base = baseOf(planned, { strategy: "fold", stored: fold.stateColumns, sortable });
  const states = fold.states.map(
    ({ call, why, column, exactness }) => `${splice(planned.draft.sql, call.tokens)} ${why} (${column}, ${exactness})`,
  );
  const why = `fold: it aggregates rows of ${planned.feeds?.name}, and every aggregate merges from parts in any order`;
  return {
    ...base,
    keys: names,
    fold: fold.shape,
    classes: fold.classes,
    explanation: [why, ...base.explanation, ...states],
    fillSelect: (upstreamTable) => fold.fill(upstreamEdits(planned, upstreamTable)),
    readSelect: fold.read,
  };
}

/** A model that is computed anew on a schedule. */
export function finishRefresh(planned: Planned & { readonly exactness: Exactness }): Model {
  const { draft, columns, exactness } = planned;
  const base = baseOf(planned, { strategy: "refresh", stored: columns, sortable: columns });
  const clock = asksClock(draft.sql) ? ["it asks the clock: computed again later it says something else"] : [];
  const batch = base.batchSelect;
  return {
    ...base,
    keys: undefined,
    fold: undefined,
    classes: Object.fromEntries(columns.map(({ name }) => [name, exactness] as const)),
    explanation: ["refresh: the front matter says how often it is computed anew", ...base.explanation, ...clock],
    fillSelect: () => batch((name) => name),
    readSelect: (stateTable) => selectColumns(columns, stateTable),
  };
}

type Common = Omit<Model, "keys" | "fold" | "classes" | "fillSelect" | "readSelect">;

function baseOf(
  { draft, reads, columns, dictionaries, feeds, userFunctions }: Planned,
  is: { strategy: Strategy; stored: readonly TypedColumn[]; sortable: readonly TypedColumn[] },
): Common {
  const { options } = draft;
  const { explanation, ...layout } = layOut(draft, { strategy: is.strategy, columns: is.sortable });
  const commented = ({ name, type }: TypedColumn): ModelColumn => ({
    name,
    type,
    comment: options.columns?.[name] ?? "",
  });
  return {
    kind: "model",
    layer: draft.layer,
    name: draft.name,
    doc: options.doc,
    owner: options.owner,
    strategy: is.strategy,
    reads: [...new Set([...reads.map((read) => read.name), ...dictionaries])],
    feeds: is.strategy === "refresh" ? undefined : feeds?.name,
    functions: userFunctions,
    columns: columns.map(commented),
    stateColumns: is.stored.map(commented),
    ...layout,
    refreshMs: options.refresh?.every,
    explanation,
    batchSelect: (tableOf) => replaced(draft, { reads, text: (read) => tableOf(read.name) }),
  };
}

function replaced(draft: ModelDraft, is: { reads: readonly Read[]; text: (read: TableReference) => string }): string {
  return splice(draft.sql, draft.tokens, tableEdits(draft.tokens, is.reads, is.text));
}

/** The table that drives becomes the given one; dimensions stay as they are. */
function upstreamEdits({ draft, reads, feeds }: Planned, upstreamTable: string) {
  return tableEdits(draft.tokens, reads, (table) => (table.name === feeds?.name ? upstreamTable : table.name));
}

function selectColumns(columns: readonly TypedColumn[], table: string): string {
  return `SELECT ${columns.map(({ name }) => identifier(name)).join(", ")} FROM ${table}`;
}
