/**
 * The column list: what is read, and where every mistake stands.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { readColumnList, type WrittenTable } from "./column_list.ts";
import { DefinitionError } from "./error.ts";
import { cutFile } from "./front_matter.ts";

/** Two lines come before the SQL: it begins on line 3. */
const read = (sql: string): WrittenTable => readColumnList(cutFile("ods/a.sql", `/*---\n---*/\n${sql}`));

const columnsOf = (list: string) =>
  read(`CREATE TABLE ods.a (${list})`).columns.map(({ name, type, comment, codec }) => [name, type, comment, codec]);

describe("readColumnList()", () => {
  test.each<readonly [string, readonly (readonly string[])[]]>([
    ["n UInt8", [["n", "UInt8", "", ""]]],
    [
      "n UInt8, s String",
      [
        ["n", "UInt8", "", ""],
        ["s", "String", "", ""],
      ],
    ],
    ["d Decimal(18, 4)", [["d", "Decimal(18, 4)", "", ""]]],
    ["t DateTime64(3, 'UTC')", [["t", "DateTime64(3, 'UTC')", "", ""]]],
    ["e Enum8('a,b' = 1, ')' = 2)", [["e", "Enum8('a,b' = 1, ')' = 2)", "", ""]]],
    ["m Map(String, Array(Tuple(a UInt8, b String)))", [["m", "Map(String, Array(Tuple(a UInt8, b String)))", "", ""]]],
    ["n UInt8 COMMENT 'it''s, (how) many'", [["n", "UInt8", "it's, (how) many", ""]]],
    ["n UInt8 CODEC(Delta(4), LZ4)", [["n", "UInt8", "", "(Delta(4), LZ4)"]]],
    ["n UInt8 codec(LZ4) comment 'c'", [["n", "UInt8", "c", "(LZ4)"]]],
    ["n UInt8 COMMENT 'c' CODEC(LZ4)", [["n", "UInt8", "c", "(LZ4)"]]],
    [
      '`a b` UInt8, "c" String',
      [
        ["a b", "UInt8", "", ""],
        ["c", "String", "", ""],
      ],
    ],
    [
      "`index` UInt8, comment String, codec String, ttl UInt8",
      [
        ["index", "UInt8", "", ""],
        ["comment", "String", "", ""],
        ["codec", "String", "", ""],
        ["ttl", "UInt8", "", ""],
      ],
    ],
  ])("reads %p", (list, expected) => {
    expect(columnsOf(list)).toEqual(expected as string[][]);
  });

  test("reads past comments and line ends", () => {
    const { columns } = read("create table ods.a\n(\n  n /* , */ UInt8, -- what )\n  s String\n);\n\n-- end");
    expect(columns.map(({ name, type }) => `${name} ${type}`)).toEqual(["n UInt8", "s String"]);
  });

  test.each([
    ["CREATE TABLE ods.a (n UInt8)", "ods", "a"],
    ["CREATE TABLE a (n UInt8)", undefined, "a"],
    ["CREATE TABLE `ods`.`a b` (n UInt8)", "ods", "a b"],
  ])("reads the name of %p", (sql, database, name) => {
    expect(read(sql)).toMatchObject({ database, name } as object);
  });

  test("says where names and types stand", () => {
    const sql = "CREATE TABLE ods.abc (n UInt8,\n  `s` /* x */ String)";
    const from = "/*---\n---*/\n".length;
    const { at, nameAt, columns } = read(sql);
    expect([at, nameAt]).toEqual([from + sql.indexOf("ods"), from + sql.indexOf("abc")]);
    expect(columns.map((column) => [column.nameAt - from, column.at - from])).toEqual([
      [sql.indexOf("n UInt8"), sql.indexOf("UInt8")],
      [sql.indexOf("`s`"), sql.indexOf("String")],
    ]);
  });

  const SHAPE = "Write CREATE TABLE ods.<name> ( <column> <Type>, … ).";
  test.each([
    ["", 3, 1, `the end of the file stands where 'CREATE' is expected. ${SHAPE}`],
    ["SELECT 1", 3, 1, `'SELECT' stands where 'CREATE' is expected. ${SHAPE}`],
    ["CREATE VIEW ods.a AS SELECT 1", 3, 8, `'VIEW' stands where 'TABLE' is expected. ${SHAPE}`],
    ["CREATE TABLE IF NOT EXISTS ods.a (n UInt8)", 3, 17, `'NOT' stands where '(' is expected. ${SHAPE}`],
    ["CREATE TABLE (n UInt8)", 3, 14, "'(' is not the table's name. Write a name."],
    ["CREATE TABLE ods.a AS ods.b", 3, 20, `'AS' stands where '(' is expected. ${SHAPE}`],
    ["CREATE TABLE ods.a ()", 3, 21, "')' is not a column's name. Write a name."],
    ["CREATE TABLE ods.a (n UInt8,\n)", 4, 1, "')' is not a column's name. Write a name."],
    [
      "CREATE TABLE ods.a (\n  n,\n  s String)",
      4,
      4,
      "column 'n' has no type. Write a ClickHouse type behind the name.",
    ],
    ["CREATE TABLE ods.a (n COMMENT 'c')", 3, 23, "column 'n' has no type. Write a ClickHouse type behind the name."],
    ["CREATE TABLE ods.a (n", 3, 22, "column 'n' has no type. Write a ClickHouse type behind the name."],
    ["CREATE TABLE ods.a (n UInt8\n", 3, 28, "its bracket never closes. End the list of columns with `)`."],
    ["CREATE TABLE ods.a (n Decimal(18, 4)", 3, 37, "its bracket never closes. End the list of columns with `)`."],
    ["CREATE TABLE ods.a (n UInt8 COMMENT c)", 3, 37, "a comment is a string. Write COMMENT 'text'."],
    [
      "CREATE TABLE ods.a (n UInt8 DEFAULT 1)",
      3,
      29,
      "'DEFAULT' does not belong to a column of a source. Make the column Nullable, or compute the value in a model.",
    ],
    [
      "CREATE TABLE ods.a (n UInt8 MATERIALIZED m + 1)",
      3,
      29,
      "'MATERIALIZED' does not belong to a column of a source. Compute the value in a model.",
    ],
    [
      "CREATE TABLE ods.a (n UInt8 ALIAS m)",
      3,
      29,
      "'ALIAS' does not belong to a column of a source. Compute the value in a model.",
    ],
    [
      "CREATE TABLE ods.a (n UInt8 EPHEMERAL)",
      3,
      29,
      "'EPHEMERAL' does not belong to a column of a source. Compute the value in a model.",
    ],
    [
      "CREATE TABLE ods.a (n UInt8 TTL d + 1)",
      3,
      29,
      "'TTL' does not belong to a column of a source. Say `retention` in the front matter.",
    ],
    [
      "CREATE TABLE ods.a (n UInt8 PRIMARY KEY)",
      3,
      29,
      "'PRIMARY' does not belong to a column of a source. Leave it out: Weir chooses the sort key.",
    ],
    [
      "CREATE TABLE ods.a (n UInt8 NULL)",
      3,
      29,
      "'NULL' does not belong to a column of a source. Write the type as Nullable(…).",
    ],
    [
      "CREATE TABLE ods.a (n UInt8 NOT NULL)",
      3,
      29,
      "'NOT' does not belong to a column of a source. Leave NOT NULL out: columns are never null unless Nullable(…).",
    ],
    [
      "CREATE TABLE ods.a (n UInt8 COMMENT 'c' SETTINGS (a = 1))",
      3,
      41,
      "'SETTINGS' does not belong to a column of a source. Write a name, a type, and CODEC or COMMENT.",
    ],
    [
      "CREATE TABLE ods.a (n UInt8,\n  INDEX i n TYPE minmax)",
      4,
      3,
      "'INDEX' is no column. Declare columns only; a column of that name stands in backquotes.",
    ],
    [
      "CREATE TABLE ods.a (n UInt8, CONSTRAINT c CHECK n > 1)",
      3,
      30,
      "'CONSTRAINT' is no column. Declare columns only; a column of that name stands in backquotes.",
    ],
    [
      "CREATE TABLE ods.a (n UInt8, PRIMARY KEY n)",
      3,
      30,
      "'PRIMARY' is no column. Declare columns only; a column of that name stands in backquotes.",
    ],
    [
      "CREATE TABLE ods.a (n UInt8)\nENGINE = MergeTree",
      4,
      1,
      "'ENGINE' follows the column list. End the file there: engine, sort key and partitions are Weir's to choose.",
    ],
    [
      "CREATE TABLE ods.a (n UInt8);\nSELECT 1",
      4,
      1,
      "'SELECT' follows the column list. End the file there: engine, sort key and partitions are Weir's to choose.",
    ],
    [
      "CREATE TABLE ods.a (n UInt8))",
      3,
      29,
      "')' follows the column list. End the file there: engine, sort key and partitions are Weir's to choose.",
    ],
  ])("refuses %p", (sql, line, column, said) => {
    expect(() => read(sql)).toThrow(DefinitionError);
    expect(() => read(sql)).toThrow(`ods/a.sql:${line}:${column}: Cannot read the column list: ${said}`);
  });
});
