/**
 * Avro: every type to the last digit, every mistake in a schema, and bytes that mean harm.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { avroDecoder } from "./avro.ts";
import { readAvroSchema } from "./avro_schema.ts";
import { SchemaRefused, Undecodable } from "./undecodable.ts";
import type { Registered } from "./wire_format.ts";

/** A record of one field `v`. */
const schemaOf = (type: unknown) => JSON.stringify({ type: "record", name: "R", fields: [{ name: "v", type }] });
const bytesOf = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));

/** The text of `v`, or `column: reason`. */
function decoded(type: unknown, hex: string): string {
  try {
    const said = avroDecoder(schemaOf(type))(bytesOf(hex));
    if (said.kind !== "row") return said.kind;
    return said.text.slice('{"v":'.length, -1);
  } catch (error) {
    if (!(error instanceof Undecodable)) throw error;
    return `${error.column}: ${error.message}`;
  }
}

const logical = (type: unknown, logicalType: string, more: object = {}) => ({ type, logicalType, ...more });
const NODE = { type: "record", name: "Node", fields: [{ name: "next", type: ["null", "Node"] }] };

describe("avroDecoder()", () => {
  test.each<readonly [string, unknown, string, string]>([
    ["null", "null", "", "null"],
    ["true", "boolean", "01", "true"],
    ["the smallest int", "int", "ff ff ff ff 0f", "-2147483648"],
    ["the largest long", "long", "fe ff ff ff ff ff ff ff ff 01", "9223372036854775807"],
    ["the smallest long", "long", "ff ff ff ff ff ff ff ff ff 01", "-9223372036854775808"],
    ["a float", "float", "00 00 c0 3f", "1.5"],
    ["a double with all of its digits", "double", "9a 99 99 99 99 99 b9 3f", "0.1"],
    ["minus zero", "double", "00 00 00 00 00 00 00 80", "-0.0"],
    ["no number, for the judge to refuse", "double", "00 00 00 00 00 00 f8 7f", '"NaN"'],
    ["a text with what JSON escapes", "string", "06 22 0a c3", ": a text is not valid UTF-8"],
    ["a text", "string", "08 22 0a c3 a9", '"\\"\\né"'],
    ["bytes as base64", "bytes", "04 ff 00", '"/wA="'],
    ["fixed as base64", { type: "fixed", name: "F", size: 2 }, "ff 00", '"/wA="'],
    ["an enum's symbol", { type: "enum", name: "E", symbols: ["A", "B"] }, "02", '"B"'],
    ["an array in two blocks, one with its bytes", { type: "array", items: "int" }, "02 02 03 04 04 06 00", "[1,2,3]"],
    ["an empty array", { type: "array", items: "int" }, "00", "[]"],
    ["a map", { type: "map", values: "long" }, "02 02 61 04 00", '{"a":2}'],
    ["null of a union", ["null", "string"], "00", "null"],
    ["a value of a union", ["null", "string"], "02 02 61", '"a"'],
    ["a record inside", { ...NODE, fields: [{ name: "x", type: "int" }] }, "02", '{"x":1}'],
    ["a record that names itself", NODE, "02 02 00", '{"next":{"next":{"next":null}}}'],
    ["a day", logical("int", "date"), "a2 b4 02", '"2024-01-07"'],
    ["a day before 1970", logical("int", "date"), "01", '"1969-12-31"'],
    ["milliseconds", logical("long", "timestamp-millis"), "02", '"1970-01-01T00:00:00.001Z"'],
    ["microseconds before 1970", logical("long", "timestamp-micros"), "01", '"1969-12-31T23:59:59.999999Z"'],
    ["nanoseconds", logical("long", "timestamp-nanos"), "02", '"1970-01-01T00:00:00.000000001Z"'],
    ["a local time without an offset", logical("long", "local-timestamp-millis"), "02", '"1970-01-01T00:00:00.001"'],
    ["a decimal", logical("bytes", "decimal", { precision: 9, scale: 2 }), "04 04 d2", '"12.34"'],
    ["a small negative decimal", logical("bytes", "decimal", { precision: 9, scale: 3 }), "02 ff", '"-0.001"'],
    ["a decimal without a scale", logical("bytes", "decimal", { precision: 9 }), "02 80", '"-128"'],
    [
      "38 digits in a fixed",
      { ...logical("fixed", "decimal", { precision: 38, scale: 0 }), name: "D", size: 16 },
      "4b 3b 4c a8 5a 86 c4 7a 09 8a 22 3f ff ff ff ff",
      '"99999999999999999999999999999999999999"',
    ],
    [
      "a UUID",
      { ...logical("fixed", "uuid"), name: "U", size: 16 },
      "61 f0 c4 04 5c b3 11 e7 90 7b a6 00 6a d3 db a0",
      '"61f0c404-5cb3-11e7-907b-a6006ad3dba0"',
    ],
    ["a logical type that nobody knows as its plain type", logical("int", "furlongs"), "02", "1"],
    ["times of a day as numbers", logical("int", "time-millis"), "02", "1"],
  ])("reads %s", (_, type, hex, expected) => {
    expect(decoded(type, hex)).toBe(expected.startsWith(":") ? `v${expected}` : expected);
  });

  test.each<readonly [string, unknown, string, string]>([
    ["nothing", "int", "", "v: the record ends too early"],
    ["a number that is cut off", "long", "ff", "v: the record ends too early"],
    ["a number without an end", "long", "ff".repeat(11), "v: a number at byte 0 has more than 10 bytes"],
    ["an int of 33 bits", "int", "80 80 80 80 20", "v: 4294967296 is no int, which has 32 bits"],
    ["a boolean that is neither", "boolean", "02", "v: 2 is no boolean, which is 0 or 1"],
    ["bytes left over", "int", "02 00", ": the record has 1 bytes more than its schema says"],
    ["a text beyond the record", "string", "fe ff ff ff 0f 61", "v: a length of 2147483647 goes beyond the record"],
    ["a negative length", "bytes", "01", "v: a length of -1 goes beyond the record"],
    [
      "a symbol that is not there",
      { type: "enum", name: "E", symbols: ["A"] },
      "02",
      "v: 1 is none of the 1 enum's symbols",
    ],
    ["a type that the union has not", ["null"], "01", "v: -1 is none of the 1 union's types"],
    [
      "an array of nothing, a milliard times",
      { type: "array", items: "null" },
      "80 a8 d6 b9 07 00",
      "v: the record has 1000000000 items, more than bytes",
    ],
    [
      "a block of fewest items",
      { type: "array", items: "int" },
      "ff ff ff ff ff ff ff ff ff 01 00",
      "v: the record has 9223372036854775808 items, more than bytes",
    ],
    [
      "values inside each other without end",
      NODE,
      `${"02".repeat(70)}00`,
      "v: the record has more than 64 values inside each other",
    ],
    [
      "a day outside the calendar",
      logical("int", "date"),
      "ff ff ff ff 0f",
      "v: -2147483648 days since 1970 is no day of the calendar",
    ],
    [
      "a time outside the calendar",
      logical("long", "timestamp-millis"),
      "fe ff ff ff ff ff ff ff ff 01",
      "v: 9223372036854775807 is no time of the calendar, counted since 1970 in units of 10^-3 s",
    ],
    ["a decimal without bytes", logical("bytes", "decimal", { precision: 4 }), "00", "v: a decimal has no bytes"],
    [
      "a decimal that no database has",
      logical("bytes", "decimal", { precision: 4 }),
      `8402${"00".repeat(130)}`,
      "v: a decimal has 130 bytes; at most 64 are taken",
    ],
  ])("refuses %s", (_, type, hex, expected) => {
    expect(decoded(type, hex)).toBe(expected);
  });

  test("bounds what few bytes unfold into", () => {
    const name = "n".repeat(1_000);
    const item = { type: "record", name: "I", fields: [{ name, type: "int" }] };
    const hex = `80 fa 01 ${"00".repeat(16_000)} 00`;
    expect(decoded({ type: "array", items: item }, hex)).toMatch(/^v: the record would be more than \d+ characters/);
  });

  test("bounds the values of a record", () => {
    const hex = `c0 9a 0c ${"00".repeat(100_000)} 00`;
    expect(decoded({ type: "array", items: "int" }, hex)).toBe("v: the record has more than 100000 values");
  });

  test("reads each record by the id in front of it", () => {
    const decode = avroDecoder(new Map([7, 8].map((id) => [id, schemaOf(id === 7 ? "int" : "string")])));
    expect(decode(bytesOf("00 00000007 02"))).toEqual({ kind: "row", text: '{"v":1}', op: "c" });
    expect(decode(bytesOf("00 00000008 02 61"))).toEqual({ kind: "row", text: '{"v":"a"}', op: "c" });
    expect(() => decode(bytesOf("00 00000009 02"))).toThrow("schema 9 is not among the definition's (7, 8): add it");
    for (const hex of ["", "00 000000", "01 00000007 02"])
      expect(() => decode(bytesOf(hex))).toThrow("does not begin with a zero byte and the id of its schema");
  });

  test("reads each record by what a registry says of its id", () => {
    const decode = avroDecoder(undefined);
    const registry = (id: number): Registered =>
      id === 7
        ? { kind: "schema", schema: readAvroSchema(schemaOf("int")) }
        : { kind: "refused", reason: `schema ${id} is gone` };
    expect(decode(bytesOf("00 00000007 02"), registry)).toEqual({ kind: "row", text: '{"v":1}', op: "c" });
    expect(() => decode(bytesOf("00 00000008 02"), registry)).toThrow("schema 8 is gone");
    expect(() => decode(bytesOf("00 80000000 02"), registry)).toThrow("no schema registry gives the id 2147483648");
    expect(() => decode(bytesOf("00 00000007 02"))).toThrow("no schema registry was asked for schema 7");
    expect(() => decode(bytesOf("7b 7d"), registry)).toThrow("does not begin with a zero byte");
  });
});

describe("readAvroSchema()", () => {
  const record = (fields: unknown) => JSON.stringify({ type: "record", name: "R", fields });
  const deep = (levels: number): unknown => (levels === 0 ? "int" : { type: "array", items: deep(levels - 1) });
  test.each([
    ["text that is no JSON", "{", "it is not JSON"],
    ["what is no record", '"string"', "its outermost type is string, and rows are records"],
    ["a type that is not there", record([{ name: "v", type: "Foo" }]), "there is no type 'Foo' in it"],
    ["no type", record([{ name: "v" }]), "null is no type"],
    ["a number as a type", record([{ name: "v", type: 5 }]), "5 is no type"],
    ["a record without fields", '{"type":"record","name":"R"}', "the record 'R' has no list of fields"],
    ["a field twice", record([1, 2].map(() => ({ name: "v", type: "int" }))), "has two fields 'v'"],
    ["a name with a quote", record([{ name: 'v"', type: "int" }]), "is no name"],
    ["a type twice", record([{ name: "v", type: { type: "record", name: "R", fields: [] } }]), "it defines 'R' twice"],
    ["types without end", record([{ name: "v", type: deep(70) }]), "more than 64 types inside each other"],
    ["a scale that is none", schemaOf(logical("bytes", "decimal", { scale: -1 })), "a decimal has the scale -1"],
    ["a size that is none", schemaOf({ type: "fixed", name: "F", size: 1e9 }), "the size of 'F'"],
    ["an enum without symbols", schemaOf({ type: "enum", name: "E" }), "has no list of symbols"],
  ])("refuses %s", (_, text, problem) => {
    expect(() => readAvroSchema(text)).toThrow(SchemaRefused);
    expect(() => readAvroSchema(text)).toThrow(problem);
  });

  test("finds types of the schemas that it refers to, and counts their names", () => {
    const types = [
      { type: "enum", name: "a.E", symbols: ["X"] },
      { type: "record", name: "a.In", fields: [{ name: "e", type: "E" }] },
    ].map((type) => JSON.stringify(type));
    const text = schemaOf("a.In");
    const { type, chars } = readAvroSchema(text, types);
    expect(type.fields).toMatchObject([{ name: "v", type: { kind: "record", name: "a.In" } }]);
    expect(chars).toBe(text.length + types[0]!.length + types[1]!.length);
    expect(() => readAvroSchema(text, types.toReversed())).toThrow("there is no type 'E' in it");
    expect(() => readAvroSchema(text, [...types, types[0]!])).toThrow("it defines 'a.E' twice");
  });

  test("finds types by their names, with and without namespace", () => {
    const inner = {
      type: "record",
      name: "b.In",
      fields: [{ name: "e", type: { type: "enum", name: "E", symbols: ["X"] } }],
    };
    const fields = [
      { name: "one", type: inner },
      { name: "two", type: "b.In" },
      { name: "three", type: "b.E" },
      { name: "four", type: { type: "fixed", name: "F", size: 1 } },
      { name: "five", type: "F" },
      { name: "six", type: "a.F" },
    ];
    const text = JSON.stringify({ type: "record", name: "R", namespace: "a", fields });
    const row = avroDecoder(text)(bytesOf("00 00 00 01 02 03"));
    expect(row).toMatchObject({
      text: '{"one":{"e":"X"},"two":{"e":"X"},"three":"X","four":"AQ==","five":"Ag==","six":"Aw=="}',
    });
  });
});
