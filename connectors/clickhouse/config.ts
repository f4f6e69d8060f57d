/**
 * The configuration of the embedded ClickHouse, as XML text. Pure.
 *
 * The engine runs as `clickhouse local`, whose users come from this file alone
 * (`users_config` points back at it); a change needs a restart of the child.
 *
 * - `default` must stay without a password, because the in-process session logs
 *   in as it before anything else. `max_sessions_for_user=1` closes it: that
 *   session holds the only place, every HTTP request as `default` gets code 700.
 *   What it may read is for dictionaries, which load as `default`.
 * - `weir_writer` acts for actors, `weir_admin` for definitions, `weir_reader`
 *   for everybody else: readonly, limited, no state tables.
 * - No `<logger>` section: with one the engine logs everything.
 *
 * @module
 */
import { LAYERS } from "@weir/sql";
import type { Account } from "../warehouse.ts";
import type { ReaderLimits } from "./connection.ts";

/** Names of the engine's users. */
export const USERS = { writer: "weir_writer", reader: "weir_reader", admin: "weir_admin" } as const satisfies Record<
  Account,
  string
>;

/** Beside the layers, which the reader sees: databases that the writer fills for Weir alone. */
const OWN_DATABASES = ["weir", "weir_state"] as const;

/** What the configuration depends on. Paths are absolute. */
export interface EngineConfig {
  readonly configPath: string;
  readonly backupsPath: string;
  /** SHA-256 of each account's password, in hex. */
  readonly passwordHashes: Readonly<Record<Account, string>>;
  /** Memory of the machine (or of the container) in bytes; the engine may use half of it. */
  readonly memoryBytes: number;
  readonly limits: ReaderLimits;
}

/** Share of the machine's memory that the engine may use. */
export const MEMORY_SHARE = 0.5;

/** Bytes of one answer to a reader, as the engine counts them. */
const RESULT_BYTES_MAX = 4 * 1024 ** 3;

/** Sizes of caches, pools and connections. The engine's defaults are for a server: 5 GiB for each cache of marks. */
const SERVER = {
  max_server_memory_usage_to_ram_ratio: MEMORY_SHARE,
  cache_size_to_ram_max_ratio: 0.1,
  mark_cache_size: 256 * 1024 ** 2,
  primary_index_cache_size: 128 * 1024 ** 2,
  index_mark_cache_size: 64 * 1024 ** 2,
  uncompressed_cache_size: 0,
  index_uncompressed_cache_size: 0,
  parquet_metadata_cache_size: 32 * 1024 ** 2,
  iceberg_metadata_files_cache_size: 32 * 1024 ** 2,
  paimon_metadata_files_cache_size: 16 * 1024 ** 2,
  vector_similarity_index_cache_size: 64 * 1024 ** 2,
  text_index_tokens_cache_size: 32 * 1024 ** 2,
  text_index_header_cache_size: 32 * 1024 ** 2,
  text_index_postings_cache_size: 64 * 1024 ** 2,
  background_pool_size: 4,
  background_schedule_pool_size: 8,
  max_connections: 1024,
  keep_alive_timeout: 60,
  database_atomic_delay_before_drop_table_sec: 60,
  timezone: "UTC",
  default_session_timeout: 60,
  max_session_timeout: 3600,
} as const;

/** MergeTree settings that 26.x changed to what we do not want: statistics nobody reads cost time on each insert. */
const MERGE_TREE = { auto_statistics_types: "" } as const;

/** Said in each profile, because 26.x changed them or because forgetting them loses data in silence. */
const COMMON = {
  async_insert: 0,
  insert_deduplicate: 1,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  materialized_views_ignore_errors: 0,
  log_queries: 0,
} as const;

/** Settings which clients and BI tools may legitimately change within `readonly=1`. */
const CHANGEABLE = [
  "max_block_size",
  "mutations_sync",
  "alter_sync",
  "insert_distributed_sync",
  "lightweight_deletes_sync",
  "send_progress_in_http_headers",
  "http_headers_progress_interval_ms",
  "cancel_http_readonly_queries_on_client_close",
  "network_compression_method",
  "network_zstd_compression_level",
  "enable_http_compression",
  "http_zlib_compression_level",
  "output_format_json_quote_64bit_integers",
  "output_format_json_quote_decimals",
  "output_format_json_quote_denormals",
  "output_format_json_validate_utf8",
  "output_format_json_escape_forward_slashes",
  "output_format_json_array_of_rows",
  "format_csv_null_representation",
  "http_write_exception_in_output_format",
  "join_use_nulls",
  "date_time_input_format",
  "date_time_output_format",
  "session_timezone",
  "log_comment",
  "max_query_size",
  "enable_json_type",
  "output_format_native_write_json_as_string",
] as const;

/** The whole configuration file. */
export function engineConfig(config: EngineConfig): string {
  const server = { ...SERVER, users_config: config.configPath };
  return xml("clickhouse", [
    ...Object.entries(server).map(([name, value]) => xml(name, value)),
    xml("send_crash_reports", [xml("enabled", "false")]),
    xml("backups", [xml("allowed_path", config.backupsPath)]),
    xml("merge_tree", settings(MERGE_TREE)),
    xml("access_control_improvements", settings(ACCESS_CONTROL)),
    xml("profiles", profiles(config)),
    xml("quotas", ["boot", ...Object.values(USERS)].map(quota)),
    xml("users", users(config)),
  ]);
}

/** System tables show granted objects only; a constraint of a profile replaces what it inherits. */
const ACCESS_CONTROL = {
  select_from_system_db_requires_grant: "true",
  select_from_information_schema_requires_grant: "true",
  settings_constraints_replace_previous: "true",
  users_without_row_policies_can_read_rows: "true",
  on_cluster_queries_require_cluster_grant: "true",
  table_engines_require_grant: "false",
} as const;

function profiles({ limits, memoryBytes }: EngineConfig): readonly string[] {
  const bounded = {
    max_execution_time: limits.executionSecondsMax,
    max_result_rows: limits.resultRowsMax,
    max_memory_usage: limits.memoryBytesMax,
    max_threads: limits.threadsMax,
  };
  const constraints = [
    ...Object.entries(bounded).map(([name, max]) =>
      xml(name, [xml("min", 1), xml("max", max), "<changeable_in_readonly/>"]),
    ),
    ...CHANGEABLE.map((name) => xml(name, ["<changeable_in_readonly/>"])),
  ];
  const reader = {
    ...COMMON,
    ...bounded,
    readonly: 1,
    max_result_bytes: RESULT_BYTES_MAX,
    result_overflow_mode: "throw",
    timeout_overflow_mode: "throw",
    max_memory_usage_for_user: Math.floor(memoryBytes * MEMORY_SHARE * 0.7),
    max_concurrent_queries_for_user: limits.queriesMax,
    cancel_http_readonly_queries_on_client_close: 1,
    allow_introspection_functions: 0,
    allow_ddl: 0,
  };
  return [
    xml("default", settings(COMMON)),
    xml("boot", settings({ max_sessions_for_user: 1, allow_ddl: 0, log_queries: 0 })),
    xml(USERS.writer, settings(COMMON)),
    xml(USERS.admin, settings(COMMON)),
    xml(USERS.reader, [...settings(reader), xml("constraints", constraints)]),
  ];
}

const PART_SIZES = [
  "primary_key_size",
  "marks_bytes",
  "secondary_indices_compressed_bytes",
  "secondary_indices_marks_bytes",
] as const;

function users({ passwordHashes }: EngineConfig): readonly string[] {
  const fill =
    "SELECT, INSERT, CREATE, ALTER, DROP, TRUNCATE, OPTIMIZE, SHOW, dictGet, SYSTEM VIEWS, SYSTEM SYNC REPLICA";
  const writer = [
    ...[...LAYERS, ...OWN_DATABASES].map((database) => `GRANT ${fill} ON ${database}.*`),
    "GRANT SELECT ON system.*",
    "GRANT CREATE TEMPORARY TABLE, CREATE FUNCTION, DROP FUNCTION, SYSTEM RELOAD DICTIONARY ON *.*",
  ];
  // Dictionaries over local tables load as `default` unless their DDL holds a password, which ours shall not.
  const inProcess = ["GRANT SYSTEM LISTEN ON *.*", "GRANT SELECT ON weir_state.*", "GRANT SELECT ON dim.*"];
  const reader = [
    ...LAYERS.map((database) => `GRANT SELECT ON ${database}.*`),
    "GRANT dictGet ON dim.*",
    "GRANT SELECT ON information_schema.*",
    "GRANT SELECT ON INFORMATION_SCHEMA.*",
    "GRANT SELECT ON system.numbers",
    // What information_schema.tables reads; nothing else of it.
    `GRANT SELECT(database, table, active, ${PART_SIZES.join(", ")}) ON system.parts`,
  ];
  return [
    user({ name: "default", secret: xml("password", ""), profile: "boot", grants: inProcess }),
    ...(["writer", "reader", "admin"] as const).map((account) =>
      user({
        name: USERS[account],
        secret: xml("password_sha256_hex", passwordHashes[account]),
        profile: USERS[account],
        grants: { writer, reader, admin: ["GRANT ALL ON *.*"] }[account],
      }),
    ),
  ];
}

interface User {
  readonly name: string;
  /** The XML element of its password. */
  readonly secret: string;
  readonly profile: string;
  readonly grants: readonly string[];
}

function user({ name, secret, profile, grants }: User): string {
  return xml(name, [
    secret,
    xml("networks", [xml("ip", "127.0.0.1"), xml("ip", "::1")]),
    xml("profile", profile),
    xml("quota", profile),
    xml(
      "grants",
      grants.map((grant) => xml("query", grant)),
    ),
  ]);
}

/** Counts by the hour and bounds nothing: the door knows the callers and has their quotas. */
function quota(name: string): string {
  return xml(name, [xml("interval", [xml("duration", 3600), xml("queries", 0)])]);
}

function settings(values: Readonly<Record<string, string | number>>): readonly string[] {
  return Object.entries(values).map(([name, value]) => xml(name, value));
}

/** One element; text is escaped, an array is its children, made by this function. */
function xml(name: string, content: string | number | readonly string[]): string {
  if (typeof content === "object") return `<${name}>\n${content.join("\n")}\n</${name}>`;
  return `<${name}>${escapeXml(String(content))}</${name}>`;
}

/** Escapes text for XML and drops the control characters that XML cannot hold. */
export function escapeXml(text: string): string {
  const names: Record<string, string> = { "&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos" };
  return text.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f]/g, "").replace(/[&<>"']/g, (mark) => `&${names[mark]};`);
}
