/**
 * Strays: physical tables and views that nothing in force uses.
 *
 *   weir_state ──names──▶ of a version that is replaced, was never entered, or is over ──▶ dropped, views first
 *
 * What a build left behind when it was cut off before its catalog row, what it
 * replaced, snapshots of checks, stand-ins of plans. Views go first, so that
 * nothing is filled any more when its table goes.
 *
 * @module
 */
import { Warehouse, type WarehouseFailed } from "@weir/connectors";
import { Effect } from "effect";
import { onEachShard } from "../shards.ts";

/** A physical name of a source or model: layer and name, version, and what it is if not the table itself. */
const PHYSICAL = /^((?:ods|dwf|dws|dwa)__[a-z0-9_]+?)__v(\d+)(__fill|__snapshot)?$/;
/** Snapshots of a check, and the empty dimensions of a plan: of a process that was killed. */
const OVER = /__check_[0-9a-f]{8}$|^dim__[a-z0-9_]+__planned(?:__v0)?$/;

/** One physical table or view of a source's or model's version. */
export interface Physical {
  readonly table: string;
  /** Layer and name: `dwf__flight`. */
  readonly of: string;
  readonly version: number;
  /** Whether it is the view that fills the version's table. */
  readonly isFill: boolean;
}

/** The sources' and models' physical tables, views first. */
export const physicalTables = Effect.fnUntraced(function* (): Effect.fn.Return<
  readonly Physical[],
  WarehouseFailed,
  Warehouse
> {
  return (yield* namesInState()).flatMap((table): Physical[] => {
    const match = PHYSICAL.exec(table);
    if (match === null) return [];
    return [{ table, of: match[1], version: Number(match[2]), isFill: match[3] === "__fill" }];
  });
});

/** Drops those physical tables and views of sources and models that are strays. */
export const dropStrays = Effect.fnUntraced(function* (
  isStray: (physical: Physical) => boolean,
): Effect.fn.Return<void, WarehouseFailed, Warehouse> {
  yield* onEachShard(
    Effect.gen(function* () {
      const { command } = yield* Warehouse;
      for (const { table } of (yield* physicalTables()).filter(isStray))
        yield* command("admin", `DROP TABLE IF EXISTS weir_state.${table} SYNC`);
    }),
  );
});

/** Drops what checks and plans left behind when their process was killed; when none runs. */
export const dropLeftovers = (): Effect.Effect<void, WarehouseFailed, Warehouse> =>
  Effect.asVoid(onEachShard(dropLeftoversHere));

const dropLeftoversHere = Effect.gen(function* (): Effect.fn.Return<void, WarehouseFailed, Warehouse> {
  const { command, rows } = yield* Warehouse;
  const dictionaries = yield* rows<{ name: string }>(
    "admin",
    "SELECT name FROM system.tables WHERE database = 'dim' AND endsWith(name, '__planned')",
  );
  for (const { name } of dictionaries) yield* command("writer", `DROP DICTIONARY IF EXISTS dim.${name} SYNC`);
  for (const table of (yield* namesInState()).filter((name) => OVER.test(name)))
    yield* command("admin", `DROP TABLE IF EXISTS weir_state.${table} SYNC`);
  const functions = yield* rows<{ name: string }>(
    "admin",
    "SELECT name FROM system.functions WHERE origin = 'SQLUserDefined' AND endsWith(name, '__planned')",
  );
  for (const { name } of functions) yield* command("writer", `DROP FUNCTION IF EXISTS ${name}`);
});

const namesInState = Effect.fnUntraced(function* () {
  const warehouse = yield* Warehouse;
  const rows = yield* warehouse.rows<{ name: string }>(
    "admin",
    "SELECT name FROM system.tables WHERE database = 'weir_state' ORDER BY engine = 'MaterializedView' DESC, name",
  );
  return rows.map(({ name }) => name);
});
