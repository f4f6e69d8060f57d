/**
 * Changes of rows as Debezium and Canal send them: what becomes of each, and of what is none.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { readType } from "../conform/column_type.ts";
import { canalDecoder } from "./canal.ts";
import { debeziumDecoder } from "./debezium.ts";
import type { Decode } from "./format.ts";
import { Undecodable } from "./undecodable.ts";

/** `op text` of a row, or `column: reason`, or why it is nothing. */
function said(decode: Decode, value: string | object): string {
  try {
    const bytes = Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
    const decoded = decode(bytes);
    return decoded.kind === "row" ? `${decoded.op} ${decoded.text}` : `nothing: ${decoded.reason}`;
  } catch (error) {
    if (!(error instanceof Undecodable)) throw error;
    return `${error.column}: ${error.message}`;
  }
}

/** A change whose `after` has one field of this schema, with the schema in front. */
const wrapped = (schema: object, value: unknown) => ({
  schema: {
    type: "struct",
    fields: [{ type: "struct", field: "after", fields: [{ ...schema, field: "v" }] }],
  },
  payload: { before: null, after: { v: value }, op: "c", ts_ms: 1 },
});
const named = (type: string, name: string, more: object = {}) => ({ type, name, ...more });

describe("debeziumDecoder()", () => {
  const decode = debeziumDecoder();
  test.each<readonly [string, string | object, string]>([
    ["a row that was created", { before: null, after: { id: 1 }, op: "c" }, 'c {"id":1}'],
    ["a row that was changed", { before: { id: 1 }, after: { id: 2 }, op: "u" }, 'u {"id":2}'],
    ["a row that was deleted", { before: { id: 1 }, after: null, op: "d" }, 'd {"id":1}'],
    ["a row of a snapshot", { after: { id: 1 }, op: "r", ts_ms: 1 }, 'r {"id":1}'],
    ["the wrapper without a schema", { schema: null, payload: { after: { id: 1 }, op: "c" } }, 'c {"id":1}'],
    ["every digit of a number", '{"after":{"n":9223372036854775807.10},"op":"c"}', 'c {"n":9223372036854775807.10}'],
    [
      "a tombstone in the wrapper",
      { schema: null, payload: null },
      "nothing: a tombstone repeats the delete before it",
    ],
    ["a table that was emptied", { op: "t" }, ": it is no change of a row (c, u, d or r): its op is 't'"],
    ["a heartbeat", { ts_ms: 1 }, ": it is no change of a row (c, u, d or r): it has no `op`"],
    ["a change without its row", { before: { id: 1 }, op: "u" }, ": the change has no `after`"],
    [
      "a delete without its row",
      { before: null, after: null, op: "d" },
      ": the change has no `before`; the table must log whole rows (PostgreSQL: REPLICA IDENTITY FULL)",
    ],
    ["two ops", '{"op":"c","op":"d","after":{}}', ": the record has op more than once"],
    ["an array", "[1]", ": the record is not a JSON object"],
    ["what is no JSON", "{", ": it is not JSON: a field name is missing at 1"],
    [
      "a schema of something else",
      { schema: { type: "struct", fields: "x" }, payload: { after: { id: 1 }, op: "c" } },
      ": the schema of the change does not describe `after`",
    ],
  ])("reads %s", (_, value, expected) => {
    expect(said(decode, value)).toBe(expected);
  });

  const DECIMAL = "org.apache.kafka.connect.data.Decimal";
  test.each<readonly [string, object, unknown, string]>([
    ["a plain number", { type: "int64" }, 5, "5"],
    ["null", named("int32", "io.debezium.time.Date"), null, "null"],
    ["days", named("int32", "io.debezium.time.Date"), 19_729, '"2024-01-07"'],
    ["Connect's days", named("int32", "org.apache.kafka.connect.data.Date"), -1, '"1969-12-31"'],
    ["milliseconds", named("int64", "io.debezium.time.Timestamp"), 1, '"1970-01-01T00:00:00.001"'],
    [
      "Connect's milliseconds",
      named("int64", "org.apache.kafka.connect.data.Timestamp"),
      0,
      '"1970-01-01T00:00:00.000"',
    ],
    ["microseconds", named("int64", "io.debezium.time.MicroTimestamp"), -1, '"1969-12-31T23:59:59.999999"'],
    ["nanoseconds", named("int64", "io.debezium.time.NanoTimestamp"), 1, '"1970-01-01T00:00:00.000000001"'],
    [
      "a time with its zone",
      named("string", "io.debezium.time.ZonedTimestamp"),
      "2024-01-07T00:00:00Z",
      '"2024-01-07T00:00:00Z"',
    ],
    ["a time of the day", named("int64", "io.debezium.time.MicroTime"), 7, "7"],
    ["a decimal", named("bytes", DECIMAL, { parameters: { scale: "2" } }), "BNI=", '"12.34"'],
    ["a decimal without a scale", named("bytes", DECIMAL), "gA==", '"-128"'],
    [
      "a decimal with a scale of its own",
      named("struct", "io.debezium.data.VariableScaleDecimal", { fields: [] }),
      { scale: 3, value: "AQ==" },
      '"0.001"',
    ],
    [
      "an array of days",
      { type: "array", items: named("int32", "io.debezium.time.Date") },
      [0, null],
      '["1970-01-01",null]',
    ],
    ["a map", { type: "map", values: named("int32", "io.debezium.time.Date") }, { a: 0 }, '{"a":"1970-01-01"}'],
    [
      "a struct",
      { type: "struct", fields: [named("int32", "io.debezium.time.Date", { field: "day" })] },
      { day: 0, other: 1 },
      '{"day":"1970-01-01","other":1}',
    ],
  ])("reads %s by its schema", (_, schema, value, expected) => {
    expect(said(decode, wrapped(schema, value))).toBe(`c {"v":${expected}}`);
  });

  test.each<readonly [string, object, unknown, string]>([
    [
      "a text as days",
      named("int32", "io.debezium.time.Date"),
      "x",
      "a value is no whole number, which io.debezium.time.Date is",
    ],
    [
      "a fraction as days",
      named("int32", "io.debezium.time.Date"),
      1.5,
      "a value is no whole number, which io.debezium.time.Date is",
    ],
    [
      "days outside the calendar",
      named("int32", "io.debezium.time.Date"),
      4_000_000,
      "4000000 days since 1970 is no day of the calendar",
    ],
    ["a number as a decimal", named("bytes", DECIMAL), 5, `a value is not base64, as which ${DECIMAL} is written`],
    [
      "a decimal's scale that is none",
      named("bytes", DECIMAL, { parameters: { scale: "x" } }),
      "AQ==",
      "a decimal has a scale of NaN; at most 200 is taken",
    ],
    [
      "a decimal without its scale",
      named("struct", "io.debezium.data.VariableScaleDecimal"),
      { value: "AQ==" },
      "a value is no io.debezium.data.VariableScaleDecimal",
    ],
  ])("refuses %s", (_, schema, value, reason) => {
    expect(said(decode, wrapped(schema, value))).toBe(`v: ${reason}`);
  });

  test("keeps apart the schemas of more versions of a table than it remembers", () => {
    for (const version of [...Array(40).keys(), 0]) {
      const schema = version % 2 === 0 ? named("int32", "io.debezium.time.Date") : { type: "int32" };
      const change = wrapped({ ...schema, version }, 0);
      expect(said(decode, change)).toBe(version % 2 === 0 ? 'c {"v":"1970-01-01"}' : 'c {"v":0}');
    }
  });
});

describe("canalDecoder()", () => {
  const types = new Map(Object.entries({ id: "UInt64", paid: "Bool" }).map(([name, type]) => [name, readType(type)]));
  const decode = canalDecoder(types);
  const ROWS = { data: [{ id: "1", paid: "0", note: null }] };
  const ROW = '{"id":"1","paid":false,"note":null}';
  test.each<readonly [string, string | object, string]>([
    ["INSERT", { ...ROWS, type: "INSERT", isDdl: false, old: null }, `c ${ROW}`],
    ["UPDATE", { ...ROWS, type: "UPDATE", old: [{ paid: "1" }] }, `u ${ROW}`],
    ["DELETE", { ...ROWS, type: "DELETE" }, `d ${ROW}`],
    [
      "a change of the schema",
      { type: "ALTER", isDdl: true, data: null, sql: "ALTER" },
      "nothing: it changes the schema, not a row",
    ],
    [
      "several rows",
      { type: "INSERT", data: [{ id: "1" }, { id: "2" }] },
      ": the message has 2 rows, and a record becomes one: split it before the topic, or send the table's changes with Debezium",
    ],
    [
      "no row",
      { type: "INSERT", data: [] },
      ": the message has 0 rows, and a record becomes one: split it before the topic, or send the table's changes with Debezium",
    ],
    [
      "another type",
      { type: "constructor", data: [] },
      ": it is no flat message of Canal: it needs `type` INSERT, UPDATE or DELETE and `data`",
    ],
    [
      "no data",
      { type: "INSERT" },
      ": it is no flat message of Canal: it needs `type` INSERT, UPDATE or DELETE and `data`",
    ],
    ["what is no JSON", "\u0000", ": it is not JSON: an unexpected character at 0"],
  ])("reads %s", (_, value, expected) => {
    expect(said(decode, value)).toBe(expected);
  });
});
