/**
 * Restoring: a backup's tables into an engine that has none, and the proof that they are all there.
 *
 *   databases ──▶ RESTORE ──▶ every table of the manifest has its rows
 *
 * @module
 */
import { BackupFailed, Warehouse, type WarehouseFailed } from "@weir/connectors";
import { createDatabases, literal, type Manifest, restoreStatement, WAREHOUSE_DATABASES } from "@weir/sql";
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
  const found = yield* rows<{ name: string; rows: number }>(
    "admin",
    `SELECT concat(database, '.', name) AS name, ifNull(total_rows, 0) AS rows FROM system.tables
     WHERE database IN (${WAREHOUSE_DATABASES.map(literal).join(", ")})`,
    NUMBERS,
  );
  const problem = difference(manifest, new Map(found.map((table) => [table.name, table.rows])));
  if (problem !== undefined)
    return yield* new BackupFailed({
      reason: "failed",
      message: `Cannot restore the backup: ${problem}.`,
      hint: "Use another backup.",
    });
});

/** How restored tables differ from what the backup says; undefined when they do not. */
export function difference({ tables }: Manifest, found: ReadonlyMap<string, number>): string | undefined {
  for (const { name, rows, exact } of tables) {
    const restored = found.get(name);
    if (restored === undefined) return `${name} is missing`;
    if (exact ? restored !== rows : restored > rows) return `${name} has ${restored} rows instead of ${rows}`;
  }
  return undefined;
}
