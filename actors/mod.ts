/**
 * actors: the work. Each table and each partition has one owner, and every batch lands exactly once.
 *
 *   Log ──▶ partition actors ──▶ table actor ──▶ Warehouse
 *   files ──▶ catalog: plan, apply, backfill, check ──────┘
 *
 * @module
 */
export { type BackupFailures, Backups } from "./backup.ts";
export * from "./catalog/apply.ts";
export * from "./catalog/catalog.ts";
export { CannotCheck, type CheckReport } from "./catalog/check.ts";
export { type Kept, readsOf } from "./catalog/in_force.ts";
export type { ResetAsk, ResetReport } from "./catalog/positions.ts";
export type { DefinitionFile } from "./catalog/read.ts";
export { positionOf, type ResetTo } from "./catalog/reset.ts";
export { BuildFailed } from "./catalog/site.ts";
export { CATALOG } from "./catalog/stewardship.ts";
export { PositionRefused } from "./gap.ts";
export { type Holdable, holding, stillHeld } from "./hold.ts";
export * from "./intent.ts";
export { LandingDelayed, land, type SuspendView } from "./landing.ts";
export * from "./ledger.ts";
export type { PartitionAt } from "./locating.ts";
export { groupOf, type RunningSource } from "./owners.ts";
export { type PlatformOptions, platformLayer } from "./platform.ts";
export * from "./position.ts";
export { type Prepared, prepare } from "./prepare.ts";
export * from "./quarantine/mod.ts";
export * from "./refusals.ts";
export { restoreWarehouse } from "./restore.ts";
export * from "./runtime/actor.ts";
export * from "./runtime/registry.ts";
export { seek } from "./seek.ts";
export * from "./table.ts";
export * from "./table_state.ts";
export * from "./target.ts";
export * from "./visible.ts";
export { insertQuarantine, type QuarantineRow, RAW_BYTES_MAX, warehouseLedger } from "./warehouse_ledger.ts";
