/**
 * Formats as a whole: what every decoder does with a tombstone, and with bytes that nobody has meant.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { conform } from "../conform/conform.ts";
import type { Source } from "../source.ts";
import { readAvroSchema } from "./avro_schema.ts";
import { decoderOf, type Format, hasOps, jsonDecoder, usesRegistry } from "./format.ts";
import type { SchemaOf } from "./wire_format.ts";

const SEED = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 2 ** 31));
const RECORDS = 3_000;

const AVRO = JSON.stringify({
  ...{ type: "record", name: "R" },
  fields: [
    { name: "id", type: "long" },
    { name: "at", type: { type: "long", logicalType: "timestamp-micros" } },
    { name: "price", type: { type: "bytes", logicalType: "decimal", scale: 2 } },
    { name: "tags", type: { type: "array", items: ["null", "string", { type: "map", values: "double" }] } },
  ],
});
/** A change as Debezium writes it with Avro: rows by name, times by Connect's names. */
const CHANGE = JSON.stringify({
  ...{ type: "record", name: "Envelope", namespace: "shop.orders" },
  fields: [
    {
      name: "before",
      type: [
        "null",
        {
          ...{ type: "record", name: "Value" },
          fields: [
            { name: "id", type: "long" },
            { name: "at", type: { type: "long", "connect.name": "io.debezium.time.MicroTimestamp" } },
            { name: "day", type: { type: "int", "connect.name": "io.debezium.time.Date" } },
          ],
        },
      ],
    },
    { name: "after", type: ["null", "Value"] },
    { name: "op", type: "string" },
  ],
});
const PROTO = `syntax = "proto3"; import "google/protobuf/timestamp.proto";
  message R { int64 id = 1; google.protobuf.Timestamp at = 2; repeated sint32 n = 3; map<string, R> m = 4; string s = 5; }`;

const FORMATS: readonly Format[] = [
  { kind: "csv", delimiter: ",", columns: ["id", "at"] },
  { kind: "debezium" },
  { kind: "canal" },
  { kind: "avro", schema: AVRO, isChange: false },
  { kind: "avro", schema: new Map([[7, AVRO]]), isChange: false },
  { kind: "avro", schema: CHANGE, isChange: true },
  { kind: "protobuf", schema: PROTO, message: "R", isFramed: false },
  { kind: "protobuf", schema: PROTO, message: "R", isFramed: true },
  { kind: "avro", schema: undefined, isChange: false },
];

const sourceOf = (format: Format): Source => ({
  ...{
    kind: "source",
    layer: "ods",
    name: "r",
    doc: "",
    topic: "r",
    partitions: 1,
    key: undefined,
    eventTime: undefined,
  },
  ...{ unknown: "ignore", format, drift: "quarantine", retention: {}, partitionBy: "month" },
  columns: ["id", "at"].map((name) => ({ name, type: "Nullable(String)", comment: "", codec: "" })),
});

/** A registry that has one schema for all. */
const EVERY = { kind: "schema", schema: readAvroSchema(AVRO) } as const;
const everyId: SchemaOf = () => EVERY;

/** Small whole numbers, the same for the same seed. */
function below(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return Math.floor((state / 2 ** 31) * bound);
  };
}

/** Bytes that often look like something: small numbers, quotes, braces, or a message that was cut or changed. */
function noise(random: (bound: number) => number): Uint8Array {
  const known = [
    '{"before":null,"after":{"id":1,"at":"x"},"op":"c"}',
    '{"schema":{"fields":[{"field":"after","fields":[{"field":"id","name":"io.debezium.time.Date"}]}]},"payload":{"after":{"id":1},"op":"u"}}',
    '{"type":"INSERT","data":[{"id":"1","at":null}],"isDdl":false}',
    '"a","b ""c"""',
  ];
  const text = known[random(known.length * 2)];
  const bytes =
    text === undefined
      ? Uint8Array.from({ length: random(40) }, () => random(random(2) === 0 ? 10 : 256))
      : Buffer.from(text);
  for (let changes = random(4); changes > 0 && bytes.length > 0; changes--) bytes[random(bytes.length)] = random(256);
  if (random(3) === 0 && bytes.length > 5) bytes.set([0, 0, 0, 0, 7], 0);
  return bytes.subarray(0, random(4) === 0 ? random(bytes.length + 1) : bytes.length);
}

describe("decoderOf()", () => {
  test("is nothing for JSON, which needs none", () => {
    expect(decoderOf(sourceOf({ kind: "json" }), [])).toBeUndefined();
    expect(FORMATS.map(hasOps)).toEqual([false, true, true, false, false, true, false, false, false]);
    expect(FORMATS.filter(usesRegistry)).toEqual([{ kind: "avro", schema: undefined, isChange: false }]);
  });

  test.each(FORMATS.map((format, index) => [format.kind, index] as const))(
    "%s answers any bytes (%#)",
    (kind, index) => {
      const { decoder, judge } = conform(sourceOf(FORMATS[index]!));
      const random = below(SEED + index);
      const seen = new Set<string>();
      for (let n = 0; n < RECORDS; n++) {
        const bytes = noise(random);
        const before = Buffer.from(bytes).toString("hex");
        const said = decoder!(bytes, everyId);
        seen.add(said.kind);
        const about = `${kind} of ${before}, WEIR_SEED=${SEED}`;
        expect(Buffer.from(bytes).toString("hex"), about).toBe(before);
        expect(decoder!(bytes, everyId), about).toEqual(said);
        if (said.kind !== "row") continue;
        expect(() => JSON.parse(said.text), about).not.toThrow();
        expect(typeof judge(said.text, 0).ok, about).toBe("boolean");
      }
      expect(seen.has("refused")).toBe(true);
    },
  );

  test.each(FORMATS.map((format) => [format.kind, format] as const))("%s judges a tombstone", (kind, format) => {
    const said = decoderOf(sourceOf(format), [])!(null);
    const isChange = kind === "debezium" || (format.kind === "avro" && format.isChange);
    expect(said.kind).toBe(isChange ? "nothing" : "refused");
  });

  test("reads Debezium's changes inside Avro", () => {
    const decoder = decoderOf(sourceOf({ kind: "avro", schema: CHANGE, isChange: true }), [])!;
    expect(decoder(Buffer.from("00 02 02 02 02 02 63".replaceAll(" ", ""), "hex"))).toEqual({
      ...{ kind: "row", op: "c" },
      text: '{"id":1,"at":"1970-01-01T00:00:00.000001","day":"1970-01-02"}',
    });
    expect(decoder(Buffer.from("02 02 01 00 00 02 64".replaceAll(" ", ""), "hex"))).toEqual({
      ...{ kind: "row", op: "d" },
      text: '{"id":1,"at":"1969-12-31T23:59:59.999999","day":"1970-01-01"}',
    });
    expect(decoder(Buffer.from("00 00 02 74".replaceAll(" ", ""), "hex"))).toMatchObject({
      kind: "refused",
      reason: "it is no change of a row (c, u, d or r): its op is 't'",
    });
  });

  test("reads them by what a registry says, and needs no registry for a tombstone", () => {
    const decoder = decoderOf(sourceOf({ kind: "avro", schema: undefined, isChange: true }), [])!;
    const schemaOf: SchemaOf = (id) =>
      id === 7 ? { kind: "schema", schema: readAvroSchema(CHANGE) } : { kind: "refused", reason: `no ${id}` };
    const record = (id: string) => Buffer.from(`00000000${id}00020202020263`, "hex");
    expect(decoder(record("07"), schemaOf)).toMatchObject({ kind: "row", op: "c" });
    expect(decoder(record("08"), schemaOf)).toEqual({ kind: "refused", column: "", reason: "no 8" });
    expect(decoder(null)).toMatchObject({ kind: "nothing" });
  });
});

describe("jsonDecoder", () => {
  test("takes a text as it is, and refuses what is none", () => {
    expect(jsonDecoder(Buffer.from(" {} "))).toEqual({ kind: "row", text: " {} ", op: "c" });
    expect(jsonDecoder(Uint8Array.of(0xff))).toMatchObject({ kind: "refused", reason: "the event is not valid UTF-8" });
    expect(jsonDecoder(null)).toMatchObject({ kind: "refused", reason: "the record has no value" });
  });
});
