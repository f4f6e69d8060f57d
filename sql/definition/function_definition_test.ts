/**
 * Tests of function definitions: what they become, and that every error names its line and column.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { createFunction, dropFunction } from "../function.ts";
import {
  finishFunction,
  type KnownFunction,
  namesQuestion,
  readFunction,
  treeQuestion,
} from "./function_definition.ts";

const text = (sql: string) => `/*---\nkind: function\ndoc: Per kilometre.\n---*/\n${sql}`;
const read = (sql: string, file = "functions/per_km.sql") => readFunction(file, text(sql));
const known = (name: string, more: Partial<KnownFunction> = {}): KnownFunction => ({
  name,
  origin: "System",
  is_aggregate: 0,
  deterministic: 1,
  ...more,
});
/** The parser's tree, as far as it is looked at: the function's own name first. */
const tree = (...lines: string[]) =>
  [
    "CreateSQLFunctionQuery",
    "Identifier per_km",
    "Function round (children 1)",
    "Function now",
    "Function arrayMap (children 1)",
    ...lines,
  ].map((explain) => ({ explain: ` ${explain}` }));

describe("readFunction()", () => {
  test.each([
    [
      "CREATE FUNCTION per_km AS (value, miles) -> value / (miles * 1.609344)",
      ["value", "miles"],
      "value / (miles * 1.609344)",
    ],
    ["CREATE OR REPLACE FUNCTION `per_km` AS x -> x + 1;", ["x"], "x + 1"],
    ["(a, b) ->\n  a - b -- the difference\n", ["a", "b"], "a - b"],
    ["() -> 5", [], "5"],
    ["x -> arrayMap(y -> y - x, [1])", ["x"], "arrayMap(y -> y - x, [1])"],
  ] as const)("reads %s", (sql, parameters, body) => {
    expect(read(sql)).toMatchObject({ name: "per_km", doc: "Per kilometre.", parameters: [...parameters], body });
  });

  test.each([
    ["another name", "CREATE FUNCTION per_mile AS x -> x", 5, 17, "'per_km.sql' and its function 'per_mile'"],
    ["no arrow", "CREATE FUNCTION per_km AS x", 5, 27, "it has no `->`"],
    ["no expression", "x ->", 5, 5, "it has no expression"],
    ["no AS", "CREATE FUNCTION per_km (x) -> x", 5, 24, "AS does not follow its name"],
    ["a table", "CREATE TABLE per_km (x String) -> x", 5, 8, "it does not create a function"],
    ["a parameter twice", "(a, b, a) -> a", 5, 8, "parameter 'a' is there twice"],
    ["types of parameters", "(a UInt8) -> a", 5, 4, "not a list of names"],
    ["an empty file", "", 5, 1, "it has no `->`"],
  ] as const)("refuses %s", (_, sql, line, column, says) => {
    expect(() => read(sql)).toThrow(`functions/per_km.sql:${line}:${column}: `);
    expect(() => read(sql)).toThrow(says);
  });

  test("refuses another folder and a name that cannot be used", () => {
    expect(() => read("x -> x", "dwf/per_km.sql")).toThrow("not in the folder functions/");
    expect(() => read("x -> x", "functions/perKm.sql")).toThrow("'perKm' is not a usable name");
  });
});

describe("finishFunction()", () => {
  const draft = read("CREATE FUNCTION per_km AS (a, b) ->\n  round(a) / now() + c");
  /** What is known of the tree's functions; those that are not said answer always the same. */
  const answers = (names: readonly KnownFunction[], ...lines: string[]) => {
    const others = ["round", "now", "arrayMap"].filter((name) => !names.some((one) => one.name === name));
    return { tree: tree(...lines), known: [...others.map((name) => known(name)), ...names] };
  };

  test("makes the function and its statements", () => {
    const made = finishFunction(draft, answers([known("round"), known("now")], "Identifier a"));
    expect(made).toEqual({
      ...{ kind: "function", name: "per_km", doc: "Per kilometre." },
      ...{ parameters: ["a", "b"], body: "round(a) / now() + c" },
    });
    expect(createFunction(made)).toBe("CREATE OR REPLACE FUNCTION `per_km` AS (`a`, `b`) ->\nround(a) / now() + c");
    expect(treeQuestion(draft)).toBe(`EXPLAIN AST ${createFunction(made)}`);
    expect(namesQuestion(draft, tree("Function lambda (children 1)", "Function PLUS"))).toEndWith(
      "WHERE lower(name) IN ('arraymap', 'now', 'per_km', 'plus', 'round')",
    );
    expect(dropFunction(made)).toBe("DROP FUNCTION IF EXISTS `per_km`");
  });

  test.each([
    ["a name of the engine", answers([known("PER_KM")]), "5:1: ", "'per_km' is a function of the engine"],
    [
      "a function of the clock",
      answers([known("round"), known("now", { deterministic: 0 })]),
      "6:14: ",
      "answer differently each time",
    ],
    [
      "one that nothing is known of",
      answers([known("round"), known("now", { deterministic: null })]),
      "6:14: ",
      "answer differently",
    ],
    ["an aggregate", answers([known("round", { is_aggregate: 1 })]), "6:3: ", "an aggregate"],
    [
      "another definition's",
      answers([known("round", { origin: "SQLUserDefined" })]),
      "6:3: ",
      "no function of the engine",
    ],
    ["a name that is no parameter", answers([], "Identifier a", "Identifier c"), "6:22: ", "'c' is not a parameter"],
    [
      "a function that the engine does not have",
      answers([], "Function nosuch"),
      "6:3: ",
      "does not list as a function",
    ],
    ["a query", answers([], "Subquery (children 1)"), "6:3: ", "it reads a table"],
  ] as const)("refuses %s", (_, answer, at, says) => {
    expect(() => finishFunction(draft, answer)).toThrow(`functions/per_km.sql:${at}`);
    expect(() => finishFunction(draft, answer)).toThrow(says);
  });

  test("knows parameters of lambdas inside, and its own function from before", () => {
    const inner = read("x -> arrayMap((y, z) -> y + z + x, [1], arrayFilter(w -> w > x, [2]))");
    const names = ["x", "y", "z", "w"].map((name) => `Identifier ${name}`);
    const own = known("per_km", { origin: "SQLUserDefined" });
    expect(finishFunction(inner, answers([own, known("arrayMap"), known("arrayFilter")], ...names)).parameters).toEqual(
      ["x"],
    );
  });
});
