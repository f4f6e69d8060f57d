/**
 * Tests of `/v1/api` through the door, over a warehouse that streams what it is told.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { type RunningSource, Visible, WAITERS_MAX } from "@weir/actors";
import { Effect } from "effect";
import { API_LIMITS } from "./api/answers.ts";
import { apisOf, published, streamed } from "./api/api_fixture.ts";
import type { PublishedApi } from "./api/published.ts";
import { FLIGHT, fakeDoor, Script, TOKENS, warehouseFailed } from "./door_fixture.ts";
import { encodePosition } from "./position.ts";
import { Tokens } from "./tokens.ts";

const FLIGHTS = { ...FLIGHT, partitions: 2 } as RunningSource;

/** A door that serves `apis`; its visible positions keep the time that it is told. */
function opened(apis: readonly PublishedApi[] = [published()], pieces: Script["pieces"] = streamed('{"a":"1"}')) {
  const visible = new Visible(() => Date.UTC(2026, 0, 31));
  const script = Object.assign(new Script(), { pieces, visible, apis: apisOf(...apis), running: [FLIGHTS] });
  const scopes = { all: ["api:*"], one: ["api:minutes"], other: ["api:other"], sql: ["sql:read"] };
  const tokens = new Tokens([
    { token: TOKENS.admin, caller: { name: "admin", scopes: ["admin"] } },
    ...Object.entries(scopes).map(([token, scopes]) => ({ token, caller: { name: token, scopes } })),
  ]);
  return { script, ...fakeDoor(script, { tokens }) };
}

const errorOf = async (answer: Response) => ((await answer.json()) as { error: Record<string, unknown> }).error;
const bodyOf = async (answer: Response) =>
  (await answer.json()) as { data: unknown; meta: { cache: string; fresh_to: string | null } };
const ASKS_CLOCK = "SELECT count() AS a FROM dwf.flight WHERE departed_at > now() - 60 LIMIT {limit:UInt32}";
const U64 = "18446744073709551615";

describe("GET /v1/api/<id>", () => {
  test("answers data and meta, as the reader, bounded", async () => {
    const { script, ask } = opened(undefined, streamed(`{"a":"${U64}"}`, '{"a":"2"}'));
    script.visible.publish("ods.flight", new Map([[0, 1]]));
    script.visible.publish("ods.flight", new Map([[0, 2]]));
    const answer = await ask("/v1/api/minutes?state=CA");
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/json"]);
    expect(answer.headers.get("x-frame-options")).toBe("DENY");
    expect(await answer.json()).toEqual({
      data: [{ a: U64 }, { a: "2" }],
      meta: { rows: 2, elapsed_ms: expect.any(Number), fresh_to: "2026-01-31T00:00:00.000Z", cache: "miss" },
    });
    expect(script.queries[0]).toMatchObject({
      account: "reader",
      sql: published().api.sql,
      params: { state: "CA", limit: "60" },
      settings: { readonly: 1, max_threads: 2, max_result_rows: API_LIMITS.rowsMax, date_time_output_format: "iso" },
    });
  });

  test("answers an empty result", async () => {
    const { ask } = opened(undefined, streamed());
    expect(await bodyOf(await ask("/v1/api/minutes?state=CA"))).toMatchObject({ data: [], meta: { fresh_to: null } });
  });

  test("answers bytes that are not UTF-8 as JSON all the same", async () => {
    const row = Buffer.concat([Buffer.from('{"row":{"a":"'), Buffer.from([0xff]), Buffer.from('"}}\n')]);
    const { ask } = opened(undefined, [...streamed(), row]);
    expect((await bodyOf(await ask("/v1/api/minutes?state=CA"))).data).toEqual([{ a: "\ufffd" }]);
  });

  test.each([
    ["", "missing_parameter", "state", "Cannot answer: the parameter 'state' is missing.", "Send a text."],
    [
      "?state=CA&limit=1441",
      "bad_parameter",
      "limit",
      "Cannot answer: the parameter 'limit' is above 1440.",
      "Send a whole number from 0 to 1440.",
    ],
    [
      "?state=CA&limit=ten",
      "bad_parameter",
      "limit",
      "Cannot answer: the parameter 'limit' is not a whole number.",
      "Send a whole number from 0 to 1440.",
    ],
    [
      "?state=CA&state=NV",
      "bad_parameter",
      "state",
      "Cannot answer: the parameter 'state' is sent more than once.",
      "Send a text.",
    ],
    [
      "?state=CA&max_threads=99",
      "unknown_parameter",
      "max_threads",
      "Cannot answer: 'minutes' has no parameter 'max_threads'.",
      "Known are state, limit, after.",
    ],
    [
      "?state=CA&__proto__=1",
      "unknown_parameter",
      "__proto__",
      "Cannot answer: 'minutes' has no parameter '__proto__'.",
      "Known are state, limit, after.",
    ],
    [
      "?state=CA&after=MXxmbGlnaHR8NzoxMg",
      "bad_parameter",
      "after",
      "Cannot wait: 'after' is no position of this door.",
      "Send the `position` of an ingest answer, as it is.",
    ],
    [
      "?state=CA&after=1&after=2",
      "bad_parameter",
      "after",
      "Cannot use 'after' twice.",
      "Send the newest position only.",
    ],
  ])("refuses '%s'", async (query, code, at, message, hint) => {
    const { script, ask } = opened();
    const answer = await ask(`/v1/api/minutes${query}`);
    expect(answer.status).toBe(400);
    expect(await errorOf(answer)).toEqual({ code, message, hint, at });
    expect(script.queries).toEqual([]);
  });

  test.each([
    [null, "minutes", 401, "unauthorized"],
    ["sql", "minutes", 403, "forbidden"],
    ["other", "minutes", 403, "forbidden"],
    ["one", "minutes", 200, undefined],
    ["all", "minutes", 200, undefined],
    [TOKENS.admin, "minutes", 200, undefined],
    ["all", "hours", 404, "unknown_api"],
    ["one", "hours", 403, "forbidden"],
  ])("with the token %p asked for %s", async (token, id, status, code) => {
    const answer = await opened().ask(`/v1/api/${id}?state=CA`, { token });
    expect([answer.status, status === 200 ? undefined : (await errorOf(answer)).code]).toEqual([status, code]);
  });

  test("names the APIs that there are, to those who may know", async () => {
    const { ask } = opened([published(), published("other")]);
    const error = await errorOf(await ask("/v1/api/hours", { token: "all" }));
    expect(error.hint).toBe("Known APIs: minutes, other.");
  });

  test.each([
    ["a refused SELECT", warehouseFailed("refused", 47, "Unknown identifier x."), 500, "api_failed"],
    ["a missing right", warehouseFailed("refused", 497, "Not enough privileges."), 500, "api_failed"],
    ["too much", warehouseFailed("refused", 396, "Limit for result exceeded."), 422, "query_limit"],
    ["a warehouse that is away", warehouseFailed("not done", 0), 503, "warehouse_unavailable"],
    ["too many queries", warehouseFailed("not done", 202), 503, "busy"],
  ])("answers %s", async (_, refuses, status, code) => {
    const { script, ask } = opened();
    const answer = await ask("/v1/api/minutes?state=CA", Object.assign(script, { refuses }) && {});
    const error = await errorOf(answer);
    expect([answer.status, error.code]).toEqual([status, code]);
    if (code === "api_failed") expect(error.message).not.toContain(refuses.message);
  });

  test.each([
    ["a cut", [...streamed('{"a":1}').slice(0, 1), '{"row":{"a"', new Error("cut")]],
    ["half a row", [...streamed().slice(0, 1), '{"row":{"a":']],
    ["another format", ["<html>\n"]],
  ])("answers %s as a failure, not as half an answer", async (_, pieces) => {
    const { ask } = opened(undefined, pieces);
    expect((await ask("/v1/api/minutes?state=CA")).status).toBe(500);
  });

  test("refuses an answer that is too large, and stops reading it", async () => {
    const row = `{"row":{"a":"${"x".repeat(2 ** 20)}"}}\n`;
    const { script, ask } = opened(undefined, [streamed()[0]!, ...Array.from({ length: 33 }, () => row)]);
    const answer = await ask("/v1/api/minutes?state=CA");
    expect([answer.status, (await errorOf(answer)).code, script.cancelled]).toEqual([422, "query_limit", 1]);
  });
});

describe("a kept answer", () => {
  test("is served while nothing behind it was committed, whatever the values are written like", async () => {
    const { script, ask } = opened();
    const cacheOf = async (query: string) => (await bodyOf(await ask(`/v1/api/minutes?${query}`))).meta.cache;
    expect(await cacheOf("state=CA")).toBe("miss");
    expect(await cacheOf("limit=060&state=CA")).toBe("hit");
    expect(await cacheOf("state=NV")).toBe("miss");
    script.visible.publish("ods.other", new Map([[0, 1]]));
    expect(await cacheOf("state=CA")).toBe("hit");
    script.visible.publish("ods.flight", new Map([[0, 1]]));
    expect(await cacheOf("state=CA")).toBe("miss");
    script.visible.publish("ods.flight", new Map([[0, 1]]));
    expect(await cacheOf("state=CA")).toBe("hit");
  });

  test("ends with its definition", async () => {
    const { script, ask } = opened();
    await ask("/v1/api/minutes?state=CA");
    script.apis = apisOf(published());
    expect((await bodyOf(await ask("/v1/api/minutes?state=CA"))).meta.cache).toBe("miss");
  });

  test("there is none where the sources are unknown", async () => {
    const { ask } = opened([published("minutes", { sources: null })]);
    for (let count = 0; count < 2; count++) {
      const { meta } = await bodyOf(await ask("/v1/api/minutes?state=CA"));
      expect([meta.cache, meta.fresh_to]).toEqual(["none", null]);
    }
  });

  test("there is none of what asks for the time, and it is known how new it is", async () => {
    const { script, ask } = opened([published("minutes", { sql: ASKS_CLOCK })]);
    for (const next of [1, 2]) script.visible.publish("ods.flight", new Map([[0, next]]));
    for (let count = 0; count < 2; count++) {
      const { meta } = await bodyOf(await ask("/v1/api/minutes?limit=1"));
      expect([meta.cache, meta.fresh_to]).toEqual(["none", "2026-01-31T00:00:00.000Z"]);
    }
  });

  test("gives way to newer ones when there are too many, the longest unused first", async () => {
    const row = `{"row":{"a":"${"x".repeat(API_LIMITS.keptAnswerBytesMax - 1_000)}"}}\n`;
    const { ask } = opened(undefined, [streamed()[0]!, row]);
    const cacheOf = async (state: number) => (await bodyOf(await ask(`/v1/api/minutes?state=${state}`))).meta.cache;
    const most = Math.floor(API_LIMITS.keptBytesMax / API_LIMITS.keptAnswerBytesMax);
    for (let state = 0; state < most; state++) await cacheOf(state);
    expect(await cacheOf(0)).toBe("hit");
    await cacheOf(most);
    expect([await cacheOf(0), await cacheOf(1)]).toEqual(["hit", "miss"]);
  });

  test("there is none of an answer that would push out many", async () => {
    const row = `{"row":{"a":"${"x".repeat(API_LIMITS.keptAnswerBytesMax)}"}}\n`;
    const { ask } = opened(undefined, [streamed()[0]!, row]);
    await ask("/v1/api/minutes?state=CA");
    expect((await bodyOf(await ask("/v1/api/minutes?state=CA"))).meta.cache).toBe("miss");
  });

  test("is computed once for many who ask at the same time, and failures are kept by nobody", async () => {
    const { script, ask } = opened();
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask("/v1/api/minutes?state=CA")));
    const caches = await Promise.all(answers.map(async (answer) => (await bodyOf(answer)).meta.cache));
    expect(caches.filter((cache) => cache === "shared").length).toBe(49);
    expect(script.queries.length).toBe(1);
    script.visible.publish("ods.flight", new Map([[0, 1]]));
    script.refuses = warehouseFailed("not done", 0);
    expect((await ask("/v1/api/minutes?state=CA")).status).toBe(503);
    script.refuses = undefined;
    expect((await ask("/v1/api/minutes?state=CA")).status).toBe(200);
  });

  test.each([
    ["is", published("minutes", { sql: "SELECT 1 AS a LIMIT {limit:UInt32}" }), "miss"],
    ["of what asks for the time is", published("minutes", { sql: ASKS_CLOCK }), "none"],
  ])("%s not one that began before the latest commit", async (_, api, own) => {
    const gate = Promise.withResolvers<void>();
    const { script, door } = opened([api]);
    const warehouse: typeof door.warehouse = {
      ...door.warehouse,
      stream: (query) =>
        Effect.andThen(
          Effect.promise(() => gate.promise),
          door.warehouse.stream(query),
        ),
    };
    const { ask } = fakeDoor(script, { warehouse, tokens: door.tokens });
    const before = ask("/v1/api/minutes?limit=1");
    const same = ask("/v1/api/minutes?limit=1");
    script.visible.publish("ods.flight", new Map([[0, 1]]));
    const after = ask("/v1/api/minutes?limit=1");
    gate.resolve();
    const caches = await Promise.all(
      [before, same, after].map(async (answer) => (await bodyOf(await answer)).meta.cache),
    );
    expect(caches).toEqual([own, "shared", own]);
    expect(script.queries.length).toBe(2);
  });
});

describe("?after=", () => {
  const after = encodePosition("flight", new Map([[1, 5]]));

  test("waits until the position can be queried", async () => {
    const { script, ask } = opened();
    const waiting = ask(`/v1/api/minutes?state=CA&after=${after}`);
    script.visible.publish("ods.flight", new Map([[1, 4]]));
    await Promise.resolve();
    expect(script.queries).toEqual([]);
    script.visible.publish("ods.flight", new Map([[1, 5]]));
    expect((await waiting).status).toBe(200);
    expect(script.queries.length).toBe(1);
  });

  test("says so when it does not become visible", async () => {
    const { script, ask } = opened();
    script.visible.wait = () => Effect.succeed(false);
    const answer = await ask(`/v1/api/minutes?state=CA&after=${after}`);
    expect([answer.status, await errorOf(answer)]).toMatchObject([504, { code: "not_visible", at: "after" }]);
    expect(WAITERS_MAX).toBeGreaterThan(0);
  });

  test.each(["", "1", "a b", encodePosition("bird", new Map([[0, 1]])), encodePosition("flight", new Map([[2, 1]]))])(
    "refuses %p",
    async (position) => {
      const answer = await opened().ask(`/v1/api/minutes?state=CA&after=${encodeURIComponent(position)}`);
      expect([answer.status, (await errorOf(answer)).at]).toEqual([400, "after"]);
    },
  );
});

describe("GET /v1/api", () => {
  test("lists what the caller may ask, with what to send", async () => {
    const { ask } = opened([published(), published("other", { sql: "SELECT {ids:Array(UInt64)}", params: "{}" })]);
    const idsOf = async (token: string) => {
      const { apis } = (await (await ask("/v1/api", { token })).json()) as { apis: { id: string }[] };
      return apis.map(({ id }) => id);
    };
    expect(await idsOf("all")).toEqual(["minutes", "other"]);
    expect(await idsOf("one")).toEqual(["minutes"]);
    expect((await ask("/v1/api", { token: "sql" })).status).toBe(403);
    const { apis } = (await (await ask("/v1/api", { token: "one" })).json()) as { apis: unknown[] };
    expect(apis).toEqual([
      {
        id: "minutes",
        doc: "Flights a minute.",
        params: [
          {
            ...{ name: "state", type: "String", required: true, default: null, min: null, max: null, values: null },
            ...{ doc: "", send: "a text" },
          },
          {
            ...{ name: "limit", type: "UInt32", required: false, default: "60", min: null, max: "1440", values: null },
            ...{ doc: "", send: "a whole number from 0 to 1440" },
          },
        ],
      },
    ]);
  });
});
