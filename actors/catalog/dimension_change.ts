/**
 * Changing a dimension: a new table is loaded, checked, and published in one step.
 *
 *   file or SELECT ──load──▶ next table ──keys once?──▶ view and dictionary moved ──▶ catalog row
 *                                           └─no─▶ the old rows stay
 *
 * @module
 */
import { Warehouse, type WarehouseFailed } from "@weir/connectors";
import {
  copyStatement,
  createDimensionTable,
  DefinitionError,
  type Dimension,
  dimensionTable,
  fillStatement,
  loadProblem,
  loadStatements,
  publishDimension,
  repeatedKeysProblem,
  repeatedKeysQuery,
} from "@weir/sql";
import { Effect } from "effect";
import { onEachShard } from "../shards.ts";

/** Bytes handed to the connection at a time. */
const PIECE_BYTES = 1 << 20;

/** A dimension's next rows. */
export interface DimensionChange {
  readonly dimension: Dimension;
  readonly version: number;
  /** The definition's file, for errors. */
  readonly file: string;
  /** Bytes of the file that it names; undefined for a query. */
  readonly data: Uint8Array | undefined;
}

type Changing = Effect.fn.Return<void, WarehouseFailed | DefinitionError, Warehouse>;

/** Loads the rows of a dimension into its next table and checks them; nobody reads them yet. Every shard gets all of them. */
export const loadDimension = Effect.fnUntraced(function* (change: DimensionChange): Changing {
  const warehouse = yield* Warehouse;
  const { dimension, version, file } = change;
  const table = dimensionTable(dimension, version);
  const fail = (problem: string) => {
    const [, state = problem, hint = "Correct the rows."] =
      /^(.+?\.) ((?:Correct|Write|Say|Declare).+)$/s.exec(problem) ?? [];
    return Effect.fail(new DefinitionError({ file, line: 1, column: 1 }, state, hint));
  };
  yield* warehouse.command("admin", `DROP TABLE IF EXISTS ${table} SYNC`);
  yield* warehouse.command("writer", createDimensionTable(dimension, version));
  yield* Effect.catchIf(
    load(change, table),
    ({ outcome }) => outcome === "refused",
    ({ message }) => fail(loadProblem(message)),
  );
  const found = yield* warehouse.rows<{ key: string; rows: string }>("writer", repeatedKeysQuery(dimension, table));
  const problem = repeatedKeysProblem(dimension, found);
  if (problem !== undefined) yield* fail(problem);
});

const load = Effect.fnUntraced(function* (
  { dimension, data }: DimensionChange,
  table: string,
): Effect.fn.Return<void, WarehouseFailed, Warehouse> {
  const warehouse = yield* Warehouse;
  const plain = { async_insert: 0, insert_deduplicate: 0, max_partitions_per_insert_block: 0 };
  if (dimension.from.kind === "query") {
    // Asked once: another shard's answer a moment later could be another one.
    const [first = warehouse, ...others] = warehouse.cluster?.shards ?? [];
    const settings = { ...plain, max_execution_time: 0 };
    yield* first.command("writer", fillStatement(dimension, table), settings);
    const copy = copyStatement(dimension, table, warehouse.cluster?.name ?? "");
    for (const { command } of others) yield* command("writer", copy, settings);
    return;
  }
  for (const { statement, settings } of loadStatements(dimension, table))
    yield* onEachShard(
      Effect.flatMap(Warehouse, ({ insert }) =>
        insert({ statement, body: pieces(data ?? new Uint8Array(0)), settings: { ...plain, ...settings } }),
      ),
    );
});

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

/** Makes a loaded version the one that people read; `before` is the one that they read now. */
export const showDimension = Effect.fnUntraced(function* (
  { dimension, version }: Pick<DimensionChange, "dimension" | "version">,
  before: Dimension | undefined,
): Effect.fn.Return<void, WarehouseFailed, Warehouse> {
  const warehouse = yield* Warehouse;
  for (const statement of publishDimension({ dimension, version }, before))
    yield* warehouse.command("writer", statement);
});
