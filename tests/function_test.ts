/**
 * Functions on the real engine: its parser judges them, and views write them out.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  createFunction,
  finishFunction,
  type KnownFunction,
  namesQuestion,
  readFunction,
  type SqlFunction,
  treeQuestion,
} from "@weir/sql";
import { type Engine, engine } from "./conform_engine.ts";

let scratch: Engine;
beforeAll(async () => {
  scratch = await engine();
});
afterAll(() => scratch.stop());

async function rows<Row>(sql: string): Promise<Row[]> {
  const answer = await scratch.run(sql, { settings: { default_format: "JSONEachRow" } });
  const lines = answer.trimEnd();
  return lines === "" ? [] : lines.split("\n").map((line) => JSON.parse(line) as Row);
}

/** Reads a function as whoever applies it does. */
async function functionOf(name: string, sql: string): Promise<SqlFunction> {
  const draft = readFunction(`functions/${name}.sql`, `/*---\nkind: function\ndoc: It.\n---*/\n${sql}`);
  const tree = await rows<{ explain: string }>(treeQuestion(draft));
  return finishFunction(draft, { tree, known: await rows<KnownFunction>(namesQuestion(draft, tree)) });
}

describe("finishFunction() with the engine's answers", () => {
  test.each([
    ["CREATE FUNCTION own AS (value, miles) -> value / (miles * 2)", "own(10, 5)", "1"],
    ["() -> 7", "own()", "7"],
    ["x -> CASE WHEN x > 1 THEN 'many' ELSE 'few' END", "own(2)", "many"],
    ["(x, y) -> arraySum(arrayMap(z -> z * x, [1, y])) + toIntervalDay(1).1", "1", "1"],
    ["day -> toStartOfMonth(day) + INTERVAL 1 MONTH", "own(toDate('2024-02-29'))", "2024-03-01"],
    ["(`odd name`) -> if(`odd name` IN (1, 2), CAST(`odd name` AS Int8), 0)", "own(2)", "2"],
  ] as const)("takes %s", async (sql, call, answer) => {
    await scratch.run(createFunction(await functionOf("own", sql)));
    expect((await scratch.run(`SELECT ${call}`)).trimEnd()).toBe(answer);
  });

  test.each([
    ["plus", "x -> x", "'plus' is a function of the engine"],
    ["sum", "x -> x", "'sum' is a function of the engine"],
    ["own", "x -> x + y", "'y' is not a parameter"],
    ["own", "x -> x + ods.flight", "'ods.flight' is not a parameter"],
    ["own", "x -> x IN dim.airport", "'dim.airport' is not a parameter"],
    ["own", "x -> x IN (SELECT 1)", "it reads a table"],
    ["own", "x -> (SELECT max(n) FROM ods.a)", "it reads a table"],
    ["own", "x -> x + toUnixTimestamp(now())", "it calls now, which can answer differently"],
    ["own", "x -> x + RAND()", "which can answer differently"],
    ["own", "x -> x = CURRENT_DATE", "'CURRENT_DATE' is not a parameter"],
    ["own", "x -> file", "file"],
    ["own", "x -> generateUUIDv4()", "it calls generateUUIDv4"],
    ["own", "x -> rowNumberInAllBlocks() + x", "it calls rowNumberInAllBlocks"],
    ["own", "x -> dictGet('dim.airport', 'name', x)", "it calls dictGet"],
    ["own", "x -> file('x')", "it calls file"],
    ["own", "x -> sum(x)", "it calls sum, an aggregate"],
    ["own", "x -> sumIf(x, x > 1)", "sumIf"],
    ["own", "x -> own(x)", "it calls own"],
    ["own", "x -> nosuch(x)", "nosuch"],
  ] as const)("refuses %s: %s", async (name, sql, says) => {
    await expect(functionOf(name, sql)).rejects.toThrow(says);
  });

  test("leaves broken SQL to the engine's parser", async () => {
    await expect(functionOf("own", "x -> x +")).rejects.toThrow("Syntax error");
    await expect(functionOf("own", "x -> x; SELECT 1")).rejects.toThrow("Syntax error");
  });
});
