/**
 * A full log: what was accepted is kept and served, what was refused left no trace, and it goes on once there is room.
 *
 * @module
 */
import { expect, test } from "bun:test";
import { until } from "./door_process.ts";
import { openWorld, type World } from "./world.ts";

/** Pages of 8 KiB that the log's file may have: 4 MiB. */
const PAGES_MAX = 512;
const NOTE = "x".repeat(50_000);
const EVENTS_MAX = 1_000;
const SENDERS = 16;
const LINES_TYPE = { "content-type": "application/x-ndjson" };

function source(name: string, retention: string): string {
  return `/*---\nkind: source\ndoc: Large events.\nkey: id\npartitions: 2\nretention: ${retention}\n---*/\nCREATE TABLE ods.${name} ( id String, n UInt32, note String )\n`;
}

interface Sent {
  /** Ids of the events that were answered with 202. */
  readonly accepted: string[];
  readonly refused: string[];
}

/** Sends two events a request, each request with a key of its own, until every sender was refused once. */
async function fill(world: World, sent: Sent, senders: number): Promise<Response> {
  let next = sent.accepted.length + sent.refused.length;
  const refusals = Array.from({ length: senders }, async () => {
    while (next < EVENTS_MAX) {
      const ids = [`${next++}`, `${next++}`];
      const response = await send(world, ids);
      (response.status === 202 ? sent.accepted : sent.refused).push(...ids);
      if (response.status !== 202) return response;
    }
    throw new Error(`The log took ${EVENTS_MAX} events and is not full.`);
  });
  const [refusal] = await Promise.all(refusals);
  sent.accepted.sort((a, b) => Number(a) - Number(b));
  return refusal;
}

function send(world: World, ids: readonly string[], query = ""): Promise<Response> {
  const body = ids.map((id) => JSON.stringify({ id, n: 1, note: NOTE })).join("\n");
  return world.post(`/v1/ingest/large${query}`, body, { ...LINES_TYPE, "idempotency-key": `large-${ids.join("-")}` });
}

/** Goes on sending what the full log refuses, as clients do, until it is stopped. */
function press(world: World, ids: readonly string[]): { readonly stop: () => Promise<readonly number[]> } {
  let isPressing = true;
  const statuses: number[] = [];
  const senders = Array.from({ length: SENDERS }, async () => {
    while (isPressing) statuses.push((await send(world, ids)).status);
  });
  const stop = async () => {
    isPressing = false;
    await Promise.all(senders);
    return statuses;
  };
  return { stop };
}

/** The ids that can be queried, once there are as many as were promised. */
async function queryable(world: World, promised: readonly string[]): Promise<readonly string[]> {
  const rows = await until(
    `${promised.length} rows`,
    () => world.sql<{ id: string }>("SELECT id FROM ods.large ORDER BY toUInt32(id)"),
    { holds: (seen) => seen.length >= promised.length, withinMs: 15_000 },
  );
  return rows.map(({ id }) => id);
}

test("a full log refuses with 503, keeps what it took, answers SQL, and goes on once retention has made room", async () => {
  const world = await openWorld({ pagesMax: PAGES_MAX, retentionEveryMs: 200 });
  const sent: Sent = { accepted: [], refused: [] };
  await world.apply({ large: source("large", "{ age: 1 day, size: 1 GiB }") });

  // Requests that come together are written together, or not at all; the last sender alone finds it really full.
  await fill(world, sent, SENDERS);
  const refusal = await fill(world, sent, 1);
  expect({
    status: refusal.status,
    retryAfter: refusal.headers.get("retry-after"),
    answer: await refusal.json(),
  }).toEqual({
    status: 503,
    retryAfter: "30",
    answer: {
      error: {
        code: "log_full",
        message: "Cannot write to the log: its disk is full.",
        hint: "Nothing was stored. Send the same request again later.",
        at: null,
      },
    },
  });
  expect(sent.accepted.length).toBeGreaterThan(20);

  // Nothing more fits, but what is there is landed and served, however much clients press.
  const pressing = press(world, sent.refused.slice(-2));
  expect(await queryable(world, sent.accepted)).toEqual(sent.accepted);
  const statuses = await pressing.stop();
  expect([statuses.length > SENDERS, new Set(statuses)]).toEqual([true, new Set([503])]);
  expect(await world.sql("SELECT sum(n) AS n, uniqExact(_partition, _offset) AS records FROM ods.large")).toEqual([
    { n: `${sent.accepted.length}`, records: `${sent.accepted.length}` },
  ]);

  // A smaller retention makes room; the refused request, repeated, is taken.
  await world.apply({ large: source("large", "{ age: 1 day, size: 100 KiB }") });
  const repeated = await until("room in the log", () => send(world, sent.refused, "?wait=1"), {
    holds: ({ status }) => status === 200,
    withinMs: 15_000,
  });
  expect(await repeated.json()).toMatchObject({ accepted: sent.refused.length, duplicates: 0, visible: true });
  const all = [...sent.accepted, ...sent.refused].sort((a, b) => Number(a) - Number(b));
  expect(await queryable(world, all)).toEqual(all);
  const [audit] = await world.sql(
    "SELECT count() AS rows, uniqExact(_epoch, _partition, _offset) AS records FROM ods.large",
  );
  expect(audit).toEqual({ rows: `${all.length}`, records: `${all.length}` });
  await world.close();
}, 40_000);
