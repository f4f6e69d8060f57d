/**
 * Tests of `guard.ts`: hosts, origins, tokens, paths and methods, before any route.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { Exit } from "effect";
import { fakeDoor, Script, TOKENS } from "./door_fixture.ts";

const codeOf = async (answer: Response) => ((await answer.json()) as { error: { code: string } }).error.code;

describe("paths", () => {
  test.each([
    ["/nowhere", 404, "not_found"],
    ["/v1/nowhere", 404, "not_found"],
    ["/V1/admin/actors", 404, "not_found"],
    ["//v1/admin/actors", 400, "bad_path"],
    ["/v1//admin/actors", 400, "bad_path"],
    ["/v1/admin/actors/", 400, "bad_path"],
    ["/v1/admin%2factors", 400, "bad_path"],
    ["/%761/admin/actors", 400, "bad_path"],
    ["/v1/admin/actors%00", 400, "bad_path"],
    ["/v1/admin/%", 400, "bad_path"],
    ["/v1/..%2fadmin/actors", 400, "bad_path"],
    ["/healthz/%2e%2e%2fv1", 400, "bad_path"],
    [`/v1/${"a".repeat(3_000)}`, 400, "bad_path"],
  ])("%s is %s %s, and 401 without a token where it is not plainly public", async (path, status, code) => {
    const { ask } = fakeDoor(new Script());
    const answer = await ask(`http://localhost${path}`);
    expect([answer.status, await codeOf(answer)]).toEqual([status, code]);
    const isOpen = status === 404 && !path.startsWith("/v1/");
    expect((await ask(`http://localhost${path}`, { token: null })).status).toBe(isOpen ? 404 : 401);
  });

  test.each([
    ["/v1/sql", "GET", "POST"],
    ["/v1/admin/actors", "POST", "GET, HEAD"],
    ["/v1/admin/definitions", "DELETE", "GET, HEAD, POST"],
    ["/v1/ingest/flight", "GET", "POST"],
    ["/healthz", "OPTIONS", "GET, HEAD"],
  ])("%s refuses %s and allows %s", async (path, method, allow) => {
    const answer = await fakeDoor(new Script()).ask(path, { method });
    expect([answer.status, answer.headers.get("allow"), await codeOf(answer)]).toEqual([
      405,
      allow,
      "method_not_allowed",
    ]);
  });
});

describe("tokens", () => {
  test.each([
    undefined,
    "Bearer",
    "Bearer ",
    "Bearer wrong",
    `Bearer ${TOKENS.admin} x`,
    `Basic ${TOKENS.admin}`,
    `Bearer ${"x".repeat(10_000)}`,
    "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.",
  ])("%s is not let in", async (authorization) => {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const answer = await fakeDoor(new Script()).ask("/v1/admin/actors", { token: null, headers });
    expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="weir"']);
  });

  test.each(["x-forwarded-for", "forwarded", "x-real-ip", "x-forwarded-host", "x-original-url", "x-rewrite-url"])(
    "17, 18: %s changes nothing: nobody is known by an address",
    async (name) => {
      const { ask } = fakeDoor(new Script());
      for (const value of ["127.0.0.1", "for=127.0.0.1", "::ffff:7f00:1", "/healthz", "1.2.3.256"]) {
        expect((await ask("/v1/admin/actors", { token: null, headers: { [name]: value } })).status).toBe(401);
        expect((await ask("/healthz", { headers: { [name]: value, host: "evil.example" } })).status).toBe(421);
      }
    },
  );
});

describe("hosts", () => {
  test.each([
    ["localhost", 200],
    ["LOCALHOST:8080", 200],
    ["127.0.0.1:1", 200],
    ["[::1]:8080", 200],
    ["evil.example", 421],
    ["localhost.evil.example", 421],
    ["127.0.0.1.evil.example:80", 421],
    ["", 421],
  ])("'%s' is answered with %s on loopback", async (host, status) => {
    const headers = { host };
    expect((await fakeDoor(new Script()).ask("/healthz", { headers })).status).toBe(status);
    expect((await fakeDoor(new Script(), { takesAnyHost: true }).ask("/healthz", { headers })).status).toBe(200);
  });
});

describe("origins", () => {
  test.each([
    ["POST", "https://evil.example", 403],
    ["POST", "null", 403],
    ["POST", "http://localhost:9999", 403],
    ["DELETE", "https://evil.example", 403],
    ["POST", "http://localhost:8080", 400],
    ["GET", "https://evil.example", 403],
  ])("%s from %s is answered with %s", async (method, origin, status) => {
    const headers = { host: "localhost:8080", origin };
    const answer = await fakeDoor(new Script()).ask("/v1/sql", { method, headers });
    expect(answer.status).toBe(status);
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("does not matter where nothing is guarded", async () => {
    const headers = { host: "localhost:8080", origin: "https://evil.example" };
    const answer = await fakeDoor(new Script()).ask("/healthz", { headers, token: null });
    expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([200, null]);
  });
});

describe("every answer", () => {
  test.each(["/healthz", "/nowhere", "/v1/sql", "//"])("%s carries the security headers", async (path) => {
    const { headers } = await fakeDoor(new Script()).ask(`http://localhost${path}`, { token: null });
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(headers.get("cache-control")).toBe("no-store");
  });

  test("says nothing about an unexpected error, which is logged", async () => {
    let logged = 0;
    const { door } = fakeDoor(new Script());
    const all = () => {
      throw new Error("secret at /root/x.ts");
    };
    const run = <A, E>(): Promise<Exit.Exit<A, E>> => {
      logged += 1;
      return Promise.resolve(Exit.interrupt(0));
    };
    const broken = fakeDoor(new Script(), { catalog: { ...door.catalog, all }, run });
    const answer = await broken.ask("/v1/admin/definitions");
    const text = await answer.text();
    expect([answer.status, JSON.parse(text).error.code, logged]).toEqual([500, "internal", 1]);
    expect(text).not.toMatch(/secret|\/root|Error/);
  });
});
