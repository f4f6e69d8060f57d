/**
 * Shards: where rows are when the warehouse is more than one server.
 *
 *   partition ──its number over that of the shards──▶ one shard, for ever ──▶ tables and views of that server alone
 *   reading ──▶ `wholeOf`: all shards as one table expression
 *
 * Whatever follows rows (views, backfills, checks) works on each shard by
 * itself; Weir's own tables are on the first one. With one server all of this
 * is that server.
 *
 * @module
 */
import { Warehouse } from "@weir/connectors";
import { wholeTable } from "@weir/sql";
import { Effect } from "effect";

/** Number of servers that rows are spread over. */
export const shardCount = ({ cluster }: Warehouse["Service"]): number => cluster?.shards.length ?? 1;

/** Which of `shards` servers has a partition's rows, from 0. */
export const shardOf = (partition: number, shards: number): number => partition % shards;

/** The server that has a partition's rows. */
export const serverOf = (warehouse: Warehouse["Service"], partition: number): Warehouse["Service"] =>
  warehouse.cluster?.shards[shardOf(partition, warehouse.cluster.shards.length)] ?? warehouse;

/** Does the same on each server by itself, one after the other. */
export const onEachShard = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<readonly A[], E, R | Warehouse> =>
  Effect.flatMap(Warehouse, (warehouse) =>
    Effect.forEach(warehouse.cluster?.shards ?? [warehouse], (server) =>
      Effect.provideService(work, Warehouse, server),
    ),
  );

/** Does it on the first server alone, which has Weir's own tables. */
export const onFirstShard = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Warehouse> =>
  Effect.flatMap(Warehouse, (warehouse) =>
    Effect.provideService(work, Warehouse, warehouse.cluster?.shards[0] ?? warehouse),
  );

/** A physical table with its rows of all shards, as a table expression. */
export const wholeOf = (table: string): Effect.Effect<string, never, Warehouse> =>
  Effect.map(Warehouse, ({ cluster }) => wholeTable(table, cluster?.name));
