/**
 * Tests of `cluster.ts`: which servers are a cluster, and which place a server may have. Real shards: `tests/shards_test.ts`.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { Effect } from "effect";
import { type Warehouse, WarehouseFailed } from "../warehouse.ts";
import { clusteredWarehouse, displacement, misplacement } from "./cluster.ts";

const place = (shard: number, { shards = 2, replicas = 1 } = {}) => ({ shard, shards, replicas });

describe("misplacement()", () => {
  test.each([
    ["takes each shard once", [place(1), place(2)], undefined],
    ["takes them in any order", [place(2), place(1)], undefined],
    ["takes a cluster of one", [place(1, { shards: 1 })], undefined],
    [
      "refuses a server that is not in it",
      [place(1), place(0)],
      "the server at address 2 of CLICKHOUSE_URL is not in it",
    ],
    ["refuses replicas", [place(1, { replicas: 2 }), place(2, { replicas: 2 })], "its shards have replicas"],
    ["refuses a shard twice", [place(1), place(1)], "two addresses of CLICKHOUSE_URL are the same shard"],
    ["refuses a missing shard", [place(1)], "it has 2 shards and CLICKHOUSE_URL 1 addresses"],
    ["refuses servers that do not agree", [place(1), place(2, { shards: 3 })], "it has 2 shards"],
  ])("%s", (_, places, expected) => {
    const message = misplacement("main", places);
    if (expected === undefined) expect(message).toBeUndefined();
    else expect(message).toMatch(new RegExp(`^Cannot use CLICKHOUSE_CLUSTER 'main': .*${expected}.*\\. [A-Z].*\\.$`));
  });
});

describe("clusteredWarehouse()", () => {
  const answering = (rows: (sql: string) => Effect.Effect<readonly object[], WarehouseFailed>) =>
    ({ rows: (_: unknown, sql: string) => rows(sql) }) as unknown as Warehouse["Service"];

  test("refuses servers that cannot ask each other", async () => {
    const denied = new WarehouseFailed({ outcome: "refused", code: 516, message: "Authentication failed." });
    const server = answering((sql) =>
      sql.includes("system.clusters") ? Effect.succeed([place(1, { shards: 1 })]) : Effect.fail(denied),
    );
    const failed = await Effect.runPromise(Effect.flip(clusteredWarehouse("it's", [server])));
    expect(failed.message).toBe(
      "Cannot use CLICKHOUSE_CLUSTER 'it's': the server at address 1 of CLICKHOUSE_URL cannot ask all of its shards: Authentication failed. Check the ports, users and passwords of <remote_servers>, and that Weir's user may use cluster().",
    );
  });
});

describe("displacement()", () => {
  const NEW = { layout: undefined, isUsed: false };
  const OLD = { layout: undefined, isUsed: true };
  const kept = (shard: number, shards: number) => ({ layout: { shard, shards }, isUsed: true });
  test.each([
    ["a new server anywhere", NEW, { shard: 2, shards: 3, isBegun: false }, undefined],
    ["the same place", kept(2, 3), { shard: 2, shards: 3, isBegun: true }, undefined],
    ["a server from before there were places, alone", OLD, { shard: 1, shards: 1, isBegun: true }, undefined],
    [
      "not that server in a cluster",
      OLD,
      { shard: 1, shards: 2, isBegun: true },
      "begun as the only server and would be shard 1 of 2",
    ],
    [
      "not one shard more",
      kept(1, 2),
      { shard: 1, shards: 3, isBegun: true },
      "begun as shard 1 of 2 and would be shard 1 of 3",
    ],
    [
      "not another place",
      kept(2, 2),
      { shard: 1, shards: 2, isBegun: true },
      "begun as shard 2 of 2 and would be shard 1 of 2",
    ],
    ["not alone", kept(1, 2), { shard: 1, shards: 1, isBegun: true }, "would be the only server"],
    [
      "not an empty one beside used ones",
      NEW,
      { shard: 2, shards: 2, isBegun: true },
      "shard 2 of 2 is empty and others have been used",
    ],
    [
      "one that a first start did not come to",
      { layout: { shard: 1, shards: 2 }, isUsed: false },
      { shard: 1, shards: 2, isBegun: false },
      undefined,
    ],
  ])("takes %s", (_, was, is, expected) => {
    const message = displacement(was, is);
    if (expected === undefined) expect(message).toBeUndefined();
    else expect(message).toContain(expected);
  });
});
