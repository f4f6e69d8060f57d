/**
 * Positions from end to end: records that retention took before they landed are accepted as lost and counted, and a
 * source begins anew at another place, whatever dies in between.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { RecordWriter, type Retention } from "@weir/connectors";
import { Effect } from "effect";
import { temporaryFolder, until } from "./door_process.ts";
import { JSON_TYPE } from "./models_fixture.ts";
import { type OverWarehouse, openWorld, type World } from "./world.ts";

const source = (retention = "") => `/*---
kind: source
doc: Readings.
partitions: 2
${retention}
---*/
CREATE TABLE ods.reading (id String, n UInt32)`;

const MODEL = `/*---
kind: model
doc: Readings by their number.
---*/
SELECT n, count() AS readings FROM ods.reading GROUP BY n`;

const PATH = "/v1/admin/sources/reading/position";

interface Standing {
  readonly partitions: readonly {
    readonly partition: number;
    readonly epoch: number;
    readonly next: number | null;
    readonly committed: number | null;
    readonly earliest: number;
    readonly latest: number;
    readonly stopped: string | null;
  }[];
  readonly gaps: readonly { readonly partition: number; readonly from: number; readonly to: number }[];
}

setDefaultTimeout(60_000);
const folder = temporaryFolder("position");
let world: World;
beforeAll(async () => {
  world = await openWorld({ path: folder.path, retentionEveryMs: 20, over });
  await world.apply({ reading: source(), "dwa/number.sql": MODEL });
});
afterAll(async () => {
  await world.close();
  folder.remove();
});

const DEFINITION = /^INSERT INTO weir\.definition /;
/** A gap that is accepted has an author; one that is only seen, whenever a process meets it, has none. */
const ACCEPTED = /^INSERT INTO weir\.gap \(.*author\)/;

/** An insert at which the process stands still for ever, before it or after it, and how to hear that it does. */
let cut: { readonly into: RegExp; readonly isDone: boolean; readonly met: () => void } | undefined;

function over(warehouse: Parameters<OverWarehouse>[0]): ReturnType<OverWarehouse> {
  return {
    ...warehouse,
    insert: (insert) => {
      const at = cut;
      if (at === undefined || !at.into.test(insert.statement)) return warehouse.insert(insert);
      const inserted = at.isDone ? Effect.asVoid(warehouse.insert(insert)) : Effect.void;
      return inserted.pipe(Effect.andThen(Effect.sync(at.met)), Effect.andThen(Effect.never));
    },
  };
}

/** Asks for a change, lets the process die at an insert, and starts the next one on what is left. */
async function dieAt(into: RegExp, { isDone, body }: { isDone: boolean; body: object }): Promise<void> {
  const met = standStillAt(into, { isDone });
  const answered = change(body).then((answer) => {
    throw new Error(`It was not cut off: ${JSON.stringify(answer)}`);
  });
  await Promise.race([met, answered]);
  await startAgain();
}

/** Cuts the next such insert off; resolves when it is met. */
async function standStillAt(into: RegExp, { isDone }: { readonly isDone: boolean }): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  cut = { into, isDone, met: resolve };
  await promise;
}

async function startAgain(): Promise<void> {
  cut = undefined;
  await world.kill();
  world = await openWorld({ path: folder.path, retentionEveryMs: 20, over });
}

/** Puts readings straight into the log, with a time of their own. */
async function append(partition: number, numbers: readonly number[], timestampMs = Date.now()): Promise<number> {
  const records = new RecordWriter();
  for (const n of numbers)
    records.add({ key: null, value: Buffer.from(JSON.stringify({ id: `${partition}`, n })), timestampMs });
  const { appended } = await Effect.runPromise(world.door.log.append([{ topic: "reading", partition, records }]));
  return appended[0]!.first;
}

async function look(): Promise<Standing> {
  const response = await world.request(PATH, { headers: { authorization: `Bearer ${world.token}` } });
  expect(response.status).toBe(200);
  return (await response.json()) as Standing;
}

async function change(body: object) {
  const response = await world.post(PATH, JSON.stringify(body), JSON_TYPE);
  return { status: response.status, body: (await response.json()) as Record<string, never> & { error?: object } };
}

/** What is stored, once everything that is in the log has landed. */
async function landed(): Promise<readonly (readonly [number, string])[]> {
  const holds = ({ partitions }: Standing) => partitions.every(({ next, latest }) => next === latest);
  await until("everything landed", look, { holds, withinMs: 20_000 });
  const rows = await world.sql<{ n: number; times: string }>(
    "SELECT n, count() AS times FROM ods.reading GROUP BY n ORDER BY n",
  );
  const model = await world.sql<{ n: number; readings: string }>("SELECT n, readings FROM dwa.number ORDER BY n");
  expect(model.map(({ n, readings }) => ({ n, times: readings }))).toEqual([...rows]);
  return rows.map(({ n, times }) => [n, times]);
}

const once = (...numbers: readonly number[]) => numbers.map((n) => [n, "1"] as const);

describe("looking", () => {
  test("tells where each partition stands", async () => {
    await append(0, [1, 2]);
    await append(1, [3]);
    expect(await landed()).toEqual(once(1, 2, 3));
    const { partitions, gaps } = await look();
    expect(partitions).toMatchObject([
      { partition: 0, epoch: 1, next: 2, committed: 2, earliest: 0, latest: 2, stopped: null },
      { partition: 1, epoch: 1, next: 1, committed: 1, earliest: 0, latest: 1, stopped: null },
    ]);
    expect(gaps).toEqual([]);
  });
});

describe("beginning anew", () => {
  test("is refused unless it is meant, and says what it takes away", async () => {
    const refused = await change({ to: "latest" });
    expect(refused).toMatchObject({
      status: 409,
      body: { done: false, rows: 3, rows_gone: 3, error: { code: "destructive" } },
    });
    const dry = await change({ to: "0:1,1:0", dry_run: true });
    expect(dry).toMatchObject({
      status: 200,
      body: {
        ...{ done: false, rows: 3, rows_gone: 1 },
        partitions: [
          { partition: 0, epoch: 2, from: 2, to: 1, to_read: 1, skipped: 0 },
          { partition: 1, epoch: 2, from: 1, to: 0, to_read: 1, skipped: 0 },
        ],
        changes: [{ name: "ods.reading", destructive: true }, { name: "dwa.number" }],
      },
    });
    expect((await look()).partitions[0]).toMatchObject({ epoch: 1, next: 2 });
  });

  test.each([
    ["offsets that are not in the log", "0:3,1:0", "offset 3 is not in the log"],
    ["a partition that is left out", "0:1", "no offset is said for partition 1"],
    ["a partition that is not there", "0:1,1:0,2:0", "reading has no partition 2"],
  ])("is refused for %s", async (_, to, message) => {
    const { status, body } = await change({ to, allow_destructive: true });
    expect({ status, error: body.error }).toMatchObject({
      status: 409,
      error: { code: "position_refused", message: expect.stringContaining(message) },
    });
  });

  test.each([
    ["nothing", {}, 422],
    ["both", { accept_gap: true, to: "latest" }, 422],
    ["no place", { to: "tomorrow" }, 400],
    ["an offset twice", { to: "0:1,0:2,1:0" }, 400],
  ])("refuses a body with %s", async (_, body, status) => {
    expect((await change(body)).status).toBe(status);
  });

  test("reads again from there, into tables of their own, and goes on", async () => {
    const { status, body } = await change({ to: "0:1,1:0", allow_destructive: true });
    expect({ status, body }).toMatchObject({ status: 200, body: { done: true } });
    expect(await landed()).toEqual(once(2, 3));
    await append(0, [4]);
    expect(await landed()).toEqual(once(2, 3, 4));
    expect(await world.sql("SELECT DISTINCT _epoch AS epoch FROM ods.reading")).toEqual([{ epoch: 2 }]);
    const tables = "SELECT name FROM system.tables WHERE database = 'weir_state' ORDER BY name";
    expect(await world.sql(tables)).toEqual([
      { name: "dwa__number__v2" },
      { name: "dwa__number__v2__fill" },
      { name: "ods__reading__v2" },
    ]);
  });

  test("finds the first record of a time", async () => {
    // So late that no retention below removes them.
    const atMs = Date.now() + 1_800_000;
    await append(1, [5], atMs - 500);
    await append(1, [6], atMs);
    await landed();
    const to = new Date(atMs).toISOString();
    expect(await change({ to, allow_destructive: true })).toMatchObject({ status: 200, body: { done: true } });
    expect(await landed()).toEqual(once(6));
    const { partitions } = await look();
    expect(partitions.map(({ epoch }) => epoch)).toEqual([3, 3]);
  });
});

/** Lets retention take everything of partition 0. */
async function forget(): Promise<void> {
  const { log } = world.door;
  const keep = (retention: Retention) =>
    Effect.runPromise(log.alterTopic({ name: "reading", partitions: 2, retention }));
  await keep({ ageMsMax: 1 });
  const range = async () => (await Effect.runPromise(log.offsets("reading")))[0]!;
  await until("it is gone", range, { holds: ({ earliest, latest }) => earliest === latest, withinMs: 10_000 });
  await keep({});
}

/** These numbers are gone before they have landed; the next ones are there afterwards. */
async function lose(numbers: readonly number[], next: readonly number[]): Promise<void> {
  const losing = Effect.promise(async () => {
    await append(0, numbers);
    await forget();
    await append(0, next);
  });
  await Effect.runPromise(world.door.sources.atRest(losing));
}

describe("a gap", () => {
  const stopped = ({ partitions }: Standing) => partitions[0]!.stopped !== null;

  test("stops its partition alone, and is told", async () => {
    expect(await change({ accept_gap: true })).toMatchObject({
      status: 409,
      body: { error: { code: "position_refused", message: expect.stringContaining("no partition stands at one") } },
    });
    const [before] = (await look()).partitions;
    await lose([10, 11], [12]);
    await append(1, [13]);
    const standing = await until("the stop", look, { holds: stopped, withinMs: 10_000 });
    const from = before!.next!;
    expect(standing.partitions[0]).toMatchObject({
      ...{ next: from, earliest: from + 2, latest: from + 3 },
      stopped: expect.stringContaining(`records ${from} to ${from + 1} are no longer in the log`),
    });
    const of = async () => {
      const response = await world.request("/v1/admin/status", { headers: { authorization: `Bearer ${world.token}` } });
      return (await response.json()) as { ready: boolean; sources: { stopped: object[]; lost_records: number }[] };
    };
    const status = await until("the status", of, { holds: ({ ready }) => !ready, withinMs: 10_000 });
    expect(status.sources).toMatchObject([
      { stopped: [{ partition: 0, note: expect.stringContaining("--accept-gap") }], lost_records: 0 },
    ]);
    const metrics = async () => (await world.request("/metrics")).text();
    const line = 'weir_source_stopped_partitions{source="reading"} 1';
    await until("the next look", metrics, { holds: (text) => text.includes(line), withinMs: 9_000 });
    // The other partition goes on.
    const holds = (rows: readonly object[]) => rows.length === 1;
    await until("the other one", () => world.sql("SELECT n FROM ods.reading WHERE n = 13"), { holds, withinMs: 9_000 });
  });

  test("is accepted as lost, once, in the same epoch, and the counts add up", async () => {
    const [before] = (await look()).partitions;
    const gap = { partition: 0, epoch: 3, from: before!.next!, to: before!.next! + 2 };
    expect(await change({ accept_gap: true, dry_run: true })).toMatchObject({
      status: 200,
      body: { done: false, gaps: [gap] },
    });
    expect(stopped(await look())).toBe(true);
    expect(await change({ accept_gap: true })).toMatchObject({ status: 200, body: { done: true, gaps: [gap] } });
    expect(await landed()).toEqual(once(6, 12, 13));
    const { partitions, gaps } = await look();
    expect(partitions.map(({ epoch, stopped: why }) => ({ epoch, why }))).toEqual([
      { epoch: 3, why: null },
      { epoch: 3, why: null },
    ]);
    expect(gaps).toMatchObject([{ ...gap, author: "admin" }]);
    const [sums] = await world.sql<{ counted: string; lost: string; seen: string }>(
      `SELECT (SELECT sum(stored + duplicate + quarantined) FROM weir.batch WHERE statement = 'ods.reading' AND epoch = 3) AS counted,
              (SELECT sum(\`to\` - \`from\`) FROM weir.gap WHERE event = 'accepted') AS lost,
              (SELECT sum(\`to\` - \`from\`) FROM weir.gap WHERE event = 'seen') AS seen`,
    );
    // Since the reset: 6 was read again, 10 and 11 are lost, 12 and 13 came.
    expect(sums).toEqual({ counted: "3", lost: "2", seen: "2" });
    const metrics = async () => (await world.request("/metrics")).text();
    const line = 'weir_lost_records_total{source="reading"} 2';
    await until("the next look", metrics, { holds: (text) => text.includes(line), withinMs: 9_000 });
  });
});

describe("a process that dies", () => {
  const tables = async () =>
    (
      await world.sql<{ name: string }>("SELECT name FROM system.tables WHERE database = 'weir_state' ORDER BY name")
    ).map(({ name }) => name);
  const epochs = async () => (await look()).partitions.map(({ epoch }) => epoch);

  test.each([
    ["weir.reset", /^INSERT INTO weir\.reset /],
    ["weir.definition", DEFINITION],
  ])("before %s has a reset that did not happen", async (_, into) => {
    const before = { rows: await landed(), tables: await tables(), epochs: await epochs() };
    await dieAt(into, { isDone: false, body: { to: "latest", allow_destructive: true } });
    expect({ rows: await landed(), tables: await tables(), epochs: await epochs() }).toEqual(before);
  });

  test("after the catalog's rows has one that did, and its next start goes on there", async () => {
    const [at, other] = (await look()).partitions;
    const to = `0:${at!.latest - 1},1:${other!.earliest}`;
    await dieAt(DEFINITION, { isDone: true, body: { to, allow_destructive: true } });
    await append(0, [20]);
    expect(await landed()).toEqual(once(5, 6, 12, 13, 20));
    expect(await epochs()).toEqual([4, 4]);
    // The two resets that did not happen: one had no rows, the other's version is never used again.
    expect(await tables()).toEqual(["dwa__number__v4", "dwa__number__v4__fill", "ods__reading__v5"]);
  });

  test.each([
    ["before the gap's rows stands still as before", false, true],
    ["after them goes on behind the gap", true, false],
  ])("%s", async (_, isDone, isStopped) => {
    if (!isDone) await lose([30], [31]);
    await until("the stop", look, { holds: ({ partitions: [at] }) => at!.stopped !== null, withinMs: 10_000 });
    await dieAt(ACCEPTED, { isDone, body: { accept_gap: true } });
    const [at] = (await look()).partitions;
    expect(at!.stopped !== null).toBe(isStopped);
    if (isDone) expect(await landed()).toEqual(once(5, 6, 12, 13, 20, 31));
  });

  test("with a batch announced whose records are gone leaves nothing to accept, and a reset helps", async () => {
    const table = (await tables()).find((name) => name.startsWith("ods__"));
    const met = standStillAt(new RegExp(`^INSERT INTO weir_state\\.${table} `), { isDone: false });
    await append(0, [40]);
    await met;
    await forget();
    await startAgain();
    await until("the stop", look, { holds: ({ partitions: [at] }) => at!.stopped !== null, withinMs: 10_000 });
    expect(await change({ accept_gap: true })).toMatchObject({
      status: 409,
      body: { error: { hint: expect.stringContaining("a batch of them was announced, which may have landed") } },
    });
    expect(await change({ to: "latest", allow_destructive: true })).toMatchObject({
      status: 200,
      body: { done: true },
    });
    await append(0, [41]);
    expect(await landed()).toEqual(once(41));
    // What was announced in the epoch before keeps nobody from changing the catalog.
    await world.apply({ "dwa/number.sql": MODEL.replace("by their number", "by number") });
  });
});
