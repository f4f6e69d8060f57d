/**
 * actors: the work. Each table and each partition has one owner, and every batch lands exactly once.
 *
 *   Log ──▶ partition actors ──▶ table actor ──▶ Warehouse
 *
 * @module
 */
export * from "./intent.ts";
export * from "./landing.ts";
export * from "./ledger.ts";
export * from "./partition.ts";
export * from "./position.ts";
export * from "./runtime/actor.ts";
export * from "./runtime/registry.ts";
export * from "./table.ts";
export * from "./table_step.ts";
export * from "./visible.ts";
