/**
 * SQL of callers who are not trusted while it runs: its bounds, its end, and how its answer looks.
 *
 *   long or large query ──client leaves · DELETE · limit──▶ ended in the engine, the door alive
 *
 * Numbers in names are rows of the list of risks.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Gateway, openGateway, refusal } from "./gateway_fixture.ts";
import { addToken, makeTables } from "./gateway_sql_fixture.ts";

setDefaultTimeout(120_000);

/** Runs for minutes if it is let. */
const LONG = "SELECT sum(cityHash64(number)) FROM numbers(1000000000000)";
/** A query ends this soon after its client has left. */
const END_MS_MAX = 1_000;
const START_MS_MAX = 10_000;

let door: Gateway;

beforeAll(async () => {
  door = await openGateway();
  await makeTables(door.world);
  addToken(door.world, "reader", ["sql:read"]);
  addToken(door.world, "other", ["sql:read"]);
});
afterAll(() => door.close());

interface Asking {
  readonly token?: string;
  readonly query?: string;
  readonly id?: string;
  readonly signal?: AbortSignal;
}

function send(body: string, { token = "reader", query = "", id, signal }: Asking = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, ...(id === undefined ? {} : { "x-weir-query-id": id }) };
  return door.world.request(`/v1/sql${query}`, {
    method: "POST",
    body,
    headers,
    ...(signal === undefined ? {} : { signal }),
  });
}

/** Queries of readers that the engine runs. */
async function running(): Promise<number> {
  const sql = "SELECT count() AS n FROM system.processes WHERE user = 'weir_reader' AND query_id LIKE 'sql-%'";
  const [row] = await door.world.sql<{ n: string }>(sql);
  return Number(row?.n);
}

/** Waits until so many run; gives the milliseconds that it took. */
async function until(count: number, msMax: number): Promise<number> {
  const from = performance.now();
  while ((await running()) !== count) {
    if (performance.now() - from > msMax) throw new Error(`Not ${count} queries after ${msMax} ms.`);
    await Bun.sleep(20);
  }
  return performance.now() - from;
}

describe("a query's end", () => {
  test("comes with the client that leaves before the first row", async () => {
    const controller = new AbortController();
    const answer = send(LONG, { signal: controller.signal }).catch(() => undefined);
    await until(1, START_MS_MAX);
    controller.abort();
    expect(await until(0, START_MS_MAX)).toBeLessThan(END_MS_MAX);
    await answer;
  });

  test("comes with the client that leaves in the middle", async () => {
    const answer = await send("SELECT number FROM numbers(1000000000000)", { query: "?format=ndjson" });
    expect(answer.status).toBe(200);
    const reader = answer.body!.getReader();
    await reader.read();
    expect(await running()).toBe(1);
    await reader.cancel();
    expect(await until(0, START_MS_MAX)).toBeLessThan(END_MS_MAX);
  });

  test("comes by DELETE, of the caller's own queries alone", async () => {
    const id = crypto.randomUUID();
    const answer = send(LONG, { id });
    await until(1, START_MS_MAX);
    const stop = async (token: string) => {
      const headers = { authorization: `Bearer ${token}` };
      return refusal(await door.world.request(`/v1/sql/${id}`, { method: "DELETE", headers }));
    };
    expect(await stop("other")).toMatchObject({ status: 404, code: "unknown_query" });
    expect(await running()).toBe(1);
    // The same id of another token is another query: it neither collides nor tells.
    expect((await send("SELECT 1", { id, token: "other" })).status).toBe(200);
    expect(await send("SELECT 1", { id }).then(refusal)).toMatchObject({ status: 409, code: "query_id_in_use" });
    expect((await stop("reader")).status).toBe(200);
    expect(await refusal(await answer)).toMatchObject({ status: 409, code: "query_stopped" });
    expect((await stop("reader")).status).toBe(404);
  });

  test("comes by an administrator's DELETE", async () => {
    const id = crypto.randomUUID();
    const answer = send(LONG, { id });
    await until(1, START_MS_MAX);
    expect((await door.ask("DELETE", `/v1/sql/${id}`)).status).toBe(200);
    expect((await answer).status).toBe(409);
    expect(await running()).toBe(0);
  });

  test("16: one token has a bounded number of them", async () => {
    const controllers = Array.from({ length: 20 }, () => new AbortController());
    const answers = controllers.map(({ signal }) => send(LONG, { signal }).catch(() => undefined));
    const refused = await Promise.race(answers);
    expect(await refusal(refused!)).toMatchObject({ status: 429, code: "too_many_queries" });
    expect((await send("SELECT 1", { token: "other" })).status).toBe(200);
    for (const controller of controllers) controller.abort();
    await Promise.all(answers);
    await until(0, START_MS_MAX);
    expect((await send("SELECT 1")).status).toBe(200);
  });
});

describe("limits", () => {
  test.each([
    ["groupArray of 1e9", "SELECT length(groupArray(number)) FROM numbers(1000000000)"],
    ["a string of 1e10", "SELECT length(repeat(repeat('x', 100000), 100000))"],
    ["20,000 parentheses", `SELECT ${"(".repeat(20_000)}1${")".repeat(20_000)}`],
    ["50,000 NOT", `SELECT ${"NOT ".repeat(50_000)}1`],
    ["50,000 minuses", `SELECT ${"- ".repeat(50_000)}1`],
    ["20,000 brackets", `SELECT ${"[".repeat(20_000)}1${"]".repeat(20_000)}`],
    ["5,000 subqueries", `SELECT * FROM ${"(SELECT * FROM ".repeat(5_000)}dwf.number${")".repeat(5_000)}`],
    ["100,000 elements", `SELECT ${"1+".repeat(100_000)}1`],
    ["WITH that never ends", "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r"],
    [
      "WITH that doubles",
      `WITH ${Array.from({ length: 40 }, (_, i) => `x${i + 1} AS (SELECT a.a FROM x${i} AS a, x${i} AS b)`)
        .join(", ")
        .replace("FROM x0 AS a, x0 AS b", "FROM dwf.number AS a")} SELECT count() FROM x40`,
    ],
    ["too many rows of an answer", "SELECT number FROM numbers(20000000)"],
  ])("16: %s is refused or ends, and the door answers on", async (_, sql) => {
    const answer = await send(sql, { query: "?format=ndjson" });
    const end =
      answer.status === 200
        ? await answer.text().then(
            () => "whole",
            () => "cut",
          )
        : (await refusal(answer)).code;
    expect(["cut", "sql_refused", "query_limit", "query_memory", "sql_forbidden"]).toContain(end as string);
    expect((await send("SELECT 1")).status).toBe(200);
  });

  test("16: 1e12 rows joined and 1e13 numbers can be stopped", async () => {
    for (const sql of [
      "SELECT count() FROM numbers(1000000) AS a, numbers(1000000) AS b WHERE a.number + b.number = 7",
      "SELECT max(number) FROM numbers(10000000000000)",
    ]) {
      const controller = new AbortController();
      const answer = send(sql, { signal: controller.signal }).catch(() => undefined);
      await until(1, START_MS_MAX);
      controller.abort();
      await answer;
      expect(await until(0, START_MS_MAX)).toBeLessThan(END_MS_MAX);
    }
  });

  test("5: the reader's own are in force", async () => {
    const { door: parts } = door.world;
    const sql =
      "SELECT name, value FROM system.settings WHERE name IN ('readonly', 'max_execution_time', 'max_result_rows', 'max_result_bytes', 'allow_ddl', 'allow_introspection_functions', 'max_concurrent_queries_for_user')";
    const exit = await parts.run(parts.warehouse.rows<{ name: string; value: string }>("reader", sql));
    if (exit._tag === "Failure") throw new Error(JSON.stringify(exit.cause));
    expect(Object.fromEntries(exit.value.map(({ name, value }) => [name, value]))).toMatchObject({
      readonly: "1",
      max_execution_time: "60",
      max_result_rows: "10000000",
      max_result_bytes: String(4 * 2 ** 30),
      allow_ddl: "0",
      allow_introspection_functions: "0",
    });
  });

  test("29: statements full of anything are judged at once", async () => {
    for (const filling of [
      "'",
      "`a`,",
      "a AS b,",
      "(alias x),",
      "' (alias x)',",
      "' (children 1)',",
      "x IN x,",
      "f(",
      "IfIf",
      "1,",
    ]) {
      const from = performance.now();
      const { status } = await send(`SELECT ${filling.repeat(Math.floor(250_000 / filling.length))}1`);
      expect([filling, status, performance.now() - from < 5_000]).toEqual([filling, expect.any(Number) as never, true]);
      expect([200, 400, 403, 422]).toContain(status);
    }
  });
});

describe("answers", () => {
  test("come in every format", async () => {
    const sql = "SELECT * FROM (SELECT toUInt64(1) AS a, 'x' AS b UNION ALL SELECT 2, NULL) ORDER BY a";
    const read = async (query: string) => {
      const answer = await send(sql, { query });
      return { type: answer.headers.get("content-type"), bytes: Buffer.from(await answer.arrayBuffer()) };
    };
    expect(JSON.parse((await read("")).bytes.toString()).data).toEqual([
      { a: "1", b: "x" },
      { a: "2", b: null },
    ]);
    expect((await read("?format=ndjson")).bytes.toString()).toBe('{"a":"1","b":"x"}\n{"a":"2","b":null}\n');
    expect(await read("?format=csv")).toEqual({
      type: "text/csv; charset=utf-8",
      bytes: Buffer.from('"a","b"\n1,"x"\n2,\n'),
    });
    expect((await read("?format=parquet")).bytes.subarray(0, 4).toString()).toBe("PAR1");
    expect((await read("?format=arrow")).bytes.subarray(0, 4)).toEqual(Buffer.from([255, 255, 255, 255]));
  });

  test("23: CSV that is opened computes nothing", async () => {
    const sql = `SELECT '=HYPERLINK("x")' AS \`=a\`, '+1' AS b, -1 AS c, '-1' AS d, '@SUM(1)' AS e, '\\t=1' AS f, '\\r=1' AS g, 'a=1' AS h, '"=1' AS i, '' AS j, NULL AS k`;
    const answer = await send(sql, { query: "?format=csv&csv=safe" });
    expect(answer.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    expect(answer.headers.get("content-disposition")).toStartWith("attachment");
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    expect(await answer.text()).toBe(
      `"'=a","b","c","d","e","f","g","h","i","j","k"\n"'=HYPERLINK(""x"")","'+1",-1,"'-1","'@SUM(1)","'\t=1","'\r=1","a=1","""=1","",\n`,
    );
  });

  test("22, 24: hostile names and values stay what they are", async () => {
    const text = '<img src=x onerror=alert(1)>\\r\\n{"level":"error"}\\x1b[31m';
    const answer = await send(`SELECT '${text}' AS \`<img src=x onerror=alert(1)>\``);
    expect(answer.headers.get("content-type")).toBe("application/json");
    const { data } = (await answer.json()) as { data: Record<string, string>[] };
    expect(data).toEqual([
      { "<img src=x onerror=alert(1)>": '<img src=x onerror=alert(1)>\r\n{"level":"error"}\u001b[31m' },
    ]);
  });
});
