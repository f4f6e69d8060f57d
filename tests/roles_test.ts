/**
 * Several processes over one Kafka and a ClickHouse of two shards: gateways answer, workers land, and either may be
 * replaced.
 *
 *   producer ──▶ gateway ──▶ Kafka ──▶ workers, restarted one after the other ──▶ shards ──▶ audit
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { CLUSTER, kafkaFor, openShards, startBroker, type TestBroker, type TestShards } from "@weir/connectors/testing";
import { type DoorProcess, startProcess, temporaryFolder, until } from "./door_process.ts";
import { Producer, SOURCE, stored } from "./faults/producer.ts";
import { applied, JSON_TYPE } from "./models_fixture.ts";

const jars = kafkaFor("tests/roles_test.ts");
const folder = temporaryFolder("roles");

/** Total and count of the numbers by their last digit. */
const MODEL = `/*---
kind: model
doc: Numbers by their last digit.
---*/
SELECT n % 10 AS digit, count() AS numbers, sum(n) AS total FROM ods.number GROUP BY digit
`;

describe.skipIf(jars === undefined)("roles", () => {
  let broker: TestBroker;
  let shards: TestShards;
  const open = new Set<DoorProcess>();
  let starts = 0;

  beforeAll(async () => {
    [broker, shards] = await Promise.all([startBroker(jars!), openShards(folder.path, 2)]);
  }, 60_000);
  afterAll(async () => {
    await Promise.all([...open].map((door) => door.stop()));
    await shards?.stop();
    await broker?.stop();
    folder.remove();
  }, 60_000);

  const start = async (role: "gateway" | "worker") => {
    const warehouse = { CLICKHOUSE_URL: shards.urls.join(","), CLICKHOUSE_CLUSTER: CLUSTER };
    const env = { KAFKA_BROKERS: broker.address, ...warehouse, WEIR_ROLE: role };
    const door = await startProcess({ dataDir: join(folder.path, `${role}_${starts++}`), env });
    open.add(door);
    return door;
  };
  const stop = async (door: DoorProcess) => {
    const startedMs = Date.now();
    await door.stop();
    open.delete(door);
    return Date.now() - startedMs;
  };
  const owners = async (door: DoorProcess) => {
    const status = (await (await door.get("/v1/admin/status")).json()) as {
      sources: { owners: { name: string; partitions: number[] }[] }[];
    };
    return status.sources[0]!.owners.filter(({ partitions }) => partitions.length > 0);
  };
  const owned = (door: DoorProcess, pids: readonly number[]) =>
    until("the workers to share the partitions", () => owners(door), {
      holds: (seen) =>
        seen.length === pids.length && pids.every((pid) => seen.some(({ name }) => name.endsWith(` ${pid}`))),
      withinMs: 20_000,
    });

  test("a definition applied at one gateway lands in every worker and is served by every gateway", async () => {
    const [first, second, worker, other] = await Promise.all([
      ...(["gateway", "gateway", "worker", "worker"] as const).map(start),
    ]);
    await applied(first!, { "ods/number.sql": SOURCE.replace("key: id", "key: id\npartitions: 4") });
    await owned(first!, [worker!.pid, other!.pid]);
    const known = async () =>
      (await second!.post("/v1/ingest/number?wait=1", '{"id":"first","n":1}', JSON_TYPE)).status;
    await until("the other gateway to know the source", known, { holds: (status) => status === 200, withinMs: 5_000 });
    expect(await first!.sql("SELECT id, n FROM ods.number")).toEqual([{ id: "first", n: 1 } as never]);
    const refused = await worker!.post("/v1/sql", "SELECT 1");
    expect([refused.status, await refused.text()]).toEqual([404, expect.stringContaining("is a worker")]);
  }, 60_000);

  test("workers are replaced, killed and added under load, definitions change, and every event is one row", async () => {
    const [lost, gateway, ...workers] = [...open];
    const producer = new Producer(lost!, { senders: 2, batch: 50 });
    await applied(gateway!, { "dwa/digit.sql": MODEL });
    for (const old of workers) {
      const fresh = await start("worker");
      expect(await stop(old), old.stderr()).toBeLessThan(10_000);
      const { rows: before } = await stored(gateway!);
      await until("landing to go on", () => stored(gateway!), { holds: ({ rows }) => rows > before, withinMs: 30_000 });
      workers.splice(workers.indexOf(old), 1, fresh);
    }
    await applied(gateway!, {
      "ods/number.sql": SOURCE.replace("n UInt32", "n UInt64").replace("key: id", "key: id\npartitions: 4"),
    });
    const check = (await (await gateway!.post("/v1/admin/definitions/dwa.digit/check", "")).json()) as object;
    expect(check).toMatchObject({ differing: 0 });
    // Its producer does not know what the last requests have come to, and sends them again.
    for (const one of [lost!, workers[0]!]) {
      await one.kill();
      open.delete(one);
    }
    producer.door = gateway;
    const third = await start("worker");
    await owned(gateway!, [workers[1]!.pid, third.pid]);
    await producer.stop();
    expect([...producer.refused.keys()].filter((status) => status !== 0)).toEqual([]);
    const { events, sum } = producer.promised;
    const all = events + 1;
    // Rows of `ods` can be seen before those of the views behind them, and a batch's marker after both.
    const seen = await until("landing", () => stored(gateway!), {
      holds: ({ markers }) => markers >= all,
      withinMs: 90_000,
    });
    expect(seen).toEqual({ rows: all, ids: all, records: all, sum: sum + 1, markers: all });
    const model = await gateway!.sql("SELECT sum(numbers) AS numbers, sum(total) AS total FROM dwa.digit");
    expect(model).toEqual([{ numbers: `${all}`, total: `${sum + 1}` }]);
  }, 180_000);

  test("a source evolves by whichever worker comes to the record, once, and every gateway knows", async () => {
    const [gateway] = [...open];
    const other = await start("gateway");
    const columns = "id String, n UInt32";
    await applied(gateway!, {
      "ods/reading.sql": `/*---\nkind: source\ndoc: Readings.\nkey: id\ndrift: evolve\n---*/\nCREATE TABLE ods.reading (${columns})`,
    });
    const events = Array.from({ length: 300 }, (_, n) => ({
      id: `e${n}`,
      n,
      ...(n % 3 === 0 ? { [`f${n % 2}`]: n } : {}),
    }));
    const answer = await gateway!.post("/v1/ingest/reading?wait=30000", JSON.stringify(events), JSON_TYPE);
    expect([answer.status, await answer.json()]).toMatchObject([200, { accepted: 300, visible: true }]);
    const rows = await other.sql(
      "SELECT count() AS rows, uniqExact(_partition, _offset) AS places, count(f0) AS even, count(f1) AS odd FROM ods.reading",
    );
    expect(rows).toEqual([{ rows: "300", places: "300", even: "50", odd: "50" }]);
    const entries = await other.sql("SELECT author FROM weir.definition WHERE name = 'reading' ORDER BY catalog");
    expect(entries.map(({ author }) => author)).toEqual(["admin", "evolve"]);
  }, 60_000);
});
