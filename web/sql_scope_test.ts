import { describe, expect, test } from "bun:test";
import { CALLER_QUERIES_MAX, SqlQueries } from "./sql_queries.ts";
import { sqlTables } from "./sql_scope.ts";

describe("sqlTables()", () => {
  test.each([
    [["sql:read"], "dwf.flight", true],
    [["sql:read"], "dim.airport", true],
    [["sql:read"], "ods.flight", false],
    [["sql:read"], "weir.definition", false],
    [["sql:read"], "system.tables", false],
    [["sql:ods"], "ods.flight", true],
    [["sql:dws"], "dws.hour", true],
    [["sql:dws"], "dwa.state", false],
    [["sql:dws.hour"], "dws.hour", true],
    [["sql:dws.hour"], "dws.day", false],
    [["sql:dws.hour"], "dws.hour.x", false],
    [["sql:dws.hour", "sql:dwa"], "dwa.state", true],
    [["sql:system", "sql:dws"], "system.tables", false],
    [["sql:weir.token", "sql:dws"], "weir.token", false],
    [["admin"], "weir.token", true],
  ] as const)("with %p, may read %s: %p", (scopes, table, may) => {
    const [database = "", ...name] = table.split(".");
    expect(sqlTables({ scopes })?.mayRead({ database, name: name.join(".") })).toBe(may);
  });

  test.each([[[]], [["ingest:flight", "api:*"]], [["sql:"]], [["sql:system"]], [["sql:weir"]], [["sql:__proto__"]]])(
    "%p name no SQL",
    (scopes) => expect(sqlTables({ scopes })).toBeUndefined(),
  );

  test("has one key for the same tables", () => {
    const key = (...scopes: string[]) => sqlTables({ scopes })!.key;
    expect(key("sql:dws", "sql:dwa")).toBe(key("sql:dwa", "sql:dws", "ingest:x"));
    expect(new Set([key("sql:dws"), key("sql:dws.hour"), key("sql:read"), key("admin")]).size).toBe(4);
  });
});

describe("SqlQueries", () => {
  const reader = { id: "1", name: "r", scopes: ["sql:read"] };
  const other = { id: "2", name: "r", scopes: ["sql:read"] };
  const admin = { name: "a", scopes: ["admin"] };

  test("tells callers apart", () => {
    const queries = new SqlQueries();
    const mine = queries.open(reader, "x");
    expect(queries.open(other, "x").engineId).not.toBe(mine.engineId);
    expect(queries.engineIdOf(reader, "x")).toBe(mine.engineId);
    expect(queries.engineIdOf(other, "x")).not.toBe(mine.engineId);
    expect(queries.engineIdOf(admin, "x")).toBe(mine.engineId);
    expect(() => queries.open(reader, "x")).toThrow("its id runs already");
    mine.close();
    mine.close();
    expect(queries.open(reader, "x").engineId).toBe(mine.engineId);
  });

  test("bounds each caller but administrators", () => {
    const queries = new SqlQueries();
    const open = Array.from({ length: CALLER_QUERIES_MAX }, (_, id) => queries.open(reader, String(id)));
    expect(() => queries.open(reader, "more")).toThrow("too many");
    queries.open(other, "more").close();
    open[0]!.close();
    open[0]!.close();
    queries.open(reader, "more");
    expect(() => queries.open(reader, "and more")).toThrow("too many");
    for (let id = 0; id <= CALLER_QUERIES_MAX; id++) queries.open(admin, String(id));
  });
});
