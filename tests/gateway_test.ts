/**
 * What the door must survive in tokens, paths and statements: a test for each row of the list of risks, by its number.
 *
 *   raw bytes or requests ──▶ a whole platform behind a real port ──▶ a clear 4xx, nothing done, nothing said
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { app } from "@weir/web";
import { temporaryFolder } from "./door_process.ts";
import { type Gateway, openGateway, ROUTES, refusal } from "./gateway_fixture.ts";
import { JSON_TYPE } from "./models_fixture.ts";

setDefaultTimeout(60_000);

const CANARY = "canary-7f3a9e";

const folder = temporaryFolder("gateway");
const canaryFile = join(folder.path, "canary.txt");
let door: Gateway;

beforeAll(async () => {
  writeFileSync(canaryFile, CANARY);
  door = await openGateway();
});
afterAll(async () => {
  await door.close();
  folder.remove();
});

const sql = (text: string, query = "") => door.ask("POST", `/v1/sql${query}`, { body: text });

describe("routes", () => {
  test("1: all of them are on the list that is attacked", () => {
    const known = app(door.world.door).routes.filter(({ method, path }) => method !== "ALL" && path.startsWith("/v1"));
    expect(known.length).toBeGreaterThan(20);
    const asked = ROUTES.map(([method, path]) => `${method} ${path.split("?")[0]}`);
    const missing = known.filter(({ method, path }) => {
      const pattern = new RegExp(`^${method} ${path.replaceAll(/:\w+/g, "[^/]+")}$`);
      return !asked.some((route) => pattern.test(route));
    });
    expect(missing.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
  });
});

describe("tokens and paths", () => {
  const wrong = () => [
    undefined,
    "Bearer",
    "Bearer ",
    "Bearer wrong",
    `Bearer ${door.world.token}x`,
    `Bearer ${door.world.token.slice(0, -1)}`,
    `Bearer ${door.world.token.toUpperCase()}`,
    `Bearer ${door.world.token}, Bearer ${door.world.token}`,
    `Basic ${Buffer.from(`admin:${door.world.token}`).toString("base64")}`,
    door.world.token,
    "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsInNjb3BlIjoiYWRtaW4ifQ.",
    `Bearer ${"x".repeat(50_000)}`,
  ];

  test.each(ROUTES)("1: %s %s lets nobody in without the token", async (method, path) => {
    for (const authorization of wrong()) {
      const headers = { ...JSON_TYPE, ...(authorization === undefined ? {} : { authorization }) };
      const body = method === "POST" ? "{}" : undefined;
      for (const query of ["", `?token=${door.world.token}`, `?authorization=Bearer%20${door.world.token}`]) {
        const response = await door.world.request(`${path}${query}`, { method, headers, body });
        expect(response.headers.get("www-authenticate")).toStartWith("Bearer");
        expect(await refusal(response)).toMatchObject({ status: 401, code: "unauthorized" });
      }
    }
  });

  const SPELLINGS = [
    ...["//v1/admin/actors", "/v1//admin/actors", "/v1/admin/actors/", "/v1/admin//actors", "///v1/admin/actors"],
    ...[
      "/%761/admin/actors",
      "/v1/%61dmin/actors",
      "/v1%2fadmin%2factors",
      "/v1/admin%5cactors",
      "/v1/admin/actors%00",
    ],
    ...["/v1/./admin/actors", "/healthz/../v1/admin/actors", "/%2e%2e/v1/admin/actors", "/v1/admin/../admin/actors"],
    ...["/v1/admin/actors;x", "/v1;x/admin/actors", "/v1\\admin\\actors", "/v1/admin/actors%", "/v1/admin/actors%20"],
    ...["/v1/admin/%ff", "/v1/admin/actors%0d%0aX:1", "/v1/admin/%e0%80%af", "http://localhost/v1/admin/actors"],
  ];

  test.each(SPELLINGS)("1, 30: %s is not served without the token, and never crashes the door", async (path) => {
    expect([400, 401, 404]).toContain(await door.rawRequest("GET", path));
    const known = await door.rawRequest("GET", path, [`Authorization: Bearer ${door.world.token}`]);
    // A path that means the same after removing dots is the plain one once the URL is read.
    expect(/\/(\.|%2e)(\.|%2e)?\/|^http:|\\/.test(path) ? [200, 400, 404] : [400, 404]).toContain(known);
    expect(await door.rawRequest("GET", "/healthz")).toBe(200);
  });

  test.each([
    ["two Host headers", ["Host: localhost", "Host: evil.example"], ""],
    ["length and chunks", ["Content-Length: 5", "Transfer-Encoding: chunked"], "0\r\n\r\n"],
    ["two lengths", ["Content-Length: 5", "Content-Length: 6"], "SELECT"],
    ["a length below zero", ["Content-Length: -1"], ""],
    ["a chunk's size that is none", ["Transfer-Encoding: chunked"], "zz\r\nSELECT 1\r\n0\r\n\r\n"],
    ["no Host", ["Host:"], ""],
  ])("30: %s is refused", async (_, headers, body) => {
    const status = await door.rawRequest(
      "POST",
      "/v1/sql",
      [`Authorization: Bearer ${door.world.token}`, ...headers],
      body,
    );
    expect([0, 400, 421]).toContain(status);
    expect(await door.rawRequest("GET", "/healthz")).toBe(200);
  });
});

describe("definitions", () => {
  const model = (select: string, front = "") => `/*---\nkind: model\ndoc: One.\n${front}---*/\n${select}\n`;
  const inner = `url('http://127.0.0.1:1/x', TSV, 'a String')`;

  const definitions = [
    ["dwf/x.sql", model(`SELECT a FROM ${inner}`)],
    ["dwf/x.sql", model(`SELECT a FROM ${inner}`, "refresh: { every: 1 hour }\n")],
    ["dwf/x.sql", model("SELECT id, file('/proc/self/environ') AS f FROM ods.event")],
    ["dwf/x.sql", model("SELECT id, getClientHTTPHeader('Authorization') AS f FROM ods.event")],
    ["dim/x.sql", `/*---\nkind: dimension\ndoc: One.\nkey: a\n---*/\nSELECT a FROM ${inner}\n`],
    ["api/x.sql", `/*---\nkind: api\ndoc: One.\n---*/\nSELECT a FROM ${inner}\n`],
    ["api/x.sql", "/*---\nkind: api\ndoc: One.\n---*/\nSELECT file('/proc/self/environ') AS f\n"],
    ["functions/x.sql", "/*---\nkind: function\ndoc: One.\n---*/\nCREATE FUNCTION x AS (n) -> file(n)\n"],
  ] as const;

  test("14, 32: what would reach outside is refused, from an administrator too", async () => {
    for (const [path, text] of definitions) {
      const body = JSON.stringify({ files: [{ path, text }] });
      const { status, code } = await door.ask("POST", "/v1/admin/definitions", { body, headers: JSON_TYPE });
      expect({ text, status, code }).toEqual({ text, status: 422, code: "definition_invalid" });
    }
  });
});

describe("statements", () => {
  test.each([
    ...["SELECT 1; DROP TABLE ods.event", "SELECT 1; SELECT 2", "SELECT 1 ; -- \n INSERT INTO ods.event VALUES (1)"],
    ...["INSERT INTO ods.event (id) VALUES ('x')", "WITH x AS (SELECT 1) INSERT INTO ods.event (id) SELECT 'x'"],
    ...["CREATE TABLE x (a Int8) ENGINE = Memory", "CREATE TEMPORARY TABLE x (a Int8)", "DROP TABLE ods.event"],
    ...["ALTER TABLE weir_state.ods__event__v1 DELETE WHERE 1", "TRUNCATE TABLE weir_state.ods__event__v1"],
    ...[
      "SYSTEM SHUTDOWN",
      "SYSTEM FLUSH LOGS",
      "KILL QUERY WHERE 1",
      "SET readonly = 0",
      "USE weir",
      "OPTIMIZE TABLE weir.batch",
    ],
    ...["EXPLAIN INSERT INTO ods.event (id) SELECT 'x'; SELECT 1", "(INSERT INTO ods.event (id) VALUES ('x'))"],
    ...[
      "GRANT ALL ON *.* TO default",
      "CREATE USER x",
      "BACKUP TABLE ods.event TO Disk('x', 'y')",
      "ATTACH TABLE x",
      "/* x */ RENAME TABLE ods.event TO ods.x",
    ],
    ...[
      "SELECT 1 SETTINGS max_execution_time = 1000",
      "SELECT 1 SETTINGS readonly = 0",
      "",
      ";",
      "/* only a comment */",
    ],
  ])("4, 5, 10: %s is refused", async (text) => {
    const { status, code } = await sql(text);
    expect([400, 403]).toContain(status);
    expect(["sql_refused", "sql_forbidden"]).toContain(code as string);
  });

  test.each([
    ...["max_execution_time=0", "readonly=0", "additional_table_filters=%7B%7D", "session_id=x", "session_timeout=9"],
    ...["select=1", "filter=1", "order=1", "limit=1", "user=default", "password=", "database=weir", "query=SELECT%202"],
    ...[
      "default_format=CSV",
      "role=x",
      "quota_key=x",
      "Format=csv",
      "__proto__=1",
      "PARAM_x=1",
      "param_=1",
      "param_x=1&param_x=2",
    ],
  ])("6: /v1/sql?%s is refused", async (query) => {
    const { status, code } = await sql("SELECT 1 AS one", `?${query}`);
    expect([status, ["unknown_parameter", "bad_parameter"].includes(code as string)]).toEqual([400, true]);
  });

  test("7: table functions that reach outside are refused", async () => {
    const url = `http://127.0.0.1:${door.port}/healthz`;
    const calls = [
      ...[`url('${url}', TSV, 'a String')`, `urlCluster('x', '${url}', TSV)`, "remote('127.0.0.1', system.one)"],
      ...[
        "remoteSecure('127.0.0.1', system.one)",
        `s3('${url}', TSV, 'a String')`,
        "mysql('127.0.0.1:1', 'd', 't', 'u', 'p')",
      ],
      ...["postgresql('127.0.0.1:1', 'd', 't', 'u', 'p')", "mongodb('127.0.0.1:1', 'd', 't', 'u', 'p', 'a Int8')"],
      ...[
        "redis('127.0.0.1:1', 'k', 'k String')",
        "sqlite('x.db', 't')",
        "executable('id', TSV, 'a String')",
        "jdbc('x', 'y')",
      ],
      ...[
        "azureBlobStorage('x', 'y', 'z')",
        `hdfs('hdfs://127.0.0.1:1/x', TSV, 'a String')`,
        `deltaLake('${url}')`,
        `icebergLocal('${folder.path}')`,
      ],
    ];
    for (const call of calls) {
      const { status, text } = await sql(`SELECT * FROM ${call}`);
      expect([call, status === 400 || status === 403, text.includes('"ok"')]).toEqual([call, true, false]);
    }
  });

  test("8: no spelling of file reads a file", async () => {
    const path = `'${canaryFile}'`;
    const statements = [
      ...[
        `SELECT file(${path})`,
        `SELECT FILE(${path})`,
        `SELECT File (${path})`,
        `SELECT \`file\`(${path})`,
        `SELECT "file"(${path})`,
      ],
      ...[
        `SELECT file/**/(${path})`,
        `SELECT file--\n(${path})`,
        `SELECT arrayMap(x -> file(x), [${path}])`,
        `SELECT arrayMap(file, [${path}])`,
      ],
      ...[
        `SELECT ${path} AS p, p APPLY file`,
        `SELECT * APPLY file FROM (SELECT ${path})`,
        `SELECT * APPLY(file) FROM (SELECT ${path})`,
      ],
      ...[
        `SELECT "fi\\x6ce"(${path})`,
        `SELECT \`f\\u0069le\`(${path})`,
        `SELECT file(concat(${path}, ''))`,
        `SELECT 1 WHERE file(${path}) != ''`,
      ],
      ...[
        `SELECT * FROM file(${path}, LineAsString)`,
        `SELECT * FROM \`file\`(${path}, LineAsString)`,
        `FROM file(${path}, LineAsString) SELECT *`,
      ],
      ...[
        `DESCRIBE file(${path})`,
        `DESCRIBE TABLE file(${path}, LineAsString)`,
        `EXPLAIN SELECT file(${path})`,
        `WITH file(${path}) AS f SELECT f`,
      ],
      ...[
        `SELECT * FROM fileCluster('x', ${path}, LineAsString)`,
        `SELECT * FROM url('file://${canaryFile}', LineAsString)`,
      ],
      ...[
        `SELECT (file)(${path})`,
        `SELECT 1 AS x, (SELECT file(${path}))`,
        `SELECT throwIf(1, file(${path}))`,
        `SELECT $$x$$, file(${path})`,
      ],
      ...[
        `SELECT 'a\\'', file(${path}), '`,
        `SELECT /* /* */ file(${path}) -- */`,
        `SELECT ‘x’, file(${path})`,
        `SELECT * FROM ${path}`,
      ],
      ...[
        `SELECT 1 INTO OUTFILE '${canaryFile}.out'`,
        `SELECT * FROM filesystem('${folder.path}')`,
        `SELECT * FROM ${path.replaceAll("'", "`")}`,
      ],
      `SELECT {f:Identifier}(${path})`,
    ];
    for (const statement of statements) {
      const query = statement.includes("{f:") ? "?param_f=file" : "";
      const { status, text } = await sql(statement, query);
      expect({ statement, status: status >= 400 && status < 500, leaks: text.includes(CANARY) }).toEqual({
        statement,
        status: true,
        leaks: false,
      });
    }
    expect(await Bun.file(`${canaryFile}.out`).exists()).toBe(false);
  });

  test("11: parameters are values, whatever they hold", async () => {
    for (const value of [
      "a\\",
      "a' OR 1=1 --",
      "\\N",
      "'; DROP TABLE x",
      "\t\n\r\0",
      "a\\'b",
      "{x:String}",
      "\u{1f600}",
    ]) {
      const { status, text } = await sql("SELECT {v:String} AS v", `?param_v=${encodeURIComponent(value)}`);
      expect({ status, data: JSON.parse(text).data }).toEqual({ status: 200, data: [{ v: value }] });
    }
    for (const value of ["1 OR 1", "", "1; DROP TABLE x", "-1", "1e3"]) {
      expect((await sql("SELECT {v:UInt64} AS v", `?param_v=${encodeURIComponent(value)}`)).status).toBe(400);
    }
  });

  test("15: the engine's own headers and passwords are not readable", async () => {
    for (const header of ["X-ClickHouse-Key", "X-ClickHouse-User", "Authorization"]) {
      for (const settings of ["", " SETTINGS allow_get_client_http_header = 1"]) {
        expect((await sql(`SELECT getClientHTTPHeader('${header}') AS h${settings}`)).status).toBeGreaterThanOrEqual(
          400,
        );
      }
    }
  });
});
