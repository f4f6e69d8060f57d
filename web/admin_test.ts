/**
 * Tests of `admin.ts` and `quarantine.ts` through the door.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { LogFailed } from "@weir/connectors";
import { FLIGHT, fakeDoor, Script, TOKENS } from "./door_fixture.ts";
import { cursorOf } from "./quarantine.ts";

const bodyOf = async (answer: Response) => (await answer.json()) as Record<string, unknown>;

describe("scope", () => {
  const PATHS = [
    "actors",
    "status",
    "sources/flight/tail",
    "definitions",
    "quarantine",
    "quarantine/groups",
    "quarantine/a",
  ];
  test.each(PATHS)("/v1/admin/%s is for administrators", async (path) => {
    const { ask } = fakeDoor(new Script());
    expect((await ask(`/v1/admin/${path}`, { token: null })).status).toBe(401);
    expect((await ask(`/v1/admin/${path}`, { token: TOKENS.ingest })).status).toBe(403);
  });
});

describe("GET /v1/admin/actors", () => {
  const report = {
    address: "table/ods.flight",
    kind: "table",
    state: "filling",
    mailbox: 0,
    mailboxMax: 9,
    restarts: 1,
    lastError: undefined,
  };

  test("shows every actor and how far each source is behind", async () => {
    const script = new Script();
    script.running = [FLIGHT];
    script.registry.set(report.address, () => report);
    script.visible.publish("ods.flight", new Map([[0, 20]]));
    expect(await bodyOf(await fakeDoor(script).ask("/v1/admin/actors"))).toMatchObject({
      actors: [{ address: "table/ods.flight", state: "filling", restarts: 1 }],
      sources: [
        {
          source: "flight",
          lag: 5,
          partitions: [{ partition: 0, earliest: 10, latest: 25, visible: 20, lag: 5 }, { lag: 0 }],
        },
      ],
    });
  });

  test("shows the actors when the log does not answer", async () => {
    const script = new Script();
    script.running = [FLIGHT];
    script.logFails = new LogFailed({ reason: "unavailable", message: "", retriable: true });
    const answer = await fakeDoor(script).ask("/v1/admin/actors");
    expect([answer.status, await bodyOf(answer)]).toMatchObject([200, { sources: [{ source: "flight", lag: null }] }]);
  });
});

describe("GET /v1/admin/quarantine", () => {
  const row = (raw: Uint8Array, more: object = {}) => ({
    ...{ source: "flight", topic: "flight", epoch: 1, partition: 0, offset: 5, column: "delay", reason: "too large" },
    ...{ raw_base64: Buffer.from(raw).toString("base64"), raw_bytes: raw.length, event_ms: 0, quarantined_ms: 1_000 },
    ...more,
  });

  test("shows text as text, other bytes as base64, and a cut character not at all", async () => {
    const half = Buffer.from("aé").subarray(0, 2);
    const script = new Script();
    script.rows = [
      row(Buffer.from("é")),
      row(half),
      row(half, { raw_bytes: 99, partition: -1, offset: -1, column: "" }),
    ];
    const { rows, next } = await bodyOf(await fakeDoor(script).ask("/v1/admin/quarantine"));
    expect(rows).toMatchObject([
      {
        raw: "é",
        raw_encoding: "utf-8",
        raw_is_cut: false,
        partition: 0,
        offset: 5,
        quarantined_at: "1970-01-01T00:00:01.000Z",
      },
      { raw: half.toString("base64"), raw_encoding: "base64" },
      { raw: "a", raw_encoding: "utf-8", raw_is_cut: true, partition: null, offset: null, column: null },
    ]);
    expect(next).toBeNull();
  });

  test("goes on within a millisecond", async () => {
    const script = new Script();
    script.rows = [row(Buffer.of(), { quarantined_ms: 2_000 }), row(Buffer.of()), row(Buffer.of())];
    const { ask } = fakeDoor(script);
    expect((await bodyOf(await ask("/v1/admin/quarantine?limit=3"))).next).toBe("1000-2");
    script.rows = script.rows.slice(1);
    expect((await bodyOf(await ask("/v1/admin/quarantine?limit=2&before=1000-2"))).next).toBe("1000-4");
    expect(script.statements[1]).toContain("LIMIT 2 OFFSET 2");
  });

  test("quotes the source", async () => {
    const script = new Script();
    await fakeDoor(script).ask(`/v1/admin/quarantine?source=${encodeURIComponent("a' OR 1=1 --\\")}`);
    expect(script.statements[0]).toContain("source = 'a\\' OR 1=1 --\\\\'");
  });

  test("leaves out what was replayed or dropped, unless asked", async () => {
    const script = new Script();
    const { ask } = fakeDoor(script);
    await ask("/v1/admin/quarantine");
    await ask("/v1/admin/quarantine?all=1");
    expect(script.statements.map((sql) => sql.includes("weir.quarantine_action"))).toEqual([true, false]);
  });

  test.each(["limit=0", "limit=1e9", "limit=x", "before=x", "before=1-99999999", "since=x"])(
    "refuses %s",
    async (query) => {
      expect((await fakeDoor(new Script()).ask(`/v1/admin/quarantine?${query}`)).status).toBe(400);
    },
  );

  test.each([
    ["2024-01-01T00:00:00Z", { ms: 1_704_067_199_999, skip: 0 }],
    ["2024-01-01T01:00:00+01:00", { ms: 1_704_067_199_999, skip: 0 }],
    ["2024-01-01", undefined],
    ["1-2", { ms: 1, skip: 2 }],
  ])("reads %s as a place", (text, cursor) => {
    expect(cursorOf(text)).toEqual(cursor);
  });
});
