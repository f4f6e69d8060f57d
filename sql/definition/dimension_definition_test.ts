/**
 * Tests of dimension definitions: what they become, and that every error names its line and column.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import type { DimensionFrom } from "../dimension.ts";
import { finishDimension, readDimension, typesQuestion } from "./dimension_definition.ts";

const COLUMNS = "CREATE TABLE dim.carrier (\n  code String COMMENT 'two letters',\n  name String\n)\n";
const SELECT = "SELECT origin AS code, count() AS flights FROM ods.flight GROUP BY origin";

function text(front: string, sql = COLUMNS): string {
  return `/*---\nkind: dimension\ndoc: Carriers.\nkey: code\n${front}---*/\n${sql}`;
}

const read = (content: string, file = "dim/carrier.sql") => readDimension(file, content);
const described = (...types: string[]) => types.map((type, at) => ({ name: ["code", "name", "more"][at], type }));

describe("readDimension()", () => {
  test.each<readonly [string, string, DimensionFrom]>([
    ["a file beside it", "from: { file: carriers.csv }\n", { kind: "file", path: "carriers.csv", format: "csv" }],
    [
      "a file elsewhere in the project",
      "from: { file: ../data/c.PARQUET }\n",
      { kind: "file", path: "../data/c.PARQUET", format: "parquet" },
    ],
    [
      "a format that the name does not say",
      "from: { file: c.txt }\nformat: ndjson\n",
      { kind: "file", path: "c.txt", format: "ndjson" },
    ],
    [
      "a file of a package",
      "from: { package: vega-datasets/data/c.csv }\n",
      { kind: "package", package: "vega-datasets", path: "data/c.csv", format: "csv" },
    ],
    [
      "a file of a scoped package",
      "from: { package: '@a/b/c.jsonl' }\n",
      { kind: "package", package: "@a/b", path: "c.jsonl", format: "ndjson" },
    ],
  ])("reads %s", (_, front, from) => {
    expect(read(text(front)).from).toEqual(from);
  });

  test.each([
    ["its tables", SELECT, ["ods.flight"]],
    [
      "joins, look-ups and tables in brackets",
      "WITH a AS (SELECT * FROM ods.x) SELECT code, dictGet('dim.q', 'n', code) AS n FROM a JOIN dim.y USING code WHERE code IN (SELECT code FROM `ods`.z);",
      ["dim.q", "dim.y", "ods.x", "ods.z"],
    ],
    ["several in one FROM", "SELECT 1 AS code, 2 AS n FROM ods.a, dim.b", ["dim.b", "ods.a"]],
  ] as const)("reads a SELECT and %s", (_, sql, reads) => {
    const { from } = read(text("refresh: { every: 1 hour }\n", sql));
    expect(from).toEqual({ kind: "query", sql: sql.replace(/;$/, ""), reads: [...reads], everyMs: 3_600_000 });
  });

  test.each([
    ["a SELECT over a higher layer", text("", "SELECT 1 AS code, 2 AS n\nFROM dwa.x"), 7, 6, "it reads dwa.x"],
    ["a SELECT over itself", text("", "SELECT * FROM dim.carrier"), 6, 15, "it reads itself"],
    ["a table without a layer", text("", "SELECT * FROM flight"), 6, 15, "it reads flight"],
    ["a table function", text("", "SELECT * FROM url('http://x')"), 6, 15, "the table function url"],
    ["Weir's own tables", text("", "SELECT * FROM ods.a, weir.definition"), 6, 22, "it reads weir.definition"],
    ["a look-up elsewhere", text("", "SELECT dictGet('dwf.x', 'a', code) FROM ods.a"), 6, 16, "it reads dwf.x"],
    ["a SELECT without a table", text("", "SELECT 1 AS code"), 6, 1, "it reads no table"],
    ["several statements", text("", "SELECT * FROM ods.a; SELECT 2"), 6, 20, "several statements"],
    ["columns without `from`", text(""), 6, 1, "its SQL is not a SELECT"],
    ["no SQL", text("", ""), 6, 1, "its SQL is not a SELECT"],
    ["a file and a SELECT", text("from: { file: x.csv }\n", SELECT), 7, 1, "`from` and a SELECT"],
    ["a file and a package", text("from: { file: x.csv, package: a/x.csv }\n"), 5, 1, "a file or a package"],
    ["an absolute path", text("from: { file: /etc/passwd }\n"), 5, 9, "not a path relative"],
    ["an address", text("from: { file: 'https://x/y.csv' }\n"), 5, 9, "not a path relative"],
    ["a package without a file", text("from: { package: vega-datasets }\n"), 5, 9, "a file inside it"],
    ["a way out of a package", text("from: { package: a/../x.csv }\n"), 5, 9, "a file inside it"],
    ["a name that says no format", text("from: { file: x.txt }\n"), 5, 9, "how the file is written"],
    ["a refresh of a file", text("from: { file: x.csv }\nrefresh: { every: 1 h }\n"), 6, 1, "read when it is applied"],
    ["the first row of a SELECT", text("repeated: first\n", SELECT), 5, 1, "no order"],
    ["another rule", text("from: { file: x.csv }\nrepeated: newest\n"), 6, 1, "'newest' is not allowed"],
    ["another database", text("from: { file: x.csv }\n", "CREATE TABLE ods.carrier (code String)"), 7, 14, "'ods'"],
    ["another name", text("from: { file: x.csv }\n", "CREATE TABLE dim.carriers (code String)"), 7, 18, "'carriers'"],
    [
      "a column twice",
      text("from: { file: x.csv }\n", "CREATE TABLE dim.carrier (code String, code String)"),
      7,
      40,
      "twice",
    ],
    ["an underscore", text("from: { file: x.csv }\n", "CREATE TABLE dim.carrier (_code String)"), 7, 27, "underscore"],
    ["a key named twice", text("").replace("key: code", "key: [a, a]"), 4, 1, "a column twice"],
  ] as const)("refuses %s", (_, content, line, column, says) => {
    expect(() => read(content)).toThrow(`dim/carrier.sql:${line}:${column}: `);
    expect(() => read(content)).toThrow(says);
  });

  test("refuses another folder and a name that cannot be used", () => {
    expect(() => read(text("from: { file: x.csv }\n"), "ods/carrier.sql")).toThrow("not in the folder dim/");
    expect(() => read(text("from: { file: x.csv }\n"), "dim/Carrier.sql")).toThrow("'Carrier' is not a usable name");
  });
});

describe("finishDimension()", () => {
  const file = read(text("from: { file: x.csv }\n"));

  test("asks for the types as written and takes LowCardinality off the answer", () => {
    expect(typesQuestion(file)).toBe("DESCRIBE TABLE null('`code` String, `name` String')");
    expect(finishDimension(file, described("LowCardinality(String)", "LowCardinality(Nullable(String))"))).toEqual({
      kind: "dimension",
      layer: "dim",
      name: "carrier",
      doc: "Carriers.",
      key: ["code"],
      from: { kind: "file", path: "x.csv", format: "csv" },
      repeated: "error",
      unknown: "reject",
      columns: [
        { name: "code", type: "String", comment: "two letters", codec: "" },
        { name: "name", type: "Nullable(String)", comment: "", codec: "" },
      ],
    });
  });

  test.each([
    ["an Enum", "Enum8('a' = 1)", "Write String."],
    ["a FixedString", "FixedString(3)", "Write String."],
    ["a Nullable Enum", "Nullable(Enum8('a' = 1))", "Write String."],
    ["a Tuple", "Tuple(UInt8, String)", "a column for each"],
    ["an Array in a file", "Array(String)", "Write String, and take it apart"],
    ["a Map in a file", "Map(String, String)", "Write String, and take it apart"],
    ["JSON", "JSON", "Use String, or declare its fields"],
    ["another zone in a file", "DateTime64(3, 'Europe/Paris')", "Write the zone 'UTC'."],
  ] as const)("refuses %s where it stands", (_, type, hint) => {
    expect(() => finishDimension(file, described("String", type))).toThrow("dim/carrier.sql:9:8: Cannot use type");
    expect(() => finishDimension(file, described("String", type))).toThrow(hint);
  });

  test.each([
    ["a Nullable key", "key: code", ["Nullable(String)", "String"], "has type Nullable(String)"],
    ["a Float key", "key: code", ["Float64", "String"], "has type Float64"],
    [
      "a key that is no column",
      "key: iata",
      ["String", "String"],
      "its key 'iata' is no column. Name one of: code, name.",
    ],
    ["nothing but a key", "key: [code, name]", ["String", "String"], "no column beside its key"],
    ["the largest of no column", "key: code\nrepeated: { largest: at }", ["String", "String"], "'at' is no column"],
    [
      "the largest of the key",
      "key: code\nrepeated: { largest: code }",
      ["String", "String"],
      "'code' belongs to the key",
    ],
  ] as const)("refuses %s", (_, front, types, says) => {
    const draft = read(text("from: { file: x.csv }\n").replace("key: code", front));
    expect(() => finishDimension(draft, described(...types))).toThrow(says);
  });

  test("takes the items of a SELECT as columns, lists and maps too; each needs a name", () => {
    const query = read(text("", SELECT));
    expect(typesQuestion(query)).toBe(`DESCRIBE TABLE (\n${SELECT}\n)`);
    const types = ["LowCardinality(String)", "Array(LowCardinality(String))", "Map(LowCardinality(String), UInt8)"];
    expect(finishDimension(query, described(...types)).columns.map(({ type }) => type)).toEqual([
      "String",
      "Array(String)",
      "Map(String, UInt8)",
    ]);
    expect(() => finishDimension(query, [{ name: "count()", type: "UInt64" }])).toThrow("item 'count()'");
  });
});
