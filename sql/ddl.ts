/**
 * DDL: the tables behind a source, and Weir's own.
 *
 *   Source ──▶ weir_state.ods__flight__v1 (MergeTree) ◀──reads── ods.flight (view that people read)
 *
 * A changed source is a new physical table behind the view, never an ALTER.
 * Every table remembers tokens; every setting that matters is said.
 *
 * @module
 */
import { identifier, literal } from "./definition/tokens.ts";
import { DEDUPLICATION_WINDOW_PARTS, type Source } from "./source.ts";
import weirTables from "./weir_tables.sql" with { type: "text" };

/** The layers, in the order in which models may read: their own or one before. */
export const LAYERS = ["ods", "dim", "dwf", "dws", "dwa"] as const;

/** Qualified name of the physical table behind a source or model, for example `weir_state.ods__flight__v1`. */
export function stateTable(of: { readonly layer: string; readonly name: string }, version: number): string {
  return `weir_state.${of.layer}__${of.name}__v${version}`;
}

/**
 * A physical table with the rows of all shards of a cluster, as a table expression. A SELECT around the shards' tables,
 * so that a condition of whoever reads it goes down to each shard, past the aggregates of a finished view too.
 */
export function wholeTable(table: string, cluster: string | undefined): string {
  return cluster === undefined ? table : `(SELECT * FROM cluster(${literal(cluster)}, ${table}))`;
}

/** The companions of every ods table: where each row came from. */
const COMPANIONS = [
  ["_topic", "LowCardinality(String)", "", "topic of the log"],
  ["_partition", "UInt32", "T64, LZ4", "partition of the topic"],
  ["_offset", "UInt64", "Delta, LZ4", "offset in the partition"],
  ["_epoch", "UInt32", "T64, LZ4", "counts how often the topic was created anew or replayed"],
  ["_event_time", "DateTime64(3, 'UTC')", "Delta, LZ4", "when it happened"],
  ["_ingest_time", "DateTime64(3, 'UTC')", "Delta, LZ4", "when the log took it"],
  ["_op", "LowCardinality(String)", "", "c created, u updated, d deleted, r read by a snapshot"],
] as const;

/** The companions as columns: what a model can read of every source beside its own columns. */
export const SOURCE_COMPANIONS: readonly { readonly name: string; readonly type: string }[] = COMPANIONS.map(
  ([name, type]) => ({ name, type }),
);

/** Creates the physical table of a source. */
export function createStateTable(source: Source, version: number): string {
  const columns = source.columns.map(
    ({ name, type, comment, codec }) =>
      `  ${identifier(name)} ${type} COMMENT ${literal(comment)}${codec && ` CODEC${codec}`}`,
  );
  for (const [name, type, codec, comment] of COMPANIONS)
    columns.push(`  ${name} ${type} COMMENT ${literal(comment)}${codec && ` CODEC(${codec})`}`);
  if (source.unknown === "keep")
    columns.push("  _rest String COMMENT 'fields which no column declares, as a JSON object'");
  return `CREATE TABLE IF NOT EXISTS ${stateTable(source, version)}
(
${columns.join(",\n")}
)
ENGINE = MergeTree
PARTITION BY ${source.partitionBy === "day" ? "toYYYYMMDD" : "toYYYYMM"}(_event_time)
ORDER BY (_event_time, _partition, _offset)
SETTINGS non_replicated_deduplication_window = ${DEDUPLICATION_WINDOW_PARTS}
COMMENT ${literal(source.doc)}`;
}

/** Creates or replaces the view that people read; to be run as the writer, with whose rights it reads its table. */
export function createSourceView(source: Source, version: number, cluster?: string): string {
  return `CREATE OR REPLACE VIEW ${source.layer}.${identifier(source.name)}
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT * FROM ${wholeTable(stateTable(source, version), cluster)}
COMMENT ${literal(source.doc)}`;
}

/** The databases of a warehouse: the layers, Weir's own tables, the tables and views behind the layers. */
export const WAREHOUSE_DATABASES = [...LAYERS, "weir", "weir_state"] as const;

/** Creates the databases. */
export const createDatabases = (): readonly string[] =>
  WAREHOUSE_DATABASES.map((name) => `CREATE DATABASE IF NOT EXISTS ${name} ENGINE = Atomic`);

/** Everything of Weir's own, to be created at every start: databases, catalog, ledger, quarantine. */
export function createWeirTables(): readonly string[] {
  const window = String(DEDUPLICATION_WINDOW_PARTS);
  const tables = weirTables
    .replaceAll(/^--.*$/gm, "")
    .replaceAll("{window}", window)
    .split(/;[ \t]*$/m);
  return [...createDatabases(), ...tables.map((statement) => statement.trim()).filter((statement) => statement !== "")];
}

/**
 * The position of each partition, as a table expression: what landed, what was accepted as lost, what was reset, whichever
 * is further; a newer epoch is. A reset counts once the catalog has its version. No view: a backup would wait for its tables.
 */
export const FURTHEST: string = `(SELECT statement, partition, max(position) AS position FROM
(
  SELECT statement, partition, max(at) AS position FROM weir.position GROUP BY statement, partition
  UNION ALL
  SELECT statement, partition, position FROM weir.gap WHERE event = 'accepted'
  UNION ALL
  SELECT statement, partition, position FROM weir.reset
  WHERE (statement, version) IN (SELECT concat(layer, '.', name), version FROM weir.definition WHERE kind = 'source')
)
GROUP BY statement, partition)`;
