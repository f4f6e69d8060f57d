/**
 * Who may go where: every route with every kind of token. What lets nobody in does nothing either.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { apisOf, published, streamed } from "./api/api_fixture.ts";
import { FLIGHT, fakeDoor, Script, TOKENS } from "./door_fixture.ts";
import { hashOf, Tokens } from "./tokens.ts";

const SCOPES = {
  ingest_flight: ["ingest:flight"],
  ingest_all: ["ingest:*"],
  api_minutes: ["api:minutes"],
  api_all: ["api:*"],
  sql_read: ["sql:read"],
  sql_table: ["sql:dws.minutes"],
  most: ["ingest:*", "api:*", "sql:read"],
  nothing: [],
} as const;
type Name = keyof typeof SCOPES | "admin" | "ticket_minutes" | "ticket_flight";
const NAMES: readonly Name[] = [...(Object.keys(SCOPES) as Name[]), "admin", "ticket_minutes", "ticket_flight"];
const NOBODY = ["none", "wrong", "expired", "revoked"] as const;

const ADMIN = ["admin"] as const;
const MINUTES = ["api_minutes", "api_all", "most", "admin", "ticket_minutes"] as const;
const WRITES = ["ingest_all", "most", "admin"] as const;
const TOKENS_ALL = NAMES.filter((name) => !name.startsWith("ticket"));
/** Who gets in; SQL's own scopes are tested with SQL. */
const ROUTES: readonly (readonly [method: string, path: string, lets: readonly Name[], untested?: readonly Name[]])[] =
  [
    ["POST", "/v1/ingest/flight", [...WRITES, "ingest_flight", "ticket_flight"]],
    ["POST", "/v1/ingest/bird", WRITES],
    ["POST", "/v1/ingest/admin", WRITES],
    ["GET", "/v1/api", ["api_minutes", "api_all", "most", "admin"]],
    ["GET", "/v1/api/minutes?state=CA", MINUTES],
    ["HEAD", "/v1/api/minutes?state=CA", MINUTES],
    ["GET", "/v1/api/minutes/live?state=CA", MINUTES],
    ["GET", "/v1/api/other?state=CA", ["api_all", "most", "admin"]],
    ["GET", "/v1/api/nowhere", ["api_all", "most", "admin"]],
    ["GET", "/v1/sql/schema", ADMIN, ["sql_read", "sql_table", "most"]],
    ["POST", "/v1/sql", ADMIN, ["sql_read", "sql_table", "most"]],
    ["DELETE", "/v1/sql/00000000-0000-4000-8000-000000000000", ADMIN, ["sql_read", "sql_table", "most"]],
    ["GET", "/v1/admin/actors", ADMIN],
    ["GET", "/v1/admin/status", ADMIN],

    ["GET", "/v1/admin/sources/flight/tail?limit=none", ADMIN],
    ["HEAD", "/v1/admin/sources/flight/tail", ADMIN],
    ["GET", "/v1/admin/sources/flight/position", ADMIN],
    ["POST", "/v1/admin/sources/flight/position", ADMIN],
    ["GET", "/v1/admin/quarantine", ADMIN],
    ["GET", "/v1/admin/quarantine/groups", ADMIN],
    ["GET", "/v1/admin/quarantine/flight.1.0.0", ADMIN],
    ["POST", "/v1/admin/quarantine/replay", ADMIN],
    ["POST", "/v1/admin/quarantine/drop", ADMIN],
    ["GET", "/v1/admin/backups", ADMIN],
    ["POST", "/v1/admin/backups", ADMIN],
    ["GET", "/v1/admin/definitions", ADMIN],
    ["GET", "/v1/admin/definitions/schemas", ADMIN],
    ["POST", "/v1/admin/definitions", ADMIN],
    ["POST", "/v1/admin/definitions/dwa.x/check", ADMIN],
    ["POST", "/v1/admin/definitions/dwa.x/resume", ADMIN],
    ["GET", "/v1/admin/tokens", ADMIN],
    ["POST", "/v1/admin/tokens", ADMIN],
    ["DELETE", "/v1/admin/tokens/0", ADMIN],
    ["GET", "/v1/admin/nowhere", ADMIN],
    ["POST", "/v1/tickets", TOKENS_ALL],
    ["GET", "/v1/openapi.json", TOKENS_ALL],
  ];

function opened() {
  const apis = apisOf(published(), published("other"));
  const script = Object.assign(new Script(), { apis, running: [FLIGHT], pieces: streamed('{"a":1}') });
  const fixed = Object.entries(SCOPES).map(([token, scopes]) => ({ token, caller: { name: token, scopes } }));
  const tokens = new Tokens([...fixed, { token: TOKENS.admin, caller: { name: "admin", scopes: ["admin"] } }]);
  const admin = { name: "x", scopes: ["admin"] };
  tokens.add({ id: "expired", hash: hashOf("expired"), caller: admin, expiresMs: Date.now() });
  tokens.add({ id: "revoked", hash: hashOf("revoked"), caller: admin });
  tokens.revoke("revoked");
  const { ask } = fakeDoor(script, { tokens });
  const ticketOf = (token: string, scope: string) => {
    const asked = { scopes: [scope], expiresMs: Date.now() + 60_000 };
    return tokens.ticketFor(tokens.callerOf(`Bearer ${token}`)!, asked)!.ticket;
  };
  const tickets: Partial<Record<string, string>> = {
    ticket_minutes: ticketOf("most", "api:minutes"),
    ticket_flight: ticketOf("most", "ingest:flight"),
  };
  const go = (method: string, path: string, who: string) => {
    // A type that every route refuses after it has let somebody in.
    const init = { method, headers: { "content-type": "image/png" } };
    const ticket = tickets[who];
    const query = `${path.includes("?") ? "&" : "?"}ticket=${ticket}`;
    if (ticket !== undefined) return ask(path + query, { ...init, token: null });
    return ask(path, { ...init, token: who === "none" ? null : who === "admin" ? TOKENS.admin : who });
  };
  return { script, go };
}

test("2: every route is asked", () => {
  const { hono } = fakeDoor(new Script());
  const missing = hono.routes.filter(({ method, path }) => {
    const pattern = new RegExp(`^${method} ${path.replaceAll(/:\w+/g, "[^/?]+")}(?:\\?|$)`);
    const isAsked = ROUTES.some(([verb, address]) => pattern.test(`${verb} ${address}`));
    return method !== "ALL" && path.startsWith("/v1") && !isAsked;
  });
  expect(missing.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
});

describe.each(ROUTES)("%s %s", (method, path, lets, untested = []) => {
  test.each(NAMES.filter((name) => !untested.includes(name)))("%s", async (who) => {
    const { script, go } = opened();
    const { status, body } = await go(method, path, who);
    await body?.cancel();
    const isRefused = status === 401 || status === 403;
    expect([who, isRefused]).toEqual([who, !lets.includes(who)]);
    if (!isRefused) return;
    expect([script.queries, script.statements, script.stops, script.applies]).toEqual([[], [], [], []]);
  });

  test.each(NOBODY)("%s", async (who) => expect((await opened().go(method, path, who)).status).toBe(401));
});
