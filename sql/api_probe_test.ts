/**
 * Tests of probes: SELECTs over the columns of their tables.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { overColumns, probeOver } from "./api_probe.ts";
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
