/**
 * ClickHouse as several servers, each with a part of the rows.
 *
 *   CLICKHOUSE_URL (one for each shard) ──which shard are you?──▶ shards in order ──same layout as ever?──▶ Warehouse
 *
 * DDL goes to every shard, one connection each: nothing of it waits in a queue of the cluster, and what failed is
 * repeated by whoever asked. A partition's rows always go to the same shard, whose tables know its tokens; that
 * stands on the number and the order of the shards, so each keeps its own place and a start with others is refused.
 *
 * @module
 */
import { literal } from "@weir/sql";
import { Effect } from "effect";
import type { Warehouse, WarehouseFailed } from "../warehouse.ts";
import { ClickHouseUnfit } from "./unfit.ts";

/** One server as a cluster's configuration sees it from there. */
interface Place {
  readonly shard: number;
  readonly shards: number;
  readonly replicas: number;
}

/** What a server says of itself in a cluster; `shard` is 0 where the cluster does not name it. */
const PLACE = `SELECT toUInt32(maxIf(shard_num, is_local)) AS shard, toUInt32(max(shard_num)) AS shards, toUInt32(max(replica_num)) AS replicas
FROM system.clusters WHERE cluster = `;

const NUMBERS = { output_format_json_quote_64bit_integers: 0 } as const;

/** One warehouse of the servers that the cluster's configuration names; refuses what would put rows in two places. */
export const clusteredWarehouse = Effect.fnUntraced(function* (
  name: string,
  servers: readonly Warehouse["Service"][],
): Effect.fn.Return<Warehouse["Service"], ClickHouseUnfit | WarehouseFailed> {
  const places = yield* Effect.forEach(servers, ({ rows }) =>
    Effect.map(rows<Place>("admin", `${PLACE}${literal(name)}`, NUMBERS), ([place]) => place!),
  );
  const message = misplacement(name, places);
  if (message !== undefined) return yield* new ClickHouseUnfit({ message });
  yield* Effect.forEach(servers, (server, index) => asksAll(name, { server, index }));
  const shards = places
    .map(({ shard }, index) => ({ shard, server: servers[index]! }))
    .sort((a, b) => a.shard - b.shard)
    .map(({ server }) => server);
  yield* keepLayout(shards);
  return over(name, shards);
});

/** Every server must be able to ask all of them: what people read does. */
const asksAll = (name: string, { server, index }: { server: Warehouse["Service"]; index: number }) =>
  server.rows("admin", `SELECT count() FROM cluster(${literal(name)}, system.one)`).pipe(
    Effect.catchIf(
      ({ outcome, code }) => outcome === "refused" || code !== 0,
      ({ message }) => {
        const hint =
          "Check the ports, users and passwords of <remote_servers>, and that Weir's user may use cluster().";
        const failed = `Cannot use CLICKHOUSE_CLUSTER '${name}': the server at address ${index + 1} of CLICKHOUSE_URL cannot ask all of its shards: ${message} ${hint}`;
        return Effect.fail(new ClickHouseUnfit({ message: failed }));
      },
    ),
  );

/** Why these servers are not the cluster; undefined if they are. Pure. */
export function misplacement(name: string, places: readonly Place[]): string | undefined {
  const use = `Cannot use CLICKHOUSE_CLUSTER '${name}'`;
  const stranger = places.findIndex(({ shard }) => shard === 0);
  if (stranger >= 0) {
    const hint = "Name a cluster of its <remote_servers>, in which this server has its own address.";
    return `${use}: the server at address ${stranger + 1} of CLICKHOUSE_URL is not in it. ${hint}`;
  }
  const [{ shards } = { shards: 0 }] = places;
  if (places.some(({ replicas }) => replicas > 1))
    return `${use}: its shards have replicas, which Weir does not keep alike. Name a cluster with one replica in each shard.`;
  if (new Set(places.map(({ shard }) => shard)).size < places.length)
    return `${use}: two addresses of CLICKHOUSE_URL are the same shard. Give one address for each shard.`;
  if (places.length === shards && places.every((place) => place.shards === shards)) return undefined;
  return `${use}: it has ${shards} shards and CLICKHOUSE_URL ${places.length} addresses. Give one address for each shard, separated by commas.`;
}

interface Layout {
  readonly shard: number;
  readonly shards: number;
}

/**
 * Each server keeps its place. Refuses servers that have another one, or that have rows from before they had any:
 * partitions would go to other shards, whose tables know nothing of what has landed.
 */
export const keepLayout = Effect.fnUntraced(function* (
  shards: readonly Warehouse["Service"][],
): Effect.fn.Return<void, ClickHouseUnfit | WarehouseFailed> {
  const found = yield* Effect.forEach(shards, keptBy);
  for (const [index, was] of found.entries()) {
    const message = displacement(was, { shard: index + 1, shards: shards.length, isBegun: found.some(isUsed) });
    if (message !== undefined) return yield* new ClickHouseUnfit({ message });
  }
  for (const [index, { command }] of shards.entries()) {
    if (found[index]!.layout !== undefined) continue;
    yield* command("admin", `INSERT INTO weir.shard SELECT ${index + 1}, ${shards.length}`);
  }
});

/** What a server has kept: its place, and whether Weir's tables are on it. */
interface Kept {
  readonly layout: Layout | undefined;
  readonly isUsed: boolean;
}

const isUsed = (kept: Kept) => kept.isUsed;

const keptBy = Effect.fnUntraced(function* ({ command, rows }: Warehouse["Service"]) {
  yield* command("admin", "CREATE DATABASE IF NOT EXISTS weir ENGINE = Atomic");
  yield* command("admin", CREATE_SHARD);
  const [layout] = yield* rows<Layout>("admin", KEPT, NUMBERS);
  const used = yield* rows("admin", "SELECT 1 FROM system.tables WHERE database = 'weir' AND name = 'definition'");
  return { layout, isUsed: used.length > 0 } satisfies Kept as Kept;
});

/** Why a server cannot have this place; undefined if it can. Weir's tables are made once all servers have theirs. Pure. */
export function displacement(
  { layout, isUsed: used }: Kept,
  { isBegun, ...is }: Layout & { readonly isBegun: boolean },
): string | undefined {
  const of = ({ shard, shards }: Layout) => (shards === 1 ? "the only server" : `shard ${shard} of ${shards}`);
  const hint = "give CLICKHOUSE_URL and CLICKHOUSE_CLUSTER as they were.";
  if (layout === undefined && isBegun && !used)
    return `Cannot use this ClickHouse: ${of(is)} is empty and others have been used. Restore its data, or ${hint}`;
  // Before servers kept their place there was only one.
  const was = layout ?? (used ? { shard: 1, shards: 1 } : is);
  if (was.shard === is.shard && was.shards === is.shards) return undefined;
  return `Cannot use this ClickHouse: it was begun as ${of(was)} and would be ${of(is)}, and rows would land twice or be missed. Do not move rows: ${hint}`;
}

const CREATE_SHARD = `CREATE TABLE IF NOT EXISTS weir.shard
(shard UInt32 COMMENT 'its number, from 1', shards UInt32 COMMENT 'of how many')
ENGINE = MergeTree ORDER BY shard COMMENT 'the place of this server among those that the rows are spread over'`;
const KEPT = "SELECT DISTINCT shard, shards FROM weir.shard LIMIT 1";

/** Several servers as one warehouse. */
function over(name: string, shards: readonly Warehouse["Service"][]): Warehouse["Service"] {
  const [first] = shards;
  const everywhere = <A, E>(work: (shard: Warehouse["Service"]) => Effect.Effect<A, E>) =>
    Effect.forEach(shards, work, { concurrency: "unbounded" });
  return {
    ...first!,
    cluster: { name, shards },
    ready: (waitMs) =>
      Effect.map(
        everywhere(({ ready }) => ready(waitMs)),
        (all) => all.every(Boolean),
      ),
    command: (account, sql, settings) => Effect.asVoid(everywhere(({ command }) => command(account, sql, settings))),
  };
}
