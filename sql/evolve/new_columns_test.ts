/**
 * New columns: what many records await becomes one change, within its bounds.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { sourceWith } from "./evolve_fixture.ts";
import { evolvedColumns, mergedColumns, nextColumns } from "./new_columns.ts";
import { EVOLVE_LIMITS, type NewColumn, type NewType } from "./strangers.ts";

const column = (name: string, type: NewType = "Nullable(String)"): NewColumn => ({ name, type });
const many = (count: number, prefix = "f") => Array.from({ length: count }, (_, index) => column(`${prefix}${index}`));

describe("mergedColumns()", () => {
  const INT = column("n", "Nullable(Int64)");
  const FLOAT = column("n", "Nullable(Float64)");
  const TEXT = column("n", "Nullable(String)");
  test.each<readonly [string, readonly (readonly NewColumn[])[], readonly NewColumn[]]>([
    ["takes the fields of all records", [[column("a")], [column("b"), column("a")]], [column("a"), column("b")]],
    ["lets a whole number give way to a fraction", [[INT], [FLOAT], [INT]], [FLOAT]],
    ["keeps a fraction", [[FLOAT], [INT]], [FLOAT]],
    ["lets the first one say the type", [[TEXT], [INT], [FLOAT]], [TEXT]],
    ["never makes a number a text", [[INT], [TEXT]], [INT]],
    ["is nothing of nothing", [[], []], []],
  ])("%s", (_, lists, expected) => {
    expect(mergedColumns(lists)).toEqual(expected);
  });

  test("is bounded", () => {
    const lists = Array.from({ length: 1_000 }, (_, index) => many(3, `x${index}_`));
    expect(mergedColumns(lists)).toHaveLength(EVOLVE_LIMITS.columnsMax);
  });
});

describe("nextColumns()", () => {
  test("is what is missing, each name once", () => {
    const source = sourceWith({ evolved: ["a"], leaveOut: ["b"] });
    const awaited = [column("a"), column("b"), column("c"), column("C"), column("ID"), column("d")];
    expect(nextColumns(source, awaited)).toEqual([column("c"), column("d")]);
  });

  test("is one change's worth", () => {
    expect(nextColumns(sourceWith({}), many(50))).toEqual(many(EVOLVE_LIMITS.columnsPerChangeMax));
  });

  test("stops at the bound of all that was decided on", () => {
    const evolved = many(60).map(({ name }) => name);
    const leaveOut = many(38, "o").map(({ name }) => name);
    const source = sourceWith({ evolved, leaveOut });
    expect(evolvedColumns(source)).toBe(60);
    expect(nextColumns(source, many(9, "x"))).toEqual(many(2, "x"));
  });

  test("is nothing where a source does not evolve", () => {
    expect(nextColumns({ ...sourceWith({}), drift: "quarantine" }, many(1))).toEqual([]);
  });
});
