import { describe, expect, test } from "bun:test";
import { DefinitionError } from "./error.ts";
import { readModel } from "./model_definition.ts";

const textOf = (sql: string, front = "") => `/*---\nkind: model\ndoc: Flights.\n${front}\n---*/\n${sql}`;

function wrong(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error;
    return `${error.line}:${error.column} ${error.problem} → ${error.hint}`;
  }
  return "nothing";
}

describe("readModel()", () => {
  test("takes what is said", () => {
    const front = `owner: me
ttl: 90 days
strategy: fold
order_by: [s, hour]
partition_by: day
lookup: [s]
columns: { n: How many., s: "Which: one." }`;
    const draft = readModel("x/dwa/per_hour.sql", textOf("SELECT s FROM dwf.flight;\n", front));
    expect(draft).toMatchObject({
      layer: "dwa",
      name: "per_hour",
      sql: "SELECT s FROM dwf.flight",
      reads: ["dwf.flight"],
      options: {
        doc: "Flights.",
        owner: "me",
        ttl: 90 * 86_400_000,
        strategy: "fold",
        order_by: ["s", "hour"],
        partition_by: "day",
        lookup: ["s"],
        columns: { n: "How many.", s: "Which: one." },
      },
    });
  });

  test.each([
    ["none", undefined],
    ["36 hours", 36 * 3_600_000],
  ])("reads ttl: %s", (ttl, expected) => {
    expect(readModel("dwf/m.sql", textOf("SELECT a FROM ods.f", `ttl: ${ttl}`)).options.ttl).toBe(expected);
  });

  test("lists every table once, dictionaries too", () => {
    const sql = `WITH c AS (SELECT a FROM dwf.one) SELECT dictGet('dim.place', 'x', a), dictGetOrDefault('dim.more', 'x', a, 1)
      FROM dwf.two AS t LEFT JOIN dim.place_rows AS p ON p.a = t.a WHERE a IN (SELECT a FROM c) AND b IN (SELECT b FROM dwf.one)`;
    const reads = ["dwf.one", "dwf.two", "dim.place_rows", "dim.place", "dim.more"];
    expect(readModel("dwa/m.sql", textOf(sql)).reads).toEqual(reads);
  });

  test.each([
    ["dwf/m.sql", "", "", "6:1 Cannot use this model: it has no SELECT. → Write one below the front matter."],
    [
      "dwf/m.sql",
      "INSERT INTO x SELECT 1",
      "",
      "6:1 Cannot use this model: it begins with 'INSERT'. → Write one SELECT, nothing else.",
    ],
    [
      "dwf/m.sql",
      "SELECT 1; SELECT 2",
      "",
      "6:11 Cannot use this model: something follows its SELECT. → One file is one model; make another file.",
    ],
    [
      "dwf/m.sql",
      "SELECT {p:UInt8}",
      "",
      "6:8 Cannot use this model: it has a parameter 'p'. → Put parameters into the API.",
    ],
    [
      "ods/m.sql",
      "SELECT 1",
      "",
      "6:1 Cannot use this model: the folder ods/ has no models. → Put models into the folder dwf/, dws/ or dwa/.",
    ],
    [
      "dim/m.sql",
      "SELECT 1",
      "",
      "6:1 Cannot use this model: the folder dim/ has no models. → Put models into the folder dwf/, dws/ or dwa/.",
    ],
    [
      "other/m.sql",
      "SELECT 1",
      "",
      "6:1 Cannot use this model: its file is not in a layer's folder. → Put models into the folder dwf/, dws/ or dwa/.",
    ],
    [
      "dwf/My-Model.sql",
      "SELECT 1",
      "",
      "6:1 Cannot use this model: 'My-Model' is not a usable name. → Use lower-case letters, digits and underscores, beginning with a letter, 64 at most.",
    ],
    [
      "dwf/m.sql",
      "SELECT 1",
      "ttl: soon",
      "4:1 Cannot use 'ttl': 'soon' is not allowed. → Write none or a span of time, for example 90 days.",
    ],
    [
      "dwf/m.sql",
      "SELECT 1",
      "engine: Log",
      "4:1 Cannot use 'engine' here: there is no such option. → Use one of: kind, doc, owner, ttl, strategy, refresh, order_by, partition_by, lookup, columns.",
    ],
    [
      "dwf/m.sql",
      "SELECT 1",
      "strategy: touched",
      "4:1 Cannot use 'strategy': 'touched' is unknown. → Write append or fold or refresh.",
    ],
    [
      "dwf/m.sql",
      "SELECT 1",
      "strategy: refresh",
      "4:1 Cannot use this model: nothing says how often it is refreshed. → Add refresh: { every: 1 hour }.",
    ],
    [
      "dwf/m.sql",
      "SELECT 1",
      "strategy: fold\nrefresh: { every: 1 h }",
      "4:1 Cannot use this model: its strategy is fold and it has a refresh. → Remove one of them.",
    ],
    [
      "dwf/m.sql",
      "SELECT 1",
      "refresh: { every: 5 ms }",
      "4:12 Cannot use this model: it would be refreshed more often than once a second. → Write 1 s or more.",
    ],
  ])("refuses %s %p with %p", (path, sql, front, expected) => {
    expect(wrong(() => readModel(path, textOf(sql, front)))).toBe(expected);
  });
});
