/**
 * Strays: physical tables and views of versions that are not in force.
 *
 * What a build left behind when it was cut off before its catalog row, and what
 * it replaced. Views go first, so that nothing is filled any more when its table goes.
 *
 * @module
 */
import { Warehouse, type WarehouseFailed } from "@weir/connectors";
import { Effect } from "effect";

/** A physical name of a model: layer and name, version, and what it is if not the table itself. */
const PHYSICAL = /^((?:dwf|dws|dwa)__[a-z0-9_]+?)__v(\d+)(__fill|__snapshot)?$/;

/** Drops every version of the models in `current` but the one that is named. */
export const dropStrays = Effect.fnUntraced(function* (
  current: ReadonlyMap<string, number>,
): Effect.fn.Return<void, WarehouseFailed, Warehouse> {
  const { command } = yield* Warehouse;
  const strays = (yield* physicalNames()).filter(
    ({ model, version }) => current.has(model) && current.get(model) !== version,
  );
  for (const { table } of strays) yield* command("admin", `DROP TABLE IF EXISTS weir_state.${table} SYNC`);
});

/** Drops every version that the catalog never heard of; `newest` holds the newest version of every model it knows. */
export const dropUnentered = Effect.fnUntraced(function* (
  newest: ReadonlyMap<string, number>,
): Effect.fn.Return<void, WarehouseFailed, Warehouse> {
  const { command } = yield* Warehouse;
  const strays = (yield* physicalNames()).filter(({ model, version }) => version > (newest.get(model) ?? 0));
  for (const { table } of strays) yield* command("admin", `DROP TABLE IF EXISTS weir_state.${table} SYNC`);
});

interface Physical {
  readonly table: string;
  readonly model: string;
  readonly version: number;
}

/** Physical names of models, views before tables. */
const physicalNames = Effect.fnUntraced(function* () {
  const warehouse = yield* Warehouse;
  const rows = yield* warehouse.rows<{ name: string }>(
    "admin",
    "SELECT name FROM system.tables WHERE database = 'weir_state' ORDER BY engine = 'MaterializedView' DESC, name",
  );
  return rows.flatMap(({ name }): Physical[] => {
    const match = PHYSICAL.exec(name);
    return match === null ? [] : [{ table: name, model: match[1], version: Number(match[2]) }];
  });
});
