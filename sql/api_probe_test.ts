/**
 * Tests of probes: SELECTs over the columns of their tables.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { blameApi, blameSyntax, missingRead, overColumns, probeOver } from "./api_probe.ts";
import { readApi } from "./definition/api_definition.ts";

const columnsOf = (name: string) => (name === "dwf.a" ? [{ name: "n", type: "UInt32" }] : undefined);
const NULLS = "(SELECT * FROM null('`n` UInt32'))";

describe("overColumns()", () => {
  test.each([
    ["SELECT n FROM dwf.a", `SELECT n FROM ${NULLS} AS \`a\``],
    ["SELECT x.n FROM dwf.a AS x", `SELECT x.n FROM ${NULLS} AS x`],
    [
      "SELECT n FROM dwf.a WHERE n IN (SELECT n FROM dwf.a)",
      `SELECT n FROM ${NULLS} AS \`a\` WHERE n IN (SELECT n FROM ${NULLS} AS \`a\`)`,
    ],
    ["SELECT dwf.a.n FROM dwf.a", `SELECT a.n FROM ${NULLS} AS \`a\``],
    ["SELECT n FROM dwf.unknown, numbers(3)", "SELECT n FROM dwf.unknown, numbers(3)"],
    ["SELECT 'FROM dwf.a' AS text -- FROM dwf.a", "SELECT 'FROM dwf.a' AS text"],
  ])("%s", (sql, expected) => {
    expect(overColumns(sql, columnsOf)).toBe(expected);
  });
});

describe("probeOver()", () => {
  test("binds the parameters and names no table", () => {
    const api = readApi(
      "api/x.sql",
      "/*---\nkind: api\ndoc: X.\n---*/\nSELECT n FROM dwf.a WHERE n = {n:UInt32} LIMIT {limit:UInt32}\n",
    );
    const { sql, params } = probeOver(api, columnsOf);
    expect(sql).toContain(NULLS);
    expect(sql).not.toContain("dwf.a");
    expect(Object.keys(params).length).toBeGreaterThan(0);
  });
});

describe("blameApi(), blameSyntax(), missingRead()", () => {
  const file = { path: "api/x.sql", text: "/*---\nkind: api\ndoc: X.\n---*/\nSELECT 'é', mn\n  FROM dwf.a AS mm\n" };
  const said = (error: { line: number; column: number; problem: string; hint: string } | undefined) =>
    error && [`${error.line}:${error.column}`, error.problem, error.hint];

  test.each([
    [
      "Unknown expression identifier `mn` in scope SELECT 'é', mn FROM (SELECT * FROM null('n U')) AS mm. Maybe you meant: ['n']",
      ["5:13", "Cannot use this API: the engine says: Unknown expression identifier `mn`.", "Maybe 'n' was meant."],
    ],
    [
      "Illegal value of _CAST(1, 'UInt32') in `a`, (SELECT * FROM null('`n` U')) and null('n U')",
      [
        "6:12",
        "Cannot use this API: the engine says: Illegal value of 1 in `a`, (…) and (…).",
        "Write what the engine accepts.",
      ],
    ],
    [
      "Something else",
      ["5:1", "Cannot use this API: the engine says: Something else.", "Write what the engine accepts."],
    ],
  ])("%s", (refused, expected) => expect(said(blameApi(file, refused))).toEqual(expected));

  test("places what the engine cannot read, counted in bytes from before the author's text", () => {
    const at = (sql: string) => Buffer.byteLength(`EXPLAIN AST ${sql}`) + 1;
    const refused = `Syntax error: failed at position ${at("SELECT 'é', ")} (mn) (line 1, col 9): mn`;
    expect(said(blameSyntax(file, refused))).toEqual([
      "5:13",
      "Cannot use this API: the engine cannot read it at 'mn'.",
      "Write one SELECT in ClickHouse's SQL.",
    ]);
    expect(blameSyntax(file, "Unknown function nosuch")).toBeUndefined();
  });

  test("places the table that is not there", () => {
    expect(said(missingRead(file, "dwf.a"))?.[0]).toBe("6:8");
  });
});
