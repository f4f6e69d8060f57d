/**
 * Tests of `health.ts`, `landed.ts` and `counters.ts`.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { LogFailed } from "@weir/connectors";
import { Effect } from "effect";
import { Counters, SERIES_MAX } from "./counters.ts";
import { FLIGHT, fakeDoor, Script, TOKENS } from "./door_fixture.ts";
import { Landed } from "./landed.ts";

const table = (state: string) => ({
  ...{
    address: "table/ods.flight",
    kind: "table",
    state,
    mailbox: 2,
    mailboxMax: 9,
    restarts: 1,
    lastError: undefined,
    rows: 7,
  },
});

describe("GET /healthz", () => {
  test("14, 33: says ok to everybody, versions to administrators", async () => {
    const { ask } = fakeDoor(Object.assign(new Script(), { rows: [{ version: "26.7" }] }));
    expect(await (await ask("/healthz", { token: null })).json()).toEqual({ status: "ok" });
    expect(await (await ask("/healthz", { token: TOKENS.ingest })).json()).toEqual({ status: "ok" });
    expect(await (await ask("/healthz")).json()).toEqual({
      status: "ok",
      versions: { bun: Bun.version, clickhouse: "26.7" },
    });
  });
});

describe("GET /readyz", () => {
  const unavailable = new LogFailed({ reason: "unavailable", message: "", retriable: true });

  test.each([
    ["everything answers", {}, "filling", 200, undefined],
    ["an actor waits for its partitions", {}, "waiting", 200, undefined],
    ["the warehouse is away", { isReady: false }, "filling", 503, ["the warehouse does not answer"]],
    ["the log is away", { logFails: unavailable }, "filling", 503, ["the log does not answer"]],
    ["a table has failed", {}, "failed", 503, ["table/ods.flight is failed"]],
  ] as const)("when %s", async (_, parts, state, status, reasons) => {
    const script = Object.assign(new Script(), parts);
    script.registry.set("table/ods.flight", () => table(state));
    const answer = await fakeDoor(script).ask("/readyz", { token: null });
    const body: unknown = await answer.json();
    expect([answer.status, body]).toEqual([status, { status: status === 200 ? "ready" : "not ready", reasons }]);
  });

  test.each([
    ["the warehouse is away", { isReady: false }, 200, undefined],
    ["the log is away", { logFails: unavailable }, 503, ["the log does not answer"]],
  ] as const)("?for=ingest when %s", async (_, parts, status, reasons) => {
    const script = Object.assign(new Script(), parts);
    script.registry.set("table/ods.flight", () => table("failed"));
    const answer = await fakeDoor(script).ask("/readyz?for=ingest", { token: null });
    const body: unknown = await answer.json();
    expect([answer.status, body]).toEqual([status, { status: status === 200 ? "ready" : "not ready", reasons }]);
  });

  test("refuses to say for what it does not know", async () => {
    const answer = await fakeDoor(new Script()).ask("/readyz?for=constructor", { token: null });
    expect([answer.status, await answer.json()]).toMatchObject([400, { error: { code: "bad_parameter", at: "for" } }]);
  });

  test("16: shares one look among all who ask at once", async () => {
    const { warehouse } = fakeDoor(new Script()).door;
    let looks = 0;
    const ready = () => Effect.sync(() => ++looks > 0);
    const { ask } = fakeDoor(new Script(), { warehouse: { ...warehouse, ready } });
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask("/readyz", { token: null })));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(looks).toBe(1);
  });
});

describe("GET /metrics", () => {
  test("shows counters, actors, lag and requests", async () => {
    const script = new Script();
    script.running = [FLIGHT];
    script.registry.set("table/ods.flight", () => table("filling"));
    script.counters.add("weir_events_accepted_total", { source: "flight" }, 3);
    const { ask } = fakeDoor(script);
    await ask("/nowhere");
    await ask("/v1/sql/8f14e45f-ceea-467f-9575-6f6f6f6f6f6f", { method: "DELETE" });
    const answer = await ask("/metrics", { token: null });
    expect(answer.headers.get("content-type")).toStartWith("text/plain");
    const lines = (await answer.text()).split("\n");
    for (const line of [
      'weir_events_accepted_total{source="flight"} 3',
      'weir_source_lag_records{source="flight",partition="0"} 15',
      'weir_actor_mailbox{actor="table/ods.flight",kind="table"} 2',
      'weir_actor_rows_total{actor="table/ods.flight",kind="table"} 7',
      'weir_http_requests_total{method="GET",route="none",status="404"} 1',
      'weir_http_requests_total{method="DELETE",route="/v1/sql/:id",status="200"} 1',
      'weir_http_request_seconds_count{method="DELETE",route="/v1/sql/:id"} 1',
    ]) {
      expect(lines).toContain(line);
    }
    expect(lines.filter((line) => line === "# TYPE weir_actor_mailbox gauge")).toHaveLength(1);
  });
});

describe("Landed", () => {
  test("adds what landed since the last look, every marker once", async () => {
    const script = new Script();
    script.rows = [{ statement: "ods.flight", stored: 5, duplicate: 1, quarantined: 2 }];
    const landed = new Landed(fakeDoor(script).door.warehouse, 100_000);
    for (const nowMs of [105_500, 110_000, 110_001, 120_000]) await Effect.runPromise(landed.refresh(nowMs));
    expect(script.statements.map((sql) => [...sql.matchAll(/Milli\((\d+)\)/g)].map(([, ms]) => Number(ms)))).toEqual([
      [100_000, 105_000],
      [105_000, 115_000],
    ]);
    expect(landed.samples().map(({ name, labels, value }) => [name, labels.source, value])).toEqual([
      ["weir_landed_stored_total", "flight", 10],
      ["weir_landed_duplicate_total", "flight", 2],
      ["weir_landed_quarantined_total", "flight", 4],
    ]);
  });
});

describe("Counters", () => {
  test("adds by name and labels, bound or not", () => {
    const counters = new Counters();
    counters.counter("a_total", { source: "x" }).add(2);
    counters.add("a_total", { source: "x" }, 3);
    counters.add("a_total", { source: 'y"\\\n' }, 1);
    expect(counters.value("a_total", { source: "x" })).toBe(5);
    expect(counters.text()).toContain('a_total{source="x"} 5\na_total{source="y\\"\\\\\\n"} 1\n');
  });

  test("counts seconds into every bucket above them", () => {
    const counters = new Counters();
    for (const seconds of [0.001, 0.02, 99]) counters.histogram("t_seconds", { route: "/" }).observe(seconds);
    const text = counters.text();
    for (const [bound, count] of [
      ["0.001", 1],
      ["0.01", 1],
      ["0.025", 2],
      ["10", 2],
      ["+Inf", 3],
    ] as const) {
      expect(text).toContain(`t_seconds_bucket{route="/",le="${bound}"} ${count}\n`);
    }
    expect(text).toContain('t_seconds_count{route="/"} 3\n');
  });

  test("keeps a bound on the number of series", () => {
    const counters = new Counters();
    for (let index = 0; index < SERIES_MAX + 5; index++) counters.add("a_total", { index: String(index) }, 1);
    expect(counters.text()).toContain("weir_series_dropped_total 5\n");
    expect(counters.text().split("\n").length).toBeLessThan(SERIES_MAX + 10);
  });
});
