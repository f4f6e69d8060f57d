/**
 * Tests of `token_routes.ts` through the door: what is taken, what is answered once and never again.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { Effect } from "effect";
import { fakeDoor, Script, TOKENS, warehouseFailed } from "./door_fixture.ts";
import { TICKET_LIMITS } from "./tickets.ts";

type Json = Record<string, unknown>;
/** What answers have, each some of it. */
type Answer = Json & { readonly id: string; readonly token: string; readonly error: Json };

/** A door, and what its warehouse was told to keep. */
function opened() {
  const script = new Script();
  const inserts: string[] = [];
  const { door } = fakeDoor(script);
  const warehouse: typeof door.warehouse = {
    ...door.warehouse,
    insert: ({ body }) =>
      Effect.suspend(() => {
        if (script.refuses !== undefined) return Effect.fail(script.refuses);
        inserts.push(Buffer.concat([...body]).toString());
        return Effect.succeed({ rowsWritten: 1 });
      }),
  };
  const { ask } = fakeDoor(script, { warehouse, tokens: door.tokens });
  const post = async (path: string, body: unknown, token: string = TOKENS.admin) => {
    const headers = { "content-type": "application/json" };
    const answer = await ask(path, { method: "POST", token, headers, body: JSON.stringify(body) });
    return { status: answer.status, body: (await answer.json()) as Answer };
  };
  const create = (body: unknown) => post("/v1/admin/tokens", body);
  const revoke = async (id: string) => {
    const answer = await ask(`/v1/admin/tokens/${id}`, { method: "DELETE" });
    return [answer.status, await answer.json()] as const;
  };
  return { script, inserts, ask, post, create, revoke };
}

const APP = { name: "page", scopes: ["api:minutes"] };

describe("POST /v1/admin/tokens", () => {
  test("answers the token this once; only its hash is kept", async () => {
    const { ask, create, inserts } = opened();
    const made = await create({
      ...{ name: " app ", scopes: ["api:minutes", "ingest:flight", "api:minutes"], expires_in: "30 days" },
      ...{ origins: ["https://app.example.com"], fixed_params: { tenant: "a", years: [2025, 2026], late: true } },
    });
    expect(made).toEqual({
      status: 201,
      body: {
        ...{ id: expect.stringMatching(/^[0-9a-f]{16}$/), token: expect.stringMatching(/^weir_[\w-]{43}$/) },
        ...{ name: "app", scopes: ["api:minutes", "ingest:flight"], origins: ["https://app.example.com"] },
        fixed_params: { tenant: ["a"], years: ["2025", "2026"], late: ["true"] },
        ...{ created_at: expect.any(String), created_by: "admin", expires_at: expect.any(String) },
      } as unknown as typeof made.body,
    });
    const { token, ...rest } = made.body;
    const days = (Date.parse(rest.expires_at as string) - Date.parse(rest.created_at as string)) / 86_400_000;
    expect(days).toBe(30);
    const listed = await (await ask("/v1/admin/tokens")).text();
    expect((JSON.parse(listed) as { tokens: Json[] }).tokens).toContainEqual(rest);
    expect([listed.includes(token), inserts.join().includes(token), inserts.length]).toEqual([false, false, 1]);
    expect((await ask("/v1/api", { token })).status).toBe(200);
  });

  test.each([
    ["no scopes", { ...APP, scopes: [] }, "/scopes", ""],
    [
      "an unknown scope",
      { ...APP, scopes: ["api:a", "sql:prod"] },
      "/scopes/1",
      "'sql:prod' is no scope: after 'sql:'",
    ],
    ["a scope of another type", { ...APP, scopes: [1] }, "/scopes/0", ""],
    ["no name", { scopes: ["admin"] }, "/name", ""],
    ["an empty name", { ...APP, name: "  " }, "/name", ""],
    ["a name that breaks lines", { ...APP, name: 'a\r\n{"level":"error"}' }, "/name", "no control characters"],
    ["a name that paints", { ...APP, name: "a\u001b[31m" }, "/name", "no control characters"],
    ["another field", { ...APP, admin: true }, "", "admin"],
    ["no length of time", { ...APP, expires_in: "soon" }, "/expires_in", "'soon' is no length of time; say a number"],
    ["no time at all", { ...APP, expires_in: "0 s" }, "/expires_in", "'0 s' is no length of time; say a number"],
    ["too long a time", { ...APP, expires_in: "11 years" }, "/expires_in", "at most 10 years"],
    ["every origin", { ...APP, origins: ["*"] }, "/origins/0", "'*' is no origin"],
    [
      "an administrator in a page",
      { ...APP, scopes: ["admin"], origins: ["https://a.b"] },
      "/origins",
      "administrator",
    ],
    ["fixed values of SQL", { ...APP, scopes: ["sql:read"], fixed_params: { a: 1 } }, "/scopes/0", "bind APIs only"],
    ["fixed values of an admin", { ...APP, scopes: ["admin"], fixed_params: { a: 1 } }, "/scopes/0", "bind APIs only"],
    ["a value that is rounded", { ...APP, fixed_params: { a: 2 ** 53 } }, "/fixed_params/a", "large numbers as texts"],
    ["a value without a form", { ...APP, fixed_params: { a: null } }, "/fixed_params/a", "a value is"],
    ["a nested value", { ...APP, fixed_params: { a: [["x"]] } }, "/fixed_params/a", "a value is"],
    ["a parameter's name that is none", { ...APP, fixed_params: { "A b": 1 } }, "/fixed_params/A b", ""],
    ["a list", [APP], "", ""],
  ])("refuses %s", async (_, body, at, message) => {
    const { create, inserts } = opened();
    const refused = await create(body);
    expect([refused.status, refused.body.error.code, refused.body.error.at]).toEqual([422, "invalid_body", at]);
    expect(refused.body.error.message).toContain(message);
    expect(inserts).toEqual([]);
  });

  test.each([
    '{"__proto__":{"scopes":["admin"]},"name":"x","scopes":["api:a"]}',
    '{"name":"x","scopes":["api:a"],"fixed_params":{"__proto__":{"admin":true}}}',
  ])("takes nothing from a prototype: %s", async (body) => {
    const { ask } = opened();
    const headers = { "content-type": "application/json" };
    const answer = await ask("/v1/admin/tokens", { method: "POST", headers, body });
    // Refused, or made without it; never with more scopes than were named.
    if (answer.ok) expect((await answer.json()) as Json).toMatchObject({ scopes: ["api:a"], fixed_params: {} });
    else expect(answer.status).toBe(422);
    expect(({} as Json).admin).toBeUndefined();
  });

  test.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])(
    "reads no body of the type '%s', which a page could send without asking",
    async (type) => {
      const answer = await opened().ask("/v1/admin/tokens", {
        ...{ method: "POST", headers: { "content-type": type }, body: JSON.stringify(APP) },
      });
      expect(answer.status).toBe(415);
    },
  );

  test("gives no token that could not be stored", async () => {
    const { script, ask, create } = opened();
    script.refuses = warehouseFailed("refused", 242, "Table is in readonly mode.");
    const refused = await create(APP);
    expect(refused.body.token).toBeUndefined();
    expect(refused.status).toBe(503);
    const { tokens } = (await (await ask("/v1/admin/tokens")).json()) as { tokens: Json[] };
    expect(tokens.map(({ name }) => name)).not.toContain("page");
  });
});

describe("DELETE /v1/admin/tokens/<id>", () => {
  test("refuses the token from then on", async () => {
    const { ask, create, revoke, inserts } = opened();
    const { id, token } = (await create(APP)).body;
    expect((await ask("/v1/api", { token })).status).toBe(200);
    expect(await revoke(id)).toEqual([200, { id, revoked: true }]);
    expect((await ask("/v1/api", { token })).status).toBe(401);
    expect(JSON.parse(inserts[1]!)).toEqual({ id, event: "revoked", author: "admin" });
    expect((await revoke(id))[0]).toBe(404);
  });

  test("refuses it even if that cannot be stored yet, and can be repeated until it is", async () => {
    const { script, ask, create, revoke } = opened();
    const { id, token } = (await create(APP)).body;
    script.refuses = warehouseFailed("refused", 242, "Table is in readonly mode.");
    expect((await revoke(id))[0]).toBe(503);
    expect((await ask("/v1/api", { token })).status).toBe(401);
    script.refuses = undefined;
    expect((await revoke(id))[0]).toBe(200);
    expect((await revoke(id))[0]).toBe(404);
  });

  test("knows no other ids, and leaves the token of the start alone", async () => {
    const { ask, revoke } = opened();
    const { tokens } = (await (await ask("/v1/admin/tokens")).json()) as { tokens: { id: string; name: string }[] };
    const { id } = tokens.find(({ name }) => name === "admin")!;
    expect(await revoke(id)).toMatchObject([409, { error: { code: "token_is_fixed" } }]);
    expect(await revoke("none")).toMatchObject([404, { error: { code: "unknown_token" } }]);
    expect((await ask("/v1/admin/tokens")).status).toBe(200);
  });
});

describe("POST /v1/tickets", () => {
  test("answers a ticket that ends soon", async () => {
    const { create, post } = opened();
    const { token } = (await create(APP)).body;
    const { status, body } = await post("/v1/tickets", { scopes: ["api:minutes"], expires_in: "60 s" }, token);
    expect([status, Object.keys(body).sort()]).toEqual([201, ["expires_at", "ticket"]]);
    expect(Date.parse(body.expires_at as string) - Date.now()).toBeWithin(50_000, 60_001);
  });

  test.each([
    ["a scope that the token has not", ["api:other"], undefined, 403, "forbidden"],
    ["all of a kind of which it has one", ["api:*"], undefined, 403, "forbidden"],
    ["an administrator's scope", ["admin"], undefined, 422, "invalid_body"],
    ["SQL", ["sql:read"], undefined, 422, "invalid_body"],
    ["no scope", [], undefined, 422, "invalid_body"],
    ["too long a time", ["api:minutes"], "11 minutes", 422, "invalid_body"],
    ["too many scopes", Array(TICKET_LIMITS.scopesMax + 1).fill("api:minutes"), undefined, 422, "invalid_body"],
  ])("refuses %s", async (_, scopes, expires_in, status, code) => {
    const { create, post } = opened();
    const { token } = (await create(APP)).body;
    const refused = await post("/v1/tickets", { scopes, expires_in }, token);
    expect([refused.status, refused.body.error.code]).toEqual([status, code]);
    expect(refused.body.ticket).toBeUndefined();
  });

  test("gives an administrator tickets for APIs, never for more", async () => {
    const { post } = opened();
    expect((await post("/v1/tickets", { scopes: ["api:*", "ingest:flight"] })).status).toBe(201);
    expect((await post("/v1/tickets", { scopes: ["admin"] })).status).toBe(422);
  });
});
