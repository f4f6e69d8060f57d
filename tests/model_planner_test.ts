/**
 * The planner against the real engine: whatever is inserted in whatever pieces, the finished view says what the
 * author's SELECT says over all rows, before and after the engine has merged.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  AGGREGATES,
  createModelTable,
  createModelView,
  createRefreshView,
  createWeirTables,
  DefinitionError,
  fillView,
  type Model,
  stateTable,
} from "@weir/sql";
import { type Engine, engine as startEngine } from "./conform_engine.ts";
import { COLUMNS, rows, SELECTS, UPSTREAM } from "./model_cases.ts";
import { Models } from "./model_engine.ts";
import { REFUSED } from "./model_refusals.ts";

let engine: Engine;
let models: Models;

beforeAll(async () => {
  engine = await startEngine();
  for (const statement of createWeirTables()) await engine.run(statement);
  const columns = Object.entries(COLUMNS).map(([name, type]) => `${name} ${type}`);
  await engine.run(`CREATE TABLE weir_state.ods__flight__v1 (${columns.join(", ")}) ENGINE = MergeTree ORDER BY t
    SETTINGS non_replicated_deduplication_window = 1000`);
  await engine.run("CREATE VIEW ods.flight AS SELECT * FROM weir_state.ods__flight__v1");
  await engine.run("CREATE TABLE dim.place (code String, state String, k Int32) ENGINE = MergeTree ORDER BY code");
  await engine.run("INSERT INTO dim.place VALUES ('a', 'CA', 1), ('b', 'NY', 2)");
  await engine.run(`CREATE DICTIONARY dim.place_by_code (code String, state String) PRIMARY KEY code
    SOURCE(CLICKHOUSE(QUERY 'SELECT code, state FROM dim.place' USER 'weir_admin' PASSWORD '${password()}'))
    LIFETIME(0) LAYOUT(COMPLEX_KEY_HASHED())`);
  await engine.run("CREATE FUNCTION per_two AS (x) -> intDiv(x, 2)");
  await engine.run("CREATE FUNCTION hidden_sum AS (x) -> sum(x)");
  await engine.run("CREATE FUNCTION hidden_now AS (x) -> now() + x");
  const knownFunctions = new Set(["per_two", "hidden_sum", "hidden_now"]);
  models = new Models(engine, { upstream: UPSTREAM, options: { knownFunctions } });
});
afterAll(() => engine.stop());

const password = () => decodeURIComponent(new URL(engine.url).password);

/** Inserts as batches land: each with a token of its own, in every table of the cascade. */
async function insert(rest: string): Promise<void> {
  inserted += 1;
  const settings = {
    async_insert: 0,
    insert_deduplication_token: `test:${inserted}`,
    deduplicate_blocks_in_dependent_materialized_views: 1,
    materialized_views_ignore_errors: 0,
  };
  await engine.run(`INSERT INTO weir_state.ods__flight__v1 ${rest}`, { settings });
}
let inserted = 0;

describe("planModel()", () => {
  test(`keeps the results of ${SELECTS.length} SELECTs exactly`, async () => {
    const built: Model[] = [];
    const failed: string[] = [];
    for (const [index, sql] of SELECTS.entries()) {
      try {
        built.push(await models.build(`dwf/case_${index}.sql`, { sql }));
      } catch (error) {
        failed.push(`${sql}\n${(error as Error).message}`);
      }
    }
    expect(failed).toEqual([]);
    const all = [...rows(120)];
    for (let from = 0, size = 1; from < all.length; from += size, size = 1 + ((size * 5) % 17))
      await insert(`VALUES ${all.slice(from, from + size).join(", ")}`);
    // What comes later need not run through all of these.
    await Promise.all(built.map((model) => engine.run(`DROP VIEW ${fillView(model, 1)} SYNC`)));
    for (const isMerged of [false, true]) {
      for (const [index, model] of built.entries()) {
        if (isMerged) await engine.run(`OPTIMIZE TABLE ${stateTable(model, 1)} FINAL`);
        const { live, batch } = await models.compare(model);
        expect(`${SELECTS[index]}\n${live}`).toBe(`${SELECTS[index]}\n${batch}`);
        expect(batch).not.toBe("");
      }
    }
  }, 120_000);

  test.each(REFUSED)("refuses %p", async (sql, expected) => {
    const [text, front = ""] = sql.split(" -- front: ");
    let message = "nothing was refused";
    try {
      await models.plan("dwf/bad.sql", { sql: text, front });
    } catch (error) {
      if (!(error instanceof DefinitionError)) throw error;
      message = `${error.line}:${error.column} ${error.problem.replace("Cannot use this model: ", "")}`;
    }
    expect(message).toBe(expected);
  });

  test("folds folds where it distributes, and nothing else", async () => {
    const hour = await models.build("dwf/hour.sql", {
      sql: `SELECT toStartOfHour(t) AS hour, s, k, count() AS n, sum(a) AS total, sum(w) AS money, min(a) AS low,
        max(a) AS high, avg(a) AS mean, sum(a) / count() AS ratio, countIf(a > 0) AS up
        FROM ods.flight WHERE id >= 1000 GROUP BY hour, s, k`,
    });
    expect(hour.strategy).toBe("fold");
    const day = await models.build("dws/day.sql", {
      sql: `SELECT toDate(f.hour) AS day, s, sum(n) AS trips, sum(f.total) AS whole, sum(f.money) AS money, min(low) AS lowest,
        max(high) AS highest, sumIf(n, s != 'a') AS others, sum(total) / sum(n) AS mean, max(hour) AS last, uniqExact(k) AS ks
        FROM dwf.hour AS f WHERE k < 3 GROUP BY day, s HAVING trips > 0`,
    });
    const over = await models.build("dws/over.sql", {
      sql: "SELECT s, sum(n) AS all_of_them FROM dwf.hour GROUP BY s",
    });
    const top = await models.build("dwa/top.sql", { sql: "SELECT sum(all_of_them) AS everything FROM dws.over" });
    const all = [...rows(1100)].slice(1000);
    for (let from = 0; from < all.length; from += 7) await insert(`VALUES ${all.slice(from, from + 7).join(", ")}`);
    for (const model of [hour, day, over, top]) {
      const { live, batch } = await models.compare(model);
      expect(live).toBe(batch);
      await engine.run(`OPTIMIZE TABLE ${stateTable(model, 1)} FINAL`);
      expect(await models.compare(model)).toEqual({ live: batch, batch });
    }
    expect(top.feeds).toBe("dws.over");
    const wrong = async (sql: string) => {
      const planned = models.plan("dws/wrong.sql", { sql });
      return planned.then(() => "nothing was refused").catch((error: DefinitionError) => error.problem);
    };
    const over_hour = "is not the same over the fragments that a view sees.";
    expect(await wrong("SELECT s, max(total) AS x FROM dwf.hour GROUP BY s")).toContain(
      `max over dwf.hour ${over_hour}`,
    );
    expect(await wrong("SELECT s, count() AS x FROM dwf.hour GROUP BY s")).toContain(
      `count over dwf.hour ${over_hour}`,
    );
    expect(await wrong("SELECT s, sum(mean) AS x FROM dwf.hour GROUP BY s")).toContain("sum over dwf.hour");
    expect(await wrong("SELECT s, sum(k) AS x FROM dwf.hour GROUP BY s")).toContain(`sum over dwf.hour ${over_hour}`);
    expect(await wrong("SELECT s, avg(n) AS x FROM dwf.hour GROUP BY s")).toContain("avg over dwf.hour");
    expect(await wrong("SELECT s, sumIf(n, up > 1) AS x FROM dwf.hour GROUP BY s")).toContain("sumIf over dwf.hour");
    expect(await wrong("SELECT s, sum(n) AS x FROM dwf.hour WHERE n > 1 GROUP BY s")).toContain(
      "more of dwf.hour than its group keys",
    );
    expect(await wrong("SELECT s, sum(n) AS x FROM dwf.hour WHERE ratio > 1 GROUP BY s")).toContain(
      "more of dwf.hour than its group keys",
    );
    expect(await wrong("SELECT n AS x, count() AS c FROM dwf.hour GROUP BY n")).toContain("dwf.hour");
    expect(await wrong("SELECT s, n FROM dwf.hour")).toContain("dwf.hour is a fold");
    expect(await wrong("SELECT s, sum(whole) AS x FROM dws.day GROUP BY s")).toContain("leaves groups out with HAVING");
  });

  test("keeps sums that would wrap, and says so on reading", async () => {
    const model = await models.build("dwf/wide.sql", {
      sql: "SELECT k, sum(a) AS a1, count() AS n FROM ods.flight WHERE s = 'wide' GROUP BY k",
    });
    expect(model.stateColumns.map(({ type }) => type)).toEqual([
      "Int32",
      "SimpleAggregateFunction(sum, Int128)",
      "SimpleAggregateFunction(sum, UInt64)",
    ]);
    const insertOne = (a: string) => insert(`(s, k, a) VALUES ('wide', 1, ${a})`);
    await insertOne("9223372036854775807");
    await insertOne("9223372036854775807");
    await expect(engine.run("SELECT a1 FROM dwf.wide")).rejects.toThrow("cannot be safely converted");
    await insertOne("-9223372036854775808");
    expect(await engine.run("SELECT a1, n FROM dwf.wide")).toBe("9223372036854775806\t3\n");
  });

  test("computes anew on a schedule what views cannot follow", async () => {
    const model = await models.plan("dwa/top_three.sql", {
      sql: "WITH best AS (SELECT s, count() AS n FROM ods.flight GROUP BY s) SELECT s, n, now() AS at FROM best ORDER BY n DESC LIMIT 2",
      front: "refresh: { every: 90 minutes }\norder_by: [s]",
    });
    expect(model).toMatchObject({ strategy: "refresh", feeds: undefined, reads: ["ods.flight"], refreshMs: 5_400_000 });
    await engine.run(createModelTable(model, 1));
    expect(createRefreshView(model, 1)).toContain("REFRESH EVERY 90 MINUTE TO weir_state.dwa__top_three__v1");
    await engine.run(createRefreshView(model, 1));
    await engine.run(createModelView(model, 1));
    await engine.run("SYSTEM WAIT VIEW weir_state.dwa__top_three__v1__fill");
    expect(await engine.run("SELECT count() FROM dwa.top_three")).toBe("2\n");
  });

  test("lays the table out and explains it", async () => {
    const model = await models.build("dwf/laid_out.sql", {
      sql: "SELECT toStartOfHour(t) AS hour, o, s, count() AS n, sum(f) AS f, argMax(k, t) AS k FROM ods.flight GROUP BY hour, o, s",
      front:
        "owner: me\nttl: 9000 days\npartition_by: day\nlookup: [s]\ncolumns: { n: How many., hour: When. }\norder_by: [s]",
    });
    expect(model).toMatchObject({
      owner: "me",
      orderBy: ["s", "o", "hour"],
      partitionBy: { column: "hour", by: "day" },
      lookup: ["s"],
      keys: ["hour", "o", "s"],
      classes: { hour: "exact", n: "exact", f: "approximate", k: "ordered" },
    });
    expect(
      await engine.run("SELECT partition_key, sorting_key FROM system.tables WHERE name = 'dwf__laid_out__v1'"),
    ).toBe("toYYYYMMDD(hour)\ts, o, hour\n");
    expect(await engine.run("SELECT comment FROM system.columns WHERE table = 'laid_out' AND name = 'n'")).toBe(
      "How many.\n",
    );
    expect(model.explanation).toEqual([
      "fold: it aggregates rows of ods.flight, and every aggregate merges from parts in any order",
      "sorted by s, o, hour: order_by first, then the other group keys, which make a row unique",
      "partitioned by day of hour",
      "count() is kept as a value that merges by sum (_state_1, exact)",
      "sum(f) is kept as a value that merges by sum (_state_2, approximate)",
      "argMax(k, t) is kept as the engine's state AggregateFunction(argMax, Int32, DateTime64(3, 'UTC')) (_state_3, ordered)",
    ]);
  });

  test("knows what it reads, dictionaries and functions too", async () => {
    const sql = "SELECT per_two(a) AS x, dictGet('dim.place_by_code', 'state', toString(s)) AS y FROM ods.flight";
    const model = await models.plan("dwf/reading.sql", { sql });
    const reads = ["ods.flight", "dim.place_by_code"];
    expect(model).toMatchObject({ strategy: "append", feeds: "ods.flight", reads, functions: ["per_two"] });
  });

  test("knows every aggregate function of the engine", async () => {
    const names = (await engine.run("SELECT name FROM system.functions WHERE is_aggregate")).trim().split("\n");
    expect(names.filter((name) => !AGGREGATES.has(name.toLowerCase()))).toEqual([]);
  });
});
