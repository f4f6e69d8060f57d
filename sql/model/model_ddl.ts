/**
 * DDL of a model: its physical table, the view that fills it, the view that people read.
 *
 *   upstream ──▶ weir_state.dwa__x__v1__fill (materialized view) ──▶ weir_state.dwa__x__v1 ◀──reads── dwa.x
 *
 * Every table remembers tokens, inner ones too; views run with the rights of
 * whoever creates them, the writer.
 *
 * @module
 */
import { stateTable, wholeTable } from "../ddl.ts";
import { identifier, literal } from "../definition/tokens.ts";
import { DEDUPLICATION_WINDOW_PARTS } from "../source.ts";
import type { Model } from "./model.ts";

/** Qualified name of the view that fills a model's physical table. */
export function fillView(model: Pick<Model, "layer" | "name">, version: number): string {
  return `${stateOf(model, version)}__fill`;
}

/** Creates the physical table. */
export function createModelTable(model: Model, version: number): string {
  const columns = model.stateColumns.map(
    ({ name, type, comment }) => `  ${identifier(name)} ${type}${comment && ` COMMENT ${literal(comment)}`}`,
  );
  for (const [index, name] of model.lookup.entries())
    columns.push(`  INDEX lookup_${index + 1} ${identifier(name)} TYPE bloom_filter GRANULARITY 1`);
  const { partitionBy, ttl } = model;
  const by =
    partitionBy && `${partitionBy.by === "day" ? "toYYYYMMDD" : "toYYYYMM"}(${identifier(partitionBy.column)})`;
  const order = model.orderBy.map(identifier).join(", ");
  const isNullable = model.stateColumns.some(({ name, type }) => model.orderBy.includes(name) && /Nullable/.test(type));
  const lines = [
    `CREATE TABLE IF NOT EXISTS ${stateOf(model, version)}\n(\n${columns.join(",\n")}\n)`,
    `ENGINE = ${model.strategy === "fold" ? "AggregatingMergeTree" : "MergeTree"}`,
    by === undefined ? "" : `PARTITION BY ${by}`,
    order === "" ? "ORDER BY tuple()" : `ORDER BY (${order})`,
    ttl === undefined
      ? ""
      : `TTL toDateTime(${identifier(ttl.column)}) + INTERVAL ${Math.ceil(ttl.ageMs / 1_000)} SECOND`,
    `SETTINGS non_replicated_deduplication_window = ${DEDUPLICATION_WINDOW_PARTS}${isNullable ? ", allow_nullable_key = 1" : ""}`,
    `COMMENT ${literal(model.doc)}`,
  ];
  return lines.filter((line) => line !== "").join("\n");
}

/** Creates the view that fills the physical table with every insert into the upstream's; not for `refresh`. */
export function createFillView(
  model: Model,
  { version, upstreamTable }: { readonly version: number; readonly upstreamTable: string },
): string {
  return `CREATE MATERIALIZED VIEW IF NOT EXISTS ${fillView(model, version)} TO ${stateOf(model, version)}
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS ${model.fillSelect(upstreamTable)}`;
}

/** Creates the view that computes a `refresh` model anew on its schedule and exchanges the rows at once. */
export function createRefreshView(model: Model, version: number): string {
  return `CREATE MATERIALIZED VIEW IF NOT EXISTS ${fillView(model, version)}
REFRESH EVERY ${interval(model.refreshMs ?? 0)} TO ${stateOf(model, version)}
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS ${model.fillSelect("")}`;
}

/** Creates or replaces the finished view that people read; to be run as the writer. */
export function createModelView(model: Model, version: number, cluster?: string): string {
  const columns = model.columns.map(
    ({ name, type, comment }) => `  ${identifier(name)} ${type}${comment && ` COMMENT ${literal(comment)}`}`,
  );
  return `CREATE OR REPLACE VIEW ${model.layer}.${identifier(model.name)}
(
${columns.join(",\n")}
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS ${model.readSelect(wholeTable(stateOf(model, version), cluster))}
COMMENT ${literal(model.doc)}`;
}

const stateOf = (model: Pick<Model, "layer" | "name">, version: number) => stateTable(model, version);

const UNITS = [
  ["DAY", 86_400],
  ["HOUR", 3_600],
  ["MINUTE", 60],
  ["SECOND", 1],
] as const;

/** The largest unit that a span is a whole number of. */
function interval(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1_000));
  const [unit, size] = UNITS.find(([, one]) => seconds % one === 0) ?? UNITS[3];
  return `${seconds / size} ${unit}`;
}
