import { describe, expect, test } from "bun:test";
import { DefinitionError } from "../definition/error.ts";
import { readModel } from "../definition/model_definition.ts";
import { checkAgainstTree, cutClauses } from "./clauses.ts";
import { readTree } from "./query_tree.ts";
import { splice } from "./splice.ts";

const draftOf = (sql: string) => readModel("dwf/m.sql", `/*---\nkind: model\ndoc: M.\n---*/\n${sql}`);

function cut(sql: string) {
  const draft = draftOf(sql);
  const { with: scalars, select, from, where, groupBy, having } = cutClauses(draft);
  const text = (tokens: (typeof select)[number]["expression"]) => splice(draft.sql, tokens);
  const named = (one: (typeof select)[number]) => `${one.name} = ${text(one.expression)}`;
  const rest = [from, where, groupBy, having].map(text);
  return [scalars.map(named).join("; "), select.map(named).join("; "), ...rest];
}

function wrong(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error;
    return `${error.line}:${error.column} ${error.problem}`;
  }
  return "nothing";
}

describe("cutClauses()", () => {
  test.each([
    ["SELECT a FROM t.x", ["", "a = a", "t.x", "", "", ""]],
    ["select a as b from t.x as f where c group by b having d", ["", "b = a", "t.x as f", "c", "b", "d"]],
    ["SELECT a, f.b, `c d`, FROM t.x", ["", "a = a; b = f.b; c d = `c d`", "t.x", "", "", ""]],
    [
      "WITH 1 AS k, x -> x + 1 AS g SELECT g(k) AS y FROM t.x",
      ["k = 1; g = x -> x + 1", "y = g(k)", "t.x", "", "", ""],
    ],
    ["SELECT extract(YEAR FROM t) AS y FROM t.x", ["", "y = extract(YEAR FROM t)", "t.x", "", "", ""]],
    [
      "SELECT CAST(a AS Int8) AS b, trim(BOTH ' ' FROM s) AS c FROM t.x",
      ["", "b = CAST(a AS Int8); c = trim(BOTH ' ' FROM s)", "t.x", "", "", ""],
    ],
    [
      "SELECT CASE WHEN a THEN b ELSE c END AS d FROM t.x",
      ["", "d = CASE WHEN a THEN b ELSE c END", "t.x", "", "", ""],
    ],
    [
      "SELECT [1, 2][1] AS a, {'k': 1} AS b, (1, 2).1 AS c FROM t.x",
      ["", "a = [1, 2][1]; b = {'k': 1}; c = (1, 2).1", "t.x", "", "", ""],
    ],
    [
      "SELECT offset, limit, format FROM t.x WHERE offset > 3 AND limit < 4",
      ["", "offset = offset; limit = limit; format = format", "t.x", "offset > 3 AND limit < 4", "", ""],
    ],
    ["SELECT a FROM t.x ARRAY JOIN b AS c, d WHERE e", ["", "a = a", "t.x ARRAY JOIN b AS c, d", "e", "", ""]],
    ["SELECT a -- , b FROM\n, c /* FROM */ FROM t.x # WHERE d", ["", "a = a; c = c", "t.x", "", "", ""]],
    [
      "SELECT 'FROM; WHERE' AS a FROM t.x WHERE b = 'GROUP BY'",
      ["", "a = 'FROM; WHERE'", "t.x", "b = 'GROUP BY'", "", ""],
    ],
    [
      "SELECT a FROM t.x WHERE a IS DISTINCT FROM 3 GROUP BY ALL",
      ["", "a = a", "t.x", "a IS DISTINCT FROM 3", "ALL", ""],
    ],
  ])("cuts %p", (sql, expected) => {
    expect(cut(sql)).toEqual(expected);
  });

  test.each([
    ["SELECT a", "5:1 Cannot use this model: it reads no table."],
    ["SELECT a, b + 1 FROM t.x", "5:11 Cannot use this model: an expression has no name."],
    ["SELECT a,\n  count() n FROM t.x", "6:3 Cannot use this model: an expression has no name."],
    ["SELECT * FROM t.x", "5:8 Cannot use this model: it selects *."],
    ["SELECT a AS _b FROM t.x", "5:13 Cannot use this model: column '_b' begins with an underscore."],
    ["SELECT DISTINCT a FROM t.x", "5:8 Cannot use this model: SELECT DISTINCT cannot be kept up to date."],
    ["SELECT a FROM t.x\nORDER BY a", "6:1 Cannot use this model: ORDER BY cannot be kept up to date by views."],
    ["SELECT a FROM t.x WHERE b LIMIT 3", "5:27 Cannot use this model: LIMIT cannot be kept up to date by views."],
    ["SELECT a FROM t.x WHERE b OFFSET 3", "5:27 Cannot use this model: OFFSET cannot be kept up to date by views."],
    ["SELECT a FROM t.x UNION ALL SELECT 1", "5:19 Cannot use this model: UNION cannot be kept up to date by views."],
    ["SELECT a FROM t.x EXCEPT SELECT 1", "5:19 Cannot use this model: EXCEPT cannot be kept up to date by views."],
    ["SELECT a FROM t.x FINAL WHERE b", "5:19 Cannot use this model: FINAL cannot be kept up to date by views."],
    ["SELECT a FROM t.x PREWHERE b", "5:19 Cannot use this model: PREWHERE cannot be kept up to date by views."],
    ["SELECT a FROM t.x QUALIFY b > 1", "5:19 Cannot use this model: QUALIFY cannot be kept up to date by views."],
    ["SELECT a FROM t.x SETTINGS b = 1", "5:19 Cannot use this model: SETTINGS cannot be kept up to date by views."],
    [
      "WITH x AS (SELECT 1) SELECT a FROM x",
      "5:6 Cannot use this model: WITH <name> AS (SELECT …) cannot be kept up to date by views.",
    ],
    ["(SELECT a FROM t.x)", "5:1 Cannot use this model: its SELECT stands in brackets."],
  ])("refuses %p", (sql, expected) => {
    expect(wrong(() => cut(sql))).toBe(expected);
  });
});

describe("checkAgainstTree()", () => {
  const tree = (...lines: string[]) => readTree(["QUERY id: 0", ...lines]);
  const check = (sql: string, root: ReturnType<typeof readTree>) => {
    const draft = draftOf(sql);
    return wrong(() => checkAgainstTree(draft, { clauses: cutClauses(draft), tree: root }));
  };
  const projection = ["  PROJECTION", "    LIST id: 1, nodes: 1", "  JOIN TREE", "    IDENTIFIER id: 2"];

  test("is content when the engine reads the same clauses", () => {
    expect(check("SELECT a FROM t.x", tree(...projection))).toBe("nothing");
    const where = ["  WHERE", "    CONSTANT id: 3"];
    expect(check("SELECT a FROM t.x WHERE 1", tree(...projection, ...where))).toBe("nothing");
  });

  test("refuses what the engine reads otherwise", () => {
    const limit = ["  LIMIT", "    CONSTANT id: 3"];
    const problem = "5:1 Cannot use this model: its LIMIT is written in a way that cannot be cut.";
    expect(check("SELECT a FROM t.x", tree(...projection, ...limit))).toBe(problem);
    const two = projection.map((line) => line.replace("nodes: 1", "nodes: 2"));
    expect(check("SELECT a FROM t.x", tree(...two))).toContain("its PROJECTION is written");
  });
});
