/**
 * Tests of `fixed_params.ts` through the door: a token that is bound to a tenant reads that tenant's rows or nothing.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { fakeDoor, Script } from "../door_fixture.ts";
import { type Caller, Tokens } from "../tokens.ts";
import { apisOf, published, streamed } from "./api_fixture.ts";
import type { PublishedApi } from "./published.ts";

const TENANTS = published("orders", {
  sql: "SELECT n FROM dwa.orders WHERE tenant = {tenant:String} AND year IN {years:Array(UInt16)} AND n < {n:UInt32}",
  params: "{ years: { default: [2025] }, n: { default: 9 } }",
});
const ALL = published("all", { sql: "SELECT n FROM dwa.orders", params: "{}" });

function opened(...apis: readonly PublishedApi[]) {
  const script = Object.assign(new Script(), { apis: apisOf(...apis), pieces: streamed('{"n":1}') });
  const bound = (name: string, fixed: Record<string, readonly string[]>): { token: string; caller: Caller } => ({
    ...{ token: name, caller: { name, scopes: ["api:*"], fixedParams: new Map(Object.entries(fixed)) } },
  });
  const tokens = new Tokens([
    bound("a", { tenant: ["a"] }),
    bound("b", { tenant: ["b"] }),
    bound("years", { tenant: ["a"], years: ["2025", "2026"] }),
    bound("number", { n: ["7"] }),
    bound("bad", { n: ["many"] }),
    { token: "free", caller: { name: "free", scopes: ["api:*"] } },
  ]);
  return { script, tokens, ...fakeDoor(script, { tokens }) };
}

const codeOf = async (answer: Response) => ((await answer.json()) as { error: { code: string } }).error.code;

describe("a token's fixed parameter", () => {
  test.each([
    ["a", "", { tenant: "a", years: "[2025]", n: "9" }],
    ["a", "?n=5&years=2026", { tenant: "a", years: "[2026]", n: "5" }],
    ["a", "?tenant=a", { tenant: "a", years: "[2025]", n: "9" }],
    ["years", "", { tenant: "a", years: "[2025,2026]", n: "9" }],
    ["years", "?years=[2025,2026]", { tenant: "a", years: "[2025,2026]", n: "9" }],
    ["number", "?tenant=x&n=007", { tenant: "x", years: "[2025]", n: "7" }],
    ["free", "?tenant=b", { tenant: "b", years: "[2025]", n: "9" }],
  ])("of %s with '%s' is bound", async (token, query, params) => {
    const { script, ask } = opened(TENANTS);
    expect((await ask(`/v1/api/orders${query}`, { token })).status).toBe(200);
    expect(script.queries[0]!.params).toEqual(params);
  });

  test.each([
    ["a", "?tenant=b", "fixed_parameter"],
    ["a", "?tenant=b&tenant=a", "fixed_parameter"],
    ["a", "?tenant=a&tenant=b", "fixed_parameter"],
    ["a", "?tenant=a&tenant=a", "fixed_parameter"],
    ["a", "?tenant=", "fixed_parameter"],
    ["a", "?%74enant=b", "fixed_parameter"],
    ["a", "?tenant=A", "fixed_parameter"],
    ["years", "?years=2025", "fixed_parameter"],
    ["years", "?years=2026&years=2025", "fixed_parameter"],
    ["bad", "?tenant=a", "forbidden"],
  ])("of %s is not changed by '%s'", async (token, query, code) => {
    const { script, ask } = opened(TENANTS);
    for (const path of ["orders", "orders/live"]) {
      const answer = await ask(`/v1/api/${path}${query}`, { token });
      expect([answer.status, await codeOf(answer)]).toEqual([403, code]);
    }
    expect(script.queries).toEqual([]);
  });

  test("closes APIs that do not take it: they would read every tenant's rows", async () => {
    const { script, ask } = opened(TENANTS, ALL);
    for (const query of ["", "?tenant=a"]) {
      const answer = await ask(`/v1/api/all${query}`, { token: "a" });
      expect([answer.status, await codeOf(answer)]).toEqual([403, "forbidden"]);
    }
    expect(script.queries).toEqual([]);
    const { apis } = (await (await ask("/v1/api", { token: "a" })).json()) as { apis: { id: string }[] };
    expect(apis.map(({ id }) => id)).toEqual(["orders"]);
  });

  test("is part of what answers are kept by: two tenants never share one", async () => {
    const { script, ask } = opened(TENANTS);
    const cacheOf = async (token: string, query = "") => {
      const { meta } = (await (await ask(`/v1/api/orders${query}`, { token })).json()) as { meta: { cache: string } };
      return meta.cache;
    };
    expect([await cacheOf("a"), await cacheOf("b"), await cacheOf("a"), await cacheOf("b")]).toEqual([
      ...["miss", "miss", "hit", "hit"],
    ]);
    expect(await cacheOf("free", "?tenant=a")).toBe("hit");
    expect(script.queries.map(({ params }) => params.tenant)).toEqual(["a", "b"]);
    const together = await Promise.all(["a", "b", "a", "b"].map((token) => cacheOf(token, "?n=1")));
    expect(together.sort()).toEqual(["miss", "miss", "shared", "shared"]);
  });

  test("goes with the token's tickets", async () => {
    const { script, tokens, ask } = opened(TENANTS);
    const asked = { scopes: ["api:orders"], expiresMs: Date.now() + 60_000 };
    const { ticket } = tokens.ticketFor(tokens.callerOf("Bearer a")!, asked)!;
    expect((await ask(`/v1/api/orders?ticket=${ticket}`, { token: null })).status).toBe(200);
    expect((await ask(`/v1/api/orders?tenant=b&ticket=${ticket}`, { token: null })).status).toBe(403);
    expect(script.queries.map(({ params }) => params.tenant)).toEqual(["a"]);
  });
});
