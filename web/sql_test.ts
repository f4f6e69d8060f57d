/**
 * Tests of `sql.ts`, `framing.ts` and `statement.ts` through the door, over a warehouse that streams what it is told.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { fakeDoor, Script, TOKENS, warehouseFailed } from "./door_fixture.ts";
import { JsonRows } from "./framing.ts";
import { SQL_LIMITS } from "./sql.ts";
import { checkReading } from "./statement.ts";

const META = '{"meta":[{"name":"a","type":"UInt64"}]}\n';
const PROGRESS = '{"progress":{"read_rows":"3"}}\n';

const post = (
  script: Script,
  { sql = "SELECT 1", query = "", ...init }: RequestInit & { sql?: string | Uint8Array; query?: string } = {},
) => fakeDoor(script).ask(`/v1/sql${query}`, { method: "POST", body: sql as string, ...init });

const streaming = (...pieces: Script["pieces"]) => Object.assign(new Script(), { pieces });
const errorOf = async (answer: Response) => ((await answer.json()) as { error: Record<string, unknown> }).error;

describe("POST /v1/sql", () => {
  test("answers JSON with data and meta", async () => {
    const script = streaming(PROGRESS, META, '{"row":{"a":"1"}}\n{"row":{"a":"2"}}\n', PROGRESS, '{"row":{"a":"3"}}\n');
    const answer = await post(script, { query: "?param_p=x" });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    const body: unknown = await answer.json();
    expect(body).toEqual({
      data: [{ a: "1" }, { a: "2" }, { a: "3" }],
      meta: { rows: 3, elapsed_ms: expect.any(Number), columns: [{ name: "a", type: "UInt64" }] },
    });
    const [query] = script.queries;
    expect(query).toMatchObject({
      account: "admin",
      sql: "SELECT 1",
      params: { p: "x" },
      format: "JSONEachRowWithProgress",
    });
    expect(query!.settings).toMatchObject({ readonly: 1, date_time_output_format: "iso", max_execution_time: 60 });
    expect(query!.queryId).toBe(`sql-${answer.headers.get("x-weir-query-id")}`);
  });

  test("answers an empty result with its columns", async () => {
    const body = (await (await post(streaming(META))).json()) as { meta: { rows: number } };
    expect(body).toMatchObject({ data: [], meta: { rows: 0, columns: [{ name: "a", type: "UInt64" }] } });
  });

  test.each([
    ["?format=ndjson", undefined, "JSONEachRow", "application/x-ndjson", null],
    ["?format=csv", "application/json", "CSVWithNames", "text/csv; charset=utf-8", 'attachment; filename="answer.csv"'],
    ["", "text/csv", "CSVWithNames", "text/csv; charset=utf-8", 'attachment; filename="answer.csv"'],
    [
      "",
      "text/html;q=0.9, application/x-ndjson;q=0.5, application/json;q=0.1",
      "JSONEachRow",
      "application/x-ndjson",
      null,
    ],
    [
      "?format=parquet",
      undefined,
      "Parquet",
      "application/vnd.apache.parquet",
      'attachment; filename="answer.parquet"',
    ],
  ] as const)("passes rows on for '%s' and Accept %s", async (query, accept, format, type, disposition) => {
    const script = streaming("one\n", "two\n");
    const answer = await post(script, { query, ...(accept === undefined ? {} : { headers: { accept } }) });
    expect(script.queries[0]!.format).toBe(format);
    expect(answer.headers.get("content-type")).toBe(type);
    expect(answer.headers.get("content-disposition")).toBe(disposition);
    expect(await answer.text()).toBe("one\ntwo\n");
  });

  test.each([
    ["no token", { token: null }, 401, "unauthorized"],
    ["a token without the scope", { token: TOKENS.ingest }, 403, "forbidden"],
    ["an unknown format", { query: "?format=xml" }, 400, "unknown_format"],
    ["a format of Object's", { query: "?format=constructor" }, 400, "unknown_format"],
    ["an Accept that nothing meets", { headers: { accept: "image/png" } }, 406, "not_acceptable"],
    ["a setting", { query: "?max_execution_time=0" }, 400, "unknown_parameter"],
    ["a parameter twice", { query: "?param_a=1&param_a=2" }, 400, "bad_parameter"],
    ["a bad id", { headers: { "x-weir-query-id": "1" } }, 400, "bad_query_id"],
    ["JSON", { headers: { "content-type": "application/json" } }, 415, "unsupported_media_type"],
    ["an unknown encoding", { headers: { "content-encoding": "br" } }, 415, "unsupported_media_type"],
    ["too large a text", { sql: "x".repeat(SQL_LIMITS.textBytesMax + 1) }, 413, "body_too_large"],
    ["bytes that are not UTF-8", { sql: new Uint8Array([0x53, 0xff]) }, 400, "not_utf8"],
    ["an INSERT", { sql: "INSERT INTO t VALUES (1)" }, 400, "sql_refused"],
  ] as const)("refuses %s", async (_, init, status, code) => {
    const script = streaming(META);
    const answer = await post(script, init as Parameters<typeof post>[1]);
    expect([answer.status, (await errorOf(answer)).code]).toEqual([status, code]);
    expect(script.queries).toEqual([]);
  });

  test("answers the engine's refusal with its place and the query's id", async () => {
    const refuses = warehouseFailed("refused", 62, "Syntax error: failed at position 8 (x): x.");
    const id = crypto.randomUUID();
    const answer = await post(Object.assign(new Script(), { refuses }), {
      sql: "SELECT x",
      headers: { "x-weir-query-id": id },
    });
    expect(answer.status).toBe(400);
    expect(answer.headers.get("x-weir-query-id")).toBe(id);
    expect((await errorOf(answer)).at).toEqual({ line: 1, column: 8 });
  });

  test.each(["json", "ndjson", "csv"])("answers a failure before the first row with its status: %s", async (format) => {
    const pieces = [...(format === "json" ? [META] : []), warehouseFailed("refused", 395)];
    const answer = await post(streaming(...pieces), { query: `?format=${format}` });
    expect([answer.status, (await errorOf(answer)).code]).toEqual([400, "sql_refused"]);
  });

  test.each([
    ["json", [META, '{"row":{"a":"1"}}\n']],
    ["ndjson", ['{"a":"1"}\n']],
    ["csv", ['"a"\n1\n']],
  ] as const)("cuts the connection when it fails in the middle, and only then: %s", async (format, pieces) => {
    const script = streaming(...pieces);
    const { hono } = fakeDoor(script);
    const http = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => hono.fetch(request) });
    try {
      const headers = { authorization: `Bearer ${TOKENS.admin}` };
      const read = () =>
        fetch(`${http.url}v1/sql?format=${format}`, { method: "POST", headers, body: "SELECT 1" }).then((answer) =>
          answer.text(),
        );
      expect(
        await read().then(
          () => "whole",
          () => "cut",
        ),
      ).toBe("whole");
      script.pieces = [...pieces, warehouseFailed("unknown", 159)];
      expect(
        await read().then(
          () => "whole",
          () => "cut",
        ),
      ).toBe("cut");
    } finally {
      await http.stop(true);
    }
  });

  test("cuts an answer that ends in the middle of a row", async () => {
    const answer = await post(streaming(META, '{"row":{"a":"1"}}\n{"row":{"a"'));
    expect(
      await answer.text().then(
        () => "whole",
        () => "cut",
      ),
    ).toBe("cut");
  });

  test("stops the query when the client stops reading", async () => {
    const script = streaming(...Array.from({ length: 100 }, () => "1\n"));
    const answer = await post(script, { query: "?format=ndjson" });
    await answer.body!.cancel();
    expect(script.cancelled).toBe(1);
  });
});

describe("DELETE /v1/sql/<id>", () => {
  const id = "8f14e45f-ceea-467f-9575-6f6f6f6f6f6f";

  test("stops a query of this door alone", async () => {
    const script = new Script();
    const answer = await fakeDoor(script).ask(`/v1/sql/${id}`, { method: "DELETE" });
    expect([answer.status, await answer.json()]).toEqual([200, { stopped: true }]);
    expect(script.stops).toEqual([`sql-${id}`]);
  });

  test("says 404 when nothing runs, and does not ask for what is no id", async () => {
    const script = Object.assign(new Script(), { stopped: false });
    const { ask } = fakeDoor(script);
    expect((await ask(`/v1/sql/${id}`, { method: "DELETE" })).status).toBe(404);
    expect((await ask("/v1/sql/other", { method: "DELETE" })).status).toBe(404);
    expect((await ask(`/v1/sql/${id}`, { method: "DELETE", token: TOKENS.ingest })).status).toBe(403);
    expect(script.stops).toHaveLength(1);
  });
});

describe("JsonRows", () => {
  test("frames the same whatever the chunks are", () => {
    const rows = ['{"a":"}\\n{"}', '{"a":"é😀"}', "{}", `{"a":"${"x".repeat(300)}"}`, '{"row":{"row":1}}'];
    const text = Buffer.from(
      `${PROGRESS}${META}${rows.map((row) => `{"row":${row}}\n`).join(PROGRESS)}{"totals":{"a":"9"}}\n`,
    );
    for (const size of [1, 2, 3, 7, 8, 64, text.length]) {
      const frame = new JsonRows();
      const parts: Buffer[] = [];
      for (let at = 0; at < text.length; at += size) parts.push(Buffer.from(frame.push(text.subarray(at, at + size))));
      frame.end();
      expect(Buffer.concat(parts).toString()).toBe(rows.join(","));
      expect([frame.rows, frame.totals, frame.columns?.length]).toEqual([rows.length, '{"a":"9"}', 1]);
    }
  });

  test.each([
    ["rows that are not closed", `${META}{"row":{"a":1`],
    ["no columns", '{"row":{}}\n'],
    ["an exception's line", `${META}{"exception":"Code: 1."}\n`],
    ["another format", "1\tx\n2\ty\n"],
  ])("throws for %s", (_, text) => {
    const frame = new JsonRows();
    expect(() => {
      frame.push(Buffer.from(text));
      frame.end();
    }).toThrow();
  });
});

describe("checkReading()", () => {
  test.each([
    ..."SELECT 1;|(SELECT 1) UNION ALL (SELECT 2)|with x as (select 1) select * from x|FROM t SELECT a|SHOW TABLES".split(
      "|",
    ),
    ..."DESCRIBE ods.flight|DESC (SELECT 1)|EXPLAIN SELECT 1|EXISTS ods.flight|-- a\n# b\n// c\n/* d */ SELECT 1".split(
      "|",
    ),
    ..."SELECT format FROM t|SELECT 1 AS format|SELECT a, format b FROM t|SELECT format('{}', a)|SELECT 'FORMAT CSV'".split(
      "|",
    ),
    ..."SELECT 'file('|SELECT d.file, 1 AS file FROM weir.definition AS d|SELECT profile(1)|SELECT $$ file( $$|SELECT 'it''s \\' ok'".split(
      "|",
    ),
  ])("lets through: %s", (sql) => {
    expect(() => checkReading(sql, { p: "file" })).not.toThrow();
  });

  test.each([
    ..."|  |INSERT INTO t SELECT 1|KILL QUERY WHERE 1|SET readonly=0|USE system|SYSTEM SHUTDOWN|CREATE TABLE t (a Int8)|1 + 1".split(
      "|",
    ),
    ..."SELECT 1 FORMAT Native|SELECT 1 format\nCSV;|SELECT 1 FORMAT `CSV`|SELECT 1 FORMAT CSV SETTINGS a = 1|SHOW TABLES FORMAT CSV".split(
      "|",
    ),
    ..."SELECT file('/x')|SELECT File ('/x')|SELECT `file`('/x')|SELECT \"file\"/**/('/x')|SELECT arrayMap(file, ['/x'])".split(
      "|",
    ),
    ..."SELECT arrayMap((file), ['/x'])|SELECT * APPLY file FROM t|SELECT * APPLY(file)|SELECT \"\\x66ile\"('/x')|SELECT a.file('/x')".split(
      "|",
    ),
    ..."SELECT 1 // '\n, file('/x') --'|SELECT 1 # '\n, file('/x') --'|SELECT /* /* */ 1 */ 2|SELECT 'a|SELECT `a|SELECT /* a|SELECT $a$ b".split(
      "|",
    ),
    ..."SELECT “file”('/x')|DESCRIBE TABLE url('http://x')|DESC url('http://x')|EXPLAIN TABLE OVERRIDE mysql('x')".split(
      "|",
    ),
  ])("refuses: %s", (sql) => {
    expect(() => checkReading(sql, {})).toThrow("Cannot");
  });

  test("refuses `file` as an identifier's parameter", () => {
    expect(() => checkReading("SELECT arrayMap({f:Identifier}, ['/x'])", { f: "`file`" })).toThrow("Cannot");
  });

  test("reads a mebibyte in time, whatever it holds", () => {
    const startedAt = performance.now();
    for (const filling of ["'", "`", "/*", "$a", "((((", "\\", "--", "é", "'' ", "file "]) {
      const sql = `SELECT ${filling.repeat(2 ** 20 / filling.length)}`;
      expect(() => checkReading(sql, {})).not.toThrow(RangeError);
    }
    expect(performance.now() - startedAt).toBeLessThan(30_000);
  });
});
