/**
 * Dimensions over time: what is published is what the catalog says, and queries are asked again on their schedule.
 *
 *   start ──▶ view points at another version? ──▶ published again
 *   every n ──▶ SELECT ──▶ next rows beside ──exchange──▶ same version, new rows
 *
 * @module
 */
import { Warehouse, type WarehouseFailed } from "@weir/connectors";
import { type Dimension, dimensionSource, dimensionTable, literal, publishDimension } from "@weir/sql";
import { Effect } from "effect";
import { onEachShard } from "../shards.ts";
import { loadDimension } from "./dimension_change.ts";
import type { Kept } from "./in_force.ts";

/** Added to a version's number for the table that its next rows are loaded into: no version comes so far. */
const ASIDE = 1_000_000;

/** Publishes again what a stop between view and catalog row left pointing elsewhere, and drops other versions. */
export const republishDimensions = (
  dimensions: readonly Kept<Dimension>[],
): Effect.Effect<void, WarehouseFailed, Warehouse> => Effect.asVoid(onEachShard(republishHere(dimensions)));

const republishHere = Effect.fnUntraced(function* (
  dimensions: readonly Kept<Dimension>[],
): Effect.fn.Return<void, WarehouseFailed, Warehouse> {
  const warehouse = yield* Warehouse;
  for (const { definition, version } of dimensions) {
    const [, view] = dimensionSource(definition).split(".");
    const rows = yield* warehouse.rows<{ name: string; text: string }>(
      "admin",
      `SELECT name, as_select AS text FROM system.tables
       WHERE database = 'weir_state' AND (name = ${literal(view)} OR startsWith(name, ${literal(`${view}__v`)}))`,
    );
    const table = dimensionTable(definition, version);
    const isShown = rows.some(({ name, text }) => name === view && new RegExp(`\\b${table}\\b`).test(text));
    if (!isShown || !(yield* hasColumns(definition)))
      for (const statement of publishDimension({ dimension: definition, version }, undefined))
        yield* warehouse.command("writer", statement);
    // Another dimension may be called as this one's versions begin.
    const isVersion = new RegExp(`^${view}__v\\d+(?:__dictionary)?$`);
    for (const { name } of rows)
      if (isVersion.test(name) && `weir_state.${name}` !== table)
        yield* warehouse.command("admin", `DROP ${kindOf(name)} IF EXISTS weir_state.${name} SYNC`);
  }
});

/** Whether the dictionary has the columns of the definition: a stop may come between its view and its exchange. */
const hasColumns = Effect.fnUntraced(function* ({ name, columns }: Dimension) {
  const warehouse = yield* Warehouse;
  const found = yield* warehouse.rows<{ name: string; type: string }>(
    "admin",
    `SELECT name, type FROM system.columns WHERE database = 'dim' AND table = ${literal(name)}`,
  );
  const said = (all: readonly { name: string; type: string }[]) =>
    JSON.stringify(all.map((column) => `${column.name} ${column.type}`).sort());
  return said(found) === said(columns);
});

const kindOf = (name: string) => (name.endsWith("__dictionary") ? "DICTIONARY" : "TABLE");

/** Which dimensions are due, and when each was asked last; pure. */
export function dueDimensions(
  dimensions: readonly Kept<Dimension>[],
  { lastMs, nowMs }: { lastMs: Map<string, number>; nowMs: number },
): readonly Kept<Dimension>[] {
  return dimensions.filter(({ definition: { name, from } }) => {
    if (from.kind !== "query" || from.everyMs === undefined) return false;
    const last = lastMs.get(name) ?? nowMs;
    const isDue = nowMs - last >= from.everyMs;
    if (isDue || !lastMs.has(name)) lastMs.set(name, nowMs);
    return isDue;
  });
}

/** Asks a dimension's SELECT again and exchanges its rows; its version stays. */
export const refreshDimension = Effect.fnUntraced(function* ({ definition, version, entry }: Kept<Dimension>) {
  const warehouse = yield* Warehouse;
  const dimension: Dimension = definition;
  const aside = version + ASIDE;
  yield* loadDimension({ dimension, version: aside, file: entry.file, data: undefined });
  const table = dimensionTable(dimension, version);
  yield* warehouse.command("admin", `EXCHANGE TABLES ${dimensionTable(dimension, aside)} AND ${table}`);
  yield* warehouse.command("admin", `DROP TABLE IF EXISTS ${dimensionTable(dimension, aside)} SYNC`);
  yield* warehouse.command("writer", `SYSTEM RELOAD DICTIONARY dim.${dimension.name}`);
});
