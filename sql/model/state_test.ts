import { describe, expect, test } from "bun:test";
import { tokenize } from "../definition/tokens.ts";
import { type AggregateNames, aggregateOf, findCalls, mergingOf, unmergeable } from "./aggregates.ts";
import { planState, readStateType } from "./state.ts";

const KNOWN: AggregateNames = {
  exact: new Set([
    "count",
    "sum",
    "min",
    "max",
    "uniq",
    "uniqExact",
    "quantiles",
    "any",
    "groupArray",
    "argMax",
    "avg",
  ]),
  anyCase: new Set(["count", "sum", "min", "max", "avg"]),
};
const callOf = (sql: string) => findCalls(tokenize(sql), KNOWN)[0];

describe("aggregateOf() and mergingOf()", () => {
  test.each([
    ["sum", "sum", [], "exact"],
    ["SUM", "SUM", [], "exact"],
    ["sumIf", "sum", ["If"], "exact"],
    ["uniqArrayIf", "uniq", ["Array", "If"], "exact"],
    ["sumArgMax", "sum", ["ArgMax"], "ordered"],
    ["argMax", "argMax", [], "ordered"],
    ["quantilesIf", "quantiles", ["If"], "approximate"],
    ["anyIf", "any", ["If"], "refused"],
    ["uniqState", "uniq", ["State"], "refused"],
  ] as const)("%s is %s with %p: %s", (name, base, combinators, merging) => {
    expect(aggregateOf(name, KNOWN)).toEqual({ base, combinators: [...combinators] });
    expect(mergingOf(name, KNOWN)).toBe(merging);
  });

  test.each(["If", "summary", "toDate", "UNIQ"])("%s is none", (name) => {
    expect(aggregateOf(name, KNOWN)).toBeUndefined();
  });
});

describe("findCalls()", () => {
  test.each([
    ["sum(a) / count()", ["sum(a)", "count()"]],
    ["quantiles(0.5, 0.9)(a)[1]", ["quantiles(0.5, 0.9)(a)"]],
    ["sum(a) FILTER (WHERE b > (1 + 2)) + 1", ["sum(a) FILTER (WHERE b > (1 + 2))"]],
    ["round(sum(if(a, (b), c)), 2)", ["sum(if(a, (b), c))"]],
    ["t.sum(a), 'sum(a)', sum, `sum`(a)", []],
    ["a IN (SELECT max(b) FROM x.y)", []],
  ])("of %p", (sql, expected) => {
    const calls = findCalls(tokenize(sql), KNOWN);
    expect(calls.map(({ tokens }) => sql.slice(tokens[0].start, tokens.at(-1)?.end))).toEqual(expected);
  });
});

describe("unmergeable()", () => {
  test.each([
    ["sum(a)", undefined],
    ["arraySort(groupArray(a))", undefined],
    ["arraySort(x -> -x, groupArray(a))", "the order of groupArray is lost when its parts are merged"],
    ["arraySort(groupArray(3)(a))", "the order of groupArray is lost when its parts are merged"],
    ["any(a)", "any cannot be merged from parts in any order"],
    ["sum(a) OVER ()", "a window sees only one insert at a time"],
    ["sumIf(DISTINCT a, b)", "DISTINCT inside sumIf cannot be merged"],
    ["uniqMerge(a)", "uniqMerge keeps or merges states by itself"],
  ])("%s: %s", (sql, expected) => {
    expect(unmergeable(callOf(sql), KNOWN)?.problem).toBe(expected as string);
  });
});

describe("readStateType()", () => {
  test.each([
    ["AggregateFunction(count)", { name: "count", parameters: "", arguments: [] }],
    ["AggregateFunction(sumIf, Int64, UInt8)", { name: "sumIf", parameters: "", arguments: ["Int64", "UInt8"] }],
    [
      "AggregateFunction(quantiles(0.5, 0.9), Int64)",
      { name: "quantiles", parameters: "(0.5, 0.9)", arguments: ["Int64"] },
    ],
    [
      "AggregateFunction(1, sumMap, Array(Int32), Map(String, Int8))",
      { name: "sumMap", parameters: "", arguments: ["Array(Int32)", "Map(String, Int8)"] },
    ],
    ["Int64", undefined],
  ])("of %s", (type, expected) => {
    expect(readStateType(type)).toEqual(expected);
  });
});

describe("planState()", () => {
  test.each([
    ["count()", "UInt64", "count", "count()", "sum(`c`)"],
    ["countIf(a)", "UInt64", "countIf, UInt8", "countIf(a)", "sum(`c`)"],
    ["sum(a)", "Int64", "sum, Int32", "sum(a)", "sum(`c`)"],
    ["sum(a)", "Int64", "sum, Int64", "sum(toInt128(a))", "accurateCast(sum(`c`), 'Int64')"],
    ["sum(a + 1)", "UInt64", "sum, UInt64", "sum(toUInt128(a + 1))", "accurateCast(sum(`c`), 'UInt64')"],
    [
      "sumIf(a, b)",
      "Nullable(Int64)",
      "sumIf, Nullable(Int64), UInt8",
      "sumIf(toInt128(a), b)",
      "accurateCast(sum(`c`), 'Nullable(Int64)')",
    ],
    ["sum(a)", "Int128", "sum, Int128", "sum(toInt256(a))", "accurateCast(sum(`c`), 'Int128')"],
    ["sum(a)", "Decimal(38, 2)", "sum, Decimal(10, 2)", "sum(a)", "sum(`c`)"],
    [
      "sum(a)",
      "Decimal(38, 4)",
      "sum, Decimal(30, 4)",
      "sum(toDecimal256(a, 4))",
      "accurateCast(sum(`c`), 'Decimal(38, 4)')",
    ],
    [
      "sum(a) FILTER (WHERE b)",
      "Int64",
      "sum, Int64",
      "sum(toInt128(a)) FILTER (WHERE b)",
      "accurateCast(sum(`c`), 'Int64')",
    ],
    ["min(a)", "Int64", "min, Int64", "min(a)", "CAST(min(`c`), 'Int64')"],
    ["min(a) FILTER (WHERE b)", "Int64", "min, Int64", "minState(a) FILTER (WHERE b)", "minMerge(`c`)"],
    ["minIf(a, b)", "Int64", "minIf, Int64, UInt8", "minIfState(a, b)", "minIfMerge(`c`)"],
    ["count(DISTINCT a)", "UInt64", "uniqExact, Int64", "uniqExactState(a)", "uniqExactMerge(`c`)"],
    ["sum(DISTINCT a)", "Int64", "sumDistinct, Int64", "sumDistinctState(a)", "sumDistinctMerge(`c`)"],
    [
      "quantiles(0.5)(a)",
      "Array(Float64)",
      "quantiles(0.5), Int64",
      "quantilesState(0.5)(a)",
      "quantilesMerge(0.5)(`c`)",
    ],
  ])("keeps %s of %s", (sql, result, state, fill, read) => {
    const described = { result, state: `AggregateFunction(${state})` };
    const planned = planState(sql, { column: "c", call: callOf(sql), described, exactness: "exact" });
    expect([planned?.fill, planned?.read]).toEqual([fill, read]);
  });

  test("calls sums of Floats approximate", () => {
    const about = { column: "c", call: callOf("sum(a)"), exactness: "exact" } as const;
    const described = { result: "Float64", state: "AggregateFunction(sum, Float32)" };
    expect(planState("sum(a)", { ...about, described })?.exactness).toBe("approximate");
  });
});
