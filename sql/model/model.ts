/**
 * A model: one SELECT, kept up to date. What the planner makes of a draft, and what it must know of what is read.
 *
 *   ModelDraft ──planModel──▶ Model ──▶ tables and views (model_ddl) · backfill and check (batchSelect)
 *
 * Plain data and pure functions.
 *
 * @module
 */

import type { LAYERS } from "../ddl.ts";
import type { ModelLayer } from "../definition/model_definition.ts";

/** One of the layers. */
export type Layer = (typeof LAYERS)[number];

/** How a model is kept up to date. */
export type Strategy = "append" | "fold" | "refresh";

/** How far a recomputation may differ: not at all, in which of several equals was taken, within a tolerance. */
export type Exactness = "exact" | "ordered" | "approximate";

/** A column with its type as ClickHouse prints it. */
export interface TypedColumn {
  readonly name: string;
  readonly type: string;
}

/** A column of a finished view. */
export interface ModelColumn extends TypedColumn {
  readonly comment: string;
}

/** What a model over a fold model may build on. */
export interface FoldShape {
  /** Finished columns that are group keys; the state table has them under the same names. */
  readonly keys: readonly TypedColumn[];
  /** Finished columns that are one aggregate which merges as a plain value. */
  readonly sums: readonly { readonly name: string; readonly state: string; readonly merge: "sum" | "min" | "max" }[];
  /** Columns of the state table. */
  readonly stateColumns: readonly TypedColumn[];
  /** Whether HAVING leaves groups out, which a view above cannot know. */
  readonly filtersGroups: boolean;
}

/** What a name that a model reads stands for. */
export interface Readable {
  /** Qualified, for example `dwf.flight`. */
  readonly name: string;
  readonly kind: "source" | "dimension" | "model";
  readonly layer: Layer;
  /** Of a model. */
  readonly strategy?: Strategy;
  /** Of a fold model. */
  readonly fold?: FoldShape;
  /** Qualified physical table, for example `weir_state.dwf__flight__v1`. */
  readonly table: string;
  /** Columns of the finished view, with what a source carries beside its own (`_offset`, …). */
  readonly columns: readonly TypedColumn[];
}

/** A definition of kind `model`, planned. */
export interface Model {
  readonly kind: "model";
  readonly layer: ModelLayer;
  readonly name: string;
  readonly doc: string;
  readonly owner: string | undefined;
  readonly strategy: Strategy;
  /** Every qualified table it reads, dimensions too. */
  readonly reads: readonly string[];
  /** The one table whose inserts drive it; undefined for `refresh`. */
  readonly feeds: string | undefined;
  /** User-defined functions it calls. */
  readonly functions: readonly string[];
  /** Columns of the finished view, in its order. */
  readonly columns: readonly ModelColumn[];
  /** Columns of the physical table. */
  readonly stateColumns: readonly ModelColumn[];
  readonly orderBy: readonly string[];
  /** Undefined: one partition. */
  readonly partitionBy: { readonly column: string; readonly by: "month" | "day" } | undefined;
  /** Undefined: rows stay. */
  readonly ttl: { readonly column: string; readonly ageMs: number } | undefined;
  /** Columns with a Bloom filter. */
  readonly lookup: readonly string[];
  readonly refreshMs: number | undefined;
  /** Group keys as columns of the physical table; undefined unless it is a fold. */
  readonly keys: readonly string[] | undefined;
  /** By finished column: what `check` may find. */
  readonly classes: Readonly<Record<string, Exactness>>;
  /** Why it is planned like this, a sentence each. */
  readonly explanation: readonly string[];
  /** For models above; undefined unless it is a fold. */
  readonly fold: FoldShape | undefined;
  /** The SELECT of the view that fills the physical table, over the physical table of `feeds`. */
  readonly fillSelect: (upstreamTable: string) => string;
  /** The body of the finished view over the physical table. */
  readonly readSelect: (stateTable: string) => string;
  /** The author's SELECT over other tables, for recomputation and backfill. */
  readonly batchSelect: (tableOf: (name: string) => string) => string;
}

/** What models above see of a planned model. */
export function readableModel(model: Model, table: string): Readable {
  const { layer, name, strategy, fold, columns } = model;
  return { name: `${layer}.${name}`, kind: "model", layer, strategy, fold, table, columns };
}

/** One question to the engine: SQL that answers with rows. */
export interface Question {
  readonly sql: string;
}

/** The engine's rows, or its message when it refuses. */
export type Answer = { readonly rows: readonly Record<string, unknown>[] } | { readonly refused: string };
