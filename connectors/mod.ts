/**
 * connectors: the outside, behind ports. Each vendor's name stays in this room.
 *
 *   web/ingest ──▶ Log ──▶ actors ──▶ Warehouse ◀── web/sql
 *                   │                     │
 *        sqlite_log/ · kafka_log/    clickhouse/ (embedded or CLICKHOUSE_URL)
 *
 *   actors/schemas ──▶ SchemaRegistry
 *
 * @module
 */
export * from "./backup_folder.ts";
export { clickHouseWarehouse } from "./clickhouse/client.ts";
export { type ClickHouseConnection, ClickHouseUrlInvalid, externalConnection } from "./clickhouse/connection.ts";
export { type EmbeddedClickHouse, type EmbeddedOptions, embeddedClickHouse } from "./clickhouse/embedded.ts";
export { type ExternalOptions, externalClickHouse } from "./clickhouse/external.ts";
export { ClickHouseStartFailed } from "./clickhouse/start_failed.ts";
export { ClickHouseUnfit } from "./clickhouse/unfit.ts";
export { type ConfluentRegistryOptions, confluentRegistry } from "./confluent_registry.ts";
export { copyBytes } from "./copy_bytes.ts";
export { checkDataDirectory, DATA_FORMAT, DataDirectoryRefused, stampDataDirectory } from "./data_directory.ts";
export { type KafkaLogOptions, kafkaLog } from "./kafka_log/mod.ts";
export * from "./log.ts";
export * from "./murmur2.ts";
export * from "./once_header.ts";
export * from "./records.ts";
export * from "./schema_registry.ts";
export { sha256Of } from "./sha256.ts";
export { type SqliteLogOptions, sqliteLog } from "./sqlite_log/mod.ts";
export * from "./warehouse.ts";
