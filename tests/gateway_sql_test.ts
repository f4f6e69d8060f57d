/**
 * SQL of callers who are not trusted, against a real engine: what passes, and that nothing else does.
 *
 *   statement × token ──▶ the door ──▶ an answer of what the token may read, or a clear 4xx and nothing done
 *
 * Numbers in names are rows of the list of risks.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { KNOWN_FUNCTIONS } from "@weir/sql";
import { type Gateway, openGateway, refusal } from "./gateway_fixture.ts";
import {
  ACCEPTED,
  ESCAPING_TABLES,
  FILE_SPELLINGS,
  FUNCTION_PLACES,
  NOT_SELECTS,
  TABLE_PLACES,
  UNRESOLVED,
} from "./gateway_sql_cases.ts";
import { addToken, makeTables, SECRET } from "./gateway_sql_fixture.ts";

setDefaultTimeout(60_000);

let door: Gateway;

beforeAll(async () => {
  door = await openGateway();
  await makeTables(door.world);
  for (const [token, scopes] of Object.entries({
    reader: ["sql:read"],
    other: ["sql:read", "ingest:event"],
    one: ["sql:dwf.number"],
    layer: ["sql:dwf"],
    raw: ["sql:ods"],
    none: ["ingest:event", "api:*"],
  })) {
    addToken(door.world, token, scopes);
  }
});
afterAll(() => door.close());

const ask = async (text: string, { token = "reader", query = "", headers = {}, ...init }: Asking = {}) => {
  const all = { authorization: `Bearer ${token}`, ...headers };
  return refusal(await door.world.request(`/v1/sql${query}`, { method: "POST", body: text, headers: all, ...init }));
};
type Asking = { token?: string; query?: string; headers?: Record<string, string>; signal?: AbortSignal };

const isRefused = ({ status, code }: { status: number; code: string | undefined }) =>
  (status === 400 || status === 403) && (code === "sql_refused" || code === "sql_forbidden");

describe("what the engine knows", () => {
  const flags =
    "is_aggregate = 1 AS aggregate, case_insensitive = 1 AS any_case, ifNull(higher_order, 0) = 1 AS higher";

  test("9: every function is on the list, as what it is", async () => {
    const sql = `SELECT name, ${flags} FROM system.functions WHERE origin = 'System' ORDER BY name`;
    const rows = await door.world.sql<{ name: string; aggregate: number; any_case: number; higher: number }>(sql);
    expect(rows.length).toBeGreaterThan(1_500);
    const problems = rows.flatMap(({ name, aggregate, any_case, higher }) => {
      const rule = KNOWN_FUNCTIONS.functions.get(name);
      if (rule === undefined) return [`${name}: allow or deny it in sql/judge/functions.txt`];
      const isSame =
        [rule.isAggregate, rule.isAnyCase, rule.takesFunctions].join() ===
        [aggregate, any_case, higher].map(Boolean).join();
      return isSame ? [] : [`${name}: it is another kind of function now`];
    });
    expect(problems).toEqual([]);
  });

  test("9: every table function and combinator is on the list", async () => {
    const tables = await door.world.sql<{ name: string }>("SELECT name FROM system.table_functions");
    expect(tables.map(({ name }) => name).filter((name) => !KNOWN_FUNCTIONS.tables.has(name))).toEqual([]);
    const sql = "SELECT name FROM system.aggregate_function_combinators WHERE NOT is_internal ORDER BY name";
    const combinators = await door.world.sql<{ name: string }>(sql);
    expect(combinators.map(({ name }) => name)).toEqual([...KNOWN_FUNCTIONS.combinators].sort());
  });

  test("7, 8, 9, 14: nothing on the list that is refused can be called", async () => {
    for (const [name, { verdict }] of KNOWN_FUNCTIONS.functions) {
      if (verdict !== "deny") continue;
      expect([name, isRefused(await ask(`SELECT \`${name}\`('x')`))]).toEqual([name, true]);
      // The engine calls some by their bare names.
      for (const bare of [name, name.toUpperCase()]) {
        expect([bare, (await ask(`SELECT ${bare}`)).status]).not.toEqual([bare, 200]);
      }
    }
    for (const [name, { verdict }] of KNOWN_FUNCTIONS.tables) {
      if (verdict !== "deny") continue;
      for (const sql of [
        `SELECT * FROM ${name}('x')`,
        `SELECT 1 IN ${name}('x')`,
        `SELECT 1 IN (SELECT 1 FROM ${name}('x', 'y'))`,
      ]) {
        expect([sql, isRefused(await ask(sql))]).toEqual([sql, true]);
      }
    }
  });
});

describe("functions", () => {
  test.each(FUNCTION_PLACES)("9, 14: hostName() does not hide in %s", async (sql) => {
    for (const call of ["hostName()", "HOSTNAME()", "`hostName`()", "getServerSetting('tcp_port')", "version()"]) {
      const answer = await ask(sql.replaceAll("$", call));
      expect({ sql, call, refused: isRefused(answer) }).toEqual({ sql, call, refused: true });
      expect(answer.text).toMatch(/can mean a function|function '|does not exist/);
    }
    // The place itself is no mistake: the same statement passes with a function that is allowed.
    const { status, text } = await ask(sql.replaceAll("$", "toUInt64(1)"));
    expect({ sql, status, text: status === 200 ? "" : text }).toEqual({ sql, status: 200, text: "" });
  });

  test.each(UNRESOLVED)("9, 11: %s is refused", async (sql, query = "") => {
    const answer = await ask(sql, { query });
    expect({ sql, refused: isRefused(answer), text: answer.text }).toMatchObject({ sql, refused: true });
  });

  test.each(FILE_SPELLINGS)("8: %s reads no file", async (sql) => {
    const query = sql.includes("{f:") ? "?param_f=file" : "";
    for (const token of ["reader", "one"]) {
      const answer = await ask(sql, { query, token });
      expect({ sql, refused: isRefused(answer), leaks: answer.text.includes("Linux") }).toEqual({
        sql,
        refused: true,
        leaks: false,
      });
    }
  });

  test.each(ACCEPTED)("%s passes, and is resolved to nothing else than was judged", async (sql) => {
    const answer = await ask(sql, { query: "?param_n=3&param_d=dwf&param_t=number&param_s=x" });
    expect({ sql, status: answer.status, text: answer.status === 200 ? "" : answer.text }).toEqual({
      sql,
      status: 200,
      text: "",
    });
    if (sql.includes("{")) return;
    const rows = await door.world.door.run(
      door.world.door.warehouse.rows<{ explain: string }>("reader", `EXPLAIN QUERY TREE ${sql}`),
    );
    if (rows._tag === "Failure") throw new Error(`no tree: ${JSON.stringify(rows.cause)}`);
    for (const { explain } of rows.value) {
      const name = /function_name: (\w+)/.exec(explain)?.[1];
      if (/^ *FUNCTION /.test(explain) && !/^__/.test(name ?? ""))
        expect([name, KNOWN_FUNCTIONS.rule(name ?? "")?.verdict ?? "own"]).not.toContain("deny");
      const table = /^ *TABLE id: .*table_name: ([\w.]+)/.exec(explain)?.[1];
      if (table !== undefined) expect(table).toMatch(/^(system\.one|r$|_table_function|(dim|dwf|dws|dwa)\.)/);
    }
  });
});

describe("tables", () => {
  test.each(TABLE_PLACES)("12, 13: a table of others does not hide in %s", async (sql) => {
    for (const table of [
      "ods.event",
      "weir.definition",
      "weir_state.ods__event__v1",
      "system.processes",
      "system.users",
      "information_schema.tables",
      "`ods`.`event`",
      "default.x",
    ]) {
      const answer = await ask(sql.replaceAll("$", table));
      expect({ sql, table, refused: isRefused(answer) }).toEqual({ sql, table, refused: true });
    }
    const { status, text } = await ask(sql.replaceAll("$", "dwf.number"));
    expect({ sql, status, text: status === 200 ? "" : text }).toEqual({ sql, status: 200, text: "" });
  });

  test.each(ESCAPING_TABLES)("2, 12: %s is refused", async (sql, query = "") => {
    for (const token of ["one", "layer"]) {
      const answer = await ask(sql, { query, token });
      expect({ sql, refused: isRefused(answer), leaks: answer.text.includes(SECRET) }).toEqual({
        sql,
        refused: true,
        leaks: false,
      });
    }
  });

  test("2: a scope opens what it names and nothing else", async () => {
    const rows: readonly (readonly [token: string, table: string, status: number])[] = [
      ["reader", "dwf.number", 200],
      ["reader", "dws.secret", 200],
      ["reader", "ods.event", 403],
      ["layer", "dwf.number", 200],
      ["layer", "dws.secret", 403],
      ["one", "dwf.number", 200],
      ["one", "dwf.other", 403],
      ["raw", "ods.event", 200],
      ["raw", "dwf.number", 403],
      ["none", "dwf.number", 403],
      [door.world.token, "weir.definition", 200],
    ];
    for (const [token, table, status] of rows) {
      expect([token, table, (await ask(`SELECT count() FROM ${table}`, { token })).status]).toEqual([
        token,
        table,
        status,
      ]);
    }
  });

  test("31: what one token was let do, another is not", async () => {
    for (let round = 0; round < 2; round++) {
      expect((await ask("SELECT * FROM dws.secret")).text).toContain(SECRET);
      expect(await ask("SELECT * FROM dws.secret", { token: "one" })).toMatchObject({
        status: 403,
        code: "sql_forbidden",
      });
      const sql = "SELECT count() AS n FROM {d:Identifier}.{t:Identifier}";
      expect((await ask(sql, { query: "?param_d=dwf&param_t=number" })).status).toBe(200);
      expect((await ask(sql, { query: "?param_d=ods&param_t=event" })).status).toBe(403);
    }
  });

  test("14: the engine's guesses name no tables", async () => {
    for (const table of ["dwf.numbe", "dwf.secre", "dwf.even"]) {
      const { status, text } = await ask(`SELECT * FROM ${table}`, { token: "layer" });
      expect([status, /Maybe you|dws|ods|secret/.test(text.replaceAll(table, ""))]).toEqual([400, false]);
    }
  });

  test("14: what is suggested may be read, and stands at its place", async () => {
    const rows = [
      ["layer", "SELECT *\n FROM dwf.numbe", "Maybe dwf.number was meant.", { line: 2, column: 7 }],
      ["one", "SELECT * FROM dwf.numbe", "Maybe dwf.number was meant.", { line: 1, column: 15 }],
      ["one", "SELECT * FROM dwf.othr", "GET /v1/sql/schema", { line: 1, column: 15 }],
      ["layer", "SELECT * FROM dws.secre", "GET /v1/sql/schema", { line: 1, column: 15 }],
      ["layer", "SELECT 'verison', verison FROM dwf.number", "Maybe version was meant.", { line: 1, column: 19 }],
      ["reader", "SELECT x.tex -- tex\nFROM dws.secret AS x", "Maybe text was meant.", { line: 1, column: 8 }],
      ["layer", "SELECT tex, tex FROM dwf.number", "Correct", null],
      ["layer", "SELEC 1", "Maybe SELECT was meant.", { line: 1, column: 1 }],
      [door.world.token, "SHWO TABLES", "Maybe SHOW was meant.", { line: 1, column: 1 }],
      [door.world.token, "SELECT 1,\n verison FROM dwf.number", "Correct", { line: 2, column: 2 }],
      [door.world.token, "SELECT dictGet('dwf.numbr', 'a', 1)", "Maybe dwf.number was meant.", { line: 1, column: 16 }],
    ] as const;
    for (const [token, sql, hint, at] of rows) {
      const { error } = JSON.parse((await ask(sql, { token })).text) as { error: { hint: string; at: unknown } };
      expect({ sql, hint: error.hint, at: error.at }).toEqual({ sql, hint: expect.stringContaining(hint), at });
      if (token !== door.world.token) expect(error.hint).not.toMatch(/SHOW|DESCRIBE|EXPLAIN|EXISTS|secret|other/);
    }
  });

  test("GET /v1/sql/schema lists what may be read", async () => {
    const schema = async (token: string) => {
      const answer = await door.world.request("/v1/sql/schema", { headers: { authorization: `Bearer ${token}` } });
      const { databases } = (await answer.json()) as {
        databases?: { name: string; tables: { name: string; columns: object[] }[] }[];
      };
      return (databases ?? []).flatMap(({ name, tables }) => tables.map((table) => `${name}.${table.name}`));
    };
    expect(await schema("one")).toEqual(["dwf.number"]);
    expect(await schema("layer")).toEqual(["dwf.number", "dwf.other"]);
    expect(await schema("reader")).toEqual(["dwf.number", "dwf.other", "dws.secret"]);
    expect(await schema("raw")).toEqual(["ods.event"]);
    expect(await schema("none")).toEqual([]);
    expect(await schema(door.world.token)).toContain("weir.definition");
    expect((await door.world.request("/v1/sql/schema")).status).toBe(401);
  });
});

describe("statements", () => {
  test.each(NOT_SELECTS)("4, 5, 10: %s is refused", async (sql) => {
    const answer = await ask(sql);
    expect({ sql, refused: isRefused(answer) }).toEqual({ sql, refused: true });
  });

  test("names the place, and what to do", async () => {
    const rows = [
      ["SELECT 1,\n  hostName()", "sql_forbidden", { line: 2, column: 3 }],
      ["SELECT *\nFROM ods.event", "sql_forbidden", { line: 2, column: 6 }],
      ["SELECT a,\n FROM dwf.number WHERE (", "sql_refused", { line: 2, column: 24 }],
      ["SELECT 'é', (", "sql_refused", { line: 1, column: 13 }],
      ["SELECT 1 FORMAT CSV", "sql_refused", { line: 1, column: 10 }],
      ["SHOW TABLES", "sql_refused", { line: 1, column: 1 }],
      ["SELECT dictGet('ods.x', 'a', 1)", "sql_forbidden", { line: 1, column: 16 }],
      ["SELECT 1 SETTINGS max_threads = 1", "sql_forbidden", { line: 1, column: 10 }],
      ["SELECT 1 SETTINGS max_threads = 64", "sql_forbidden", { line: 1, column: 10 }],
      ["SELECT 1 SETTINGS `readonly`=0", "sql_forbidden", { line: 1, column: 10 }],
    ] as const;
    for (const [sql, code, at] of rows) {
      const { error } = JSON.parse((await ask(sql)).text) as { error: { code: string; at: unknown; hint: string } };
      expect({ sql, code: error.code, at: error.at }).toEqual({ sql, code, at });
      expect(error.hint).not.toBe("");
    }
    expect((await ask("EXISTS dwf.number")).text).toContain("GET /v1/sql/schema");
  });

  test("6: settings in the address are refused", async () => {
    for (const query of [
      "max_execution_time=0",
      "readonly=0",
      "session_id=x",
      "database=weir",
      "role=x",
      "csv=unsafe",
      "csv=safe",
    ]) {
      expect([query, (await ask("SELECT 1", { query: `?${query}` })).status]).toEqual([query, 400]);
    }
  });

  test("11, 28: parameters are values", async () => {
    for (const value of ["a\\", "a' OR 1=1 --", "ods.event", "hostName()", "9007199254740993", "\u{1f600}"]) {
      const { text } = await ask("SELECT {v:String} AS v", { query: `?param_v=${encodeURIComponent(value)}` });
      expect(JSON.parse(text).data).toEqual([{ v: value }]);
    }
    const { text } = await ask("SELECT {v:UInt64} AS v, toInt128('-170141183460469231731687303715884105728') AS i", {
      query: "?param_v=18446744073709551615",
    });
    expect(JSON.parse(text).data).toEqual([
      { v: "18446744073709551615", i: "-170141183460469231731687303715884105728" },
    ]);
    for (const value of ["1 OR 1", "9007199254740993.5", "1e999"]) {
      expect((await ask("SELECT {v:UInt64} AS v", { query: `?param_v=${encodeURIComponent(value)}` })).status).toBe(
        400,
      );
    }
  });
});
