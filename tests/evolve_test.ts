/**
 * `drift: evolve` from end to end: fields that producers begin to send become columns, once each, and nothing is lost
 * or stored twice on the way; what becomes no column is kept in the quarantine and holds nobody up.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { RecordWriter } from "@weir/connectors";
import { Effect } from "effect";
import { temporaryFolder, until } from "./door_process.ts";
import { type OverWarehouse, openWorld, type World } from "./world.ts";

const definition = (name: string, columns = "id String, n Nullable(UInt8) -- small") => `/*---
kind: source
doc: What ${name} sends.   # by its producers
key: id
partitions: 2
retention: { age: 10000 days }
drift: evolve
---*/
CREATE TABLE ods.${name} (
  ${columns}
)
`;

setDefaultTimeout(60_000);
const folder = temporaryFolder("evolve");
/** What is told to the warehouse before it happens; `cut` says when the process dies. */
let cut: (sql: string) => boolean = () => false;
let isDead = false;
const over: OverWarehouse = (warehouse) => ({
  ...warehouse,
  command: (...told) => {
    isDead ||= cut(told[1]);
    return isDead ? Effect.never : warehouse.command(...told);
  },
});
let world: World;
const open = async () => {
  isDead = false;
  cut = () => false;
  world = await openWorld({ path: folder.path, over });
};
beforeAll(async () => {
  await open();
  await world.apply({
    sale: definition("sale"),
    sensor: definition("sensor"),
    visit: definition("visit"),
    "dwf/visit_all.sql": "/*---\nkind: model\ndoc: All of them.\n---*/\nSELECT id, n + 1 AS total FROM ods.visit",
  });
});
afterAll(async () => {
  await world.close();
  folder.remove();
});

/** Appends events to a partition, as a producer of its own does. */
async function produce(topic: string, partition: number, events: readonly object[]): Promise<void> {
  const records = new RecordWriter();
  for (const event of events)
    records.add({ key: null, value: Buffer.from(JSON.stringify(event)), timestampMs: Date.now() });
  await Effect.runPromise(world.door.log.append([{ topic, partition, records }]));
}

const headers = () => ({ authorization: `Bearer ${world.token}`, "content-type": "application/json" });
const get = async <A>(path: string): Promise<A> => (await (await world.request(path, { headers: headers() })).json()) as A;

/** Waits until every record of a source is in a marker, and proves that each became one thing. */
async function settled(name: string): Promise<{ stored: number; quarantined: number }> {
  const ranges = await Effect.runPromise(world.door.log.offsets(name));
  const accepted = ranges.reduce((sum, { latest }) => sum + latest, 0);
  const look = () =>
    world.sql<{ stored: string; quarantined: string; every: string }>(
      `SELECT sum(b.stored) AS stored, sum(b.quarantined) AS quarantined, sum(b.stored + b.duplicate + b.quarantined) AS every
       FROM weir.batch AS b WHERE statement = 'ods.${name}'`,
    );
  const [row] = await until("the markers", look, { holds: ([one]) => Number(one?.every) === accepted, withinMs: 30_000 });
  const [rows] = await world.sql<{ all: string; places: string }>(
    `SELECT count() AS all, uniqExact(_partition, _offset) AS places FROM ods.${name}`,
  );
  expect(rows).toEqual({ all: row!.stored, places: row!.stored });
  return { stored: Number(row!.stored), quarantined: Number(row!.quarantined) };
}

const columnsOf = async (name: string) =>
  (
    await world.sql<{ column: string }>(
      `SELECT name || ' ' || type AS column FROM system.columns WHERE database = 'ods' AND table = '${name}' AND name NOT LIKE '\\_%' ORDER BY position`,
    )
  ).map(({ column }) => column);

interface Written {
  readonly name: string;
  readonly catalog: number;
  readonly author: string;
  readonly text: string;
}
const written = async (name: string) => {
  const { definitions } = await get<{ definitions: readonly Written[] }>("/v1/admin/definitions");
  return definitions.find((one) => one.name === name)!;
};
const reasons = async (name: string) =>
  (await get<{ rows: readonly { offset: number; reason: string }[] }>(`/v1/admin/quarantine?source=${name}`)).rows
    .toSorted((one, other) => one.offset - other.offset)
    .map(({ reason }) => reason);

describe("drift: evolve", () => {
  test("adds what two partitions began to send with one change, and keeps the author's text", async () => {
    const before = await written("sale");
    await produce("sale", 0, [{ id: "a", n: 1 }, { id: "b", coupon: "X1", paid: true }, { id: "c", gone: null }]);
    await produce("sale", 1, [{ id: "d", price: 1 }, { id: "e", price: 1.5 }, { id: "f" }]);
    expect(await settled("sale")).toEqual({ stored: 6, quarantined: 0 });
    const after = await written("sale");
    expect(after.text).toContain("# by its producers");
    console.log(after.text, after.catalog - before.catalog, await columnsOf("sale"), await reasons("sale"));
    console.log(await world.sql("SELECT * EXCEPT(_ingest_time,_event_time) FROM ods.sale ORDER BY id"));
  });
});
