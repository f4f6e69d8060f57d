/**
 * Tests of the editor's decisions: rows as they arrive, places of errors, links, names, values.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { cellText, columnWidth, isNumeric, sqlName, wholeText } from "./cell.ts";
import { CompactRows } from "./compact_rows.ts";
import { spanAt, spanNamed } from "./place.ts";
import { newId } from "./query_run.ts";
import { fragmentOf, LINK_CHARS_MAX, linkedSql } from "./sql_link.ts";
import { filtered, type SchemaDatabase, starterSql } from "./sql_schema.ts";
import { tokenIn, withoutToken } from "./token.ts";

const ANSWER = '["a","a"]\n["UInt64","Nullable(String)"]\n["18446744073709551615","x\\ny"]\n["2",null]\n';

describe("CompactRows", () => {
  const whole = {
    rows: [
      ["18446744073709551615", "x\ny"],
      ["2", null],
    ],
  };
  test.each([1, 2, 7, ANSWER.length])("takes chunks of %d characters apart", (size) => {
    const answer = new CompactRows();
    for (let at = 0; at < ANSWER.length; at += size) answer.push(ANSWER.slice(at, at + size));
    expect(answer.columns).toEqual([
      { name: "a", type: "UInt64" },
      { name: "a", type: "Nullable(String)" },
    ]);
    expect({ rows: answer.rows, isFull: answer.isFull }).toEqual({ ...whole, isFull: false });
  });

  test.each([
    ["rows", { rowsMax: 1, charsMax: 1_000 }, 1, true],
    ["rows, when there are just as many", { rowsMax: 2, charsMax: 1_000 }, 2, false],
    ["characters", { rowsMax: 10, charsMax: 30 }, 2, true],
  ])("is full at its bound of %s", (_, limits, count, isFull) => {
    const answer = new CompactRows(limits);
    answer.push(ANSWER);
    expect([answer.rows.length, answer.isFull]).toEqual([count, isFull]);
  });

  test("throws at what is no answer", () => {
    expect(() => new CompactRows().push("<html>\n")).toThrow(SyntaxError);
  });
});

describe("spanAt()", () => {
  test.each([
    ["SELECT 1 FRM t", { line: 1, column: 10 }, "FRM"],
    ["SELECT\n  'ü😀', bad", { line: 2, column: 9 }, "bad"],
    ["SELECT `a b` + 1", { line: 1, column: 8 }, "`a b`"],
    ["SELECT (1", { line: 1, column: 10 }, "1"],
    ["SELECT +", { line: 9, column: 9 }, "+"],
  ])("of %j at %o is %j", (text, place, expected) => {
    const { from, to } = spanAt(text, place)!;
    expect(text.slice(from, to)).toBe(expected);
  });

  test("has none in an empty text", () => {
    expect(spanAt("", { line: 1, column: 1 })).toBeUndefined();
  });
});

describe("spanNamed()", () => {
  test.each([
    ["SELECT nope(a)", "Function with name `nope` does not exist.", "nope"],
    ["SELECT 1 FROM dwa.x", "Unknown table expression identifier 'dwa.x'.", "dwa.x"],
    ["SELECT nope, nope", "Unknown identifier `nope`.", undefined],
    ["SELECT nopes", "Unknown identifier `nope`.", undefined],
    ["SELECT a.*, axe", "Unknown `a.*` and 'b'.", "a.*"],
    ["SELECT 1", "No.", undefined],
  ])("in %j for %j", (text, message, expected) => {
    const span = spanNamed(text, message);
    expect(span === undefined ? undefined : text.slice(span.from, span.to)).toBe(expected);
  });
});

describe("links", () => {
  test.each(["SELECT 1", "SELECT 'ü😀 & # + %'\n-- two lines"])("bring %j back", (sql) => {
    expect(linkedSql(fragmentOf(sql)!)).toBe(sql);
  });

  test("are not made of what is too long for them", () => {
    expect(fragmentOf("x".repeat(LINK_CHARS_MAX))).toBeUndefined();
  });

  test("keep the statement and lose the token", () => {
    const fragment = "#token=weir_x&q=SELECT+1";
    expect(tokenIn(fragment)).toBe("weir_x");
    expect([withoutToken(fragment), withoutToken("#token=weir_x")]).toEqual(["#q=SELECT+1", ""]);
  });
});

describe("values", () => {
  test.each([
    ["UInt64", true],
    ["Nullable(Decimal(10, 2))", true],
    ["LowCardinality(Nullable(Float32))", true],
    ["String", false],
    ["IntervalDay", false],
    ["Array(UInt8)", false],
  ])("of %s stand on the right: %p", (type, expected) => {
    expect(isNumeric(type)).toBe(expected);
  });

  test.each([
    ["9007199254740993", "9007199254740993", "9007199254740993"],
    [["1", { a: null }], '["1",{"a":null}]', '[\n  "1",\n  {\n    "a": null\n  }\n]'],
    [false, "false", "false"],
  ])("%j is shown exactly", (value, cell, whole) => {
    expect([cellText(value), wholeText(value)]).toEqual([cell, whole]);
  });

  test("have columns of bounded width", () => {
    expect([columnWidth([""]), columnWidth(["x".repeat(999)])]).toEqual([64, 340]);
  });
});

describe("names", () => {
  test.each([
    ["state", "state"],
    ["a b", "`a b`"],
    ["<img src=x>", "`<img src=x>`"],
    ["a`b\\", "`a\\`b\\\\`"],
  ])("%j is written %j", (name, expected) => {
    expect(sqlName(name)).toBe(expected);
  });
});

describe("the schema", () => {
  const table = (name: string, comment = "") => ({
    name,
    comment,
    columns: [{ name: "day", type: "Date", comment: "UTC" }],
  });
  const schema: readonly SchemaDatabase[] = [
    { name: "dwf", tables: [table("flight", "Every flight.")] },
    { name: "dwa", tables: [table("state_minute")] },
  ];
  test.each([
    ["", ["flight", "state_minute"]],
    ["utc", ["flight", "state_minute"]],
    ["EVERY", ["flight"]],
    ["dwa.", ["state_minute"]],
    ["nothing", []],
  ])("with %j in it is %j", (text, expected) => {
    expect(filtered(schema, text).flatMap(({ tables }) => tables.map(({ name }) => name))).toEqual(expected);
  });

  test("gives a statement to begin with", () => {
    expect(starterSql(schema)).toBe("SELECT *\nFROM dwa.state_minute\nLIMIT 1000");
    expect(starterSql([])).toBe("SELECT 1");
  });
});

describe("newId()", () => {
  test("is a UUID of version 4, another one each time", () => {
    const ids = Array.from({ length: 100 }, newId);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(new Set(ids).size).toBe(100);
  });
});
