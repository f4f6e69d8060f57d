/**
 * Tests of `client.ts` against the embedded engine: the port's promises, and
 * what each account may do.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect, Exit, Fiber, ManagedRuntime, Option, Scope } from "effect";
import { type Account, Warehouse, WarehouseFailed } from "../warehouse.ts";
import { clickHouseWarehouse, escapeParameter, searchParams } from "./client.ts";
import { type ClickHouseConnection, externalConnection } from "./connection.ts";
import { embeddedClickHouse } from "./embedded.ts";
import { makeTransport, readWhole } from "./http.ts";

const dataDir = mkdtempSync(join(tmpdir(), "weir-client-"));
const scope = Effect.runSync(Scope.make());
let connection: ClickHouseConnection;
/** Its connections stay open for the whole file, as streams need. */
let runtime: ManagedRuntime.ManagedRuntime<Warehouse, never>;

function run<A, E>(work: (warehouse: Warehouse["Service"]) => Effect.Effect<A, E>, over = connection): Promise<A> {
  const effect = Warehouse.use(work);
  if (over === connection) return runtime.runPromise(effect);
  return Effect.runPromise(effect.pipe(Effect.provide(clickHouseWarehouse(over))));
}

const failure = (
  work: (warehouse: Warehouse["Service"]) => Effect.Effect<unknown, WarehouseFailed>,
  over = connection,
) => run((warehouse) => Effect.flip(work(warehouse)), over);

const stream = (sql: string, params: Record<string, string> = {}, queryId = crypto.randomUUID()) =>
  run((warehouse) =>
    warehouse.stream({
      account: "reader",
      sql,
      format: "JSONEachRow",
      queryId,
      params,
      settings: { max_block_size: 1000 },
    }),
  );

const insert = (statement: string, body: string, settings = {}) =>
  run((warehouse) => warehouse.insert({ statement, body: [Buffer.from(body)], settings }));

const one = async (account: Account, sql: string) => (await run((warehouse) => warehouse.rows(account, sql)))[0];

beforeAll(async () => {
  ({ connection } = await Effect.runPromise(embeddedClickHouse({ dataDir }).pipe(Scope.provide(scope))));
  runtime = ManagedRuntime.make(clickHouseWarehouse(connection));
  const statements = [
    ...["ods", "dim", "dwf", "weir", "weir_state"].map((name) => `CREATE DATABASE ${name}`),
    "CREATE TABLE ods.t (a UInt32, b String) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100000",
    "CREATE TABLE weir.x (a UInt32) ENGINE = MergeTree ORDER BY a",
    "CREATE TABLE weir_state.dwf__t__v1 (a UInt32) ENGINE = MergeTree ORDER BY a",
    "INSERT INTO weir_state.dwf__t__v1 VALUES (1), (2)",
    "CREATE VIEW dwf.t DEFINER = CURRENT_USER SQL SECURITY DEFINER AS SELECT a FROM weir_state.dwf__t__v1",
  ];
  for (const statement of statements) await run((warehouse) => warehouse.command("writer", statement));
});

afterAll(async () => {
  await runtime.dispose();
  await Effect.runPromise(Scope.close(scope, Exit.void));
  rmSync(dataDir, { recursive: true, force: true });
});

describe("accounts", () => {
  test("a reader reads a view over a state table that it cannot see", async () => {
    expect(await one("reader", "SELECT sum(a) AS sum FROM dwf.t")).toEqual({ sum: "3" });
    expect(await one("reader", "SELECT count() AS n FROM system.tables WHERE database LIKE 'weir%'")).toEqual({
      n: "0",
    });
    expect(
      await one("reader", "SELECT count() AS n FROM information_schema.tables WHERE table_schema = 'dwf'"),
    ).toEqual({
      n: "1",
    });
  });

  test("a dictionary over a state table needs no password in its DDL", async () => {
    const create = `CREATE DICTIONARY dim.d (a UInt32, b UInt32) PRIMARY KEY a LAYOUT(FLAT()) LIFETIME(0)
      SOURCE(CLICKHOUSE(QUERY 'SELECT a, a * 10 AS b FROM weir_state.dwf__t__v1'))`;
    await run((warehouse) => warehouse.command("writer", create));
    expect(await one("reader", "SELECT dictGet('dim.d', 'b', 2) AS b")).toEqual({ b: 20 });
  });

  test.each([
    ["read a state table", "SELECT * FROM weir_state.dwf__t__v1", 497],
    ["read Weir's own tables", "SELECT * FROM weir.x", 497],
    ["write", "INSERT INTO ods.t VALUES (1, '')", 497],
    ["create a table", "CREATE TABLE ods.u (a UInt8) ENGINE = Memory", 497],
    ["create a temporary table", "CREATE TEMPORARY TABLE u (a UInt8)", 497],
    ["give up being readonly", "SET readonly = 0", 164],
    ["raise the time", "SELECT 1 SETTINGS max_execution_time = 1000", 452],
    ["lift the time", "SELECT 1 SETTINGS max_execution_time = 0", 452],
    ["lift the memory", "SELECT 1 SETTINGS max_memory_usage = 0", 452],
    ["raise the rows", "SELECT 1 SETTINGS max_result_rows = 1000000000000", 452],
    ["change another setting", "SELECT 1 SETTINGS max_ast_depth = 100000", 164],
    ["stop others' queries", "KILL QUERY WHERE 1 SYNC", 497],
    ["read a file as a table", "SELECT * FROM file('/etc/passwd', 'LineAsString')", 497],
    ["reach the network", "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')", 497],
    ["see others' queries", "SELECT * FROM system.processes", 497],
    ["see the users", "SELECT * FROM system.users", 497],
    ["see parts", "SELECT name FROM system.parts", 497],
    ["send two statements", "SELECT 1; SELECT 2", 62],
  ] as const)("a reader cannot %s", async (_, sql, code) => {
    expect(await failure((warehouse) => warehouse.rows("reader", sql))).toMatchObject({ outcome: "refused", code });
  });

  test("a reader may ask for less and set what clients set", async () => {
    const settings = { max_execution_time: 5, max_threads: 1, join_use_nulls: 1, session_timezone: "Asia/Tokyo" };
    expect(await run((warehouse) => warehouse.rows("reader", "SELECT 1 AS one", settings))).toEqual([{ one: 1 }]);
  });

  test("nobody gets in without a password", async () => {
    const tricks = ["", "&session_id=a", "&user=default", "&max_sessions_for_user=100", "&close_session=1", "&role=x"];
    for (const trick of tricks) {
      const answer = await fetch(`${connection.url}/?query=SELECT+1${trick}`);
      expect([answer.status, answer.headers.get("x-clickhouse-exception-code")]).toEqual([500, "700"]);
    }
    const wrong = {
      ...connection,
      accounts: { ...connection.accounts, reader: { user: "weir_reader", password: "x" } },
    };
    expect(await failure((warehouse) => warehouse.rows("reader", "SELECT 1"), wrong)).toMatchObject({ code: 516 });
  });

  test("the writer has no rights beyond its databases, the admin has all", async () => {
    const create = (account: Account) =>
      ["CREATE DATABASE other", "DROP DATABASE other"].map(
        (sql) => (warehouse: Warehouse["Service"]) => warehouse.command(account, sql),
      );
    expect(await failure(create("writer")[0]!)).toMatchObject({ code: 497 });
    for (const work of create("admin")) await run(work);
  });

  test("the engine lives in UTC", async () => {
    expect(await one("writer", "SELECT timezone() AS zone")).toEqual({ zone: "UTC" });
  });
});

describe("rows(), command()", () => {
  test("64-bit integers are strings unless settings say otherwise", async () => {
    const sql = "SELECT toUInt64(18446744073709551615) AS n";
    expect(await run((warehouse) => warehouse.rows("reader", sql))).toEqual([{ n: "18446744073709551615" }]);
    const settings = { output_format_json_quote_64bit_integers: 0 };
    expect(await run((warehouse) => warehouse.rows("reader", "SELECT toUInt64(7) AS n", settings))).toEqual([{ n: 7 }]);
  });

  test("a statement may be longer than a URL", async () => {
    const sql = `SELECT 1 AS one /*${"x".repeat(2_000_000)}*/`;
    expect(await run((warehouse) => warehouse.rows("reader", sql, { max_query_size: 10_000_000 }))).toEqual([
      { one: 1 },
    ]);
  });

  test("says unknown when the answer is cut and not done when nobody listens", async () => {
    const server = createServer((socket) => socket.once("data", () => socket.destroy()));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const there = externalConnection(`http://127.0.0.1:${port}`);
    expect(await failure((warehouse) => warehouse.command("writer", "SELECT 1"), there)).toMatchObject({
      outcome: "unknown",
    });
    await new Promise((resolve) => server.close(resolve));
    expect(await failure((warehouse) => warehouse.command("writer", "SELECT 1"), there)).toMatchObject({
      outcome: "not done",
    });
    expect(await run((warehouse) => warehouse.ready(100), there)).toBe(false);
  });

  test("an answer that stops in its middle is late, or given up by whoever waits for it", async () => {
    const closed = Promise.withResolvers<void>();
    const server = createServer((socket) => {
      socket.on("close", () => closed.resolve());
      socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const transport = makeTransport(`http://127.0.0.1:${port}`);
    const asked = { credentials: { user: "u", password: "p" }, search: {}, body: [], timeoutMs: 5_000 };
    const head = await transport.send(asked);
    expect(await readWhole(head, { bytesMax: 1_000, timeoutMs: 20 }).catch((error) => error)).toMatchObject({
      outcome: "unknown",
      message: "Cannot read ClickHouse's answer: none came within 20 ms.",
    });
    await closed.promise;
    const there = externalConnection(`http://127.0.0.1:${port}`);
    const waited = run((warehouse) => Effect.timeoutOption(warehouse.rows("admin", "SELECT 1"), 50), there);
    expect(Option.isNone(await waited)).toBe(true);
    transport.close();
    server.close();
  });
});

describe("insert()", () => {
  const statement = "INSERT INTO ods.t SELECT a, b FROM input('a UInt32, b String') FORMAT JSONEachRow";

  test("a repeated token adds nothing, and the number of rows says the same", async () => {
    const settings = { insert_deduplication_token: "batch-1", async_insert: 0 };
    const body = '{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n';
    expect(await insert(statement, body, settings)).toEqual({ rowsWritten: 2 });
    expect(await insert(statement, body, settings)).toEqual({ rowsWritten: 2 });
    expect(await one("reader", "SELECT count() AS n FROM ods.t")).toEqual({ n: "2" });
  });

  test.each([
    ["a value of another type", statement, '{"a":"x"}\n', 27],
    ["a row cut in the middle", statement, '{"a":1', 33],
    ["an unknown table", "INSERT INTO ods.nothing FORMAT JSONEachRow", `{"a":1}\n`.repeat(1_000_000), 60],
    [
      "a deadline passed",
      statement.replace(" FORMAT", " WHERE NOT throwIf(now64() > toDateTime64(1, 3)) FORMAT"),
      '{"a":1}\n',
      395,
    ],
  ])("refuses %s, also with megabytes behind it", async (_, sql, body, code) => {
    const work = (warehouse: Warehouse["Service"]) =>
      warehouse.insert({ statement: sql, body: [Buffer.from(body)], settings: {} });
    expect(await failure(work)).toMatchObject({ outcome: "refused", code });
  });
});

describe("stream()", () => {
  test("delivers rows and parameters as they are", async () => {
    const params = { s: "a\\b\tc\nd'e\r\0 ü\\", list: "['x\\\\y','it\\'s']", n: "18446744073709551615" };
    const answer = await stream("SELECT {s:String} AS s, {list:Array(String)} AS list, {n:UInt64} AS n", params);
    expect(await new Response(answer).text()).toBe(
      `${JSON.stringify({ s: params.s, list: ["x\\y", "it's"], n: 0 }).replace(":0}", ":18446744073709551615}")}\n`,
    );
  });

  test("fails before the first byte", async () => {
    const query = {
      account: "reader",
      sql: "SELECT nothing",
      format: "CSV",
      queryId: "q",
      params: {},
      settings: {},
    } as const;
    expect(await failure((warehouse) => warehouse.stream(query))).toMatchObject({ outcome: "refused", code: 47 });
  });

  test("errors in the middle with ClickHouse's message, after whole rows only", async () => {
    const answer = await stream("SELECT throwIf(number = 1000000, 'in the middle') AS t FROM numbers(2000000)");
    let text = "";
    const read = async () => {
      for await (const bytes of answer) text = (text + new TextDecoder().decode(bytes)).slice(-100);
    };
    const error = await read().then(
      () => undefined,
      (cause: unknown) => cause,
    );
    expect(error).toBeInstanceOf(WarehouseFailed);
    expect(error).toMatchObject({ outcome: "refused", code: 395 });
    expect(text).toEndWith('{"t":0}\n');
  });

  test("stops the query when the consumer leaves", async () => {
    const id = crypto.randomUUID();
    const answer = await stream("SELECT number, sipHash64(number) FROM numbers(100000000000)", {}, id);
    const reader = answer.getReader();
    await reader.read();
    const running = `SELECT count() AS n FROM system.processes WHERE query_id = '${id}'`;
    expect(await one("admin", running)).toEqual({ n: "1" });
    await reader.cancel();
    const deadline = performance.now() + 5_000;
    while ((await one("admin", running))?.n !== "0" && performance.now() < deadline) await Bun.sleep(20);
    expect(await one("admin", running)).toEqual({ n: "0" });
  });
});

describe("stop()", () => {
  test("stops the query of that id and no other", async () => {
    const id = "a\\' OR 1=1 --";
    const work = (warehouse: Warehouse["Service"]) =>
      Effect.gen(function* () {
        const long = Effect.flip(
          warehouse.rows("admin", "SELECT count() FROM numbers(10000000000000)", { query_id: id }),
        );
        const fiber = yield* Effect.forkChild(long);
        expect(yield* warehouse.stop("' OR 1=1 --")).toBe(false);
        while (!(yield* warehouse.stop(id))) yield* Effect.sleep(10);
        return yield* Fiber.join(fiber);
      });
    expect(await run(work)).toMatchObject({ outcome: "unknown", code: 394 });
  });
});

describe("external ClickHouse", () => {
  test("readers are readonly and limited by what each query carries", async () => {
    const { user, password } = connection.accounts.admin;
    const there = externalConnection(connection.url.replace("//", `//${user}:${password}@`));
    expect(await run((warehouse) => warehouse.rows("reader", "SELECT sum(a) AS sum FROM dwf.t"), there)).toEqual([
      { sum: "3" },
    ]);
    const write = (warehouse: Warehouse["Service"]) => warehouse.command("reader", "INSERT INTO ods.t VALUES (9, '')");
    expect(await failure(write, there)).toMatchObject({ outcome: "refused", code: 164 });
    const sql = "SELECT value FROM system.settings WHERE name = 'max_execution_time'";
    const asked = (value: number) =>
      run((warehouse) => warehouse.rows("reader", sql, { max_execution_time: value, readonly: 0 }), there);
    expect(await asked(5)).toEqual([{ value: "5" }]);
    expect(await asked(0)).toEqual([{ value: "60" }]);
    expect(await asked(5_000)).toEqual([{ value: "60" }]);
  });
});

describe("searchParams()", () => {
  test("escapes scalars and leaves literals of composite types", () => {
    const sql = "SELECT {a:String}, { b : Array(String) }, {c:Nullable(String)}";
    expect(searchParams({ sql, params: { a: "\\", b: "['\\\\']", c: "\t", d: "\n" } })).toEqual({
      param_a: "\\\\",
      param_b: "['\\\\']",
      param_c: "\\t",
      param_d: "\\n",
    });
    expect(escapeParameter("plain 'text'")).toBe("plain 'text'");
  });
});
