/**
 * Reach: how many rows a new version of a model would be filled with, and how far back they go.
 *
 *   model ──feeds──▶ table: rows            sources behind it: time of their oldest row
 *
 * @module
 */
import { Warehouse, type WarehouseFailed } from "@weir/connectors";
import { literal, type Model, stateTable } from "@weir/sql";
import { Effect } from "effect";
import { NUMBERS } from "../read_settings.ts";
import { onEachShard, wholeOf } from "../shards.ts";
import { held, type Kept, sourcesBehind } from "./in_force.ts";

/** Rows that a backfill would read, and the event time of the oldest row behind them (RFC 3339; null if there is none). */
export interface Reach {
  readonly rows: number;
  readonly since: string | null;
}

/** Looks at what is there now; a model that reads something new has nothing to be filled with. */
export const reachOf = Effect.fnUntraced(function* (
  kept: ReadonlyMap<string, Kept>,
  model: Model,
): Effect.fn.Return<Reach, WarehouseFailed, Warehouse> {
  const warehouse = yield* Warehouse;
  const name = model.feeds ?? "";
  const feed = held(kept, name, "source") ?? held(kept, name, "model");
  if (feed === undefined) return { rows: 0, since: null };
  const counted = yield* onEachShard(rowsIn(stateTable(feed.definition, feed.version)));
  const rows = counted.reduce((sum, one) => sum + one, 0);
  const oldest: string[] = [];
  for (const source of rows === 0 ? [] : sourcesBehind(kept, name)) {
    const found = held(kept, `ods.${source}`, "source");
    if (found === undefined) continue;
    const physical = yield* wholeOf(stateTable(found.definition, found.version));
    const [{ at, n }] = yield* warehouse.rows<{ at: string; n: number }>(
      "admin",
      `SELECT formatDateTime(min(_event_time), '%Y-%m-%dT%H:%i:%SZ', 'UTC') AS at, count() AS n FROM ${physical}`,
      NUMBERS,
    );
    if (n > 0) oldest.push(at);
  }
  return { rows, since: oldest.sort()[0] ?? null };
});

/** Rows of a physical table, as its parts say. */
const rowsIn = Effect.fnUntraced(function* (physical: string) {
  const warehouse = yield* Warehouse;
  const [database, table] = physical.split(".");
  const [{ rows }] = yield* warehouse.rows<{ rows: number }>(
    "admin",
    `SELECT sum(rows) AS rows FROM system.parts WHERE database = ${literal(database)} AND table = ${literal(table)} AND active`,
    NUMBERS,
  );
  return rows;
});
