/**
 * APIs over a real engine: every type there and back, the reader's rights and limits, live answers on real connections.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { probeQuery, readApi } from "@weir/sql";
import { app, type PublishedApi } from "@weir/web";
import { Effect } from "effect";
import { openWorld, type World } from "./world.ts";

const FLIGHT = `/*---
kind: source
doc: Flights.
key: flight_id
event_time: departed_at
---*/
CREATE TABLE ods.flight (flight_id String, departed_at DateTime64(3, 'UTC'), origin String, delay Int32)`;

const TYPES: readonly (readonly [type: string, sent: string, answered: unknown])[] = [
  ["Int8", "-128", -128],
  ["UInt64", "18446744073709551615", "18446744073709551615"],
  ["UInt256", String(2n ** 256n - 1n), String(2n ** 256n - 1n)],
  ["Float64", "1e-7", 1e-7],
  ["Decimal(38, 10)", "-1234567890123456789012345678.0123456789", "-1234567890123456789012345678.0123456789"],
  ["Bool", "true", true],
  ["String", "a\tb\n\\N'ü%", "a\tb\n\\N'ü%"],
  ["LowCardinality(Nullable(String))", "x", "x"],
  ["FixedString(2)", "ab", "ab"],
  ["UUID", "61f0c404-5cb3-11e7-907b-a6006ad3dba0", "61f0c404-5cb3-11e7-907b-a6006ad3dba0"],
  ["Enum8('a' = 1, 'it\\'s' = 2)", "it's", "it's"],
  ["Date", "2024-02-29", "2024-02-29"],
  ["DateTime", "2026-01-31T10:20:30+01:00", "2026-01-31T09:20:30Z"],
  ["DateTime('Europe/Berlin')", "2026-07-01T12:00:00", "2026-07-01T10:00:00Z"],
  ["DateTime64(3, 'UTC')", "1969-12-31T23:59:58.500Z", "1969-12-31T23:59:58.500Z"],
  ["DateTime64(3, 'UTC')", "1970-01-01T00:00:00.001Z", "1970-01-01T00:00:00.001Z"],
  ["DateTime64(9, 'Asia/Tokyo')", "2026-01-31T10:20:30.123456789Z", "2026-01-31T10:20:30.123456789Z"],
  ["Array(UInt64)", '[18446744073709551615, "1"]', ["18446744073709551615", "1"]],
  ["Array(String)", '["a\'b", "c\\\\d\\te\\n", ""]', ["a'b", "c\\d\te\n", ""]],
  ["Array(LowCardinality(String))", "one", ["one"]],
  ["Array(Nullable(Int8))", "[1, null]", [1, null]],
  ["Array(Decimal(9, 2))", "[1.50]", ["1.5"]],
  ["Array(DateTime64(3, 'UTC'))", "2026-01-31T10:20:30Z", ["2026-01-31T10:20:30.000Z"]],
  ["Array(UUID)", "61f0c404-5cb3-11e7-907b-a6006ad3dba0", ["61f0c404-5cb3-11e7-907b-a6006ad3dba0"]],
  ["Array(Bool)", "[true, false]", [true, false]],
];

let world: World;
let served: PublishedApi[] = [];
const closing = new AbortController();
let web: ReturnType<typeof app>;
let server: ReturnType<typeof Bun.serve>;

const auth = () => ({ authorization: `Bearer ${world.token}` });
const publish = (id: string, sql: string, { params = "{}", sources = ["ods.flight"] as string[] } = {}) => {
  const api = readApi(`api/${id}.sql`, `/*---\nkind: api\ndoc: a\nparams: ${params}\n---*/\n${sql}`);
  served = [...served.filter((one) => one.api.id !== id), { api, sources }];
  return api;
};
const get = async (path: string) => {
  const answer = await web.request(path, { headers: auth() });
  return { status: answer.status, body: (await answer.json()) as Body };
};
interface Body {
  readonly data: readonly Record<string, unknown>[];
  readonly meta: { readonly cache: string; readonly fresh_to: string | null };
  readonly error: { readonly code: string; readonly message: string };
}
const send = async (id: string) => {
  const event = { flight_id: id, departed_at: "2026-01-31T10:00:00Z", origin: "SFO", delay: 5 };
  const answer = await world.post("/v1/ingest/flight", JSON.stringify(event), { "content-type": "application/json" });
  return ((await answer.json()) as { position: string }).position;
};

beforeAll(async () => {
  world = await openWorld();
  await world.apply({ flight: FLIGHT });
  const { warehouse, run } = world.door;
  const view =
    "CREATE VIEW dwa.airports DEFINER = weir_admin SQL SECURITY DEFINER AS SELECT origin, count() AS flights FROM ods.flight GROUP BY origin";
  await run(warehouse.command("admin", view));
  const apis = { get: (id: string) => served.find(({ api }) => api.id === id), all: () => served };
  web = app({ ...world.door, apis, closing: closing.signal });
  server = Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 120, fetch: (request) => web.fetch(request) });
});

afterAll(async () => {
  closing.abort();
  await server.stop(true);
  await world.close();
});

describe("a parameter", () => {
  test.each(TYPES)("of %s", async (type, sent, answered) => {
    publish("typed", `SELECT {x:${type}} AS x, toTypeName(x) AS type`);
    const { status, body } = await get(`/v1/api/typed?x=${encodeURIComponent(sent)}`);
    expect([status, body.data?.[0] ?? body]).toEqual([200, { x: answered, type }]);
  });

  test("of a Nullable type is null when it is left out", async () => {
    for (const type of ["Nullable(String)", "LowCardinality(Nullable(String))", "Nullable(DateTime64(3, 'UTC'))"]) {
      publish("typed", `SELECT {x:${type}} AS x WHERE {x:${type}} IS NULL`);
      expect((await get("/v1/api/typed")).body.data).toEqual([{ x: null }]);
    }
  });
});

describe("probeQuery()", () => {
  test.each([...TYPES.map(([type]) => type), "Nullable(String)"])(
    "has the engine describe a SELECT with %s",
    async (type) => {
      const { sql, params } = probeQuery(publish("typed", `SELECT {x:${type}} AS x, 1 AS one -- the end`));
      const query = {
        account: "reader",
        sql,
        params,
        format: "JSONEachRow",
        queryId: crypto.randomUUID(),
        settings: {},
      } as const;
      const stream = await Effect.runPromise(world.door.warehouse.stream(query));
      const names = (await new Response(stream).text())
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { name: string }).name);
      expect(names).toEqual(["x", "one"]);
    },
  );
});

describe("the reader", () => {
  test("reads what a view may read, and a write that was waited for", async () => {
    publish("airports", "SELECT origin, flights FROM dwa.airports");
    const position = await send("1");
    const { body } = await get(`/v1/api/airports?after=${position}`);
    expect([body.data, body.meta.cache]).toEqual([[{ origin: "SFO", flights: "1" }], "miss"]);
    expect(Date.now() - Date.parse(body.meta.fresh_to!)).toBeLessThan(60_000);
    expect((await get("/v1/api/airports")).body.meta.cache).toBe("hit");
    expect((await get(`/v1/api/airports?after=${await send("2")}`)).body.data).toEqual([
      { origin: "SFO", flights: "2" },
    ]);
  });

  test.each([
    ["tables of its own rights only", "SELECT * FROM weir.batch", 500, "api_failed"],
    ["no state tables", "SELECT * FROM weir_state.ods__flight__v1", 500, "api_failed"],
    ["no more rows than it may answer", "SELECT number FROM system.numbers LIMIT 100001", 422, "query_limit"],
    ["no more memory", "SELECT length(groupArray(number)) FROM numbers(1000000000)", 422, "query_limit"],
    ["nothing that fails on its values", "SELECT throwIf({x:UInt8} > 0)", 500, "api_failed"],
  ])("reads %s", async (_, sql, status, code) => {
    publish("limited", sql);
    const { status: answered, body } = await get(`/v1/api/limited${sql.includes("{x:") ? "?x=1" : ""}`);
    expect([answered, body.error?.code]).toEqual([status, code]);
  });

  test("reads no address, even if a definition had got through that does", async () => {
    const api = { ...publish("limited", "SELECT 1"), sql: "SELECT * FROM url('http://127.0.0.1/', 'CSV')" };
    served = [...served.filter((one) => one.api.id !== "limited"), { api, sources: [] }];
    const { status, body } = await get("/v1/api/limited");
    expect([status, body.error.code]).toEqual([500, "api_failed"]);
  });
});

describe("live", () => {
  const address = () => `http://127.0.0.1:${server.port}/v1/api/airports/live`;

  test("tells of each change, and ends when the client leaves and when the door closes", async () => {
    publish("airports", "SELECT sum(flights) AS flights FROM dwa.airports");
    const leaving = new AbortController();
    const first = await fetch(address(), { headers: auth(), signal: leaving.signal });
    const second = await fetch(address(), { headers: auth() });
    const [one, two] = [linesOf(first), linesOf(second)];
    const before = await one("data: ");
    expect(await two("data: ")).toBe(before);
    await send("live-1");
    const after = await two("data: ");
    expect(after).not.toBe(before);
    expect(await one("data: ")).toBe(after);
    leaving.abort();
    await send("live-2");
    expect(await two("data: ")).not.toBe(after);
  });

  test("keeps one result for a client that does not read", async () => {
    publish("wide", "SELECT (SELECT sum(flights) FROM dwa.airports) AS flights, repeat('x', 1000000) AS pad");
    const socket = connect(server.port!, "127.0.0.1");
    socket.pause();
    await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
    socket.write(`GET /v1/api/wide/live HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${world.token}\r\n\r\n`);
    const reading = linesOf(await fetch(address().replace("airports", "wide"), { headers: auth() }));
    await reading("data: ");
    for (let count = 0; count < 20; count++) {
      await send(`slow-${count}`);
      await reading("data: ");
    }
    const total = String((await get("/v1/api/wide")).body.data[0]!.flights);
    const seen: string[] = [];
    const newest = Promise.withResolvers<void>();
    socket.setEncoding("latin1").on("data", (text: Buffer | string) => {
      seen.push(...Array.from(String(text).matchAll(/"flights":"(\d+)"/g), ([, flights]) => flights!));
      if (seen.at(-1) === total) newest.resolve();
    });
    socket.resume();
    await newest.promise;
    expect(seen.length).toBeLessThan(15);
    socket.destroy();
  });
});

/** Reads a stream of events line by line: the next line that begins so. */
function linesOf(answer: Response): (start: string) => Promise<string> {
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  return async (start) => {
    for (;;) {
      const end = held.indexOf("\n");
      if (end >= 0) {
        const line = held.slice(0, end);
        held = held.slice(end + 1);
        if (line.startsWith(start)) return line;
        continue;
      }
      const { done, value } = await reader.read();
      if (done) return "end";
      held += value;
    }
  };
}
