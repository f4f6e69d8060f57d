/**
 * The embedded Log: one SQLite file, a Worker that writes it and one that reads it.
 *
 *   Log ──▶ layer.ts ──▶ appends · reads · groups · catalog ──▶ writer.ts · reader.ts ──▶ log.db
 *
 * @module
 */
export { openSqliteLog, serviceOf, sqliteLog } from "./layer.ts";
export type { SqliteLogOptions } from "./protocol.ts";
