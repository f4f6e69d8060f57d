/**
 * The platform: everything of this room as one layer over a log and a warehouse.
 *
 *   Log · Warehouse ──▶ ledger ──▶ catalog, sources ──▶ backups
 *                 └──▶ refusals
 *
 * @module
 */
import type { Log, SchemaRegistry, Warehouse } from "@weir/connectors";
import { Layer } from "effect";
import { type BackupOptions, type Backups, backupsLayer } from "./backup.ts";
import { CHUNK_ROWS } from "./catalog/backfill.ts";
import { type Catalog, type ChangeFailures, catalogLayer, type Sources } from "./catalog/catalog.ts";
import { REFUSALS_EVERY_MS, type Refusals, refusalsEvery } from "./refusals.ts";
import { warehouseLedger } from "./warehouse_ledger.ts";

/** How a platform works; what is left out is as it always is. */
export interface PlatformOptions {
  /** Rows that one insert of a backfill reads. */
  readonly chunkRows?: number | undefined;
  /** Whether sources are landed in this process; the door alone serves what others land. */
  readonly lands?: boolean;
  /** Where schemas of other producers are kept; only the operator names it. */
  readonly registry?: SchemaRegistry | undefined;
  /** How often what the door refused is written. */
  readonly refusalsEveryMs?: number;
  /** Where backups go; without it none can be made. */
  readonly backups?: BackupOptions;
}

/** Everything of a platform above its log and its warehouse. */
export const platformLayer = ({
  chunkRows = CHUNK_ROWS,
  lands = true,
  registry,
  refusalsEveryMs = REFUSALS_EVERY_MS,
  backups = {},
}: PlatformOptions = {}): Layer.Layer<Sources | Catalog | Refusals | Backups, ChangeFailures, Log | Warehouse> => {
  const catalog = catalogLayer({ chunkRows, lands, registry }).pipe(Layer.provide(warehouseLedger));
  return Layer.mergeAll(Layer.provideMerge(backupsLayer(backups), catalog), refusalsEvery(refusalsEveryMs));
};
