/**
 * What comes twice, from the log to the tables: by `dedupe`, and by an Idempotency-Key where the log keeps no keys.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { quarantineOf } from "@weir/actors";
import { LogFailed, RecordWriter } from "@weir/connectors";
import { app, type Door } from "@weir/web";
import { Effect } from "effect";
import { until } from "./door_process.ts";
import { keyless } from "./keyless_log.ts";
import { JSON_TYPE } from "./models_fixture.ts";
import { openWorld, type World } from "./world.ts";

const HOUR_MS = 3_600_000;

interface Said {
  readonly dedupe?: string;
  readonly partitions?: number;
  readonly n?: string;
}

const source = (name: string, { dedupe, partitions = 2, n = "UInt8" }: Said) => `/*---
kind: source
doc: Events that their producer may send again.
partitions: ${partitions}
${dedupe === undefined ? "" : `dedupe: ${dedupe}`}
---*/
CREATE TABLE ods.${name} (id String, other UInt64, n ${n})`;

setDefaultTimeout(60_000);
let world: World;
beforeAll(async () => {
  world = await openWorld();
  await world.apply({
    sale: source("sale", { dedupe: "{ by: id, within: 1 hour }" }),
    plain: source("plain", {}),
    late: source("late", {}),
  });
});
afterAll(() => world.close());

const event = (id: string, more: Readonly<Record<string, unknown>> = {}) => ({ id, other: 1, n: 1, ...more });

/** Sends events and waits until they have landed. */
async function send(name: string, events: readonly object[]): Promise<void> {
  const response = await world.post(`/v1/ingest/${name}?wait=1`, JSON.stringify(events), JSON_TYPE);
  expect(response.status, await response.clone().text()).toBe(200);
}

/** Puts records straight into the log, as a producer of its own does. */
async function put(topic: string, records: readonly { id: string; timestampMs: number; n?: unknown }[]): Promise<void> {
  const writer = new RecordWriter();
  for (const { timestampMs, ...fields } of records) {
    const value = Buffer.from(JSON.stringify(event(fields.id, fields)));
    writer.add({ key: null, value, timestampMs });
  }
  await Effect.runPromise(world.door.log.append([{ topic, partition: 0, records: writer }]));
}

/** Waits until everything in the log has landed, and counts it: in the table, in the markers. */
async function landed(name: string) {
  const lag = async () => {
    const ranges = await Effect.runPromise(world.door.log.offsets(name));
    const visible = world.door.sources.visible.of(`ods.${name}`);
    return ranges.reduce((sum, { partition, latest }) => sum + latest - (visible.get(partition) ?? 0), 0);
  };
  await until("everything landed", lag, { holds: (seen) => seen === 0, withinMs: 20_000 });
  const ranges = await Effect.runPromise(world.door.log.offsets(name));
  const [marked] = await world.sql<Record<string, string>>(
    `SELECT sum(stored) AS stored, sum(duplicate) AS duplicate, sum(quarantined) AS quarantined
     FROM weir.batch WHERE statement = 'ods.${name}'`,
  );
  const [table] = await world.sql<Record<string, string>>(
    `SELECT count() AS rows, uniqExact(_epoch, _partition, _offset) AS records FROM ods.${name}`,
  );
  const counts = {
    accepted: ranges.reduce((sum, { latest }) => sum + latest, 0),
    stored: Number(marked!.stored),
    duplicate: Number(marked!.duplicate),
    quarantined: Number(marked!.quarantined),
  };
  expect(Number(table!.rows)).toBe(counts.stored);
  expect(table!.records).toBe(table!.rows!);
  expect(counts.stored + counts.duplicate + counts.quarantined).toBe(counts.accepted);
  return counts;
}

const rowsOf = async (name: string, prefix: string) =>
  (
    await world.sql<{ id: string; times: string }>(
      `SELECT id, toString(count()) AS times FROM ods.${name} WHERE startsWith(id, '${prefix}') GROUP BY id ORDER BY id`,
    )
  ).map(({ id, times }) => `${id} x ${times}`);

describe("dedupe", () => {
  test("drops what was stored before, in the same request and in later ones, and counts it", async () => {
    const before = await landed("sale");
    await send("sale", [event("a"), event("b"), event("a", { n: 2 })]);
    await send("sale", [event("b"), event("c")]);
    await send("sale", [event("a"), event("b"), event("c")]);
    expect(await rowsOf("sale", "")).toEqual(["a x 1", "b x 1", "c x 1"]);
    expect(await world.sql("SELECT n FROM ods.sale WHERE id = 'a'")).toEqual([{ n: 1 }]);
    const after = await landed("sale");
    expect([after.stored - before.stored, after.duplicate - before.duplicate]).toEqual([3, 5]);
    const status = await world.request("/v1/admin/status", { headers: { authorization: `Bearer ${world.token}` } });
    const { sources } = (await status.json()) as { sources: { source: string; duplicates_last_hour: number }[] };
    expect(sources.find(({ source: name }) => name === "sale")?.duplicates_last_hour).toBe(after.duplicate);
  });

  test("counts the window by the log's time, from the record that was stored", async () => {
    const t = Date.now() - 5 * HOUR_MS;
    await put("sale", [{ id: "w", timestampMs: t }]);
    await landed("sale");
    const before = await landed("sale");
    await put("sale", [
      { id: "w", timestampMs: t + HOUR_MS - 1 },
      { id: "w", timestampMs: t + HOUR_MS },
      { id: "w", timestampMs: t + 2 * HOUR_MS - 1 },
      { id: "w", timestampMs: t - HOUR_MS },
    ]);
    const after = await landed("sale");
    expect(after.duplicate - before.duplicate).toBe(3);
    expect(await rowsOf("sale", "w")).toEqual(["w x 2"]);
  });

  test("knows nothing of what was quarantined", async () => {
    const nowMs = Date.now();
    await put("sale", [
      { id: "q", timestampMs: nowMs, n: 300 },
      { id: "q", timestampMs: nowMs, n: 3 },
      { id: "q", timestampMs: nowMs, n: 4 },
    ]);
    await landed("sale");
    expect(await world.sql("SELECT n FROM ods.sale WHERE id = 'q'")).toEqual([{ n: 3 }]);
  });

  test("declared later it knows what is stored, also by another column and in more partitions", async () => {
    await send("late", [event("a", { other: 7 }), event("b", { other: 8 }), event("a", { other: 7 })]);
    expect(await rowsOf("late", "")).toEqual(["a x 2", "b x 1"]);
    await world.apply({ late: source("late", { dedupe: "{ by: id, within: 1 hour }" }) });
    await send("late", [event("a", { other: 7 }), event("b", { other: 8 }), event("c", { other: 9 })]);
    expect(await rowsOf("late", "")).toEqual(["a x 2", "b x 1", "c x 1"]);
    const ids = Array.from({ length: 40 }, (_, index) => event(`p${index}`, { other: 100 + index }));
    await send("late", ids);
    await world.apply({ late: source("late", { dedupe: "{ by: id, within: 1 hour }", partitions: 7 }) });
    await send("late", [...ids, event("c", { other: 9 })]);
    expect(await rowsOf("late", "p")).toEqual(ids.map(({ id }) => `${id} x 1`).sort());
    await world.apply({ late: source("late", { dedupe: "{ by: other, within: 1 hour }", partitions: 7 }) });
    await send("late", [event("new name", { other: 9 }), event("c", { other: 10 }), ...ids]);
    expect(await rowsOf("late", "new")).toEqual([]);
    expect(await rowsOf("late", "c")).toEqual(["c x 2"]);
    // Another table behind the view.
    const wider = source("late", { dedupe: "{ by: other, within: 1 hour }", partitions: 7, n: "UInt16" });
    await world.apply({ late: wider });
    await send("late", [event("c", { other: 10 }), event("d", { other: 11, n: 300 }), ...ids]);
    expect(await rowsOf("late", "c")).toEqual(["c x 2"]);
    expect(await rowsOf("late", "p")).toEqual(ids.map(({ id }) => `${id} x 1`).sort());
    await landed("late");
  });
});

describe("Idempotency-Key where the log keeps no keys", () => {
  let door: Door;
  let half = false;
  beforeAll(() => {
    const log = keyless(world.door.log);
    const unavailable = new LogFailed({ reason: "unavailable", message: "cut", retriable: true });
    const append: Door["log"]["append"] = (writes, once) =>
      half ? Effect.andThen(log.append(writes.slice(0, 1), once), Effect.fail(unavailable)) : log.append(writes, once);
    door = { ...world.door, log: { ...log, append } };
  });

  const ask = async (key: string, body: readonly object[]) => {
    const headers = { ...JSON_TYPE, authorization: `Bearer ${world.token}`, "idempotency-key": key };
    const init = { method: "POST", headers, body: JSON.stringify(body) };
    return app(door).request("/v1/ingest/plain?wait=1", init);
  };

  test("a request that is sent again is stored once, also one that failed half way", async () => {
    const events = Array.from({ length: 20 }, (_, index) => event(`k${index}`));
    half = true;
    expect((await ask("one", events)).status).toBe(503);
    half = false;
    for (let time = 0; time < 2; time++) {
      const response = await ask("one", events);
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ accepted: 20, duplicates: 0, visible: true });
    }
    expect(await rowsOf("plain", "k")).toEqual(events.map(({ id }) => `${id} x 1`).sort());
    const counts = await landed("plain");
    expect(counts).toMatchObject({ stored: 20, quarantined: 0 });
    expect(counts.duplicate).toBe(counts.accepted - 20);
  });

  test("an event that is taken only the second time does not move the others", async () => {
    const bad = { ...event("m1"), n: 300 };
    await ask("two", [event("m0"), bad, event("m2"), event("m3")]);
    await world.apply({ plain: source("plain", { n: "UInt16" }) });
    door = { ...door, sources: world.door.sources };
    await ask("two", [event("m0"), bad, event("m2"), event("m3")]);
    expect(await rowsOf("plain", "m")).toEqual(["m0 x 1", "m1 x 1", "m2 x 1", "m3 x 1"]);
  });

  test("another body under the same key is not taken for a repeat: its records are quarantined", async () => {
    const before = await landed("plain");
    expect((await ask("three", [event("r0")])).status).toBe(200);
    expect((await ask("three", [event("other")])).status).toBe(200);
    const after = await landed("plain");
    expect(after.quarantined - before.quarantined).toBe(1);
    const [row] = await world.sql(
      `SELECT reason, raw FROM weir.quarantine WHERE source = 'plain' AND position(raw, '"id":"other"') > 0`,
    );
    expect(row).toEqual({
      reason: "its Idempotency-Key came with other content before",
      raw: JSON.stringify(event("other")),
    });
  });

  test("a replay that died after its append is found in the log; two at once store one row", async () => {
    const wide = ["z0", "z1", "z2", "z3"].map((id) => ({ id, timestampMs: Date.now(), n: 70_000 }));
    await put("plain", wide);
    await landed("plain");
    await world.apply({ plain: source("plain", { n: "UInt32" }) });
    const parts = { log: door.log, warehouse: door.warehouse, sources: world.door.sources };
    const found = await world.sql<{ id: string }>(
      "SELECT id FROM weir.quarantine WHERE source = 'plain' AND offset >= 0 AND column = 'n' ORDER BY offset",
    );
    const [first, ...others] = found.map(({ id }) => id);
    const replay = (ids: readonly string[]) =>
      quarantineOf(parts).replay({ filter: { ids }, after: undefined, isDryRun: false, author: "test" });
    half = true;
    expect((await Effect.runPromiseExit(replay([first!])))._tag).toBe("Failure");
    half = false;
    const again = await Effect.runPromise(replay([first!]));
    expect(again.rows).toMatchObject([{ id: first, outcome: "replayed", place: expect.any(Object) }]);
    expect(again.rows[0]).not.toHaveProperty("isNew");
    await Effect.runPromise(Effect.all([replay(others), replay(others)], { concurrency: "unbounded" }));
    await landed("plain");
    expect(await rowsOf("plain", "z")).toEqual(wide.map(({ id }) => `${id} x 1`));
  });
});
