/**
 * Tests of what applying the files of models, dimensions, functions and APIs would change.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import type { Api } from "./api.ts";
import type { Dimension } from "./dimension.ts";
import type { SqlFunction } from "./function.ts";
import type { Model } from "./model/model.ts";
import {
  changesShape,
  type InForce,
  planApiChange,
  planDimensionChange,
  planFunctionChange,
  planModelChange,
  type Wanted,
} from "./plan_others.ts";

const column = (name: string, type: string) => ({ name, type, comment: "" });

function model(more: Partial<Model> = {}): Model {
  return {
    ...{ kind: "model", layer: "dwf", name: "x", doc: "", owner: undefined, strategy: "append" },
    ...{ reads: ["ods.a"], feeds: "ods.a", functions: [], orderBy: ["n"], partitionBy: undefined, ttl: undefined },
    ...{ columns: [column("n", "UInt32")], stateColumns: [column("n", "UInt32")], lookup: [], refreshMs: undefined },
    ...{ keys: undefined, classes: {}, explanation: [], fold: undefined },
    ...{ fillSelect: (from: string) => `SELECT n FROM ${from}`, readSelect: (from: string) => `SELECT n FROM ${from}` },
    batchSelect: () => "SELECT n FROM ods.a",
    ...more,
  };
}

const before = <D extends Model | Dimension | SqlFunction | Api>(definition: D, more: Partial<InForce<D>> = {}) =>
  ({ definition, text: "as it was", digest: "", version: 3, isActive: true, ...more }) as InForce<D>;
const wanted = <D extends Model | Dimension | SqlFunction | Api>(definition: D, text = "as it is") =>
  ({ definition, text, digest: "", nextVersion: 7 }) as Wanted<D>;
const TABLE = "changes its sort key, partitions, look-ups, schedule or ttl";
const NOTHING = { below: undefined, isMeant: false };

describe("planModelChange()", () => {
  test("creates what is not there", () => {
    expect(planModelChange(undefined, wanted(model()), NOTHING)).toMatchObject({ kind: "create", version: 7 });
  });

  test.each<[string, Partial<Model>, string[]]>([
    ["a new column", { columns: [column("n", "UInt32"), column("m", "String")] }, ["adds m"]],
    ["a column less", { columns: [] }, ["drops n"]],
    ["another type", { columns: [column("n", "UInt64")] }, ["changes n from UInt32 to UInt64"]],
    ["another strategy", { strategy: "fold" }, ["becomes fold (was append)"]],
    ["another query", { fillSelect: () => "SELECT 2 AS n" }, ["changes how its rows are computed"]],
    ["another source", { feeds: "ods.b" }, ["changes how its rows are computed"]],
    ["another sort key", { orderBy: [] }, [TABLE]],
    ["another partitioning", { partitionBy: { column: "n", by: "day" } }, [TABLE]],
    ["an age limit", { ttl: { column: "n", ageMs: 1 } }, [TABLE]],
    ["a look-up", { lookup: ["n"] }, [TABLE]],
    ["another schedule", { refreshMs: 1 }, [TABLE]],
  ])("rebuilds for %s", (_, more, notes) => {
    const change = planModelChange(before(model()), wanted(model(more)), NOTHING);
    expect(change).toMatchObject({ kind: "rebuild", version: 7, isDestructive: false, notes });
  });

  test("only describes it when its rows would be the same", () => {
    const described = model({
      doc: "Other words.",
      owner: "me",
      columns: [{ ...column("n", "UInt32"), comment: "new" }],
    });
    expect(planModelChange(before(model()), wanted(described), NOTHING)).toMatchObject({
      kind: "describe",
      version: 3,
    });
  });

  test.each<[string, boolean, string, Parameters<typeof planModelChange>[2], string, number]>([
    ["the same text", true, "as it was", NOTHING, "same", 3],
    ["the same text, asked for", true, "as it was", { ...NOTHING, isMeant: true }, "rebuild", 7],
    ["the same text over something that changes", true, "as it was", { ...NOTHING, below: "ods.a" }, "rebuild", 7],
    ["the same text of one that is suspended", false, "as it was", NOTHING, "same", 3],
    ["another text of one that is suspended", false, "as it is", NOTHING, "rebuild", 7],
    [
      "one that is suspended over something that changes",
      false,
      "as it was",
      { ...NOTHING, below: "ods.a" },
      "rebuild",
      7,
    ],
    ["one that is suspended, asked for", false, "as it was", { ...NOTHING, isMeant: true }, "rebuild", 7],
  ])("%s", (_, isActive, text, anew, kind, version) => {
    const change = planModelChange(before(model(), { isActive }), wanted(model(), text), anew);
    expect(change).toMatchObject({ kind, version });
  });
});

describe("planDimensionChange()", () => {
  const dimension = (columns = [column("k", "String"), column("v", "String")], key = ["k"]) =>
    ({
      kind: "dimension",
      layer: "dim",
      name: "d",
      doc: "",
      key,
      from: { kind: "file", path: "d.csv" },
      columns,
    }) as never as Dimension;

  test.each([
    ["nothing", "as it was", "", "same", 3, []],
    ["its rows", "as it was", "other", "rebuild", 7, ["its file has changed"]],
    ["its text", "as it is", "", "rebuild", 7, ["its definition has changed"]],
  ] as const)("knows what changes: %s", (_, text, digest, kind, version, notes) => {
    const change = planDimensionChange(before(dimension()), { ...wanted(dimension(), text), digest });
    expect(change).toMatchObject({ kind, version, notes: expect.arrayContaining([...notes]) });
  });

  test("changesShape() looks at key, names and types, not at comments", () => {
    const commented = dimension([{ ...column("k", "String"), comment: "x" }, column("v", "String")]);
    expect(changesShape(dimension(), commented)).toBe(false);
    expect(changesShape(dimension(), dimension([column("k", "String"), column("w", "String")]))).toBe(true);
    expect(changesShape(dimension(), dimension([column("k", "String"), column("v", "UInt8")]))).toBe(true);
    expect(changesShape(dimension(), dimension(undefined, ["k", "v"]))).toBe(true);
  });
});

describe("planFunctionChange() and planApiChange()", () => {
  const calls = { kind: "function", name: "f", doc: "", parameters: ["n"], body: "n" } as SqlFunction;
  const asks = { kind: "api", id: "a", doc: "" } as Api;

  test("create, keep and replace", () => {
    const functions = [undefined, before(calls, { text: "as it is" }), before(calls)];
    expect(functions.map((was) => planFunctionChange(was, wanted(calls)).kind)).toEqual(["create", "same", "rebuild"]);
    const apis = [undefined, before(asks, { text: "as it is" }), before(asks)];
    expect(apis.map((was) => planApiChange(was, wanted(asks)).kind)).toEqual(["create", "same", "describe"]);
  });
});
