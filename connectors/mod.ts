/**
 * connectors: the outside, behind ports. Each vendor's name stays in this room.
 *
 *   web/ingest ──▶ Log ──▶ actors ──▶ Warehouse ◀── web/sql
 *
 * @module
 */
export * from "./log.ts";
export * from "./records.ts";
export * from "./warehouse.ts";
