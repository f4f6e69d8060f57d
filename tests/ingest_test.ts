/**
 * What the ingest door answers, and what becomes of every event: good, bad and hostile.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { INGEST_LIMITS } from "@weir/web";
import { until } from "./door_process.ts";
import { JSON_TYPE } from "./models_fixture.ts";
import { openWorld, type World } from "./world.ts";

const EVENT = `/*---
kind: source
doc: Every kind of column that the door has to judge.
key: id
event_time: at
retention: { age: 1 day, size: 1 GiB }
---*/
CREATE TABLE ods.event (
  id String, at DateTime64(3, 'UTC'), small UInt8, large Int64, price Decimal(10, 2),
  ratio Nullable(Float64), day Nullable(Date), local Nullable(DateTime('America/New_York')), note Nullable(String)
)`;

const GOOD = { id: "a", at: "2001-03-01T12:00:00.000Z", small: 7, large: 1, price: "1.50" };
const LINES_TYPE = { "content-type": "application/x-ndjson" };
const MIB = new Uint8Array(2 ** 20).fill(0x20);

let world: World;
beforeAll(async () => {
  world = await openWorld();
  await world.apply({ event: EVENT });
});
afterAll(() => world.close());

interface Answer {
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: readonly { readonly index: number; readonly column: string | null; readonly reason: string }[];
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string };
}

async function send(
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = JSON_TYPE,
  query = "",
): Promise<{ status: number; answer: Answer }> {
  const response = await world.post(`/v1/ingest/event${query}`, body, headers);
  return { status: response.status, answer: (await response.json()) as Answer };
}

/** The good event with some fields given as raw JSON text. */
function event(fields: Readonly<Record<string, string | undefined>>): string {
  const all = {
    ...Object.fromEntries(Object.entries(GOOD).map(([name, value]) => [name, JSON.stringify(value)])),
    ...fields,
  };
  const pairs = Object.entries(all).filter(([, value]) => value !== undefined);
  return `{${pairs.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(",")}}`;
}

describe("POST /v1/ingest/<source>", () => {
  test.each([
    ["one object", event({}), JSON_TYPE, 1],
    ["an array", `[${event({})}, ${event({ id: '"b"' })}]`, JSON_TYPE, 2],
    ["an empty array", "[]", JSON_TYPE, 0],
    ["lines", `${event({})}\n\n${event({})}\r\n`, LINES_TYPE, 2],
    ["an object over several lines", `{\n${event({}).slice(1)}`, JSON_TYPE, 1],
    ["gzip", gzipSync(event({})), { ...JSON_TYPE, "content-encoding": "gzip" }, 1],
    ["zstd", zstdCompressSync(event({})), { ...JSON_TYPE, "content-encoding": "zstd" }, 1],
  ])("takes %s", async (_, body, headers, accepted) => {
    const { status, answer } = await send(body as string | Uint8Array, headers as Record<string, string>);
    expect(answer).toMatchObject({ accepted, duplicates: 0, rejected: [] });
    expect(status).toBe(202);
  });

  test("answers 200 with wait=1 when the event can be queried", async () => {
    const { status } = await send(event({ id: '"waited"' }), JSON_TYPE, "?wait=1");
    expect(status).toBe(200);
    expect(await world.sql("SELECT small, large, price FROM ods.event WHERE id = 'waited'")).toEqual([
      { small: 7, large: "1", price: "1.5" },
    ]);
  });

  test("keeps 64-bit integers, Decimals and keys exactly", async () => {
    await send(event({ id: '"exact"', large: "9007199254740993", price: "12345678.91" }), JSON_TYPE, "?wait=1");
    await send(event({ id: '"ж\\u00e9\\ud83d\\ude00"', large: '"-9223372036854775808"' }), JSON_TYPE, "?wait=1");
    expect(await world.sql("SELECT large, price FROM ods.event WHERE id = 'exact'")).toEqual([
      { large: "9007199254740993", price: "12345678.91" },
    ]);
    expect(await world.sql("SELECT large FROM ods.event WHERE id = 'жé😀'")).toEqual([
      { large: "-9223372036854775808" },
    ]);
  });

  test.each([
    ["not JSON", "flight_id=1", null],
    ["a number", "7", null],
    ["an unknown field", event({ other: "1" }), "other"],
    ["__proto__", event({ __proto__x: "1" }).replace("__proto__x", "__proto__"), "__proto__"],
    ["a missing field", event({ small: undefined }), "small"],
    ["null", event({ small: "null" }), "small"],
    ["300 in a UInt8", event({ small: "300" }), "small"],
    ["1.0 in an integer", event({ small: "1.0" }), "small"],
    ["1E2 in an integer", event({ small: "1E2" }), "small"],
    ["true in an integer", event({ small: "true" }), "small"],
    ["1e999 in a Float64", event({ ratio: "1e999" }), "ratio"],
    ["12.345 in a Decimal(10, 2)", event({ price: "12.345" }), "price"],
    ["30 February", event({ day: '"2001-02-30"' }), "day"],
    ["a local time that daylight saving skips", event({ local: '"2001-04-01 02:30:00"' }), "local"],
    ["a repeated key", `${event({}).slice(0, -1)},"small":8}`, "small"],
    ["a lone surrogate", event({ note: '"\\ud800"' }), "note"],
    ["a number in a String", event({ note: "5" }), "note"],
    ["a time more than an hour ahead", event({ at: `"${new Date(Date.now() + 7_200_000).toISOString()}"` }), "at"],
    ["a 2 MB field", event({ note: JSON.stringify("x".repeat(2_000_000)) }), null],
  ])("refuses %s and says where", async (_, body, column) => {
    const { status, answer } = await send(body);
    expect({ status, column: answer.rejected[0]?.column }).toEqual({ status: 422, column });
    expect(answer.rejected[0]?.reason.length).toBeGreaterThan(5);
    expect(answer.error?.code).toBe("nothing_accepted");
  });

  test("stores the good elements of an array with a bad one", async () => {
    const { status, answer } = await send(
      `[${event({ id: '"g1"' })},${event({ small: "-1" })},${event({ id: '"g2"' })}]`,
      JSON_TYPE,
      "?wait=1",
    );
    expect(status).toBe(200);
    expect(answer).toMatchObject({ accepted: 2, rejected: [{ index: 1, column: "small" }] });
    expect(await world.sql("SELECT count() AS n FROM ods.event WHERE id IN ('g1', 'g2')")).toEqual([{ n: "2" }]);
  });

  test("stores the whole lines of truncated NDJSON", async () => {
    const { answer } = await send(
      `${event({ id: '"t1"' })}\n${event({ id: '"t2"' }).slice(0, 20)}`,
      LINES_TYPE,
      "?wait=1",
    );
    expect(answer).toMatchObject({ accepted: 1, rejected: [{ index: 1, column: null }] });
  });

  test("refuses bad UTF-8 alone, not its neighbours", async () => {
    const bad = Buffer.concat([
      Buffer.from(`${event({ id: '"u1"' })}\n`),
      Buffer.from(event({ note: '"?"' }).replace("?", "\u00ff"), "latin1"),
      Buffer.from(`\n${event({ id: '"u2"' })}`),
    ]);
    const { answer } = await send(bad, LINES_TYPE);
    expect(answer).toMatchObject({ accepted: 2, rejected: [{ index: 1, reason: "the event is not valid UTF-8" }] });
  });

  test.each([
    ["an array that does not end", "[{}", JSON_TYPE, 400, "not_json"],
    ["nothing", "", JSON_TYPE, 400, "not_json"],
    ["another content type", "{}", { "content-type": "text/plain" }, 415, "unsupported_media_type"],
    ["brotli", "{}", { ...JSON_TYPE, "content-encoding": "br" }, 415, "unsupported_media_type"],
    ["gzip that is none", "{}", { ...JSON_TYPE, "content-encoding": "gzip" }, 400, "not_compressed"],
    [
      "a gzip bomb",
      gzipSync(Buffer.alloc(100 * 2 ** 20, 0x20)),
      { ...JSON_TYPE, "content-encoding": "gzip" },
      413,
      "body_too_large",
    ],
    ["more events than one request may have", "1\n".repeat(200_001), LINES_TYPE, 413, "too_many_events"],
    ["100 MB", Buffer.alloc(100_000_000, 0x20), LINES_TYPE, 413, "body_too_large"],
    ["an Idempotency-Key with a space", "{}", { ...JSON_TYPE, "idempotency-key": "a b" }, 400, "bad_idempotency_key"],
  ])("refuses %s", async (_, body, headers, status, code) => {
    const seen = await send(body as string | Uint8Array, headers as Record<string, string>);
    expect({ status: seen.status, code: seen.answer.error?.code }).toEqual({
      status: status as number,
      code: code as string,
    });
  });

  test.each([
    ["without a token", {}, "event", 401],
    ["with a wrong token", { authorization: "Bearer wrong" }, "event", 401],
    ["for an unknown source", { authorization: "Bearer weir_test" }, "nothing", 404],
  ])("refuses requests %s", async (_, headers, source, status) => {
    const response = await world.request(`/v1/ingest/${source}`, {
      method: "POST",
      body: "{}",
      headers: { ...JSON_TYPE, ...headers } as Record<string, string>,
    });
    expect(response.status).toBe(status);
    expect(Object.keys(((await response.json()) as { error: object }).error).sort()).toEqual([
      "at",
      "code",
      "hint",
      "message",
    ]);
  });

  test("stores a repeated Idempotency-Key once and refuses it with other content", async () => {
    const key = { ...LINES_TYPE, "idempotency-key": crypto.randomUUID() };
    const body = `${event({ id: '"once"' })}\n${event({ small: "256" })}`;
    const first = await send(body, key);
    const again = await send(body, key, "?wait=1");
    expect(first.answer).toMatchObject({ accepted: 1, duplicates: 0, rejected: [{ index: 1 }] });
    expect(again.answer).toMatchObject({ accepted: 0, duplicates: 1, rejected: [{ index: 1 }] });
    expect(again.status).toBe(200);
    expect(await world.sql("SELECT count() AS n FROM ods.event WHERE id = 'once'")).toEqual([{ n: "1" }]);
    const other = await send(event({ id: '"other"' }), key);
    expect({ status: other.status, code: other.answer.error?.code }).toEqual({
      status: 422,
      code: "idempotency_key_reused",
    });
  });

  test("stores nothing when it does not understand how long to wait", async () => {
    const { status } = await send(event({ id: '"soon"' }), JSON_TYPE, "?wait=soon");
    expect(status).toBe(400);
    await send(event({ id: '"later"' }), JSON_TYPE, "?wait=1");
    expect(await world.sql("SELECT id FROM ods.event WHERE id IN ('soon', 'later')")).toEqual([{ id: "later" }]);
  });

  test("lands events of three hundred months at once", async () => {
    const months = Array.from({ length: 300 }, (_, month) => new Date(Date.UTC(1975, month, 1)).toISOString());
    const lines = months.map((at) => event({ id: '"month"', at: JSON.stringify(at) }));
    const { status } = await send(lines.join("\n"), LINES_TYPE, "?wait=1");
    expect(status).toBe(200);
    const rows = await world.sql("SELECT uniqExact(toYYYYMM(at)) AS months FROM ods.event WHERE id = 'month'");
    expect(rows).toEqual([{ months: "300" }]);
  });

  test("keeps what it refused in the quarantine", async () => {
    const id = crypto.randomUUID();
    await send(event({ id: JSON.stringify(id), small: "999" }));
    const rows = await until(
      "quarantine",
      () => world.sql(`SELECT column, reason, raw, partition FROM weir.quarantine WHERE raw LIKE '%${id}%'`),
      {
        holds: (seen) => seen.length > 0,
        withinMs: 10_000,
      },
    );
    expect(rows).toEqual([
      {
        column: "small",
        reason: expect.stringContaining("999"),
        raw: event({ id: JSON.stringify(id), small: "999" }),
        partition: -1,
      },
    ]);
  });

  test("takes no more bodies at once than the process may hold, and goes on when they are gone", async () => {
    const { inFlightBytesMax, sentBytesMax } = INGEST_LIMITS;
    const open: ReadableStreamDefaultController<Uint8Array>[] = [];
    let arrived = 0;
    const opened = Array.from({ length: inFlightBytesMax / sentBytesMax }, () => {
      let left = sentBytesMax / MIB.length;
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => void open.push(controller),
        pull: (controller) => {
          if (left-- <= 0) return;
          controller.enqueue(MIB);
          arrived += MIB.length;
        },
      });
      return world.post("/v1/ingest/event", body as never, LINES_TYPE);
    });
    await until("the bodies", async () => arrived, { holds: (bytes) => bytes === inFlightBytesMax, withinMs: 10_000 });
    const busy = await world.post("/v1/ingest/event", event({}), JSON_TYPE);
    expect([busy.status, busy.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await busy.json()).toMatchObject({ error: { code: "busy" } });
    for (const controller of open) controller.error(new DOMException("gone", "AbortError"));
    expect((await Promise.all(opened)).map(({ status }) => status)).toEqual(opened.map(() => 499));
    expect((await send(event({}))).status).toBe(202);
  });
});
