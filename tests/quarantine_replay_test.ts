/**
 * The quarantine from end to end: bad records are looked at, their source is corrected, they are replayed, and every
 * value is stored exactly once, whatever is repeated, runs at the same time or dies in between.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { quarantineOf } from "@weir/actors";
import { LogFailed, RecordWriter, WarehouseFailed } from "@weir/connectors";
import type { Door } from "@weir/web";
import { Effect } from "effect";
import { until } from "./door_process.ts";
import { JSON_TYPE } from "./models_fixture.ts";
import { openWorld, type World } from "./world.ts";

const source = (type: string) => `/*---
kind: source
doc: Readings, whose range was thought to be smaller than it is.
partitions: 3
key: id
---*/
CREATE TABLE ods.reading (id String, n ${type})`;

const HOUR_MS = 3_600_000;
const ALL = { filter: { source: "reading", withoutRefused: true, withoutDone: true }, after: undefined };
const ASK = { ...ALL, isDryRun: false, author: "test" };
/** Values that a UInt8 cannot hold, and what is no event at all. */
const WIDE = [300, 400, 500, 600, 700, 800, 900, 1_000];

interface Row {
  readonly id: string;
  readonly outcome: string;
  readonly reason: string | null;
  readonly offset?: number;
}
interface Report {
  readonly counts: Readonly<Record<string, number>>;
  readonly rows: readonly Row[];
  readonly next: string | null;
}

setDefaultTimeout(60_000);
let world: World;
beforeAll(async () => {
  world = await openWorld();
  await world.apply({ reading: source("UInt8") });
});
afterAll(() => world.close());

const event = (name: string, n: number) => JSON.stringify({ id: name, n });

/** Puts values straight into the log, as a producer of its own does, and waits until they are quarantined. */
async function quarantine(values: readonly string[]): Promise<readonly string[]> {
  const records = new RecordWriter();
  for (const value of values) records.add({ key: null, value: Buffer.from(value), timestampMs: Date.now() });
  const { appended } = await Effect.runPromise(world.door.log.append([{ topic: "reading", partition: 1, records }]));
  const first = appended[0]!.first;
  const ids = values.map((_, index) => `reading.1.1.${first + index}`);
  const look = () => world.sql<{ n: string }>(`SELECT count() AS n FROM weir.quarantine WHERE id IN (${quoted(ids)})`);
  await until("the quarantine", look, { holds: ([row]) => Number(row?.n) === ids.length, withinMs: 20_000 });
  return ids;
}

const quoted = (ids: readonly string[]) => ids.map((id) => `'${id}'`).join(", ");

async function ask(path: string, body: object): Promise<Report> {
  const response = await world.post(`/v1/admin/quarantine/${path}`, JSON.stringify(body), JSON_TYPE);
  expect(response.status).toBe(200);
  return (await response.json()) as Report;
}

async function get<A>(path: string): Promise<{ status: number; body: A }> {
  const response = await world.request(`/v1/admin/quarantine${path}`, {
    headers: { authorization: `Bearer ${world.token}` },
  });
  return { status: response.status, body: (await response.json()) as A };
}

/** What is stored of values whose ids begin so, once everything in the log has landed. */
async function stored(prefix: string): Promise<readonly { id: string; n: number; times: string }[]> {
  const lag = async () => {
    const ranges = await Effect.runPromise(world.door.log.offsets("reading"));
    const visible = world.door.sources.visible.of("ods.reading");
    return ranges.reduce((sum, { partition, latest }) => sum + latest - (visible.get(partition) ?? 0), 0);
  };
  await until("everything landed", lag, { holds: (seen) => seen === 0, withinMs: 20_000 });
  return world.sql(
    `SELECT id, n, count() AS times FROM ods.reading WHERE startsWith(id, '${prefix}') GROUP BY id, n ORDER BY id`,
  );
}

const once = (prefix: string, values: readonly number[]) =>
  values.map((n, index) => ({ id: `${prefix}${index}`, n, times: "1" }));

/** The whole audit: every record of the log is stored or quarantined, and the markers say the same. */
async function audit(): Promise<void> {
  const ranges = await Effect.runPromise(world.door.log.offsets("reading"));
  const accepted = ranges.reduce((sum, { latest }) => sum + latest, 0);
  const [found] = await world.sql<Record<string, string>>(
    `SELECT (SELECT count() FROM ods.reading) AS rows, (SELECT uniqExact(_epoch, _partition, _offset) FROM ods.reading) AS records,
            (SELECT uniqExact(id) FROM weir.quarantine WHERE source = 'reading' AND offset >= 0) AS quarantined,
            (SELECT sum(stored + duplicate + quarantined) FROM weir.batch WHERE statement = 'ods.reading') AS counted`,
  );
  expect(found).toEqual({
    rows: found!.records!,
    records: String(accepted - Number(found!.quarantined)),
    quarantined: found!.quarantined!,
    counted: String(accepted),
  });
}

describe("looking at it", () => {
  test("lists, groups and shows rows by a name that stays", async () => {
    const ids = await quarantine(["not JSON", event("look", 257), event("look", 256)]);
    const { body: listed } = await get<{ rows: { id: string; column: string | null }[] }>(
      `?source=reading&column=n&reason=${encodeURIComponent("… is out of range")}`,
    );
    expect(listed.rows).toMatchObject([{ id: ids[1] }, { id: ids[2], column: "n" }]);
    const { body } = await get<{ groups: object[]; groups_total: number }>("/groups?source=reading&since=1%20hour");
    expect(body.groups_total).toBe(2);
    expect(body.groups).toContainEqual({
      ...{ source: "reading", column: "n", reason: "… is out of range for UInt8 (0 to 255)" },
      ...{ refused: false, count: 2, example: ids[2] },
      ...{ first_at: expect.any(String), last_at: expect.any(String) },
    });
    const { body: row } = await get(`/${ids[0]}`);
    expect(row).toMatchObject({ id: ids[0], raw: "not JSON", standing: "waiting", actions: [] });
    expect((await get("/reading.9.9.9")).status).toBe(404);
    expect((await get("?since=yesterday")).status).toBe(400);
  });

  test("drops what nobody wants, and says who did it; a dropped row is neither listed nor replayed", async () => {
    const ids = await quarantine(["rubbish"]);
    expect((await ask("drop", { ids, dry_run: true })).counts).toEqual({ "would be dropped": 1 });
    expect((await ask("drop", { ids })).counts).toEqual({ dropped: 1 });
    expect((await ask("drop", { ids })).counts).toEqual({ "already dropped": 1 });
    expect((await ask("replay", { ids })).counts).toEqual({ "already dropped": 1 });
    const all = (query: string) => get<{ rows: { id: string }[] }>(`?source=reading${query}`);
    expect((await all("")).body.rows.map(({ id }) => id)).not.toContain(ids[0]!);
    expect((await all("&all=1")).body.rows.map(({ id }) => id)).toContain(ids[0]!);
    expect((await get(`/${ids[0]}`)).body).toMatchObject({
      standing: "dropped",
      actions: [{ action: "dropped", author: "admin" }],
    });
  });

  test.each([
    ["nothing that says which", {}],
    ["both ids and a source", { ids: ["a"], source: "reading" }],
    ["an unknown word", { source: "reading", drymrun: true }],
  ])("refuses %s", async (_, body) => {
    const answer = await world.post("/v1/admin/quarantine/replay", JSON.stringify(body), JSON_TYPE);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
  });
});

describe("replay", () => {
  let ids: readonly string[] = [];

  test("leaves what is still bad, and says why", async () => {
    ids = await quarantine([...WIDE.map((n, index) => event(`plain-${index}`, n)), "still no JSON"]);
    const report = await ask("replay", { ids });
    expect(report.counts).toEqual({ "still bad": WIDE.length + 1 });
    expect(report.rows[0]).toMatchObject({ id: ids[0], column: "n", reason: expect.stringContaining("300") });
    expect(await stored("plain-")).toEqual([]);
  });

  test("stores each value once after the source was corrected: tried, repeated, at the same time", async () => {
    await world.apply({ reading: source("UInt32") });
    const wide = ids.slice(0, -1);
    expect((await ask("replay", { ids: wide, dry_run: true })).counts).toEqual({ "would be replayed": WIDE.length });
    expect(await stored("plain-")).toEqual([]);
    const reports = await Promise.all([ask("replay", { ids }), ask("replay", { source: "reading" })]);
    const outcomes = reports.flatMap(({ rows }) => rows).filter(({ id }) => wide.includes(id));
    expect(outcomes.filter(({ outcome }) => outcome === "replayed")).toHaveLength(WIDE.length);
    expect((await ask("replay", { ids })).counts).toEqual({ "already replayed": WIDE.length, "still bad": 1 });
    expect((await ask("drop", { ids: wide })).counts).toEqual({ "already replayed": WIDE.length });
    expect(await stored("plain-")).toEqual(once("plain-", WIDE));
    expect((await get(`/${ids[0]}`)).body).toMatchObject({
      standing: "replayed",
      actions: [{ action: "announced" }, { action: "replayed" }],
    });
    await audit();
  });

  test("takes what the door refused only when told to: its sender may have sent it again", async () => {
    const send = (n: unknown) => world.post("/v1/ingest/reading", JSON.stringify({ id: "refused-0", n }), JSON_TYPE);
    expect((await send("x")).status).toBe(422);
    const look = async () => (await get<{ rows: { id: string }[] }>("?source=reading&limit=1")).body.rows[0]?.id ?? "";
    const isRefused = (seen: string) => /^reading\.door\.[0-9a-f]{16}$/.test(seen);
    const id = await until("the refusal", look, { holds: isRefused, withinMs: 10_000 });
    const rows = async (body: object) =>
      (await ask("replay", { source: "reading", ...body })).rows.map((row) => row.id);
    expect(await rows({})).not.toContain(id);
    expect(await rows({ include_refused: true })).toContain(id);
    expect((await ask("replay", { ids: [id] })).counts).toEqual({ "still bad": 1 });
  });

  test("refuses what was cut: only its beginning is there", async () => {
    const [id] = await quarantine([`{"id":"${"x".repeat(1_100_000)}","n":-1}`]);
    const { rows } = await ask("replay", { ids: [id] });
    expect(rows).toMatchObject([{ id, outcome: "cut", reason: expect.stringContaining("send it again") }]);
  });
});

describe("a replay that dies", () => {
  const PREFIXES = ["dies-", "late-", "lost-"];
  /** Values that a UInt32 cannot hold. */
  const bad = (prefix: string) => WIDE.map((n, index) => event(`${prefix}${index}`, n * 2 ** 32));

  let rows: readonly string[] = [];
  const rowsOf = (prefix: string) => rows.slice(PREFIXES.indexOf(prefix) * WIDE.length).slice(0, WIDE.length);
  beforeAll(async () => {
    rows = await quarantine(PREFIXES.flatMap(bad));
    await world.apply({ reading: source("UInt64") });
  });
  const expected = (prefix: string) => once(prefix, WIDE).map((row) => ({ ...row, n: String(row.n * 2 ** 32) }));

  test("at any step, any number of times: every value is stored exactly once", async () => {
    const seed = Number(process.env.WEIR_SEED ?? Date.now() % 1e9);
    const prefix = "dies-";
    const ids = rowsOf(prefix);
    const unlucky = quarantineOf(unluckyParts(world.door, randomOf(seed)));
    let tries = 0;
    for (; tries < 500; tries++) {
      const exit = await world.door.run(unlucky.replay({ ...ASK, filter: { ids } }));
      if (exit._tag === "Success" && exit.value.rows.every(({ outcome }) => /replayed$/.test(outcome))) break;
    }
    expect({ seed, died: tries > 0 && tries < 500 }).toEqual({ seed, died: true });
    expect({ seed, rows: await stored(prefix) }).toEqual({ seed, rows: expected(prefix) as never });
    await audit();
  });

  test("before it could say so, and is repeated when the log has forgotten its keys: the log is searched", async () => {
    const prefix = "late-";
    const ids = rowsOf(prefix);
    const { log, warehouse, sources } = world.door;
    // Keys are never kept: only the search stands between the second replay and doubles.
    const forgetful: Door["log"] = { ...log, append: (writes) => log.append(writes) };
    const parts = { log: forgetful, sources };
    const dead = new WarehouseFailed({ outcome: "not done", code: 0, message: "dead" });
    let inserts = 0;
    const dies: Door["warehouse"] = {
      ...warehouse,
      insert: (insert) => (inserts++ === 0 ? warehouse.insert(insert) : Effect.fail(dead)),
    };
    const half: Door["log"] = {
      ...log,
      append: (writes) => (appends++ < 3 ? log.append(writes) : Effect.fail(unavailable)),
    };
    let appends = 0;
    const first = await world.door.run(
      quarantineOf({ ...parts, log: half, warehouse: dies }).replay({ ...ASK, filter: { ids } }),
    );
    expect([first._tag, inserts, appends > 3]).toEqual(["Failure", 2, true]);
    expect((await ask("drop", { ids, dry_run: true })).counts).toEqual({
      "already replayed": 3,
      "would be dropped": WIDE.length - 3,
    });

    const later = quarantineOf({ ...parts, warehouse, nowMs: () => Date.now() + 13 * HOUR_MS });
    const report = await Effect.runPromise(later.replay({ ...ASK, filter: { ids } }));
    expect(report.rows.map(({ outcome }) => outcome)).toEqual(ids.map(() => "replayed"));
    expect(report.rows.filter(({ isNew }) => isNew !== true)).toHaveLength(3);
    expect(await stored(prefix)).toEqual(expected(prefix) as never);
    await audit();
  });

  test("and the log no longer reaches back: nothing is appended, and it says so", async () => {
    const prefix = "lost-";
    const ids = rowsOf(prefix);
    const { log, warehouse, sources } = world.door;
    const half: Door["log"] = { ...log, append: () => Effect.fail(unavailable) };
    await world.door.run(quarantineOf({ log: half, warehouse, sources }).replay({ ...ASK, filter: { ids } }));
    const trimmed: Door["log"] = {
      ...log,
      offsets: (topic) =>
        Effect.map(log.offsets(topic), (ranges) => ranges.map((range) => ({ ...range, earliest: range.latest + 1 }))),
    };
    const later = quarantineOf({ log: trimmed, warehouse, sources, nowMs: () => Date.now() + 13 * HOUR_MS });
    const report = await Effect.runPromise(later.replay({ ...ASK, filter: { ids } }));
    expect(report.rows.map(({ outcome }) => outcome)).toEqual(ids.map(() => "unclear"));
    expect((await ask("drop", { ids })).counts).toEqual({ dropped: WIDE.length });
    expect((await ask("replay", { ids })).counts).toEqual({ "already dropped": WIDE.length });
    expect(await stored(prefix)).toEqual([]);
  });
});

const unavailable = new LogFailed({ reason: "unavailable", message: "dead", retriable: true });

/** Parts that fail before or after they did it, one time in four each. */
function unluckyParts(door: Door, random: () => number) {
  const { log, warehouse, sources } = door;
  // The first one always: some seeds are lucky all the way.
  let isFirst = true;
  const unlucky = <A, E>(effect: Effect.Effect<A, E>, failure: E): Effect.Effect<A, E> => {
    const dice = isFirst ? 0.3 : random();
    isFirst = false;
    if (dice < 0.2) return Effect.fail(failure);
    return dice < 0.4 ? Effect.andThen(effect, Effect.fail(failure)) : effect;
  };
  const lost = new WarehouseFailed({ outcome: "unknown", code: 0, message: "dead" });
  return {
    sources,
    log: { ...log, append: (...call: Parameters<typeof log.append>) => unlucky(log.append(...call), unavailable) },
    warehouse: {
      ...warehouse,
      insert: (call: Parameters<typeof warehouse.insert>[0]) => unlucky(warehouse.insert(call), lost),
    },
  };
}

/** Numbers in [0, 1) from a seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
