/**
 * Parameters as requests send them, and the statements that an API becomes.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { type Api, apiQuery, comparedColumn, exampleTexts, paramHint, paramsSchema, probeQuery } from "./api.ts";
import { readApi } from "./definition/api_definition.ts";

const apiOf = (type: string, options = "{}"): Api =>
  readApi("api/a.sql", `/*---\nkind: api\ndoc: a\nparams: { x: ${options} }\n---*/\nSELECT {x:${type}}, {x:${type}}`);

/** The engine's text of one parameter, or what is wrong with it. */
function checked(type: string, texts: readonly string[] | undefined, options?: string): string | null {
  const result = paramsSchema(apiOf(type, options)).safeParse(texts === undefined ? {} : { x: texts });
  return result.success ? result.data.x! : `! ${result.error.issues[0]!.message}`;
}

const U64 = "18446744073709551615";
const U256 = String(2n ** 256n - 1n);

describe("paramsSchema()", () => {
  test.each([
    ["UInt8", "007", "7"],
    ["UInt8", "-0", "0"],
    ["UInt64", U64, U64],
    ["UInt256", U256, U256],
    ["Int128", String(-(2n ** 127n)), String(-(2n ** 127n))],
    ["Float64", "-1.5e3", "-1500"],
    ["Float32", "0.1", "0.1"],
    ["Decimal(38, 10)", "-1234567890123456789012345678.0123456789", "-1234567890123456789012345678.0123456789"],
    ["Decimal(10, 2)", "1.500", "1.50"],
    ["Decimal(10, 0)", "7", "7"],
    ["String", "", ""],
    ["String", "a\n'\\ü", "a\n'\\ü"],
    ["LowCardinality(String)", "x", "x"],
    ["FixedString(3)", "äb", "äb"],
    ["Nullable(Int8)", "-8", "-8"],
    ["Bool", "1", "true"],
    ["Bool", "false", "false"],
    ["UUID", "61F0C404-5CB3-11E7-907B-A6006AD3DBA0", "61f0c404-5cb3-11e7-907b-a6006ad3dba0"],
    ["Enum8('a' = 1, 'b c' = 2)", "b c", "b c"],
    ["Date", "2024-02-29", "2024-02-29"],
    ["DateTime", "2026-01-31T10:20:30+01:00", "1769851230"],
    ["DateTime64(3, 'UTC')", "2026-01-31 10:20:30.5", "1769854830.500"],
    ["DateTime64(9, 'UTC')", "2026-01-31T10:20:30.123456789Z", "1769854830.123456789"],
    ["DateTime64(3, 'Europe/Berlin')", "2026-07-01T12:00:00", "1782900000.000"],
    ["DateTime64(3, 'UTC')", "1969-12-31T23:59:58.500Z", "-0000000001.500"],
  ])("takes %s %s", (type, text, expected) => {
    expect(checked(type, [text])).toBe(expected);
  });

  test.each([
    ["UInt8", "256", "is out of range for UInt8"],
    ["UInt8", "-1", "is out of range for UInt8"],
    ["Int64", "9223372036854775808", "is out of range for Int64"],
    ["UInt8", "1.0", "is not a whole number"],
    ["UInt8", "", "is not a whole number"],
    ["UInt8", "1 OR 1", "is not a whole number"],
    ["Float32", "1e39", "is out of range for Float32"],
    ["Float64", "nan", "is not a number"],
    ["Decimal(5, 2)", "1000", "is out of range for Decimal(5, 2)"],
    ["Decimal(5, 2)", "1.234", "has more than 2 digits after the point"],
    ["Decimal(5, 2)", "1e2", "is not a number"],
    ["Bool", "yes", "is neither true nor false"],
    ["UUID", "61f0c404", "is not a UUID"],
    ["FixedString(2)", "äb", "has more than 2 bytes"],
    ["Enum8('a' = 1)", "A", "is not one of the allowed values"],
    ["Date", "2023-02-29", "is not a day of the calendar: write 2024-01-31"],
    [
      "DateTime64(3, 'UTC')",
      "2026-01-31T10:20:30.1234Z",
      "has more digits of a second than DateTime64(3, 'UTC') keeps",
    ],
    [
      "DateTime64(3, 'Europe/Berlin')",
      "2026-03-29T02:30:00",
      "does not exist in Europe/Berlin: daylight saving skips it",
    ],
    ["String", "x".repeat(65_537), "is longer than 65536 characters"],
  ])("refuses %s %p", (type, text, expected) => {
    expect(checked(type, [text])).toBe(`! ${expected}`);
  });

  test.each([
    ["Array(UInt64)", [U64, "1"], `[${U64},1]`],
    ["Array(UInt64)", [`[${U64}, "1"]`], `[${U64},1]`],
    ["Array(String)", ["a'b", "c\\d\te\n"], "['a\\'b','c\\\\d\\te\\n']"],
    ["Array(String)", ["[]"], "[]"],
    ["Array(LowCardinality(String))", ["a"], "['a']"],
    ["Array(Nullable(Int8))", ["[1, null]"], "[1,NULL]"],
    ["Array(Bool)", ["[true, false]"], "[true,false]"],
    ["Array(DateTime64(3, 'UTC'))", ["2026-01-31T10:20:30Z"], "['1769854830.000']"],
    ["Array(UInt8)", ["1", "256"], "! has an element 1 that is out of range for UInt8"],
    ["Array(UInt8)", ["[1, null]"], "! has null as element 1"],
    ["Array(UInt8)", ["[1, [2]]"], "! is not a JSON array of plain values"],
    ["Array(UInt8)", ["[1"], "! is not a JSON array of plain values"],
    ["Array(UInt8)", [`[${"1,".repeat(10_000)}1]`], "! has more than 10000 elements"],
    ["UInt8", ["1", "2"], "! is sent more than once"],
  ])("reads %s from %p", (type, texts, expected) => {
    expect(checked(type, texts)).toBe(expected);
  });

  test.each([
    ["UInt32", "{ default: 60, max: 1440 }", undefined, "60"],
    ["UInt32", "{ default: 60, max: 1440 }", "1440", "1440"],
    ["UInt32", "{ default: 60, max: 1440 }", "1441", "! is above 1440"],
    ["Decimal(9, 2)", "{ min: 0.1 }", "0.09", "! is below 0.1"],
    ["DateTime", "{ min: '2026-01-01T00:00:00Z' }", "2026-01-01T00:59:59+01:00", "! is below 2026-01-01T00:00:00Z"],
    ["String", "{ values: [a, b] }", "c", "! is not one of the allowed values"],
    ["UInt8", "{ values: [1, 2] }", "02", "2"],
    ["String", "{}", undefined, "! is missing"],
    ["Nullable(String)", "{}", undefined, null],
    ["Array(UInt8)", "{ default: [1] }", undefined, "[1]"],
    ["Array(UInt8)", "{ max: 3 }", "4", "! has an element 0 that is above 3"],
  ] as const)("%s with %s, sent %p", (type, options, text, expected) => {
    expect(checked(type, text === undefined ? undefined : [text], options)).toBe(expected);
  });

  test("refuses a parameter that the API has not", () => {
    const [issue] = paramsSchema(apiOf("String")).safeParse({ x: ["1"], y: ["2"] }).error!.issues;
    expect(issue).toMatchObject({ code: "unrecognized_keys", keys: ["y"] });
  });
});

describe("paramHint()", () => {
  test.each([
    ["UInt32", "{ default: 60, max: 1440 }", "a whole number from 0 to 1440"],
    ["Float64", "{ min: 1 }", "a number such as 1.5 of at least 1"],
    ["String", "{ values: [a, b] }", "one of: a, b"],
    ["Enum8('a' = 1)", "{}", "one of: a"],
    ["Array(Bool)", "{}", "true or false, once for each element, or all as a JSON array"],
    ["DateTime", "{}", "a time such as 2026-01-31T10:20:30Z (write + as %2B)"],
  ])("for %s with %s", (type, options, expected) => {
    expect(paramHint(apiOf(type, options).params[0]!)).toBe(expected);
  });
});

describe("apiQuery() and probeQuery()", () => {
  test("hand values over beside the SELECT, and write nulls into it", () => {
    expect(apiQuery(apiOf("UInt8"), { x: "1" })).toEqual({ sql: "SELECT {x:UInt8}, {x:UInt8}", params: { x: "1" } });
    expect(apiQuery(apiOf("Nullable(UInt8)"), { x: null })).toEqual({
      sql: "SELECT CAST(NULL AS Nullable(UInt8)), CAST(NULL AS Nullable(UInt8))",
      params: {},
    });
  });

  test.each([
    ["UInt8", "{}", { x: "1" }],
    ["UInt8", "{ default: 3 }", { x: "3" }],
    ["UInt8", "{ min: 5 }", { x: "5" }],
    ["String", "{ values: [b] }", { x: "b" }],
    ["Array(String)", "{}", { x: "['']" }],
    ["Enum8('e' = 1)", "{}", { x: "e" }],
    ["Date", "{}", { x: "2026-01-01" }],
  ])("probe %s with %s by a value that it takes", (type, options, params) => {
    expect(probeQuery(apiOf(type, options))).toEqual({
      sql: `DESCRIBE (\nSELECT {x:${type}}, {x:${type}}\n)`,
      params: params as Record<string, string>,
    });
  });
});

describe("exampleTexts()", () => {
  test.each([
    ["String", "{ example: CA, default: TX }", ["CA"]],
    ["String", "{ default: TX }", ["TX"]],
    ["UInt8", "{ min: 3 }", ["3"]],
    ["Array(UInt8)", "{ example: [1, 2] }", ["1", "2"]],
    ["Enum8('a' = 1)", "{}", ["a"]],
  ])("of %s with %s", (type, options, expected) => {
    expect(exampleTexts(apiOf(type, options).params[0]!)).toEqual(expected);
  });
});

describe("comparedColumn()", () => {
  test.each([
    ["SELECT 1 FROM dwf.a WHERE b = {x:String}", "b"],
    ["SELECT 1 FROM dwf.a AS t WHERE t.`b c` = {x:String}", "b c"],
    ["SELECT 1 FROM dwf.a WHERE b in {x:Array(String)}", "b"],
    ["SELECT {x:String} FROM dwf.a WHERE b = {x:String}", "b"],
    ["SELECT 1 FROM dwf.a WHERE b < {x:String} AND f(c) = {x:String}", undefined],
    ["SELECT 1 FROM dwf.a WHERE b = {y:String} LIMIT {x:UInt8}", undefined],
  ])("in %s", (sql, expected) => {
    expect(comparedColumn({ sql }, "x")).toBe(expected);
  });
});
