/**
 * Protobuf: bytes of another encoder read to the last digit, every mistake in a schema, and bytes that mean harm.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { common, parse, Root } from "protobufjs";
import type { UnknownFields } from "../source.ts";
import { readProtoSchema } from "./proto_schema.ts";
import { protobufDecoder } from "./protobuf.ts";
import { SchemaRefused, Undecodable } from "./undecodable.ts";

const SCHEMA = `
syntax = "proto3";
package air.v1;
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/wrappers.proto";
message Flight {
  string id = 1; double d = 2; float f = 3; bool b = 4; bytes raw = 5;
  int32 i32 = 6; sint32 s32 = 7; uint32 u32 = 8; fixed32 f32 = 9; sfixed32 sf32 = 10;
  int64 i64 = 11; sint64 s64 = 12; uint64 u64 = 13; fixed64 f64 = 14; sfixed64 sf64 = 15;
  enum Kind { NONE = 0; LATE = 2; }
  Kind kind = 16;
  optional int32 maybe = 17;
  repeated int64 numbers = 18;
  repeated string words = 19;
  map<string, int64> counts = 20;
  map<int32, Leg> legs = 21;
  message Leg { string from = 1; Flight next = 2; }
  Leg leg = 22;
  google.protobuf.Timestamp at = 23;
  google.protobuf.Duration took = 24;
  google.protobuf.Int64Value wrapped = 25;
  oneof who { string person = 26; int32 number = 27; }
  repeated Kind kinds = 28 [packed = false];
}`;
const FORMAT = { kind: "protobuf", schema: SCHEMA, message: "air.v1.Flight", isFramed: false } as const;

const root = parse(SCHEMA, new Root(), { keepCase: true }).root;
for (const file of ["timestamp", "duration", "wrappers"])
  root.addJSON(common.get(`google/protobuf/${file}.proto`)!.nested!);
const Flight = root.lookupType("air.v1.Flight");

const bytesOf = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));

/** The text of one record, or `column: reason`. */
function decoded(value: Uint8Array, unknown: UnknownFields = "reject", format: typeof FORMAT = FORMAT): string {
  try {
    const said = protobufDecoder(format, unknown)(value);
    return said.kind === "row" ? said.text : said.kind;
  } catch (error) {
    if (!(error instanceof Undecodable)) throw error;
    return `${error.column}: ${error.message}`;
  }
}

/** The text of one field among the others, as it is written by the library's encoder. */
function field(name: string, value: unknown): string {
  const text = decoded(Flight.encode(Flight.fromObject({ [name]: value })).finish());
  const start = text.indexOf(`"${name}":`) + name.length + 3;
  const next = Flight.fieldsArray[Flight.fieldsArray.findIndex((one) => one.name === name) + 1];
  return text.slice(start, next === undefined ? -1 : text.indexOf(`,"${next.name}":`));
}

describe("protobufDecoder()", () => {
  test.each<readonly [string, string, unknown, string]>([
    ["a text", "id", 'é"', '"é\\""'],
    ["a double", "d", 0.1, "0.1"],
    ["a float", "f", 1.5, "1.5"],
    ["infinity, for the judge to refuse", "d", Number.POSITIVE_INFINITY, '"Infinity"'],
    ["a Bool", "b", true, "true"],
    ["bytes", "raw", Buffer.from([255, 0]), '"/wA="'],
    ["an int32 below zero", "i32", -5, "-5"],
    ["a sint32", "s32", -2_147_483_648, "-2147483648"],
    ["a uint32", "u32", 4_294_967_295, "4294967295"],
    ["a fixed32", "f32", 4_294_967_295, "4294967295"],
    ["an sfixed32", "sf32", -1, "-1"],
    ["an int64", "i64", "-9223372036854775808", "-9223372036854775808"],
    ["a sint64", "s64", "9223372036854775807", "9223372036854775807"],
    ["a uint64", "u64", "18446744073709551615", "18446744073709551615"],
    ["a fixed64", "f64", "18446744073709551615", "18446744073709551615"],
    ["an sfixed64", "sf64", "-9007199254740993", "-9007199254740993"],
    ["an enum's name", "kind", "LATE", '"LATE"'],
    ["an enum's number without a name", "kind", 7, "7"],
    ["zero that is there", "maybe", 0, "0"],
    ["packed numbers", "numbers", ["1", "-1", "9007199254740993"], "[1,-1,9007199254740993]"],
    ["unpacked enums", "kinds", ["LATE", "NONE"], '["LATE","NONE"]'],
    ["texts", "words", ["a", ""], '["a",""]'],
    ["a map", "counts", { a: "1", b: "9007199254740993" }, '{"a":1,"b":9007199254740993}'],
    ["a map of messages", "legs", { "7": { from: "x" } }, '{"7":{"from":"x","next":null}}'],
    ["a message", "leg", { from: "x" }, '{"from":"x","next":null}'],
    ["a Timestamp", "at", { seconds: 1, nanos: 2 }, '"1970-01-01T00:00:01.000000002Z"'],
    ["a Timestamp before 1970", "at", { seconds: -1, nanos: 999_999_999 }, '"1969-12-31T23:59:59.999999999Z"'],
    ["a Duration", "took", { seconds: 3, nanos: 500_000_000 }, '"3.5"'],
    ["a Duration below zero", "took", { seconds: 0, nanos: -1 }, '"-0.000000001"'],
    ["a wrapped number", "wrapped", { value: "0" }, "0"],
    ["one of several", "number", 5, "5"],
  ])("reads %s", (_, name, value, expected) => {
    expect(field(name, value)).toBe(expected);
  });

  test("says defaults, nulls and nothing of what is not there", () => {
    expect(decoded(new Uint8Array(0))).toBe(
      '{"id":"","d":0,"f":0,"b":false,"raw":"","i32":0,"s32":0,"u32":0,"f32":0,"sf32":0,"i64":0,"s64":0,"u64":0,"f64":0,"sf64":0,"kind":"NONE","maybe":null,"numbers":[],"words":[],"counts":{},"legs":{},"leg":null,"at":null,"took":null,"wrapped":null,"person":null,"number":null,"kinds":[]}',
    );
  });

  test("takes the last of repeated values, and a message in pieces as one", () => {
    expect(decoded(bytesOf("0a0161 0a0162"))).toContain('{"id":"b"');
    expect(decoded(bytesOf("b201030a0178 b2010212 00"))).toContain('"leg":{"from":"x","next":{"id":""');
    // A map's entry without a value has the default.
    expect(decoded(bytesOf("a201030a0161"))).toContain('"counts":{"a":0}');
  });

  test.each<readonly [UnknownFields, string]>([
    ["reject", ": air.v1.Flight has no field 99 in the definition's schema"],
    ["ignore", '{"id":""'],
    ["keep", '"99":["AQ==","Ag=="]}'],
  ])("leaves what a newer schema has to the source: %s", (unknown, expected) => {
    expect(decoded(bytesOf("9806 01 9806 02"), unknown)).toContain(expected);
  });

  test.each([
    ["a tag that is cut off", "80", ": the record ends too early"],
    ["a length beyond the record", "0a ffffffff0f", ": a length of 4294967295 goes beyond the record"],
    ["a group", "0b", ": field 1 has wire type 3, which is a group or nothing"],
    ["field zero", "0001", ": 0 is no field's number"],
    ["a field's number beyond all", "f8ffffffff7f 01", ": 549755813887 is no field's number"],
    ["another type than the schema's", "0801", "id: its bytes are of another type than the definition's schema says"],
    ["a text that is none", "0a01ff", "id: a text is not valid UTF-8"],
    ["a damaged message inside", "b2010 10a".replaceAll(" ", ""), "leg: the record ends too early"],
    [
      "nanoseconds beyond a second",
      "ba0106 10 80 94 eb dc 03",
      "at: 1000000000 is no count of nanoseconds in a second",
    ],
    ["packed numbers that are cut off", "9201 01 ff", "numbers: the record ends too early"],
  ])("refuses %s", (_, hex, expected) => {
    expect(decoded(bytesOf(hex))).toBe(expected);
  });

  test("bounds messages inside each other", () => {
    let hex = "";
    for (let level = 0; level < 40; level++) {
      const inner = Buffer.from(hex, "hex");
      const next = Buffer.concat([Buffer.from([0x12]), varint(inner.length), inner]);
      hex = Buffer.concat([Buffer.from([0xb2, 0x01]), varint(next.length), next]).toString("hex");
    }
    expect(decoded(bytesOf(hex))).toBe("leg: the record has more than 64 values inside each other");
  });

  test("bounds what few bytes unfold into", () => {
    const schema = `syntax = "proto3"; message Wide { ${Array.from({ length: 200 }, (_, n) => `int32 ${"n".repeat(40)}${n} = ${n + 1};`).join(" ")} } message M { repeated Wide w = 1; }`;
    const format = { ...FORMAT, schema, message: "M" } as unknown as typeof FORMAT;
    expect(decoded(bytesOf("0a00".repeat(2_000)), "reject", format)).toMatch(
      /^w: the record would be more than \d+ char/,
    );
    expect(decoded(bytesOf("3000".repeat(100_001)))).toBe(": the record has more than 100000 values");
  });

  test("takes Confluent's header off", () => {
    const format = { ...FORMAT, isFramed: true } as unknown as typeof FORMAT;
    expect(decoded(bytesOf("00 00000007 00 0a0161"), "reject", format)).toContain('{"id":"a"');
    expect(decoded(bytesOf("00 00000007 0402 00 0a0161"), "reject", format)).toContain('{"id":"a"');
    expect(decoded(bytesOf("00 00000007 7e 0a0161"), "reject", format)).toBe(
      ": the list of the message's indexes is damaged",
    );
    expect(decoded(bytesOf("0a0161"), "reject", format)).toContain("does not begin with a zero byte");
  });
});

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>= 7) bytes.push((rest & 127) | 128);
  return Uint8Array.from([...bytes, rest]);
}

describe("readProtoSchema()", () => {
  const proto = (text: string) => `syntax = "proto3"; ${text}`;
  test.each([
    ["what is no .proto", "message {", "M", "it is no .proto file: illegal type name"],
    ["a type that is not there", proto("message M { Foo f = 1; }"), "M", "no such Type or Enum 'Foo'"],
    ["a number twice", proto("message M { int32 a = 1; int32 b = 1; }"), "M", "duplicate id 1"],
    ["a message that is not there", proto("package p; message M { int32 a = 1; }"), "p.N", "it has no message 'p.N'"],
    [
      "a file that is elsewhere",
      proto('import "other.proto"; message M { int32 a = 1; }'),
      "M",
      "it imports 'other.proto'",
    ],
    [
      "a group",
      'syntax = "proto2"; message M { optional group G = 1 { optional int32 a = 1; } }',
      "M",
      "'M.g' is a group",
    ],
    [
      "messages of any fields",
      proto('import "google/protobuf/struct.proto"; message M { google.protobuf.Struct s = 1; }'),
      "M",
      "it has a field of type google.protobuf.Struct",
    ],
    [
      "another Timestamp",
      proto("package google.protobuf; message Timestamp { string x = 1; }"),
      "google.protobuf.Timestamp",
      "it defines something in the package google",
    ],
  ])("refuses %s", (_, schema, message, problem) => {
    expect(() => readProtoSchema({ schema, message })).toThrow(SchemaRefused);
    expect(() => readProtoSchema({ schema, message })).toThrow(problem);
  });

  test("names the messages that there are", () => {
    try {
      readProtoSchema({ schema: proto("package p; message M { message N { int32 a = 1; } }"), message: "X" });
    } catch (error) {
      expect((error as SchemaRefused).hint).toBe("Name one of: p.M, p.M.N.");
    }
    expect.assertions(1);
  });

  test("requires what proto2 requires", () => {
    const schema = 'syntax = "proto2"; message M { required int32 a = 1; optional int32 b = 2 [default = 7]; }';
    const format = { ...FORMAT, schema, message: "M" } as unknown as typeof FORMAT;
    expect(decoded(bytesOf("0801"), "reject", format)).toBe('{"a":1,"b":null}');
    expect(decoded(bytesOf("1001"), "reject", format)).toBe("a: is required, and is missing");
  });
});
