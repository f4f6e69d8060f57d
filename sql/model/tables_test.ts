import { describe, expect, test } from "bun:test";
import { tokenize } from "../definition/tokens.ts";
import { splice } from "./splice.ts";
import { findTables, nullSource, tableEdits } from "./tables.ts";

describe("findTables()", () => {
  test.each([
    ["SELECT a FROM x.y", ["x.y"]],
    ["SELECT a FROM x.y AS f JOIN z.w USING a LEFT JOIN q.r AS s ON 1", ["x.y", "z.w", "q.r"]],
    ["SELECT a FROM x.y, z.w AS b WHERE c IN (1, 2)", ["x.y", "z.w"]],
    ["SELECT a FROM (SELECT b FROM x.y) WHERE c IN (SELECT d FROM z.w)", ["x.y", "z.w"]],
    ["WITH t AS (SELECT a FROM x.y) SELECT a FROM t", ["x.y"]],
    ["SELECT extract(YEAR FROM b.c) FROM x.y", ["x.y"]],
    ["SELECT trim(LEADING 'x' FROM b.c), a IS NOT DISTINCT FROM b.d FROM x.y", ["x.y"]],
    ["SELECT a FROM x.y ARRAY JOIN b, c.d", ["x.y"]],
    ["SELECT a FROM numbers(3)", ["numbers()"]],
    ["SELECT a FROM x.y WHERE b IN z.w", ["x.y", "z.w"]],
    ["SELECT a FROM `x`.`y z` UNION ALL SELECT a FROM q.r", ["x.y z", "q.r"]],
    ["SELECT t.from FROM x.y AS t", ["x.y"]],
  ])("of %p", (sql, expected) => {
    const found = findTables(tokenize(sql));
    expect(found.map((table) => `${table.name}${table.isFunction ? "()" : ""}`)).toEqual(expected);
  });
});

describe("tableEdits()", () => {
  test.each([
    ["SELECT a FROM x.y WHERE b", "SELECT a FROM NEW AS `y` WHERE b"],
    ["SELECT a FROM x.y AS f", "SELECT a FROM NEW AS f"],
    ["SELECT a FROM x.y f", "SELECT a FROM NEW f"],
    ["SELECT x.y.a, y.b FROM x.y", "SELECT y.a, y.b FROM NEW AS `y`"],
    ["SELECT a FROM x.y /* here */ ARRAY JOIN b", "SELECT a FROM NEW AS `y` /* here */ ARRAY JOIN b"],
    ["SELECT a FROM x.y WHERE b IN x.z", "SELECT a FROM NEW AS `y` WHERE b IN NEW"],
  ])("of %p", (sql, expected) => {
    const tokens = tokenize(sql);
    expect(
      splice(
        sql,
        tokens,
        tableEdits(tokens, findTables(tokens), () => "NEW"),
      ),
    ).toBe(expected);
  });
});

describe("nullSource()", () => {
  test("escapes names and types", () => {
    const columns = [{ name: "it's `q`", type: "Enum8('a' = 1)" }];
    expect(nullSource(columns)).toBe("(SELECT * FROM null('`it\\'s \\\\`q\\\\`` Enum8(\\'a\\' = 1)'))");
  });
});
