/**
 * Formats from end to end: records that other producers wrote into the log become rows, strictly; what does not fit is
 * kept with its own bytes, shown, replayed, and counted.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { RecordWriter } from "@weir/connectors";
import { Effect } from "effect";
import { until } from "./door_process.ts";
import { openWorld, type World } from "./world.ts";

const COLUMNS = "id UInt64, price Decimal(38, 4), at DateTime64(6, 'UTC'), note Nullable(String)";
const source = (name: string, format: string, columns = COLUMNS) => `/*---
kind: source
doc: Prices, written as ${name}.
key: id
retention: { age: 10000 days }
format: ${format}
---*/
CREATE TABLE ods.${name} (${columns})`;

const AVRO = {
  type: "record",
  name: "Price",
  fields: [
    { name: "id", type: "long" },
    { name: "price", type: { type: "bytes", logicalType: "decimal", precision: 38, scale: 4 } },
    { name: "at", type: { type: "long", logicalType: "timestamp-micros" } },
    { name: "note", type: ["null", "string"] },
  ],
};
const PROTO = `syntax = "proto3";
    import "google/protobuf/timestamp.proto";
    message Price { uint64 id = 1; string price = 2; google.protobuf.Timestamp at = 3; optional string note = 4; }`;
const CONNECT = {
  type: "struct",
  fields: ["before", "after"].map((field) => ({
    ...{ type: "struct", field },
    fields: [
      { type: "int64", field: "id" },
      { type: "bytes", name: "org.apache.kafka.connect.data.Decimal", parameters: { scale: "4" }, field: "price" },
      { type: "int64", name: "io.debezium.time.MicroTimestamp", field: "at" },
      { type: "string", field: "note" },
    ],
  })),
};

setDefaultTimeout(60_000);
let world: World;
beforeAll(async () => {
  world = await openWorld();
  await world.apply({
    csv_price: source("csv_price", '{ kind: csv, delimiter: ";" }'),
    debezium_price: source("debezium_price", "debezium"),
    canal_price: source("canal_price", "canal"),
    avro_price: source("avro_price", `\n  kind: avro\n  schemas:\n    7: '${JSON.stringify(AVRO)}'`),
    strict_price: source("strict_price", "json\ndrift: stop"),
    protobuf_price: source("protobuf_price", `\n  kind: protobuf\n  message: Price\n  schema: |\n    ${PROTO}`),
  });
});
afterAll(() => world.close());

type Value = string | object | null;

/** Writes values into partition 0 of a topic, as a producer of its own does. */
async function produce(topic: string, values: readonly Value[]): Promise<void> {
  const records = new RecordWriter();
  for (const value of values) {
    const text = typeof value === "string" || value instanceof Uint8Array ? value : JSON.stringify(value);
    records.add({ key: null, value: value === null ? null : Buffer.from(text as string), timestampMs: Date.now() });
  }
  await Effect.runPromise(world.door.log.append([{ topic, partition: 0, records }]));
}

const bytesOf = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");

/** How many records of a source have become what, once all of them have. */
async function counted(name: string): Promise<Record<string, string>> {
  const ranges = await Effect.runPromise(world.door.log.offsets(name));
  const accepted = ranges.reduce((sum, { latest }) => sum + latest, 0);
  const look = () =>
    world.sql<Record<string, string>>(
      `SELECT sum(b.stored) AS stored, sum(b.duplicate) AS duplicate, sum(b.quarantined) AS quarantined, stored + duplicate + quarantined AS all
       FROM weir.batch AS b WHERE statement = 'ods.${name}'`,
    );
  const [row] = await until("the markers", look, { holds: ([one]) => Number(one?.all) === accepted, withinMs: 20_000 });
  const [{ rows }] = (await world.sql<{ rows: string }>(`SELECT count() AS rows FROM ods.${name}`)) as [
    { rows: string },
  ];
  expect(rows).toBe(row!.stored!);
  const { all: _, ...counts } = row!;
  return counts;
}

const rowsOf = (name: string) =>
  world.sql(`SELECT id, price, at, note, _op AS op FROM ods.${name} ORDER BY _partition, _offset`);

interface Bad {
  readonly offset: number;
  readonly column: string | null;
  readonly reason: string;
  readonly raw: string;
  readonly raw_encoding: string;
}

async function ask<A>(path: string, body?: object): Promise<A> {
  const headers = { authorization: `Bearer ${world.token}`, "content-type": "application/json" };
  const init = body === undefined ? { headers } : { headers, method: "POST", body: JSON.stringify(body) };
  return (await (await world.request(`/v1/admin/${path}`, init)).json()) as A;
}

const quarantine = async (name: string) =>
  (await ask<{ rows: readonly Bad[] }>(`quarantine?source=${name}`)).rows.toSorted((a, b) => a.offset - b.offset);

const AT = { at: "2024-01-31T10:20:30.000001Z" };
const LARGE = { id: "9007199254740993", price: "1234567890123456789012.3456" };
/** The price above without its point, and its time: what the formats of bytes hold. */
const UNSCALED = BigInt("12345678901234567890123456").toString(16).padStart(24, "0");
const MICROS = 1_706_696_430_000_001n;

const zigzag = (value: bigint) => varint(value * 2n);
function varint(value: bigint): string {
  let hex = "";
  let rest = value;
  for (; rest > 127n; rest >>= 7n)
    hex += Number((rest & 127n) | 128n)
      .toString(16)
      .padStart(2, "0");
  return hex + Number(rest).toString(16).padStart(2, "0");
}

describe("a source of", () => {
  test("CSV takes lines, through its topic and through the door", async () => {
    await produce("csv_price", [
      "9007199254740993;1234567890123456789012.3456;2024-01-31T10:20:30.000001Z;",
      '1;2.5;2024-01-31 10:20:30;"a;b"',
      "1;2.55555;2024-01-31 10:20:30;x",
      "1;2",
    ]);
    const lines = '3;4;2024-01-31T00:00:00Z;"two\nlines"\n\n4;x;2024-01-31T00:00:00Z;\r\n5;6;2024-01-31T00:00:00Z;';
    const sent = await world.post("/v1/ingest/csv_price?wait=1", lines, { "content-type": "text/csv" });
    expect(await sent.json()).toMatchObject({
      accepted: 2,
      rejected: [{ index: 1, column: "price", reason: '"x" is not a number for Decimal(38, 4)' }],
      visible: true,
    });
    expect(await counted("csv_price")).toEqual({ stored: "4", duplicate: "0", quarantined: "2" });
    const rows = await world.sql("SELECT id, price, at, note, _op AS op FROM ods.csv_price ORDER BY id");
    expect(rows).toMatchObject([
      { id: "1", price: "2.5", note: "a;b", op: "c" },
      { id: "3", price: "4", note: "two\nlines" },
      { id: "5", price: "6", note: null },
      { ...LARGE, ...AT, note: null },
    ]);
  });

  test("Debezium keeps what happened to each row, with and without a schema", async () => {
    const row = { id: 1, price: "2.5", at: "2024-01-31T10:20:30.000001Z", note: null };
    const typed = `{"id":9007199254740993,"price":"${bytesOf(UNSCALED).toString("base64")}","at":${MICROS},"note":"x"}`;
    await produce("debezium_price", [
      { before: null, after: row, op: "r" },
      { before: row, after: { ...row, note: "u" }, op: "u" },
      `{"schema":${JSON.stringify(CONNECT)},"payload":{"before":null,"after":${typed},"op":"c"}}`,
      { before: row, after: null, op: "d" },
      null,
      { before: null, after: { ...row, id: -1 }, op: "c" },
      { op: "t" },
    ]);
    expect(await counted("debezium_price")).toEqual({ stored: "4", duplicate: "1", quarantined: "2" });
    expect(await rowsOf("debezium_price")).toMatchObject([
      { id: "1", op: "r", note: null },
      { id: "1", op: "u", note: "u" },
      { ...LARGE, ...AT, op: "c", note: "x" },
      { id: "1", op: "d" },
    ]);
    expect(await quarantine("debezium_price")).toMatchObject([
      { column: "id", reason: "-1 is out of range for UInt64 (0 to 18446744073709551615)" },
      { column: null, reason: "it is no change of a row (c, u, d or r): its op is 't'", raw: '{"op":"t"}' },
    ]);
  });

  test("Canal reads texts by the columns' types, and leaves changes of the schema out", async () => {
    const row = { ...LARGE, at: "2024-01-31 10:20:30.000001", note: null };
    await produce("canal_price", [
      { type: "INSERT", isDdl: false, data: [row] },
      { type: "ALTER", isDdl: true, data: null },
      { type: "DELETE", isDdl: false, data: [row] },
      { type: "INSERT", isDdl: false, data: [row, row] },
    ]);
    expect(await counted("canal_price")).toEqual({ stored: "2", duplicate: "1", quarantined: "1" });
    expect(await rowsOf("canal_price")).toMatchObject([
      { ...LARGE, ...AT, op: "c" },
      { ...LARGE, ...AT, op: "d" },
    ]);
  });

  test("Avro keeps every digit, and the bytes of what does not fit; replayed once its schema is known", async () => {
    const plain = `${zigzag(9_007_199_254_740_993n)} ${zigzag(12n)} ${UNSCALED} ${zigzag(MICROS)}`;
    const later = bytesOf(`00 00000008 ${plain} 02 02 61`);
    await produce("avro_price", [bytesOf(`00 00000007 ${plain} 00`), later, bytesOf(`00 00000007 ${plain}`)]);
    expect(await counted("avro_price")).toEqual({ stored: "1", duplicate: "0", quarantined: "2" });
    expect(await rowsOf("avro_price")).toMatchObject([{ ...LARGE, ...AT, note: null, op: "c" }]);
    const bad = await quarantine("avro_price");
    expect(bad).toMatchObject([
      { column: null, reason: "schema 8 is not among the definition's (7): add it", raw_encoding: "base64" },
      { column: "note", reason: "the record ends too early" },
    ]);
    expect(Buffer.from(bad[0]!.raw, "base64").equals(later)).toBe(true);

    const schemas = `\n  kind: avro\n  schemas:\n    7: '${JSON.stringify(AVRO)}'\n    8: '${JSON.stringify(AVRO)}'`;
    await world.apply({ avro_price: source("avro_price", schemas) });
    const { counts } = await ask<{ counts: object }>("quarantine/replay", { source: "avro_price" });
    expect(counts).toEqual({ replayed: 1, "still bad": 1 });
    expect(await counted("avro_price")).toEqual({ stored: "2", duplicate: "0", quarantined: "2" });
    expect((await rowsOf("avro_price")).map((row) => row.note)).toContain("a");
  });

  test("Protobuf keeps every digit, and says which field is damaged", async () => {
    const price = Buffer.from(LARGE.price).toString("hex");
    const at = `1a 09 08 ${varint(1_706_696_430n)} 10 e807`;
    await produce("protobuf_price", [
      bytesOf(`08 ${varint(9_007_199_254_740_993n)} 12 ${varint(BigInt(LARGE.price.length))} ${price} ${at}`),
      bytesOf("08 01 12 01 31"),
      bytesOf("08 01 12 01 ff"),
    ]);
    expect(await counted("protobuf_price")).toEqual({ stored: "1", duplicate: "0", quarantined: "2" });
    expect(await rowsOf("protobuf_price")).toMatchObject([{ ...LARGE, ...AT, note: null }]);
    expect(await quarantine("protobuf_price")).toMatchObject([
      { column: "at", reason: "null is not allowed for DateTime64(6, 'UTC')" },
      { column: "price", reason: "a text is not valid UTF-8" },
    ]);
  });
});

describe("drift: stop", () => {
  const good = (id: number) => ({ id, price: "1", at: "2024-01-31T10:20:30Z" });
  const stored = async () =>
    (await world.sql<{ id: string }>("SELECT id FROM ods.strict_price ORDER BY id")).map(({ id }) => Number(id));
  const note = () =>
    world.door.sources.registry.reports().find(({ address }) => address === "table/ods.strict_price")?.note;

  test("stops the partition in front of the record, loudly, and goes on once the source is corrected", async () => {
    await produce("strict_price", [good(1), good(2), { ...good(3), price: 1.23456 }, good(4)]);
    const why =
      "Cannot land strict_price/0 from offset 2 on: price: 1.23456 has more than 4 digits after the point, which Decimal(38, 4) would drop. Correct the source or say `drift: quarantine`, and apply it.";
    await until("the stop", async () => note(), { holds: (seen) => seen === why, withinMs: 20_000 });
    await until("what is in front of it", stored, { holds: (ids) => ids.length === 2, withinMs: 20_000 });
    const sent = [5, 6, 7, 8, 9, 10].map(good);
    const json = { "content-type": "application/json" };
    const answer = await world.post("/v1/ingest/strict_price", JSON.stringify(sent), json);
    expect(answer.status).toBe(202);
    const ready = await world.request("/readyz");
    expect([ready.status, await ready.json()]).toMatchObject([503, { reasons: ["table/ods.strict_price is stopped"] }]);
    const { actors } = await ask<{ actors: { stopped: object[] } }>("status");
    expect(actors.stopped).toEqual([{ address: "table/ods.strict_price", state: "stopped", note: why }]);
    expect(await stored()).not.toContain(4);
    expect(await quarantine("strict_price")).toEqual([]);

    await world.apply({ strict_price: source("strict_price", "json\ndrift: stop", COLUMNS.replace("38, 4", "38, 5")) });
    await until("everything", stored, { holds: (ids) => ids.length === 10, withinMs: 20_000 });
    expect(await stored()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(await counted("strict_price")).toEqual({ stored: "10", duplicate: "0", quarantined: "0" });
  });
});

describe("the door", () => {
  test.each([
    ["avro_price", "application/json", "format_of_producers"],
    ["debezium_price", "application/json", "format_of_producers"],
    ["csv_price", "application/json", "unsupported_media_type"],
  ])("takes nothing for %s as %s", async (name, type, code) => {
    const response = await world.post(`/v1/ingest/${name}`, "{}", { "content-type": type });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({ error: { code } });
  });

  test("refuses a source that asks a schema registry where none is configured, and says where", async () => {
    const path = "ods/registry_price.sql";
    const files = [{ path, text: source("registry_price", "{ kind: avro, schemas: registry }") }];
    const json = { "content-type": "application/json" };
    const response = await world.post("/v1/admin/definitions", JSON.stringify({ files }), json);
    expect([response.status, await response.json()]).toMatchObject([
      422,
      {
        done: false,
        errors: [
          {
            ...{ file: path, line: 6, column: 23 },
            message: "Cannot use 'format.schemas': no schema registry is configured.",
            hint: expect.stringContaining("Set SCHEMA_REGISTRY_URL"),
          },
        ],
      },
    ]);
  });

  test("tells in its document only what it takes", async () => {
    const headers = { authorization: `Bearer ${world.token}` };
    const { paths } = (await (await world.request("/v1/openapi.json", { headers })).json()) as {
      paths: Record<string, { post?: { requestBody: { content: Record<string, { example: string }> } } }>;
    };
    expect(Object.keys(paths).filter((path) => path.startsWith("/v1/ingest/"))).toEqual([
      "/v1/ingest/csv_price",
      "/v1/ingest/strict_price",
    ]);
    const { content } = paths["/v1/ingest/csv_price"]!.post!.requestBody;
    const { example } = content["text/csv"]!;
    const sent = await world.post("/v1/ingest/csv_price", example, { "content-type": "text/csv" });
    expect(await sent.json()).toMatchObject({ accepted: 1, rejected: [] });
  });

  test("shows what a record means beside its bytes", async () => {
    const headers = { authorization: `Bearer ${world.token}` };
    const tail = async (name: string, query: string) => {
      const answer = await world.request(`/v1/admin/sources/${name}/tail?partition=0&${query}`, { headers });
      return (await answer.text())
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as object);
    };
    expect(await tail("avro_price", "from=earliest&limit=3")).toMatchObject([
      { op: "c", row: expect.stringContaining('{"id":9007199254740993,"price":"1234567890123456789012.3456"') },
      {},
      { refused: { column: "note", reason: "the record ends too early" } },
    ]);
    expect((await tail("debezium_price", "from=earliest&limit=5"))[4]).toMatchObject({
      value: null,
      no_row: "a tombstone repeats the delete before it",
    });
  });
});
