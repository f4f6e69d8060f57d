/**
 * The port `Warehouse`: ClickHouse, embedded or external, as the rooms above see it.
 *
 *   actors/table ──insert──▶ Warehouse ◀──query── web/sql
 *
 * Callers say which account acts: `writer` (actors), `admin` (definitions and
 * the operator's SQL), `reader` (everybody else's SQL: readonly, limited).
 * Nothing here retries: a caller that repeats an insert knows its token.
 *
 * On a cluster a statement without rows goes to every shard, everything else to
 * the first one, which has Weir's own tables; whoever means another says so.
 *
 * @module
 */
import { Context, Data, type Effect } from "effect";

/** The engine's account that acts. */
export type Account = "writer" | "reader" | "admin";

/**
 * The warehouse did not do it. `outcome` is what the caller must know before a repeat:
 * `refused`: it judged the request itself (data, syntax, rights), nothing was done and a repeat fails the same way;
 * `not done`: nothing was done, a repeat can succeed (memory, too many parts, readonly, connection refused);
 * `unknown`: the answer was lost, it may have been done (cut connection, time-out).
 */
export class WarehouseFailed extends Data.TaggedError("WarehouseFailed")<{
  readonly outcome: "refused" | "not done" | "unknown";
  /** ClickHouse's error code, 0 when no answer came. */
  readonly code: number;
  /** First line of ClickHouse's message, without host names or stack traces. */
  readonly message: string;
  /** The materialized view that failed behind the table of an insert, for example `weir_state.dwf__flight__v1__fill`. */
  readonly view?: string;
}> {}

/** Values of ClickHouse settings, as they go into the request. */
export type Settings = Readonly<Record<string, string | number>>;

/** One statement with an optional body of rows in the format that the statement names. */
export interface Insert {
  readonly statement: string;
  /** Chunks of the body; iterated once, as fast as the connection takes them. */
  readonly body: Iterable<Uint8Array>;
  readonly settings: Settings;
}

/** A query whose answer is streamed as bytes in `format`. */
export interface StreamQuery {
  readonly account: Account;
  readonly sql: string;
  readonly format: string;
  readonly queryId: string;
  /** Values of `{name:Type}` parameters. */
  readonly params: Readonly<Record<string, string>>;
  readonly settings: Settings;
}

/** Servers that each have a part of the rows, and Weir's tables and views. */
export interface ShardedCluster {
  /** As the servers' own configuration calls it. */
  readonly name: string;
  /** Each by itself, in the order of their numbers: a warehouse of one server. */
  readonly shards: readonly Warehouse["Service"][];
}

/** ClickHouse, embedded or external. */
export class Warehouse extends Context.Service<
  Warehouse,
  {
    /** Resolves once the warehouse answers again; false after `waitMs`. */
    readonly ready: (waitMs: number) => Effect.Effect<boolean>;
    /** The servers that rows are spread over; undefined if there is one. */
    readonly cluster?: ShardedCluster;
    /** Runs one statement without rows, for example DDL; on every shard. */
    readonly command: (account: Account, sql: string, settings?: Settings) => Effect.Effect<void, WarehouseFailed>;
    /** Reads a small answer whole (JSONEachRow; 64-bit integers come as strings unless `settings` say otherwise). */
    readonly rows: <Row = Record<string, unknown>>(
      account: Account,
      sql: string,
      settings?: Settings,
    ) => Effect.Effect<readonly Row[], WarehouseFailed>;
    /** Inserts as `writer`; answers the number of rows that ClickHouse says it wrote. */
    readonly insert: (insert: Insert) => Effect.Effect<{ readonly rowsWritten: number }, WarehouseFailed>;
    /** Starts a query; fails before the first byte or delivers a stream that errors when the answer is cut. */
    readonly stream: (query: StreamQuery) => Effect.Effect<ReadableStream<Uint8Array>, WarehouseFailed>;
    /** Stops a query by its id; false if none runs. */
    readonly stop: (queryId: string) => Effect.Effect<boolean, WarehouseFailed>;
  }
>()("weir/connectors/Warehouse") {}
