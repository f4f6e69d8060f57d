/**
 * The API document over the flights warehouse: valid, complete, and true, because every example in it is sent.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";
import { app } from "@weir/web";
import { openFlights } from "./flights_fixture.ts";
import { addToken } from "./gateway_sql_fixture.ts";
import { applied, source } from "./models_fixture.ts";
import { type Document, Judge, operationsOf } from "./openapi_fixture.ts";
import type { World } from "./world.ts";

let world: World;
let whole: Document;

const documentFor = async (token: string) => {
  const answer = await world.request("/v1/openapi.json", { headers: { authorization: `Bearer ${token}` } });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Document;
};

beforeAll(async () => {
  world = await openFlights();
  whole = await documentFor(world.token);
});
afterAll(() => world.close());

/** The routes below /v1, as `GET /v1/api/:id`. */
function servedBy(web: ReturnType<typeof app>): ReadonlySet<string> {
  const routes = web.routes.filter(({ method, path }) => method !== "ALL" && path.startsWith("/v1"));
  return new Set(routes.map(({ method, path }) => `${method} ${path}`));
}

/** Routes that answer with what does not exist: their example has nothing real to name. */
const NAMELESS: Readonly<Record<string, number>> = { stop_sql: 404, revoke_token: 404, get_quarantine_row: 404 };

describe("GET /v1/openapi.json", () => {
  test("is valid OpenAPI 3.1", async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(whole) as never);
    expect({ valid, errors }).toEqual({ valid: true, errors: undefined });
  });

  test("has every route below /v1 and nothing else", () => {
    const web = app(world.door);
    const served = servedBy(web);
    const documented = operationsOf(whole).filter(({ template }) => template.startsWith("/v1"));
    const found = documented.map(({ method, path, template }) => {
      const [matched] = web.router.match(method, path.split("?", 1)[0]!);
      const route = matched.map(([[, one]]) => one).find((one) => one.method !== "ALL");
      return route === undefined ? `no route for ${template}` : `${route.method} ${route.path}`;
    });
    expect([...new Set(found)].sort()).toEqual([...served].sort());
  });

  test("the README lists the same routes", () => {
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
    const [table] = /^\| route .*?\n\n/ms.exec(readme)!;
    const listed = [...table.matchAll(/`([A-Z, ]+) (\/v1[^`]*)`/g)].flatMap(([, methods, path]) =>
      methods!.split(", ").map((method) => `${method} ${path!.replaceAll(/<\w+>/g, "<>")}`),
    );
    const served = [...servedBy(app(world.door))].map((route) => route.replaceAll(/:\w+(\{[^}]*\})?/g, "<>"));
    expect(listed.sort()).toEqual(served.sort());
  });

  test("says what parameters are, with their bounds and a value that is in the table", () => {
    const { parameters } = whole.paths["/v1/api/state_minute"]!.get!;
    expect(parameters).toMatchObject([
      { name: "state", required: false, schema: { type: "string", default: "CA" }, example: "CA" },
      { name: "limit", schema: { type: "integer", default: 60, minimum: 1, maximum: 1440 } },
      { name: "after" },
    ]);
    expect(whole.paths["/v1/api/flight"]!.get!.parameters![0]).toMatchObject({ required: true, example: "0-1" });
  });

  test("says what columns mean, and what events must be", () => {
    expect(whole.components.schemas.flight_row).toMatchObject({
      properties: { distance: { type: "integer", description: "miles", "x-clickhouse-type": "UInt32" } },
    });
    expect(whole.components.schemas.flight_event).toMatchObject({
      required: ["flight_id", "departed_at", "origin", "destination", "distance", "delay"],
      additionalProperties: false,
      properties: { delay: { type: ["integer", "string"], description: expect.stringContaining("late on arrival") } },
    });
  });
});

describe("the document's examples", () => {
  test("are what the door takes, and its answers are what the document says", async () => {
    const judge = new Judge(whole);
    const problems: string[] = [];
    for (const asked of operationsOf(whole)) {
      const { id, path, init } = asked;
      problems.push(...judge.problemsOfExample(asked).map((problem) => `${id}: the example's ${problem}`));
      if (path.includes("/live")) continue;
      const headers = { ...init.headers, authorization: `Bearer ${world.token}` };
      const answer = await world.request(path, { ...init, headers });
      const expected = NAMELESS[id] ?? (answer.ok ? answer.status : 200);
      if (answer.status !== expected) problems.push(`${id}: ${answer.status} ${await answer.clone().text()}`);
      problems.push(...(await judge.problemsOf(asked, answer)).map((problem) => `${id}: ${problem}`));
    }
    expect(problems).toEqual([]);
  });

  test("have rows: no answer of an API is empty", async () => {
    for (const { id, path, init } of operationsOf(whole).filter(({ id }) => id.startsWith("get_"))) {
      if (!path.startsWith("/v1/api/")) continue;
      const answer = await world.request(path, { ...init, headers: { authorization: `Bearer ${world.token}` } });
      const { data } = (await answer.json()) as { data: readonly unknown[] };
      // The newest hours and minutes may be those of the example event, but there are some.
      expect({ id, rows: data.length > 0 }).toEqual({ id, rows: true });
    }
  });

  test("are what streams begin with", async () => {
    const judge = new Judge(whole);
    for (const { path, template } of operationsOf(whole).filter(({ template }) => template.endsWith("/live"))) {
      const leaving = new AbortController();
      const headers = { authorization: `Bearer ${world.token}` };
      const answer = await world.request(path, { headers, signal: leaving.signal });
      expect(answer.headers.get("content-type")).toStartWith("text/event-stream");
      const result = JSON.parse(await firstData(answer));
      leaving.abort();
      expect({ template, problems: judge.problemsOfEvent(template, result) }).toEqual({
        template,
        problems: [],
      });
    }
  });
});

/** The data of a stream's first event. */
async function firstData(answer: Response): Promise<string> {
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    text += value ?? "";
    const [, data] = /^data: (.*)\n\n/m.exec(text) ?? [];
    if (data !== undefined || done) {
      await reader.cancel();
      return data ?? "null";
    }
  }
}

describe("a token's document", () => {
  const idsOf = async (token: string) => operationsOf(await documentFor(token)).map(({ id }) => id.split(" ", 1)[0]!);

  test.each([
    ["api:flight", ["list_apis", "get_flight", "watch_flight", "create_ticket"]],
    ["ingest:flight", ["ingest_flight", "create_ticket"]],
    ["sql:dwa", ["run_sql", "get_sql_schema", "stop_sql"]],
  ])("with %s shows what it reaches", async (scope, expected) => {
    addToken(world, `only_${scope.replace(":", "_")}`, [scope]);
    const ids = await idsOf(`only_${scope.replace(":", "_")}`);
    const own = new Set(
      ids.filter((id) => !["get_openapi", "get_health", "get_readiness", "get_metrics"].includes(id)),
    );
    expect([...own].sort()).toEqual([...expected].sort());
  });

  test("shows a value out of a table only to who may read that table", async () => {
    const exampleFor = async (
      name: string,
      scopes: readonly string[],
      fixed?: ReadonlyMap<string, readonly string[]>,
    ) => {
      addToken(world, name, scopes);
      if (fixed !== undefined) {
        const caller = { ...world.door.tokens.callerOfToken(name)!, fixedParams: fixed };
        world.door.tokens.revoke(`token_${name}`);
        world.door.tokens.add({
          id: `fixed_${name}`,
          hash: new Bun.CryptoHasher("sha256").update(name).digest(),
          caller,
        });
      }
      return (await documentFor(name)).paths["/v1/api/flight"]?.get?.parameters?.map(({ example }) => example);
    };
    expect(await exampleFor("reads_dwf", ["api:*", "sql:dwf"])).toEqual(["0-1", undefined]);
    expect(await exampleFor("reads_dwa", ["api:*", "sql:dwa"])).toEqual(["flight_id", undefined]);
    expect(await exampleFor("reads_no_sql", ["api:*"])).toEqual(["flight_id", undefined]);
    expect(await exampleFor("is_bound", ["api:*", "sql:dwf"], new Map([["flight_id", ["0-7"]]]))).toEqual([undefined]);
    expect(await exampleFor("is_bound_elsewhere", ["api:*", "sql:dwf"], new Map([["tenant", ["a"]]]))).toBeUndefined();
  });

  test("is not for callers without one", async () => {
    expect((await world.request("/v1/openapi.json")).status).toBe(401);
  });

  test("has a new source as soon as it is applied", async () => {
    await applied(world, { "ods/later.sql": source("later") });
    expect(await idsOf(world.token)).toContain("ingest_later");
  });
});
