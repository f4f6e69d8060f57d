/**
 * Tests of pages of other origins through the door: asked before, answered after, by whose token.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { apisOf, published, streamed } from "./api/api_fixture.ts";
import { fakeDoor, Script, TOKENS } from "./door_fixture.ts";
import { type Caller, hashOf, Tokens } from "./tokens.ts";

const [A, B, EVIL] = ["https://a.example", "https://b.example", "https://evil.example"] as const;

function opened() {
  const apis = apisOf(published());
  const script = Object.assign(new Script(), { apis, pieces: streamed('{"a":"1"}') });
  const caller = (name: string, more: Partial<Caller>): Caller => ({
    name,
    scopes: ["api:*", "ingest:flight"],
    ...more,
  });
  const tokens = new Tokens([
    { token: TOKENS.admin, caller: { name: "admin", scopes: ["admin"] } },
    { token: "a", caller: caller("a", { origins: [A] }) },
    { token: "b", caller: caller("b", { origins: [B, "http://localhost:5173"] }) },
    { token: "none", caller: caller("none", {}) },
  ]);
  tokens.add({ id: "gone", hash: hashOf("gone"), expiresMs: 1, caller: caller("gone", { origins: [A] }) });
  const { ask } = fakeDoor(script, { tokens });
  const ticket = (token: string, scopes = ["api:minutes", "ingest:flight"]) =>
    tokens.ticketFor(tokens.callerOf(`Bearer ${token}`)!, { scopes, expiresMs: Date.now() + 60_000 })!.ticket;
  return { script, tokens, ask, ticket };
}

const READ = "/v1/api/minutes?state=CA";
const allowed = ({ headers }: Response) => headers.get("access-control-allow-origin");
const from = (origin: string) => ({ host: "localhost:8080", origin });

describe("preflight", () => {
  const preflight = (path: string, origin: string, method = "GET") => {
    const headers = { ...from(origin), "access-control-request-method": method };
    return opened().ask(path, { method: "OPTIONS", token: null, headers });
  };

  test.each([
    [READ, A, "GET"],
    [READ, B, "GET"],
    ["/v1/api/minutes/live?state=CA", A, "GET"],
    ["/v1/ingest/flight", "http://localhost:5173", "POST"],
    ["/v1/tickets", A, "POST"],
    ["/v1/sql", A, "POST"],
  ])("of %s is answered to %s, which some token allows", async (path, origin, method) => {
    const answer = await preflight(path, origin, method);
    expect([answer.status, allowed(answer), answer.headers.get("vary")]).toEqual([204, origin, "Origin"]);
    expect(answer.headers.get("access-control-allow-methods")).toContain(method);
    expect(answer.headers.get("access-control-allow-headers")).toContain("authorization");
    expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
  });

  test.each([
    [READ, EVIL],
    [READ, "null"],
    [READ, "*"],
    [READ, "https://a.example.evil.example"],
    [READ, "https://A.example"],
    [READ, "http://a.example"],
    [READ, "https://a.example:8443"],
    [READ, `${A}/`],
    ["/v1/admin/tokens", A],
    ["/v1/admin", A],
    ["/v1/apiary", A],
    ["/healthz", A],
    ["/", A],
  ])("of %s is refused to %s", async (path, origin) => {
    const answer = await preflight(path, origin, "POST");
    expect([answer.status, allowed(answer)]).toEqual([403, null]);
  });
});

describe("a request from a page", () => {
  test.each([
    ["a", A, 200],
    ["a", B, 403],
    ["b", A, 403],
    ["b", B, 200],
    ["a", EVIL, 403],
    ["none", A, 403],
    ["none", EVIL, 403],
    [TOKENS.admin, A, 403],
    [TOKENS.admin, EVIL, 403],
    ["a", "null", 403],
    ["wrong", A, 401],
    ["gone", A, 401],
    ["wrong", EVIL, 403],
    ["a", "http://localhost:8080", 200],
    [TOKENS.admin, "http://localhost:8080", 200],
  ])("with the token %s from %s: %s", async (token, origin, status) => {
    const { script, ask } = opened();
    const answer = await ask(READ, { token, headers: from(origin) });
    const isForeign = !origin.includes("localhost:8080");
    // Only a page that some token allows may read even the refusal of its token.
    expect([answer.status, allowed(answer)]).toEqual([status, isForeign && status !== 403 ? origin : null]);
    expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
    expect(script.queries.length).toBe(status === 200 ? 1 : 0);
  });

  test("can read why it was refused, if its token allows it", async () => {
    const answer = await opened().ask("/v1/api/minutes", { token: "a", headers: from(A) });
    expect([answer.status, allowed(answer)]).toEqual([400, A]);
  });

  test.each(["GET", "POST", "DELETE"])("never reaches /v1/admin with %s", async (method) => {
    for (const token of ["a", TOKENS.admin]) {
      const answer = await opened().ask("/v1/admin/tokens", { method, token, headers: from(A) });
      expect([answer.status, allowed(answer)]).toEqual([403, null]);
    }
  });

  test("is worth nothing with a cookie or the browser's own password", async () => {
    const headers = { ...from(A), cookie: "token=a; authorization=Bearer a", "proxy-authorization": "Bearer a" };
    expect((await opened().ask(READ, { token: null, headers })).status).toBe(401);
  });

  test("is refused from the moment on at which its token is revoked, and its preflight too", async () => {
    const { tokens, ask } = opened();
    const id = tokens.callerOf("Bearer a")!.id!;
    tokens.revoke(id);
    tokens.revoke("gone");
    expect((await ask(READ, { token: "a", headers: from(A) })).status).toBe(403);
    const headers = { ...from(A), "access-control-request-method": "GET" };
    expect((await ask(READ, { method: "OPTIONS", token: null, headers })).status).toBe(403);
  });
});

describe("a ticket", () => {
  test.each([
    ["a", A, 200],
    ["a", B, 403],
    ["a", EVIL, 403],
    ["none", A, 403],
    ["a", "http://localhost:8080", 200],
    ["none", "http://localhost:8080", 200],
    ["a", undefined, 200],
  ])("of the token %s from %s: %s", async (token, origin, status) => {
    const { ask, ticket } = opened();
    const headers = origin === undefined ? {} : from(origin);
    const answer = await ask(`${READ}&ticket=${ticket(token)}`, { token: null, headers });
    expect(answer.status).toBe(status);
  });

  test("reads and watches APIs, and writes events, and opens nothing else", async () => {
    const { ask, ticket } = opened();
    const text = ticket("a");
    const status = async (method: string, path: string, headers = {}) =>
      (await ask(`${path}${path.includes("?") ? "&" : "?"}ticket=${text}`, { method, token: null, headers })).status;
    expect(await status("GET", READ)).toBe(200);
    expect(await status("HEAD", READ)).toBe(200);
    expect(await status("HEAD", "/v1/api/minutes/live?state=CA")).toBe(200);
    // Known, and then refused for what it sends.
    expect(await status("POST", "/v1/ingest/bird", { "content-type": "text/plain" })).toBe(403);
    expect(await status("GET", "/v1/api/other?state=CA")).toBe(403);
    for (const [method, path] of [
      ...[
        ["GET", "/v1/api"],
        ["POST", READ],
        ["GET", "/v1/ingest/flight"],
        ["PUT", "/v1/ingest/flight"],
      ],
      ...[
        ["POST", "/v1/sql"],
        ["POST", "/v1/tickets"],
        ["GET", "/v1/admin/tokens"],
        ["GET", "/v1//api/minutes"],
      ],
      ...[
        ["GET", "/v1/api/minutes/"],
        ["GET", "/v1/api/minutes/live/x"],
        ["GET", "/v1/%61pi/minutes"],
      ],
    ] as [string, string][]) {
      expect([method, path, await status(method, path)]).toEqual([method, path, 401]);
    }
  });

  test("is not taken twice, in a header, or in place of a token that is wrong", async () => {
    const { ask, ticket } = opened();
    const text = ticket("a");
    expect((await ask(`${READ}&ticket=${text}&ticket=${text}`, { token: null })).status).toBe(401);
    expect((await ask(READ, { token: text })).status).toBe(401);
    expect((await ask(`${READ}&ticket=${text}`, { token: "wrong" })).status).toBe(401);
    expect((await ask(`${READ}&ticket=`, { token: null })).status).toBe(401);
    expect((await ask(`${READ}&token=a`, { token: null })).status).toBe(401);
  });

  test("is never said again", async () => {
    const { ask, ticket } = opened();
    const text = ticket("a");
    for (const query of ["?state=CA", "?stat=CA", "?state=CA&limit=x", ""]) {
      const answer = await ask(`/v1/api/minutes${query}${query === "" ? "?" : "&"}ticket=${text}`, { token: null });
      expect([...answer.headers].join() + (await answer.text())).not.toContain(text.slice(0, 20));
    }
    // With a token of its own the request has a parameter too many; its value is not repeated either.
    const answer = await ask(`${READ}&ticket=${text}`, { token: "a" });
    expect([answer.status, (await answer.text()).includes(text.slice(0, 20))]).toEqual([400, false]);
  });
});
