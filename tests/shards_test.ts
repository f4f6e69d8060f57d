/**
 * A warehouse of two servers: each has the rows of its partitions, every answer has those of both.
 *
 *   events ──▶ log, 4 partitions ──▶ batches of one shard each ──▶ tables and views of that shard
 *                                                                   └──▶ finished views read all shards
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CLUSTER, openShards, type TestShards } from "@weir/connectors/testing";
import { type DoorProcess, startProcess, temporaryFolder, until } from "./door_process.ts";
import { Producer, stored } from "./faults/producer.ts";
import { applied, JSON_TYPE } from "./models_fixture.ts";

const SHARDS = 2;
/** Events that a producer sends between two turns of a test. */
const FEW = 2_000;
const FILES = {
  "ods/number.sql": `/*---
kind: source
doc: Numbers.
key: id
partitions: 4
---*/
CREATE TABLE ods.number ( id String, n UInt32 )`,
  "dim/digit.csv": `digit,name\n${Array.from({ length: 10 }, (_, digit) => `${digit},digit ${digit}`).join("\n")}\n`,
  "dim/digit.sql": `/*---
kind: dimension
doc: Names of digits.
key: digit
from: { file: digit.csv }
---*/
CREATE TABLE dim.digit ( digit UInt8, name String )`,
  "dim/largest.sql": `/*---
kind: dimension
doc: The largest number with each last digit, asked again and again.
key: digit
refresh: { every: 1 second }
---*/
SELECT toUInt8(n % 10) AS digit, max(n) AS largest FROM ods.number GROUP BY digit`,
  "dwf/named.sql": `/*---
kind: model
doc: Each number with the name of its last digit.
---*/
SELECT id, n, dictGet('dim.digit', 'name', toUInt8(n % 10)) AS name FROM ods.number`,
  "dws/digit.sql": `/*---
kind: model
doc: Numbers by the name of their last digit.
---*/
SELECT name, count() AS numbers, sum(n) AS total, uniqExact(n) AS different FROM dwf.named GROUP BY name`,
  "dwa/all.sql": `/*---
kind: model
doc: All numbers together.
refresh: { every: 1 second }
---*/
SELECT count() AS numbers, sum(n) AS total FROM ods.number`,
} as const;

setDefaultTimeout(120_000);
const folder = temporaryFolder("shards");
const projectDir = join(folder.path, "project");
const dataDir = join(folder.path, "door");
let shards: TestShards;
let door: DoorProcess;

const environment = (more: Record<string, string> = {}) => ({
  CLICKHOUSE_URL: shards.urls.join(","),
  CLICKHOUSE_CLUSTER: CLUSTER,
  ...more,
});
const start = async () => {
  door = await startProcess({ dataDir, projectDir, env: environment() });
};

beforeAll(async () => {
  write(FILES);
  shards = await openShards(folder.path, SHARDS);
  await start();
}, 60_000);
afterAll(async () => {
  await door?.stop();
  await shards?.stop();
  folder.remove();
}, 60_000);

function write(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(projectDir, path, ".."), { recursive: true });
    writeFileSync(join(projectDir, path), text);
  }
}

/** Which partitions a shard has rows of, asked past Weir. */
async function partitionsOn(shard: number): Promise<readonly number[]> {
  const tables = await shards.ask(
    shard,
    "SELECT name FROM system.tables WHERE database = 'weir_state' AND match(name, '^ods__number__v\\\\d+$')",
  );
  const text = await shards.ask(
    shard,
    `SELECT arraySort(groupUniqArray(_partition)) FROM weir_state.${tables.split("\n").at(-1)}`,
  );
  return JSON.parse(text) as number[];
}

/** Everything that was taken has landed: rows of `ods` can be seen before those of the views behind them. */
async function landed(withinMs = 30_000): Promise<void> {
  const lag = async () => {
    const status = (await (await door.get("/v1/admin/status")).json()) as { sources: { lag_records: number | null }[] };
    return status.sources[0]?.lag_records;
  };
  await until("landing", lag, { holds: (records) => records === 0, withinMs });
}

/** What the audit compares: raw rows and every model above them. */
async function sums() {
  const [raw] = await door.sql<Record<string, string>>("SELECT count() AS numbers, sum(n) AS total FROM ods.number");
  const [append] = await door.sql("SELECT count() AS numbers, sum(n) AS total FROM dwf.named WHERE name != ''");
  const [fold] = await door.sql("SELECT sum(numbers) AS numbers, sum(total) AS total FROM dws.digit");
  return { raw, append, fold };
}

async function agree(): Promise<void> {
  const { raw, append, fold } = await sums();
  expect({ append, fold }).toEqual({ append: raw, fold: raw });
  for (const model of ["dwf.named", "dws.digit"]) {
    const response = await door.post(`/v1/admin/definitions/${model}/check`, "");
    expect(await response.json()).toMatchObject({ model, differing: 0, rows: expect.any(Number) });
  }
}

describe("two shards", () => {
  test("share the partitions, and every answer has the rows of both", async () => {
    const producer = new Producer(door, { senders: 2, batch: 50 });
    await producer.sends(FEW);
    await producer.stop();
    const { events, sum } = producer.promised;
    await landed();
    expect(await stored(door)).toMatchObject({
      ...{ rows: events, ids: events, records: events, sum },
    });
    expect(await Promise.all([partitionsOn(0), partitionsOn(1)])).toEqual([
      [0, 2],
      [1, 3],
    ]);
    await agree();
    expect(await door.sql("SELECT count() AS names FROM dws.digit WHERE name = 'digit 7'")).toEqual([{ names: "1" }]);
    const refreshed = () => door.sql<{ numbers: string }>("SELECT numbers FROM dwa.all");
    const isWhole = (rows: readonly { numbers: string }[]) => rows.length === 1 && Number(rows[0]!.numbers) === events;
    await until("the refreshed model", refreshed, { holds: isWhole, withinMs: 10_000 });
    const status = (await (await door.get("/v1/admin/status")).json()) as object;
    expect(status).toMatchObject({ shards: SHARDS, sources: [{ rows: events }] });
  });
});

test("a reader asks both, within its limits, and past none of them", async () => {
  const made = await door.post("/v1/admin/tokens", JSON.stringify({ name: "reader", scopes: ["sql:dws"] }), JSON_TYPE);
  const { token } = (await made.json()) as { token: string };
  const asked = async (sql: string) => {
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`${door.url}/v1/sql`, { method: "POST", body: sql, headers });
    return { status: response.status, body: (await response.json()) as { data?: object[]; error?: { code: string } } };
  };
  const { fold } = await sums();
  const sum = "SELECT sum(numbers) AS numbers, sum(total) AS total FROM dws.digit";
  expect(await asked(sum)).toMatchObject({ status: 200, body: { data: [fold] } });
  for (const sql of [
    `SELECT * FROM cluster('${CLUSTER}', weir_state.ods__number__v1)`,
    `SELECT * FROM clusterAllReplicas('${CLUSTER}', system.one)`,
    "SELECT * FROM ods.number",
  ])
    expect(await asked(sql)).toMatchObject({ status: 403 });
});

describe("what happens to both at once", () => {
  test("a new model is filled, and a changed source rebuilt, on each by itself", async () => {
    const files = {
      "ods/number.sql": FILES["ods/number.sql"].replace("n UInt32", "n UInt64"),
      "dws/parity.sql": `/*---
kind: model
doc: Even and odd numbers.
---*/
SELECT n % 2 = 0 AS is_even, count() AS numbers, sum(n) AS total, max(n) AS largest FROM ods.number GROUP BY is_even`,
    };
    const before = await sums();
    await applied(door, files);
    expect(await sums()).toEqual(before);
    const [parity] = await door.sql("SELECT sum(numbers) AS numbers, sum(total) AS total FROM dws.parity");
    expect(parity).toEqual(before.raw!);
    await agree();
    expect(await Promise.all([partitionsOn(0), partitionsOn(1)])).toEqual([
      [0, 2],
      [1, 3],
    ]);
  });

  test("a dimension has the same rows on each", async () => {
    const answer = async (shard: number) => {
      const names = await shards.ask(shard, "SELECT name FROM system.tables WHERE database = 'dim' ORDER BY name");
      const digits = await shards.ask(
        shard,
        "SELECT groupArray((digit, name)) FROM (SELECT * FROM dim.digit ORDER BY 1)",
      );
      const all = await shards.ask(
        shard,
        "SELECT groupArray((digit, largest)) FROM (SELECT * FROM dim.largest ORDER BY 1)",
      );
      return { names, digits, all };
    };
    const largest =
      "SELECT groupArray((digit, largest)) AS all FROM (SELECT toUInt8(n % 10) AS digit, max(n) AS largest FROM ods.number GROUP BY digit ORDER BY digit)";
    const asked = await shards.ask(0, largest);
    const seen = await until("the schedule", () => Promise.all([answer(0), answer(1)]), {
      holds: (both) => both.every(({ all }) => all === asked),
      withinMs: 15_000,
    });
    expect(seen[0]).toEqual(seen[1]!);
    expect(seen[0].names).toBe("digit\nlargest");
  });

  test("a view that fails on one is suspended on both, and resumed with the rows of both", async () => {
    const failing = {
      "dwf/small.sql": `/*---
kind: model
doc: Numbers that are not too large.
---*/
SELECT id, n, throwIf(n >= 4000000000, 'too large') AS checked FROM ods.number`,
    };
    await applied(door, failing);
    const [{ id }] = (await door.sql<{ id: string }>("SELECT id FROM ods.number WHERE _partition = 1 LIMIT 1")) as [
      { id: string },
    ];
    const sent = await door.post("/v1/ingest/number?wait=1", JSON.stringify({ id, n: 4_000_000_000 }), JSON_TYPE);
    expect(sent.status).toBe(200);
    for (const shard of [0, 1])
      expect(
        await shards.ask(shard, "SELECT count() FROM system.tables WHERE name LIKE 'dwf\\\\_\\\\_small%fill'"),
      ).toBe("0");
    const fixed = failing["dwf/small.sql"].replace("throwIf(n >= 4000000000, 'too large')", "n >= 4000000000");
    await applied(door, { "dwf/small.sql": fixed });
    const [{ numbers }] = (await door.sql<{ numbers: string }>("SELECT count() AS numbers FROM ods.number")) as [
      { numbers: string },
    ];
    expect(await door.sql("SELECT count() AS numbers FROM dwf.small")).toEqual([{ numbers }]);
  });

  test("a reset of positions begins anew on both", async () => {
    const [{ numbers }] = (await door.sql<{ numbers: string }>("SELECT count() AS numbers FROM ods.number")) as [
      { numbers: string },
    ];
    const body = { to: "earliest", allow_destructive: true };
    const refused = await (await door.post(POSITION, JSON.stringify({ to: "latest" }), JSON_TYPE)).json();
    expect(refused).toMatchObject({ done: false, rows: Number(numbers), rows_gone: Number(numbers) });
    expect(await (await door.post(POSITION, JSON.stringify(body), JSON_TYPE)).json()).toMatchObject({ done: true });
    await landed();
    expect(await door.sql("SELECT count() AS numbers FROM ods.number")).toEqual([{ numbers }]);
    await agree();
  });
});

test("servers and doors that die lose and double nothing", async () => {
  const before = await sums();
  const producer = new Producer(door, { senders: 2, batch: 50, first: 10_000_000 });
  for (const shard of [1, 0]) {
    await producer.sends(FEW);
    await shards.kill(shard);
    await producer.sends(FEW);
    await shards.restart(shard);
    await producer.sends(FEW);
    producer.door = undefined;
    await door.kill();
    await start();
    producer.door = door;
  }
  await producer.stop();
  const { events, sum } = producer.promised;
  const numbers = Number(before.raw!.numbers) + events;
  await landed(60_000);
  expect(await stored(door)).toMatchObject({
    ...{ rows: numbers, records: numbers },
    sum: Number(before.raw!.total) + sum,
  });
  await agree();
});

test("other servers, or another number of them, are refused by name", async () => {
  await door.stop();
  const [one, two] = shards.urls as [string, string];
  const refusals = [
    [{ CLICKHOUSE_URL: one }, "it has 2 shards and CLICKHOUSE_URL 1 addresses"],
    [{ CLICKHOUSE_URL: `${one},${one}` }, "two addresses of CLICKHOUSE_URL are the same shard"],
    [{ CLICKHOUSE_CLUSTER: "other" }, "the server at address 1 of CLICKHOUSE_URL is not in it"],
    [{ CLICKHOUSE_CLUSTER: "" }, "it has 2 addresses. Set CLICKHOUSE_CLUSTER"],
    [{ CLICKHOUSE_URL: two, CLICKHOUSE_CLUSTER: "" }, "it was begun as shard 2 of 2 and would be the only server"],
  ] as const;
  const begun = refusals.map(async ([env, message], index) => {
    const start = startProcess({ dataDir: join(folder.path, `refused_${index}`), env: environment(env) });
    await expect(start).rejects.toThrow(message);
  });
  await Promise.all(begun);
  // The cluster says who is who: the order of the addresses does not matter.
  door = await startProcess({ dataDir, env: environment({ CLICKHOUSE_URL: `${two},${one}` }) });
  await agree();
}, 120_000);

const POSITION = "/v1/admin/sources/number/position";
