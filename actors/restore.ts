/**
 * Restoring: a backup's tables into an engine that has none, and the proof that they are all there.
 *
 *   databases ──▶ RESTORE ──▶ nothing that Weir would not make ──▶ every table of the manifest has its rows
 *
 * @module
 */
import { BackupFailed, Warehouse, type WarehouseFailed } from "@weir/connectors";
import { createDatabases, type Manifest, restoreStatement, WAREHOUSE_DATABASES } from "@weir/sql";
import { Effect } from "effect";
import { runToEnd } from "./backup.ts";
import { NUMBERS } from "./read_settings.ts";

/** Brings back what lies in `folder`, a path below the engine's folder of backups. */
export const restoreWarehouse = Effect.fnUntraced(function* ({
  folder,
  manifest,
}: {
  readonly folder: string;
  readonly manifest: Manifest;
}): Effect.fn.Return<void, WarehouseFailed | BackupFailed, Warehouse> {
  const { command, rows } = yield* Warehouse;
  for (const statement of createDatabases()) yield* command("admin", statement);
  const id = crypto.randomUUID();
  yield* runToEnd(restoreStatement({ folder, id }), id);
  const found = yield* rows<Restored>(
    "admin",
    `SELECT database, concat(database, '.', name) AS name, engine, ifNull(total_rows, 0) AS rows FROM system.tables
     WHERE database NOT IN ('system', 'information_schema', 'INFORMATION_SCHEMA') AND NOT is_temporary`,
    NUMBERS,
  );
  const problem = foreign(found) ?? difference(manifest, new Map(found.map((table) => [table.name, table.rows])));
  if (problem !== undefined)
    return yield* new BackupFailed({
      reason: "failed",
      message: `Cannot restore the backup: ${problem}.`,
      hint: "Use another backup.",
    });
});

/** A restored table, view or dictionary; its name is qualified. */
export interface Restored {
  readonly database: string;
  readonly name: string;
  readonly engine: string;
  readonly rows: number;
}

/** What Weir makes: none of it sends rows anywhere. */
const ENGINES = /^(?:\w*MergeTree|View|MaterializedView|Dictionary)$/;

/** What Weir has not made: somebody changed the backup, and what lands later might go somewhere else too. */
export function foreign(found: readonly Restored[]): string | undefined {
  const own: readonly string[] = WAREHOUSE_DATABASES;
  const one = found.find(({ database, engine }) => !own.includes(database) || !ENGINES.test(engine));
  return one === undefined ? undefined : `${one.name} is of the engine ${one.engine}, which Weir has not made there`;
}

/** How restored tables differ from what the backup says; undefined when they do not. */
export function difference({ tables }: Manifest, found: ReadonlyMap<string, number>): string | undefined {
  for (const { name, rows, exact } of tables) {
    const restored = found.get(name);
    if (restored === undefined) return `${name} is missing`;
    if (exact ? restored !== rows : restored > rows) return `${name} has ${restored} rows instead of ${rows}`;
  }
  return undefined;
}
