/**
 * actors: the work. Each table and each partition has one owner, and every batch lands exactly once.
 *
 *   Log ──▶ partition actors ──▶ table actor ──▶ Warehouse
 *
 * @module
 */

export * from "./catalog.ts";
export * from "./intent.ts";
export * from "./landing.ts";
export * from "./ledger.ts";
export * from "./partition.ts";
export * from "./position.ts";
export * from "./refusals.ts";
export * from "./runtime/actor.ts";
export * from "./runtime/registry.ts";
export * from "./sources.ts";
export * from "./table.ts";
export * from "./table_state.ts";
export * from "./table_step.ts";
export * from "./visible.ts";
export { insertQuarantine, type QuarantineRow, RAW_BYTES_MAX, warehouseLedger } from "./warehouse_ledger.ts";
