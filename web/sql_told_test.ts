/**
 * Tests of what the author of refused SQL is told; `tests/gateway_sql_test.ts` asks a real engine.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { type Blamed, blamedIn, meantBy } from "./sql_told.ts";

describe("blamedIn()", () => {
  test.each<[string, Blamed | undefined]>([
    ["Unknown expression identifier `n.b` in scope SELECT 'x'.", { kind: "column", name: "n.b" }],
    ["Unknown table expression identifier 'dwf.numbe' in scope SELECT 1.", { kind: "table", name: "dwf.numbe" }],
    ["Identifier 'n.b' cannot be resolved from table with name n.", { kind: "column", name: "n.b" }],
    [
      "Cannot run the statement: the token may not read 'a.b', if there is such a table.",
      { kind: "table", name: "a.b" },
    ],
    ["Dictionary (`dim.spt`) not found: In scope SELECT 1.", { kind: "table", name: "dim.spt" }],
    ["No such attribute 'nam': In scope SELECT 1.", { kind: "attribute", name: "nam" }],
    ["Column 'dwf.n.a' is not under aggregate function and not in GROUP BY keys.", { kind: "other", name: "dwf.n.a" }],
    ["Cannot parse 'x' as UInt8", undefined],
  ])("%s", (message, blamed) => expect(blamedIn(message)).toEqual(blamed));
});

describe("meantBy()", () => {
  const table = (name: string, ...columns: string[]) => ({
    name,
    comment: "",
    columns: columns.map((column) => ({ name: column, type: "String", comment: "" })),
  });
  const schema = [
    { name: "dim", tables: [table("station", "code", "name")] },
    { name: "dwa", tables: [table("day", "day", "rides"), table("hour", "hours")] },
  ];

  test.each<[Blamed["kind"], string, string, string | undefined]>([
    ["table", "dwa.dya", "SELECT 1", "dwa.day"],
    ["table", "dws.other", "SELECT 1", undefined],
    ["table", "dwa.day", "SELECT 1", undefined],
    ["column", "d.ride", "SELECT d.ride FROM `dwa` . day AS d", "rides"],
    ["column", "hour", "SELECT hour FROM dwa.day", undefined],
    ["column", "hour", "SELECT hour FROM dwa.day JOIN dwa.hour USING (day)", "hours"],
    ["attribute", "nam", "SELECT dictGet('dim.station', 'nam', 1)", "name"],
  ])("the %s %s in %s", (kind, name, sql, meant) => expect(meantBy({ kind, name }, { sql, schema })).toBe(meant));
});
