/**
 * Amended texts: what is added stands where it belongs, and what the author wrote stays.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { readSource } from "../definition/source_definition.ts";
import { withColumns, withLeftOut } from "./amended.ts";

const FRONT = "/*---\nkind: source\ndoc: Sales.   # by the shop\ndrift: evolve\n---*/\n";
const written = (table: string, front = FRONT) => ({ file: "ods/sale.sql", text: `${front}${table}` });
const COUPON = { name: "coupon", type: "Nullable(String)" } as const;
const INDEX = { name: "index", type: "Nullable(Int64)" } as const;
const added = (name: string, type: string) => `\`${name}\` ${type} COMMENT 'added by evolve on 2026-11-23'`;

describe("withColumns()", () => {
  test.each([
    [
      "on lines of their own, as the last one is",
      "CREATE TABLE ods.sale (\n    id String,\n    n UInt8\n)\n",
      `CREATE TABLE ods.sale (\n    id String,\n    n UInt8,\n    ${added("coupon", "Nullable(String)")},\n    ${added("index", "Nullable(Int64)")}\n)\n`,
    ],
    [
      "behind the comment of the last line",
      "CREATE TABLE ods.sale (\n  id String, -- the order\n  n UInt8 COMMENT 'how, many)' -- at most (255)\n  /* more to come */\n);",
      `CREATE TABLE ods.sale (\n  id String, -- the order\n  n UInt8 COMMENT 'how, many)', -- at most (255)\n  /* more to come */\n  ${added("coupon", "Nullable(String)")},\n  ${added("index", "Nullable(Int64)")}\n);`,
    ],
    [
      "to a table in one line",
      "CREATE TABLE ods.sale (id String, m Map(String, UInt8) CODEC(ZSTD))",
      `CREATE TABLE ods.sale (id String, m Map(String, UInt8) CODEC(ZSTD),\n  ${added("coupon", "Nullable(String)")},\n  ${added("index", "Nullable(Int64)")})`,
    ],
    [
      "with the line breaks of the file",
      "CREATE TABLE ods.sale (\r\n\tid String\r\n)\r\n",
      `CREATE TABLE ods.sale (\r\n\tid String,\r\n\t${added("coupon", "Nullable(String)")},\r\n\t${added("index", "Nullable(Int64)")}\r\n)\r\n`,
    ],
  ])("adds columns %s", (_, table, expected) => {
    const { file, text } = written(table);
    const amended = withColumns({ file, text }, { columns: [COUPON, INDEX], day: "2026-11-23" });
    expect(amended).toBe(`${FRONT}${expected}`);
    const { columns } = readSource(file, amended).table;
    expect(columns.slice(-2).map(({ name, type }) => ({ name, type }))).toEqual([COUPON, INDEX]);
  });

  test("changes nothing for no column", () => {
    const before = written("CREATE TABLE ods.sale (id String)");
    expect(withColumns(before, { columns: [], day: "2026-11-23" })).toBe(before.text);
  });
});

describe("withLeftOut()", () => {
  const TABLE = "CREATE TABLE ods.sale (id String)";
  test.each([
    ["puts it behind everything", "kind: source\ndoc: A. # why", 'kind: source\ndoc: A. # why\nleave_out: ["a", "no"]'],
    [
      "takes a text's end for the end",
      "kind: source\ndoc: |\n  A\n  B",
      'kind: source\ndoc: |\n  A\n  B\nleave_out: ["a", "no"]',
    ],
    [
      "puts it in the place of a list",
      "kind: source\nleave_out: [ a ]  # so\ndoc: A.",
      'kind: source\nleave_out: ["a", "no"]  # so\ndoc: A.',
    ],
    [
      "puts it in the place of lines",
      "kind: source\nleave_out:\n  - a\n  - b\ndoc: A.",
      'kind: source\nleave_out: ["a", "no"]\ndoc: A.',
    ],
    [
      "puts it in the place of nothing",
      "kind: source\nleave_out:\ndoc: A.",
      'kind: source\nleave_out: ["a", "no"]\ndoc: A.',
    ],
    ["writes anew what is in brackets", "{ kind: source, doc: A. }", "{ kind: source, doc: A., leave_out: [ a, no ] }"],
    [
      "writes anew what is indented",
      "  kind: source\n  doc: A. # why",
      "kind: source\ndoc: A. # why\nleave_out: [ a, no ]",
    ],
    ["keeps line breaks", "kind: source\r\ndoc: A.", 'kind: source\r\ndoc: A.\r\nleave_out: ["a", "no"]'],
  ])("%s", (_, yaml, expected) => {
    const newline = yaml.includes("\r\n") ? "\r\n" : "\n";
    const fence = (inside: string) => `/*---${newline}${inside}${newline}---*/${newline}${TABLE}`;
    expect(withLeftOut({ file: "ods/sale.sql", text: fence(yaml) }, ["a", "no"])).toBe(fence(expected));
  });

  test("is read again as it was meant", () => {
    const amended = withLeftOut(written(TABLE), ["a", "null"]);
    expect(readSource("ods/sale.sql", amended).options.leave_out).toEqual(["a", "null"]);
  });
});
