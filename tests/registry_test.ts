/**
 * Avro with a schema registry, from end to end: schemas that change in one topic, a registry that is away, that does not
 * know, that says something else later, and a kill in between. What an id meant once it means for ever.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { quarantineOf } from "@weir/actors";
import { confluentRegistry, RecordWriter, WarehouseFailed } from "@weir/connectors";
import { fakeRegistry } from "@weir/connectors/testing";
import { Effect } from "effect";
import { temporaryFolder, until } from "./door_process.ts";
import { type OverWarehouse, openWorld, type World } from "./world.ts";

const FIELD = { id: { name: "id", type: "long" }, note: { name: "note", type: ["null", "string"] } };
const record = (...fields: readonly object[]) =>
  JSON.stringify({ type: "record", name: "Price", namespace: "shop", fields });
const FIRST = record(FIELD.id, FIELD.note);
/** Another order, a field less, and one that no column declares. */
const SECOND = record({ name: "venue", type: "string" }, FIELD.id);
/** Its type is another schema's. */
const THIRD = record(FIELD.id, { name: "note", type: "shop.Note" });
const NOTE = JSON.stringify({ type: "enum", name: "Note", namespace: "shop", symbols: ["late", "early"] });

const inWire = (id: number, hex: string) => Buffer.from(`00${id.toString(16).padStart(8, "0")}${hex}`, "hex");
const zigzag = (value: number) => (value * 2).toString(16).padStart(2, "0");
const first = (id: number, note?: string) =>
  inWire(7, zigzag(id) + (note === undefined ? "00" : `02${zigzag(note.length)}${Buffer.from(note).toString("hex")}`));
const second = (id: number) => inWire(8, `0278${zigzag(id)}`);
const third = (id: number, as = 10) => inWire(as, `${zigzag(id)}02`);

const source = (name: string, schemas: string, more = "") => `/*---
kind: source
doc: Prices.
retention: { age: 10000 days }
unknown: ignore
partitions: 2
format: ${schemas}
${more}
---*/
CREATE TABLE ods.${name} (id UInt64, note Nullable(String))`;
const REGISTRY = "{ kind: avro, schemas: registry }";
const INLINE = `\n  kind: avro\n  schemas: { 7: '${FIRST}', 8: '${SECOND}' }`;

setDefaultTimeout(60_000);
const fake = fakeRegistry();
const folder = temporaryFolder("registry");
/** Loses the answers of inserts into sources' tables, which are done. */
let isCut = false;
const cutting: OverWarehouse = (warehouse) => ({
  ...warehouse,
  insert: (insert) => {
    const done = warehouse.insert(insert);
    if (!isCut || !insert.statement.includes("weir_state.ods__")) return done;
    return Effect.andThen(done, new WarehouseFailed({ outcome: "unknown", code: 0, message: "cut" }));
  },
});
const open = () =>
  openWorld({ path: folder.path, registry: confluentRegistry({ url: fake.url, answerMsMax: 500 }), over: cutting });
let world: World;
beforeAll(async () => {
  fake.schemas.set(7, { schema: FIRST });
  fake.schemas.set(8, { schema: SECOND, schemaType: "AVRO" });
  world = await open();
  await world.apply({
    price: source("price", REGISTRY),
    inline_price: source("inline_price", INLINE),
    strict_price: source("strict_price", REGISTRY, "drift: stop"),
  });
});
afterAll(async () => {
  await world.close();
  await fake.stop();
  folder.remove();
});

/** Writes values into a topic, as a producer of its own does. */
async function produce(topic: string, values: readonly Uint8Array[], partition = 0): Promise<void> {
  const records = new RecordWriter();
  for (const value of values) records.add({ key: null, value, timestampMs: Date.now() });
  await Effect.runPromise(world.door.log.append([{ topic, partition, records }]));
}

const rowsOf = (name: string) => world.sql(`SELECT id, note FROM ods.${name} ORDER BY _partition, _offset`);
const idsOf = async (name: string) =>
  (await world.sql<{ id: string }>(`SELECT id FROM ods.${name} ORDER BY id`)).map(({ id }) => Number(id));
/** Waits until these are the ids of a source's rows. */
const stored = (name: string, ids: readonly number[]) =>
  until(`the rows of ${name}`, () => idsOf(name), { holds: (seen) => `${seen}` === `${ids}`, withinMs: 20_000 });

/** What the partitions of a source wait for, as status tells it. */
async function waiting(name: string): Promise<readonly { address: string; note: string }[]> {
  const response = await world.request("/v1/admin/status", { headers: { authorization: `Bearer ${world.token}` } });
  const { actors } = (await response.json()) as { actors: { waiting: { address: string; note: string }[] } };
  return actors.waiting.filter(({ address }) => address.startsWith(`table/ods.${name}/`));
}
const waits = (name: string) =>
  until("the wait", () => waiting(name), { holds: ({ length }) => length > 0, withinMs: 20_000 });

const reasons = async (name: string) =>
  (
    await world.sql<{ reason: string }>(
      `SELECT reason FROM weir.quarantine WHERE source = '${name}' ORDER BY partition, offset`,
    )
  ).map(({ reason }) => reason);

/** Every record of a source is one row or in the quarantine, and the markers say the same. */
async function audit(name: string): Promise<void> {
  const ranges = await Effect.runPromise(world.door.log.offsets(name));
  const accepted = ranges.reduce((sum, { latest }) => sum + latest, 0);
  const look = () =>
    world.sql<Record<string, string>>(
      `SELECT (SELECT count() FROM ods.${name}) AS rows, (SELECT uniqExact(_epoch, _partition, _offset) FROM ods.${name}) AS records,
         (SELECT uniqExact(id) FROM weir.quarantine WHERE source = '${name}') AS bad, sum(b.stored) AS stored, sum(b.quarantined) AS quarantined
       FROM weir.batch AS b WHERE statement = 'ods.${name}'`,
    );
  const [found] = await until("the markers", look, {
    holds: ([row]) => Number(row?.stored) + Number(row?.quarantined) === accepted,
    withinMs: 20_000,
  });
  expect(found).toMatchObject({ rows: found!.stored!, records: found!.rows!, bad: found!.quarantined! });
}

const UNKNOWN = (id: number) =>
  `the schema registry does not know schema ${id}: register it, then replay; it is asked again every minute`;

describe("schemas of a registry", () => {
  test("give the same rows as schemas of the definition", async () => {
    const values = [first(1, "a"), second(2), first(3)];
    await produce("price", values);
    await produce("inline_price", values);
    await stored("price", [1, 2, 3]);
    await stored("inline_price", [1, 2, 3]);
    expect(await rowsOf("price")).toEqual([
      { id: "1", note: "a" },
      { id: "2", note: null },
      { id: "3", note: null },
    ]);
    expect(await rowsOf("price")).toEqual(await rowsOf("inline_price"));
    expect(fake.asked.toSorted()).toEqual(["/schemas/ids/7", "/schemas/ids/8"]);
  });

  test("are waited for while the registry is away: that partition only, and nothing is quarantined", async () => {
    fake.schemas.set(10, { schema: THIRD, references: [{ name: "shop.Note", subject: "note", version: 1 }] });
    fake.subjects.set("note/1", { schema: NOTE });
    fake.fails = () => new Response("oh", { status: 503 });
    await produce("price", [third(4), first(5)]);
    expect(await waits("price")).toEqual([
      {
        address: "table/ods.price/0",
        note: "Cannot ask the schema registry for schema 10: it answers with status 503. Look whether SCHEMA_REGISTRY_URL is its address.",
      },
    ]);
    expect(await (await world.request("/metrics")).text()).toContain(
      'weir_source_waiting_partitions{source="price"} 1',
    );
    await produce("price", [first(6, "on")], 1);
    await stored("price", [1, 2, 3, 6]);
    expect(await reasons("price")).toEqual([]);
    fake.fails = undefined;
    await stored("price", [1, 2, 3, 4, 5, 6]);
    expect(await waiting("price")).toEqual([]);
    expect(await rowsOf("price")).toContainEqual({ id: "4", note: "early" });
    await audit("price");
  });

  test("that it does not know refuse their records; a replay asks again", async () => {
    await produce("price", [third(7, 11), first(8), inWire(2 ** 31, "00")]);
    await stored("price", [1, 2, 3, 4, 5, 6, 8]);
    // Rows can be seen before what was quarantined beside them.
    await audit("price");
    expect(await reasons("price")).toEqual([
      UNKNOWN(11),
      "no schema registry gives the id 2147483648; the largest is 2147483647",
    ]);
    const replay = (nowMs: () => number) =>
      Effect.runPromise(
        quarantineOf({ ...world.door, nowMs }).replay({
          filter: { source: "price", withoutDone: true },
          ...{ after: undefined, isDryRun: false, author: "test" },
        }),
      );
    fake.fails = () => new Response("", { status: 401 });
    const away = await replay(() => Date.now() + 120_000);
    expect(away.rows.map(({ outcome, reason }) => `${outcome}: ${reason}`).toSorted()[0]).toStartWith(
      "still bad: Cannot ask the schema registry for schema 11: it refuses to tell.",
    );
    fake.fails = undefined;
    fake.schemas.set(11, fake.schemas.get(10)!);
    const { rows } = await replay(() => Date.now() + 120_000);
    expect(rows.map(({ outcome }) => outcome).toSorted()).toEqual(["replayed", "still bad"]);
    await stored("price", [1, 2, 3, 4, 5, 6, 7, 8]);
    await audit("price");
  });

  test("are waited for where a row must not be missing", async () => {
    await produce("strict_price", [first(1), third(2, 12)]);
    const [waited] = await waits("strict_price");
    expect(waited!.note).toBe(
      "Cannot decode records of schema 12: the schema registry does not know it. Register it, or say `drift: quarantine` and apply.",
    );
    fake.schemas.set(12, fake.schemas.get(10)!);
    await stored("strict_price", [1, 2]);
    await audit("strict_price");
  });

  test("bring a column where the source evolves", async () => {
    const text = source("wide_price", REGISTRY, "drift: evolve").replace("unknown: ignore\n", "");
    await world.apply({ wide_price: text });
    await produce("wide_price", [first(1, "a"), second(2), first(3)]);
    await stored("wide_price", [1, 2, 3]);
    expect(await world.sql("SELECT id, note, venue FROM ods.wide_price ORDER BY id")).toEqual([
      { id: "1", note: "a", venue: null },
      { id: "2", note: null, venue: "x" },
      { id: "3", note: null, venue: null },
    ]);
    await audit("wide_price");
  });

  test("are told by tail before they land", async () => {
    const answer = await world.request("/v1/admin/sources/price/tail?partition=0&from=earliest&limit=2", {
      headers: { authorization: `Bearer ${world.token}` },
    });
    const lines = (await answer.text()).trim().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { row?: string }).row)).toEqual([
      '{"id":1,"note":"a"}',
      '{"venue":"x","id":2}',
    ]);
  });
});

describe("a batch that was inserted, and its owner killed before it knew", () => {
  test("becomes the same rows, whatever the registry says by then", async () => {
    isCut = true;
    await produce("price", [first(20, "x"), third(21, 30), second(22)]);
    const note = () =>
      world.door.sources.registry.reports().find(({ address }) => address === "table/ods.price")?.note ?? "";
    await until("the lost answer", async () => note(), { holds: (seen) => seen.includes("cut"), withinMs: 20_000 });
    await world.kill();
    isCut = false;
    // All of it would be other rows now: what was unknown is known, and what was known is something else.
    fake.schemas.set(30, fake.schemas.get(10)!);
    for (const id of [7, 8]) fake.schemas.set(id, { schema: record(FIELD.id) });
    const askedBefore = fake.asked.length;
    world = await open();
    await stored("price", [1, 2, 3, 4, 5, 6, 7, 8, 20, 22]);
    await audit("price");
    expect(await reasons("price")).toContain(UNKNOWN(30));
    expect(await rowsOf("price")).toContainEqual({ id: "20", note: "x" });
    expect(fake.asked.slice(askedBefore)).toEqual([]);
  });

  test("keeps one row for each slot, with who asked", async () => {
    const slots = await world.sql<{ id: number; slot: string; verdict: string; asked_for: string }>(
      "SELECT id, slot, verdict, asked_for FROM weir.schema WHERE slot <= 0 ORDER BY id, slot",
    );
    const row = (id: number, verdict: string, asked_for = "ods.price") => ({ id, slot: "0", verdict, asked_for });
    expect(slots).toEqual([
      ...[row(7, "schema"), row(8, "schema"), row(10, "schema"), row(11, "unknown")],
      ...[row(12, "schema", "ods.strict_price"), row(30, "unknown")],
    ]);
    const [doubles] = await world.sql("SELECT count() - uniqExact(id, slot) AS more FROM weir.schema");
    expect(doubles).toEqual({ more: "0" });
  });
});
