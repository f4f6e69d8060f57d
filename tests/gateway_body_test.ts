/**
 * What the door must survive in bodies, headers and hostile text: a test for each row of the list of risks, by its number.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Gateway, openGateway, ROUTES, refusal } from "./gateway_fixture.ts";
import { JSON_TYPE } from "./models_fixture.ts";

setDefaultTimeout(60_000);

const MIB = 2 ** 20;
const ANSWER_MS_MAX = 1_000;
const CANARY = "canary-7f3a9e";
/** The routes that read a body: path, type, bytes that it takes at most as sent. */
const BODIES = [
  ["/v1/ingest/event", "application/x-ndjson", 32 * MIB],
  ["/v1/sql", "text/plain", MIB],
  ["/v1/admin/definitions", "application/json", 64 * MIB],
  ["/v1/admin/quarantine/replay", "application/json", MIB / 16],
  ["/v1/admin/backups", "application/json", 4_096],
] as const;

let door: Gateway;
beforeAll(async () => {
  door = await openGateway();
});
afterAll(() => door.close());

describe("bodies", () => {
  test.each(BODIES)(
    "19: %s refuses a body that is too large, however its length is said",
    async (path, type, bytesMax) => {
      const headers = { "content-type": type };
      const declared = await door.ask("POST", path, {
        body: new Uint8Array(bytesMax + 1),
        headers: { ...headers, "content-length": String(bytesMax + 1) },
      });
      expect(declared).toMatchObject({ status: 413, code: "body_too_large" });
      let sent = 0;
      const endless = new ReadableStream<Uint8Array>({
        pull: (controller) => {
          sent += MIB;
          controller.enqueue(new Uint8Array(MIB));
        },
      });
      const chunked = await door.ask("POST", path, { body: endless, headers });
      expect([chunked.status, chunked.code]).toEqual([413, "body_too_large"]);
      expect(sent).toBeLessThan(bytesMax + 4 * MIB);
    },
  );

  test.each(BODIES)("20: %s stops a bomb and refuses what is badly compressed", async (path, type) => {
    const zeros = Buffer.alloc(100 * MIB, 0x20);
    const bomb = gzipSync(zeros);
    const half = gzipSync('{"id":"x","n":1}'.repeat(1_000)).subarray(0, 30);
    const rows = [
      ["gzip", bomb, 413, "body_too_large"],
      ["zstd", zstdCompressSync(zeros), 413, "body_too_large"],
      ["gzip", Buffer.concat([bomb, bomb]), 413, "body_too_large"],
      ["gzip", half, 400, "not_compressed"],
      ["zstd", half, 400, "not_compressed"],
      ["br", half, 415, "unsupported_media_type"],
      ["gzip, gzip", gzipSync(bomb), 415, "unsupported_media_type"],
      ["deflate", half, 415, "unsupported_media_type"],
    ] as const;
    for (const [encoding, body, status, code] of rows) {
      const answer = await door.ask("POST", path, {
        body,
        headers: { "content-type": type, "content-encoding": encoding },
      });
      expect({ encoding, status: answer.status, code: answer.code }).toEqual({ encoding, status, code });
    }
    const nested = await door.ask("POST", path, {
      body: gzipSync(gzipSync("{}")),
      headers: { "content-type": type, "content-encoding": "gzip" },
    });
    expect([400, 422]).toContain(nested.status);
  });

  test.each([
    ['{"__proto__":{"admin":true},"files":[]}', 422],
    ['{"files":[{"path":"ods/a.sql","text":"","__proto__":{"dry_run":true}}]}', 422],
    ['{"constructor":{"prototype":{"admin":true}}}', 422],
    ['[{"__proto__":{"admin":true}}]', 422],
  ])("27: %s changes no prototype", async (body, status) => {
    expect((await door.ask("POST", "/v1/admin/definitions", { body, headers: JSON_TYPE })).status).toBe(status);
    expect(
      (
        (await (
          await door.world.post("/v1/ingest/event", '{"id":"x","n":1,"__proto__":{"admin":true}}', JSON_TYPE)
        ).json()) as { rejected: object[] }
      ).rejected,
    ).toMatchObject([{ column: "__proto__" }]);
    for (const name of ["admin", "dry_run"]) expect(({} as Record<string, unknown>)[name]).toBeUndefined();
  });
});

describe("browsers", () => {
  test.each(ROUTES)("21: %s %s refuses other hosts and pages of other origins", async (method, path) => {
    const body = method === "POST" ? "{}" : undefined;
    for (const host of [
      "evil.example",
      "localhost.evil.example",
      "127.0.0.1.evil.example",
      "0.0.0.0",
      "[::ffff:7f00:1]",
    ]) {
      expect(await door.ask(method, path, { body, headers: { ...JSON_TYPE, host } })).toMatchObject({
        status: 421,
        code: "wrong_host",
      });
    }
    for (const origin of ["https://evil.example", "null", "http://localhost:1", "http://localhost.evil.example"]) {
      const init = {
        method,
        body,
        headers: { ...JSON_TYPE, origin, authorization: `Bearer ${door.world.token}`, cookie: "a=b" },
      };
      const answer = await door.world.request(path, init);
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
      expect(await refusal(answer)).toMatchObject({ status: 403, code: "cross_origin" });
      const preflight = await door.world.request(path, {
        method: "OPTIONS",
        headers: { origin, "access-control-request-method": method },
      });
      expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([
        preflight.status < 400 ? 0 : preflight.status,
        null,
      ]);
    }
  });

  test("21: a form of another page cannot post definitions", async () => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]) {
      const answer = await door.ask("POST", "/v1/admin/definitions", {
        body: '{"files":[]}',
        headers: { "content-type": type },
      });
      expect(answer).toMatchObject({ status: 415, code: "unsupported_media_type" });
    }
  });
});

describe("secrets", () => {
  test("25: tokens, known or not, appear in no answer", async () => {
    const { token } = door.world;
    const answers: string[] = [];
    const paths = [
      ...ROUTES,
      ["GET", "/healthz"],
      ["GET", "/readyz"],
      ["GET", "/metrics"],
      ["GET", "/nowhere"],
      ["GET", "//"],
      ["PUT", "/v1/sql"],
    ] as const;
    for (const [method, path] of paths) {
      for (const authorization of [`Bearer ${token}`, `Bearer ${CANARY}`, `Basic ${CANARY}`]) {
        for (const headers of [
          { authorization },
          { authorization, ...JSON_TYPE },
          { authorization, "x-weir-query-id": "x" },
        ]) {
          const response = await door.world.request(path, {
            method,
            headers: headers as Record<string, string>,
            body: method === "POST" ? "{" : undefined,
          });
          answers.push(await response.text(), JSON.stringify([...response.headers]));
        }
      }
    }
    for (const text of [
      "SELECT FROM",
      "SELECT x",
      "SELECT throwIf(1)",
      "SELECT * FROM s3('http://127.0.0.1:1/x', 'key', 'hidden', 'TSV', 'a Int8')",
    ]) {
      answers.push((await door.ask("POST", "/v1/sql", { body: text })).text);
    }
    // Once more after all of that: counters may have kept something.
    for (const path of ["/metrics", "/healthz", "/readyz"]) answers.push(await (await door.world.request(path)).text());
    expect(answers.filter((text) => text.includes(token) || text.includes(CANARY))).toEqual([]);
  });
});

describe("hostile text", () => {
  const long = `${"a".repeat(50_000)}!`;

  /** Asks and checks that the answer, whatever it is, comes at once and is no failure of the door's own. */
  async function quickly(method: string, path: string, init: RequestInit = {}): Promise<void> {
    const from = performance.now();
    const { status } = await door.ask(method, path, init);
    expect({ status, isQuick: performance.now() - from < ANSWER_MS_MAX }).toEqual({
      status: expect.any(Number) as never,
      isQuick: true,
    });
    expect([200, 202, 400, 401, 403, 404, 405, 406, 413, 415, 421, 422]).toContain(status);
  }

  test.each([
    ...[
      "/v1/ingest/$",
      "/v1/sql/$",
      "/v1/admin/$",
      "/$",
      "/v1/admin/quarantine?limit=$",
      "/v1/admin/quarantine?before=$",
    ],
    ...["/v1/admin/quarantine?source=$", "/v1/admin/quarantine?before=2026-01-01T00:00:00.$"],
  ])("29: %s answers at once", async (path) => {
    for (const text of [long, "%20".repeat(20_000), "-".repeat(50_000), "1".repeat(50_000), "/a".repeat(20_000)]) {
      for (const method of ["GET", "POST", "DELETE"]) {
        await quickly(method, path.replace("$", text), method === "POST" ? { body: "x" } : {});
      }
    }
  });

  test.each([
    ...[
      "x-weir-query-id",
      "idempotency-key",
      "accept",
      "authorization",
      "content-type",
      "content-encoding",
      "origin",
      "host",
      "user-agent",
    ],
  ])("29: a long %s is answered at once", async (name) => {
    for (const text of [
      long,
      "a,".repeat(25_000),
      `a${" ".repeat(50_000)}b`,
      "a;q=".repeat(12_000),
      "-".repeat(50_000),
    ]) {
      for (const [method, path] of ROUTES) {
        await quickly(method, path, {
          headers: { ...JSON_TYPE, [name]: text },
          ...(method === "POST" ? { body: '{"id":1}' } : {}),
        });
      }
    }
  });

  test.each([
    "(",
    "[",
    "{",
    '{"a":',
    "'",
    '"',
    "`",
    "/*",
    "\\",
    " ",
    "\n",
    "-",
    "0",
    "1e",
    "ж",
    "\u0000",
    "NOT ",
    "SELECT ",
    ",",
    ";",
  ])("29: a body full of %j is answered at once", async (text) => {
    const filled = text.repeat(Math.floor(900_000 / text.length));
    await quickly("POST", "/v1/sql", { body: filled });
    await quickly("POST", "/v1/ingest/event", { body: filled, headers: JSON_TYPE });
    await quickly("POST", "/v1/ingest/event", {
      body: `{"id":"x","n":${filled}}`,
      headers: { "content-type": "application/x-ndjson" },
    });
    await quickly("POST", "/v1/admin/definitions", { body: filled, headers: JSON_TYPE });
    for (const definition of [
      filled,
      `/*---\n${filled}\n---*/\n`,
      `/*---\nkind: source\ndoc: x\n---*/\nCREATE TABLE ods.x (a ${filled})`,
    ]) {
      await quickly("POST", "/v1/admin/definitions", {
        body: JSON.stringify({ files: [{ path: "ods/x.sql", text: definition }] }),
        headers: JSON_TYPE,
      });
    }
  });

  test("29: YAML that unfolds is refused at once", async () => {
    const levels = Array.from(
      { length: 12 },
      (_, level) => `l${level + 1}: &l${level + 1} [${Array(10).fill(`*l${level}`).join(",")}]`,
    );
    const text = `/*---\nl0: &l0 [x]\n${levels.join("\n")}\nkind: source\ndoc: *l12\n---*/\nCREATE TABLE ods.x (a Int8)`;
    await quickly("POST", "/v1/admin/definitions", {
      body: JSON.stringify({ files: [{ path: "ods/x.sql", text }] }),
      headers: JSON_TYPE,
    });
  });
});
