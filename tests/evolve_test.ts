/**
 * `drift: evolve` from end to end: fields that producers begin to send become columns, once each, and nothing is lost
 * or stored twice on the way; what becomes no column is kept in the quarantine and holds nobody up.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { RecordWriter, WarehouseFailed } from "@weir/connectors";
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

/** 99 fields were decided on already. */
const NEAR_THE_BOUND = [
  "id String",
  ...Array.from({ length: 99 }, (_, index) => `e${index} Nullable(String) COMMENT 'added by evolve on 2026-01-31'`),
].join(",\n  ");
/** Where a process dies: in front of the first thing told to the warehouse that has all of this in it. */
const CUTS: readonly (readonly [when: string, source: string, ...told: string[]])[] = [
  ["its rows are copied", "cut_copy", "INSERT INTO weir_state.ods__cut_copy__v2"],
  ["it is entered", "cut_entry", "INSERT INTO weir.definition"],
  ["its view is moved", "cut_view", "VIEW ods.`cut_view`"],
  ["what waited is stored", "cut_land", "INSERT INTO weir_state.ods__cut_land__v2", "JSONEachRow"],
];

setDefaultTimeout(60_000);
const folder = temporaryFolder("evolve");
/** Says of what is told to the warehouse that the process is dead before it. */
let dies: (sql: string) => boolean = () => false;
/** A dead process hears no answer; what it would still do while its parts are closed fails. */
let life: "alive" | "dead" | "closing" = "alive";
const GONE = new WarehouseFailed({ outcome: "not done", code: 0, message: "the process is dead" });
const over: OverWarehouse = (warehouse) => {
  const unlessDead = <A>(sql: string, work: Effect.Effect<A, WarehouseFailed>) =>
    Effect.suspend(() => {
      if (life === "alive" && dies(sql)) life = "dead";
      if (life === "closing") return Effect.fail(GONE);
      return life === "dead" ? Effect.never : work;
    });
  return {
    ...warehouse,
    command: (user, sql, settings) => unlessDead(sql, warehouse.command(user, sql, settings)),
    insert: (insert) => unlessDead(insert.statement, warehouse.insert(insert)),
  };
};
let world: World;
async function open(): Promise<void> {
  [life, dies] = ["alive", () => false];
  world = await openWorld({ path: folder.path, over });
}
beforeAll(async () => {
  await open();
  await world.apply({
    sale: definition("sale"),
    hostile: definition("hostile"),
    visit: definition("visit"),
    ledger: definition("ledger").replace("drift:", "format: debezium\ndrift:"),
    bounded: definition("bounded", NEAR_THE_BOUND),
    ...Object.fromEntries(CUTS.map(([, name]) => [name, definition(name)])),
    "dim/place.sql":
      "/*---\nkind: dimension\ndoc: Places.\nkey: code\n---*/\nSELECT 'a' AS code, 'Berlin' AS town, count() AS n FROM ods.hostile",
    "dwf/visit_place.sql":
      "/*---\nkind: model\ndoc: Where they were.\n---*/\nSELECT v.id AS id, town FROM ods.visit AS v LEFT JOIN dim.place AS p ON p.code = v.id",
  });
});
afterAll(async () => {
  await world.close();
  folder.remove();
});

/** Appends events to the first partition and to the second, as producers of their own do. */
async function produce(topic: string, ...events: readonly (readonly object[])[]): Promise<void> {
  const writes = events.map((own, partition) => {
    const records = new RecordWriter();
    for (const event of own)
      records.add({ key: null, value: Buffer.from(JSON.stringify(event)), timestampMs: Date.now() });
    return { topic, partition, records };
  });
  await Effect.runPromise(world.door.log.append(writes));
}

const headers = () => ({ authorization: `Bearer ${world.token}`, "content-type": "application/json" });
const get = async <A>(path: string): Promise<A> =>
  (await (await world.request(path, { headers: headers() })).json()) as A;

/** Waits until every record of a source is in a marker, and proves that each became one thing. */
async function settled(name: string): Promise<{ stored: number; quarantined: number }> {
  const ranges = await Effect.runPromise(world.door.log.offsets(name));
  const accepted = ranges.reduce((sum, { latest }) => sum + latest, 0);
  const look = () =>
    world.sql<{ stored: string; quarantined: string; every: string }>(
      `SELECT sum(b.stored) AS stored, sum(b.quarantined) AS quarantined, sum(b.stored + b.duplicate + b.quarantined) AS every
       FROM weir.batch AS b WHERE statement = 'ods.${name}'`,
    );
  const [row] = await until("the markers", look, {
    holds: ([one]) => Number(one?.every) === accepted,
    withinMs: 30_000,
  });
  const [rows] = await world.sql<{ all: string; places: string }>(
    `SELECT count() AS all, uniqExact(_partition, _offset) AS places FROM ods.${name}`,
  );
  expect(rows).toEqual({ all: row!.stored, places: row!.stored });
  return { stored: Number(row!.stored), quarantined: Number(row!.quarantined) };
}

interface Written {
  readonly version: number;
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

const good = (ids: readonly string[]) => ids.map((id) => ({ id }));
const json = { "content-type": "application/json" };

describe("drift: evolve", () => {
  test("stops at its bound", async () => {
    await produce("bounded", [{ id: "a", last: 1 }, { id: "b", beyond: 1 }, { id: "c" }]);
    expect(await settled("bounded")).toEqual({ stored: 2, quarantined: 1 });
    expect((await written("bounded")).text).toContain("`last` Nullable(Int64)");
    expect(await reasons("bounded")).toEqual([
      "evolve has decided on 100 fields of this source, and does so for 100 at most: declare it, apply, then replay, or make its columns yours with comments of your own",
    ]);
  });

  test("adds what two partitions began to send, and keeps the author's text", async () => {
    const before = await written("sale");
    await produce(
      "sale",
      [
        { id: "a", n: 1 },
        { id: "b", coupon: "X1", paid: true },
        { id: "c", gone: null },
      ],
      [{ id: "d", price: 1 }, { id: "e", price: 1.5 }, { id: "f" }],
    );
    expect(await settled("sale")).toEqual({ stored: 6, quarantined: 0 });
    const after = await written("sale");
    expect(after.author).toBe("evolve");
    // One change, unless the machine was so slow that the partitions came far apart.
    expect(after.version).toBeLessThanOrEqual(3);
    const tables = () =>
      world.sql("SELECT name FROM system.tables WHERE database = 'weir_state' AND name LIKE 'ods\\_\\_sale\\_\\_v%'");
    const isAlone = (seen: readonly object[]) => seen.length === 1;
    await until("the tables before it to be dropped", tables, { holds: isAlone, withinMs: 10_000 });
    const added = [...after.text.matchAll(/^ {2}`(\w+)` (\S+) COMMENT 'added by evolve on [\d-]{10}'/gm)];
    expect(after.text.startsWith(before.text.slice(0, before.text.indexOf(" -- small")))).toBe(true);
    expect(after.text).toContain("n Nullable(UInt8), -- small\n");
    expect(added.map(([, name, type]) => `${name} ${type}`).sort()).toEqual(
      ["coupon Nullable(String)", "paid Nullable(Bool)", "price Nullable(Float64)"], // the fraction has the last word
    );
    expect(await world.sql("SELECT id, n, coupon, paid, price FROM ods.sale ORDER BY id")).toEqual([
      { id: "a", n: 1, coupon: null, paid: null, price: null },
      { id: "b", n: null, coupon: "X1", paid: true, price: null },
      { id: "c", n: null, coupon: null, paid: null, price: null },
      { id: "d", n: null, coupon: null, paid: null, price: 1 },
      { id: "e", n: null, coupon: null, paid: null, price: 1.5 },
      { id: "f", n: null, coupon: null, paid: null, price: null },
    ]);
  });

  test("adds what a changed row has more, and keeps what happened to it", async () => {
    const row = { id: "a", n: 1 };
    await produce("ledger", [
      { before: null, after: row, op: "c" },
      { before: row, after: { ...row, status: "paid" }, op: "u" },
      { before: { ...row, status: "paid" }, after: null, op: "d" },
    ]);
    expect(await settled("ledger")).toEqual({ stored: 3, quarantined: 0 });
    expect(await world.sql("SELECT _op AS op, status FROM ods.ledger ORDER BY _offset")).toEqual([
      { op: "c", status: null },
      { op: "u", status: "paid" },
      { op: "d", status: "paid" },
    ]);
  });

  test("judges what comes later by the type that it found", async () => {
    await produce("sale", [
      { id: "g", coupon: 7 },
      { id: "h", paid: false },
    ]);
    expect(await settled("sale")).toEqual({ stored: 7, quarantined: 1 });
    expect(await reasons("sale")).toEqual([
      "7 is not a string, which String needs; evolve took the type from the first value; correct it in the definition, apply, then replay",
    ]);
  });

  test("is a conflict for whoever edits the file meanwhile", async () => {
    const { catalog } = await written("sale");
    const files = [{ path: "ods/sale.sql", text: definition("sale", "id String, m Nullable(UInt8)") }];
    const body = JSON.stringify({ files, base: catalog - 1, allow_destructive: true });
    const answer = (await (await world.post("/v1/admin/definitions", body, json)).json()) as object;
    expect(answer).toMatchObject({ done: false, conflicts: [{ name: "ods.sale", author: "evolve", catalog }] });
  });

  test("keeps what becomes no column in the quarantine, and holds nobody up", async () => {
    const { catalog } = await written("hostile");
    const many = Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`f${index}`, index]));
    await produce("hostile", [
      { id: "a", "x` String) ENGINE = Null; --": 1 },
      { id: "b", _offset: 7 },
      { id: "c", ID: "d" },
      { id: "d", nested: { a: 1 } },
      { id: "e", ["x".repeat(65)]: 1 },
      { id: "f", ...many },
      { id: "g", n: "much", extra: 1 },
      { id: "h" },
    ]);
    expect(await settled("hostile")).toEqual({ stored: 1, quarantined: 7 });
    expect((await reasons("hostile")).map((reason) => reason.slice(0, 40))).toEqual([
      "no column is named x` String) ENGINE = N",
      "no column is named _offset, and names th",
      "no column is named ID, and only its case",
      '{"a":1} is no plain value, which is all ',
      "no column is named xxxxxxxxxxxxxxxxxxxxx",
      "the record has 21 fields which no column",
      '"much" is not an integer for UInt8',
    ]);
    expect((await written("hostile")).catalog).toBe(catalog);
  });

  test("leaves out what a model above does not bear, and adds the rest", async () => {
    await produce(
      "visit",
      [
        { id: "a", town: "Ulm" },
        { id: "b", pages: 3 },
      ],
      [{ id: "c", town: "Ulm", pages: 4 }],
    );
    expect(await settled("visit")).toEqual({ stored: 1, quarantined: 2 });
    const { text } = await written("visit");
    expect(text).toContain('drift: evolve\nleave_out: ["town"]\n---*/');
    expect(await world.sql("SELECT id, pages FROM ods.visit")).toEqual([{ id: "b", pages: "3" }]);
    expect(await reasons("visit")).toEqual(
      Array(2).fill("no column is named town, which leave_out keeps out: declare it, apply, then replay"),
    );
    await produce("visit", [{ id: "a", pages: 5 }]);
    await settled("visit");
    expect(await world.sql("SELECT id, town FROM dwf.visit_place ORDER BY id")).toEqual([
      { id: "a", town: "Berlin" },
      { id: "b", town: "" },
    ]);
  });

  test("takes through the door what it will add, and refuses what it will not", async () => {
    const sent = [
      { id: "i", channel: "web" },
      { id: "j", basket: [1] },
    ];
    const response = await world.post("/v1/ingest/hostile?wait=20000", JSON.stringify(sent), json);
    expect({ status: response.status, ...((await response.json()) as object) }).toMatchObject({
      ...{ status: 200, accepted: 1, visible: true },
      rejected: [{ index: 1, column: "basket", reason: expect.stringContaining("is no plain value") }],
    });
    expect(await world.sql("SELECT channel FROM ods.hostile WHERE id = 'i'")).toEqual([{ channel: "web" }]);
  });
});

describe("a source that evolves when the process dies before", () => {
  test.each(CUTS)("%s", async (_, name, ...told) => {
    await produce(
      name,
      [...good(["a", "b"]), { id: "c", late: 1 }, { id: "d" }],
      [{ id: "e", early: "x" }, ...good(["f"])],
    );
    dies = (sql) => told.every((part) => sql.includes(part));
    await until("the death", async () => life, { holds: (seen) => seen === "dead", withinMs: 20_000 });
    life = "closing";
    await world.kill();
    await open();
    expect(await settled(name)).toEqual({ stored: 6, quarantined: 0 });
    expect(await world.sql(`SELECT id, late, early FROM ods.${name} ORDER BY id`)).toEqual(
      ["a", "b", "c", "d", "e", "f"].map((id) => ({
        ...{ id, late: id === "c" ? "1" : null, early: id === "e" ? "x" : null },
      })),
    );
  });
});

describe("a source at its bound", () => {
  test("goes on once its columns are somebody's own", async () => {
    const { text } = await written("bounded");
    await world.apply({ bounded: text.replaceAll("added by evolve", "seen since") });
    const answer = await world.post("/v1/admin/quarantine/replay", JSON.stringify({ source: "bounded" }), json);
    expect(await answer.json()).toMatchObject({ counts: { replayed: 1 } });
    expect(await settled("bounded")).toEqual({ stored: 3, quarantined: 1 });
    expect(await world.sql("SELECT id, beyond FROM ods.bounded WHERE id = 'b'")).toEqual([{ id: "b", beyond: "1" }]);
  });
});
