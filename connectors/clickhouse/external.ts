/**
 * A ClickHouse of the operator's own, one server or a cluster, judged before it is used.
 *
 *   CLICKHOUSE_URL ──answers?──▶ version, settings ──fit?──▶ its place ──as ever?──▶ Warehouse
 *                                                 └──unfit──▶ ClickHouseUnfit, by name
 *
 * What is refused here would lose rows in silence later (settings that the exactly-once protocol stands on), or lets
 * those who may only ask take the server over.
 *
 * @module
 */
import { Context, Effect, Layer } from "effect";
import { Warehouse, type WarehouseFailed } from "../warehouse.ts";
import { clickHouseWarehouse } from "./client.ts";
import { clusteredWarehouse, keepLayout } from "./cluster.ts";
import { type ClickHouseUrlInvalid, externalConnection } from "./connection.ts";
import { ClickHouseUnfit } from "./unfit.ts";

/** What a server says of itself. */
export interface ServerFacts {
  /** As `version()` prints it: `26.7.2.1`. */
  readonly version: string;
  /** Names of its settings, those of MergeTree among them. */
  readonly settings: ReadonlySet<string>;
}

/** The oldest line that Weir is made for. */
const VERSION_MIN = "25.8";
/** Holes by which a client that may ask can run code on the server; a server is refused unless its line has the correction. */
const HOLES: readonly { readonly name: string; readonly fixedIn: readonly string[] }[] = [
  { name: "CVE-2025-1385", fixedIn: ["24.3.18.6", "24.8.14.27", "24.11.5.34", "24.12.5.65", "25.1.5.5"] },
];
/** What the protocol of exactly once says with every insert and table. */
const NEEDED = [
  ...["async_insert", "insert_deduplicate", "insert_deduplication_token"],
  ...["deduplicate_blocks_in_dependent_materialized_views", "materialized_views_ignore_errors"],
  "non_replicated_deduplication_window",
] as const;
/** How long a server that is being started is waited for, and for how long without a word. */
const READY_MS_MAX = 60_000;
const SILENT_MS_MAX = 3_000;

/** Addresses, each with its credentials, and the name of the cluster whose shards they are; one server needs no name. */
export interface ExternalOptions {
  /** `http://user:password@host:8123`; several separated by commas. */
  readonly url: string;
  readonly cluster?: string | undefined;
}

/** The warehouse at one address, or at those of a cluster's shards, once all of it answers and is fit. */
export const externalClickHouse = ({
  url,
  cluster,
}: ExternalOptions): Layer.Layer<Warehouse, ClickHouseUrlInvalid | ClickHouseUnfit | WarehouseFailed> =>
  Layer.effect(
    Warehouse,
    Effect.gen(function* () {
      const servers: Warehouse["Service"][] = [];
      for (const [index, address] of addressesOf(url).entries()) {
        const connection = yield* Effect.try({
          try: () => externalConnection(address),
          catch: (error) => error as ClickHouseUrlInvalid,
        });
        const server = Context.get(yield* Layer.build(clickHouseWarehouse(connection)), Warehouse);
        yield* judge(server, index);
        servers.push(server);
      }
      if (cluster !== undefined) return yield* clusteredWarehouse(cluster, servers);
      const [server, ...more] = servers;
      if (more.length === 0) return yield* Effect.as(keepLayout([server!]), server!);
      const message = `Cannot use CLICKHOUSE_URL: it has ${servers.length} addresses. Set CLICKHOUSE_CLUSTER to the name of the cluster whose shards they are, or give one.`;
      return yield* new ClickHouseUnfit({ message });
    }),
  );

/** The addresses of a list; a password may hold a comma. */
const addressesOf = (url: string) => url.split(/,(?=https?:\/\/)/);

const judge = Effect.fnUntraced(function* ({ ready, rows }: Warehouse["Service"], index: number) {
  const address = `address ${index + 1} of CLICKHOUSE_URL`;
  if (!(yield* ready(SILENT_MS_MAX))) {
    yield* Effect.logWarning(`Waiting for ${address}, ${READY_MS_MAX / 1_000} s at most.`);
    if (!(yield* ready(READY_MS_MAX - SILENT_MS_MAX))) {
      const message = `Cannot start: ${address} does not answer within ${READY_MS_MAX / 1_000} s. Check the address, and that the server runs.`;
      return yield* new ClickHouseUnfit({ message });
    }
  }
  const ask = <Row extends object>(sql: string) =>
    Effect.mapError(rows<Row>("admin", sql), ({ message }) => {
      return new ClickHouseUnfit({ message: `Cannot use ${address}: ${message} Check its user and password.` });
    });
  const [{ version } = { version: "" }] = yield* ask<{ version: string }>("SELECT version() AS version");
  const names = yield* ask<{ name: string }>(
    "SELECT name FROM system.settings UNION ALL SELECT name FROM system.merge_tree_settings",
  );
  const message = unfitness({ version, settings: new Set(names.map(({ name }) => name)) });
  if (message !== undefined) return yield* new ClickHouseUnfit({ message });
});

/** Why a server must not be used; undefined if it may be. */
export function unfitness({ version, settings }: ServerFacts): string | undefined {
  const use = `Cannot use ClickHouse ${version}`;
  const hole = HOLES.find(({ fixedIn }) => !hasFix(version, fixedIn));
  if (hole !== undefined) return `${use}: it has the hole ${hole.name}. Upgrade it to ${VERSION_MIN} or newer.`;
  if (compare(version, VERSION_MIN) < 0)
    return `${use}: Weir needs ${VERSION_MIN} or newer. Upgrade it, or leave CLICKHOUSE_URL out.`;
  const missing = NEEDED.find((name) => !settings.has(name));
  if (missing === undefined) return undefined;
  return `${use}: it has no setting '${missing}', without which rows would be lost or doubled. Use a ClickHouse of ClickHouse Inc.`;
}

/** Whether a version has a correction: at least that of its own line, or of a newer line than all that needed one. */
function hasFix(version: string, fixedIn: readonly string[]): boolean {
  const line = lineOf(version);
  const own = fixedIn.find((fix) => lineOf(fix) === line);
  if (own !== undefined) return compare(version, own) >= 0;
  return fixedIn.every((fix) => compare(line, lineOf(fix)) > 0);
}

const lineOf = (version: string) => version.split(".").slice(0, 2).join(".");

/** Compares versions number by number. */
function compare(one: string, other: string): number {
  const [a, b] = [one, other].map((version) => version.split(".").map(Number));
  for (let at = 0; at < Math.max(a!.length, b!.length); at++) {
    const difference = (a![at] ?? 0) - (b![at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
