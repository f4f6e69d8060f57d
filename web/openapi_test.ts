import { describe, expect, test } from "bun:test";
import type { Kept } from "@weir/actors";
import { type Definition, readApi } from "@weir/sql";
import { Effect } from "effect";
import { published } from "./api/api_fixture.ts";
import type { Door } from "./door.ts";
import { warehouseFailed } from "./door_fixture.ts";
import { AnswerColumns } from "./openapi/answer_columns.ts";
import { Examples } from "./openapi/examples.ts";
import type { Caller } from "./tokens.ts";

const column = (name: string, comment = "", type = "UInt32") => ({ name, type, comment });
const kept = (name: string, columns: readonly object[], reads: readonly string[] = []) => {
  const kind = reads.length === 0 ? "source" : "model";
  const [layer, table] = name.split(".");
  return { definition: { kind, layer, name: table, columns, reads, functions: [] } as unknown as Definition } as Kept;
};

/** A door whose warehouse gives these answers, one after the other; what it was asked is kept. */
function doorOf(answers: (readonly object[] | Error)[], all: readonly Kept[] = []) {
  const asked: string[] = [];
  const rows = (_: unknown, sql: string) => {
    asked.push(sql);
    const answer = answers.shift() ?? [];
    return answer instanceof Error ? Effect.fail(answer) : Effect.succeed(answer);
  };
  const parts = { warehouse: { rows }, catalog: { all: () => all }, run: Effect.runPromiseExit };
  return { door: parts as unknown as Door, asked };
}

describe("AnswerColumns", () => {
  const api = published();

  test("means what the tables below mean by the same name and type, the nearest first", async () => {
    const catalog = [
      kept("ods.flight", [column("flights", "all of them"), column("minute", "UTC")]),
      kept(
        "dwa.state_minute",
        [column("flights", "of one state"), column("minute"), column("rate", "a share")],
        ["ods.flight"],
      ),
    ];
    const answer = [column("minute"), column("flights"), column("rate", "", "Float64")];
    const { door } = doorOf([answer], catalog);
    expect(await new AnswerColumns(door).of(api)).toEqual([
      column("minute", "UTC"),
      column("flights", "of one state"),
      column("rate", "", "Float64"),
    ]);
  });

  test("is asked once, and again where the warehouse did not say", async () => {
    const { door, asked } = doorOf([warehouseFailed("not done", 0), [column("minute")]]);
    const columns = new AnswerColumns(door);
    expect(await columns.of(api)).toBeUndefined();
    for (let time = 0; time < 2; time++) expect(await columns.of(api)).toEqual([column("minute")]);
    expect(asked.length).toBe(2);
  });

  test("16: is asked once for all who ask at the same time", async () => {
    const { door, asked } = doorOf([[column("minute")]]);
    const columns = new AnswerColumns(door);
    const all = await Promise.all(Array.from({ length: 50 }, () => columns.of(api)));
    expect([all.every((one) => one?.length === 1), asked.length]).toEqual([true, 1]);
  });
});

describe("Examples", () => {
  const catalog = [kept("dwa.state_minute", [column("state", "", "String")])];
  const caller: Caller = { name: "a", scopes: ["api:*", "sql:dwa"] };
  const seen = [[{ value: "TX" }]];

  test.each([
    ["out of the table", {}, caller, seen, ["TX"]],
    ["nothing that the type does not take", { type: "UUID" }, caller, seen, ["00000000-0000-0000-0000-000000000000"]],
    [
      "nothing of a table that the caller's SQL may not read",
      {},
      { ...caller, scopes: ["api:*", "sql:dws"] },
      seen,
      ["state"],
    ],
    ["nothing to a caller without SQL", {}, { ...caller, scopes: ["api:*"] }, seen, ["state"]],
    ["nothing to a caller that is bound", {}, { ...caller, fixedParams: new Map([["x", ["1"]]]) }, seen, ["state"]],
    ["what the author says", { params: "{ state: { example: CA } }" }, caller, seen, ["CA"]],
    ["the default", { params: "{ state: { default: NY } }" }, caller, seen, ["NY"]],
    ["some text, where the table is empty", {}, caller, [[]], ["state"]],
    ["some text, where the warehouse is away", {}, caller, [warehouseFailed("not done", 0)], ["state"]],
  ] as const)(
    "are %s",
    async (_, { type = "String", params = "{}" }: { type?: string; params?: string }, asking, answers, expected) => {
      const sql = `SELECT 1 FROM dwa.state_minute WHERE state = {state:${type}}`;
      const { api } = published("by_state", { sql, params });
      const { door } = doorOf([...answers], catalog);
      const [param] = api.params;
      expect(await new Examples(door).of({ api, sources: [] }, { param: param!, caller: asking })).toEqual([
        ...expected,
      ]);
    },
  );

  test("16: look into a table once, found or not, however many ask", async () => {
    const api = readApi(
      "api/a.sql",
      "/*---\nkind: api\ndoc: a\n---*/\nSELECT 1 FROM dwa.state_minute WHERE state = {state:String}",
    );
    for (const answer of [[{ value: "TX" }], []]) {
      const { door, asked } = doorOf([answer], catalog);
      const examples = new Examples(door);
      const one = { api, sources: [] };
      const asking = () => examples.of(one, { param: api.params[0]!, caller });
      await Promise.all([asking(), asking()]);
      await asking();
      expect(asked).toEqual(["SELECT toString(`state`) AS value FROM `dwa`.`state_minute` WHERE value != '' LIMIT 1"]);
    }
  });
});
