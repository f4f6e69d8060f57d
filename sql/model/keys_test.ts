import { describe, expect, test } from "bun:test";
import { readModel } from "../definition/model_definition.ts";
import { cutClauses } from "./clauses.ts";
import { keyEdits, resolveKeys } from "./keys.ts";
import { splice } from "./splice.ts";

/** Keys as `column = expression`, and the items as they read from the state table. */
function keysOf(sql: string, aggregated: readonly string[] = []) {
  const draft = readModel("dwf/m.sql", `/*---\nkind: model\ndoc: M.\n---*/\n${sql}`);
  const clauses = cutClauses(draft);
  const hiddenName = (index: number) => `_key_${index}`;
  const keys = resolveKeys(draft, clauses, { aggregated: new Set(aggregated), hiddenName, table: "f" });
  const items = clauses.select.map((item) => splice(draft.sql, item.expression, keyEdits(item.expression, keys)));
  return [keys.map((key) => `${key.column} = ${splice(draft.sql, key.expression)}`), items];
}

describe("resolveKeys() and keyEdits()", () => {
  test.each([
    ["SELECT s FROM a.f GROUP BY s", ["s = s"], ["`s`"]],
    ["SELECT f.s, concat(s, 'x') AS y FROM a.f GROUP BY s", ["s = f.s"], ["`s`", "concat(`s`, 'x')"]],
    ["SELECT s AS x, upper(f.s) AS y FROM a.f GROUP BY f.s", ["x = s"], ["`x`", "upper(`x`)"]],
    ["SELECT d(t) AS day, e(d(t)) AS m FROM a.f GROUP BY day", ["day = d(t)"], ["`day`", "e(`day`)"]],
    ["SELECT d(t) AS day, e(d( t )) AS m FROM a.f GROUP BY d(t)", ["day = d(t)"], ["`day`", "e(`day`)"]],
    ["SELECT e(d(t)) AS m FROM a.f GROUP BY d(t)", ["_key_1 = d(t)"], ["e(`_key_1`)"]],
    ["SELECT d(t) AS t, e(d(t)) AS m FROM a.f GROUP BY t", ["t = d(t)"], ["d(`t`)", "e(d(`t`))"]],
    [
      "SELECT k + 1 AS n, (k + 1) * 2 AS m, k + 1 * 2 AS o FROM a.f GROUP BY 1",
      ["n = k + 1"],
      ["`n`", "(`n`) * 2", "k + 1 * 2"],
    ],
    ["SELECT s, k AS q, 1 AS n FROM a.f GROUP BY ALL", ["s = s", "q = k", "n = 1"], ["`s`", "`q`", "`n`"]],
    ["SELECT s, x AS n FROM a.f GROUP BY ALL", ["s = s"], ["`s`", "x"]],
    ["WITH d(t) AS h SELECT h AS hour, e(h) AS m FROM a.f GROUP BY hour", ["hour = h"], ["`hour`", "e(`hour`)"]],
    ["SELECT s, s AS r, t.s AS other, s(1) AS call FROM a.f GROUP BY s, s", ["s = s"], ["`s`", "`s`", "t.s", "s(1)"]],
  ])("of %p", (sql, keys, items) => {
    expect(
      keysOf(
        sql,
        ["n", "o"].filter((name) => sql.includes("x AS n") && name === "n"),
      ),
    ).toEqual([keys, items]);
  });
});
