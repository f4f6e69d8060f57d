/**
 * Dimensions on the real engine: published as one object, moved to new rows and columns, filled from a SELECT.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { airportsPath, projectDir } from "@weir/flights";
import {
  blameDimension,
  columnsQuestion,
  countQuery,
  createDimensionTable,
  dimensionTable,
  dropDimension,
  fillStatement,
  publishDimension,
  readDimension,
  repeatedKeysQuery,
  typesQuestion,
} from "@weir/sql";
import { DimensionEngine, text } from "./dimension_engine.ts";

const engine = new DimensionEngine();
beforeAll(() => engine.open());
afterAll(() => engine.close());

describe("publishDimension()", () => {
  test("makes the flights' airports one object to select from, join and look up, for readers too", async () => {
    const airport = await engine.dimensionOf("airport", readFileSync(join(projectDir, "dim/airport.sql"), "utf8"));
    expect(airport.from).toEqual({
      kind: "package",
      package: "vega-datasets",
      path: "data/airports.csv",
      format: "csv",
    });
    const table = await engine.load(airport, new Uint8Array(readFileSync(airportsPath)));
    expect(await engine.rows(countQuery(table))).toEqual([{ rows: "3376" }]);
    expect(await engine.rows(repeatedKeysQuery(airport, table))).toEqual([]);
    await engine.publish(airport, 1);
    const sql = `SELECT name, dictGet('dim.airport', 'city', 'SFO') AS city, dictGet('dim.airport', 'name', '???') AS none,
      dictGet('dim.airport', 'latitude', toLowCardinality('???')) AS zero FROM dim.airport WHERE iata = 'SFO'`;
    expect(await engine.rows(sql, "reader")).toEqual([
      { name: "San Francisco International", city: "San Francisco", none: "", zero: 0 },
    ]);
    const joined =
      "SELECT a.state AS state FROM (SELECT 'ORD' AS code) AS f LEFT JOIN dim.airport AS a ON a.iata = f.code";
    expect(await engine.rows(joined, "reader")).toEqual([{ state: "IL" }]);
  });

  test("moves to new rows and new columns behind a view, and survives a restart", async () => {
    const narrow = await engine.dimensionOf("moved", text("moved", "k String, v UInt8"));
    await engine.load(narrow, "k,v\na,1\n", 1);
    await engine.publish(narrow, 1);
    await engine.ask("writer", "CREATE TABLE weir_state.seen (k String, v Int64) ENGINE = MergeTree ORDER BY k");
    await engine.ask("writer", "CREATE TABLE weir_state.said (k String) ENGINE = MergeTree ORDER BY k");
    await engine.ask(
      "writer",
      `CREATE MATERIALIZED VIEW weir_state.look TO weir_state.seen DEFINER = CURRENT_USER SQL SECURITY DEFINER
      AS SELECT k, toInt64(dictGet('dim.moved', 'v', k)) AS v FROM weir_state.said`,
    );
    const say = () => engine.ask("writer", "INSERT INTO weir_state.said VALUES ('a')");
    await say();
    await engine.load(narrow, "k,v\na,2\n", 2);
    await say(); // loaded, not yet published
    await engine.publish(narrow, 2, narrow);
    await say();
    const wide = await engine.dimensionOf("moved", text("moved", "k String, v Int32, w Nullable(String)"));
    await engine.load(wide, "k,v,w\na,-3,x\n", 3);
    await engine.publish(wide, 3, narrow);
    await say();
    for (const version of [1, 2]) await engine.ask("writer", `DROP TABLE ${dimensionTable(narrow, version)} SYNC`);
    await engine.restart();
    await say();
    expect(await engine.rows("SELECT v FROM weir_state.seen ORDER BY v")).toEqual(
      ["-3", "-3", "1", "1", "2"].map((v) => ({ v })),
    );
    expect(await engine.rows("SELECT * FROM dim.moved", "reader")).toEqual([{ k: "a", v: -3, w: "x" }]);
    expect(await engine.rows("SELECT dictGet('dim.moved', 'w', '?') AS w", "reader")).toEqual([{ w: null }]);
  });

  test("keeps answering from the old rows when the new ones cannot be loaded", async () => {
    const dimension = await engine.dimensionOf("kept", text("kept", "k String, v UInt8"));
    await engine.load(dimension, "k,v\na,1\n", 1);
    await engine.publish(dimension, 1);
    await engine.load(dimension, "k,v\na,2\n", 2);
    const [view, reload] = publishDimension({ dimension, version: 2 }, dimension);
    await engine.ask("writer", view);
    await engine.ask("writer", `DROP TABLE ${dimensionTable(dimension, 2)} SYNC`);
    await expect(engine.ask("writer", reload)).rejects.toThrow();
    expect(await engine.rows("SELECT dictGet('dim.kept', 'v', 'a') AS v", "reader")).toEqual([{ v: 1 }]);
    for (const statement of dropDimension(dimension)) await engine.ask("writer", statement);
    await expect(engine.rows("SELECT * FROM dim.kept", "reader")).rejects.toThrow("Unknown table");
  });

  test("fails nobody who reads or looks up while new rows are published", async () => {
    const dimension = await engine.dimensionOf("busy", text("busy", "k String, v UInt8"));
    for (const version of [1, 2]) await engine.load(dimension, `k,v\na,${version}\n`, version);
    await engine.publish(dimension, 1);
    let isOver = false;
    const seen = new Set<unknown>();
    const readers = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        const sql = "SELECT v, dictGet('dim.busy', 'v', 'a') AS looked FROM dim.busy";
        for (const { v, looked } of await engine.rows(sql, "reader")) seen.add(v).add(looked);
      }
    });
    for (let round = 0; round < 20; round++) await engine.publish(dimension, 2 - (round % 2), dimension);
    isOver = true;
    await Promise.all(readers);
    expect([...seen].sort()).toEqual([1, 2]);
  });

  test.each([
    ["UInt64", "18446744073709551615", "HASHED"],
    ["Int64", "-5", "COMPLEX_KEY_HASHED"],
    ["Decimal(10, 2)", "1.25", "COMPLEX_KEY_HASHED"],
    ["DateTime64(3, 'UTC')", "2001-01-01 00:00:00.001", "COMPLEX_KEY_HASHED"],
  ])("looks up by a key of type %s exactly", async (type, key, layout) => {
    const dimension = await engine.dimensionOf("keyed", text("keyed", `k ${type}, v UInt8`));
    await engine.load(dimension, `k,v\n${key},7\n`);
    await engine.publish(dimension, 1);
    const ask = `SELECT toString(k) AS k, dictGet('dim.keyed', 'v', CAST('${key}' AS ${type})) AS v FROM dim.keyed`;
    expect(await engine.rows(ask, "reader")).toEqual([{ k: key, v: 7 }]);
    expect(publishDimension({ dimension, version: 1 }, undefined)[1]).toContain(`LAYOUT(${layout}())`);
    for (const statement of dropDimension(dimension)) await engine.ask("writer", statement);
  });

  test("looks up by several columns", async () => {
    const front = "from: { file: x.csv }";
    const content = text("pair", "k String, n UInt32, v String", front).replace("key: k", "key: [n, k]");
    const dimension = await engine.dimensionOf("pair", content);
    await engine.load(dimension, "k,n,v\na,1,x\na,2,y\n");
    await engine.publish(dimension, 1);
    expect(await engine.rows("SELECT dictGet('dim.pair', 'v', (2, 'a')) AS v", "reader")).toEqual([{ v: "y" }]);
  });
});

describe("fillStatement()", () => {
  test("fills from a SELECT over ods and dim, LowCardinality taken off", async () => {
    await engine.ask(
      "writer",
      "CREATE TABLE ods.trip (origin LowCardinality(String), price Decimal(18, 2)) ENGINE = MergeTree ORDER BY origin",
    );
    await engine.ask("writer", "INSERT INTO ods.trip VALUES ('SFO', 1.5), ('SFO', 2.25), ('ORD', 1)");
    const front = "/*---\nkind: dimension\ndoc: Prices.\nkey: origin\nrefresh: { every: 1 hour }\n---*/\n";
    const select = "SELECT origin, max(price) AS dearest, count() AS trips FROM ods.trip GROUP BY origin;\n";
    const dimension = await engine.dimensionOf("price", front + select);
    expect(dimension.from).toMatchObject({ kind: "query", reads: ["ods.trip"], everyMs: 3_600_000 });
    expect(dimension.columns.map(({ type }) => type)).toEqual(["String", "Decimal(18, 2)", "UInt64"]);
    await engine.ask("writer", createDimensionTable(dimension, 1));
    await engine.ask("writer", fillStatement(dimension, dimensionTable(dimension, 1)));
    await engine.publish(dimension, 1);
    expect(await engine.rows("SELECT * FROM dim.price ORDER BY origin", "reader")).toEqual([
      { origin: "ORD", dearest: 1, trips: "1" },
      { origin: "SFO", dearest: 2.25, trips: "2" },
    ]);
  });

  test("keeps the largest of each key", async () => {
    await engine.ask("writer", "CREATE TABLE ods.fare (k String, v UInt8, w UInt8) ENGINE = MergeTree ORDER BY k");
    await engine.ask("writer", "INSERT INTO ods.fare VALUES ('a', 1, 9), ('a', 2, 3), ('a', 2, 4)");
    const front = "/*---\nkind: dimension\ndoc: Fares.\nkey: k\nrepeated: { largest: v }\n---*/\n";
    const dimension = await engine.dimensionOf("fare", `${front}SELECT * FROM ods.fare`);
    await engine.ask("writer", createDimensionTable(dimension, 1));
    await engine.ask("writer", fillStatement(dimension, dimensionTable(dimension, 1)));
    expect(await engine.rows(`SELECT * FROM ${dimensionTable(dimension, 1)}`)).toEqual([{ k: "a", v: 2, w: 4 }]);
  });
});

describe("columnsQuestion()", () => {
  test("finds the column whose type the engine refuses", async () => {
    const draft = readDimension("dim/typo.sql", text("typo", "k String,\n  v Flaot"));
    await expect(engine.rows(typesQuestion(draft))).rejects.toThrow("Flaot");
    expect(await engine.rows(columnsQuestion([{ name: "k", type: "String" }]))).toHaveLength(1);
    expect(blameDimension(draft, "Unknown data type", "v").message).toStartWith("dim/typo.sql:8:5: Cannot use type");
  });
});
