/**
 * Tests of `status.ts` through the door, and of the screen that is made of it.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { LogFailed } from "@weir/connectors";
import { Effect } from "effect";
import { bytes, span, statusText } from "./command/status.ts";
import { FLIGHT, fakeDoor, Script, TOKENS, warehouseFailed } from "./door_fixture.ts";
import type { Status } from "./status.ts";

const statusOf = async (answer: Response) => (await answer.json()) as Status;
const LOOK = { url: "http://127.0.0.1:8080", width: 200 };

function scriptWithFlight(): Script {
  const script = new Script();
  script.running = [FLIGHT];
  script.visible.publish("ods.flight", new Map([[0, 20]]));
  script.registry.set("table/ods.flight", () => ({
    ...{ address: "table/ods.flight", kind: "table", state: "filling", mailbox: 0, mailboxMax: 9 },
    ...{ restarts: 2, lastError: "no \x1b[31mroom" },
  }));
  return script;
}

describe("GET /v1/admin/status", () => {
  test("is for administrators", async () => {
    const { ask } = fakeDoor(new Script());
    expect((await ask("/v1/admin/status", { token: null })).status).toBe(401);
    expect((await ask("/v1/admin/status", { token: TOKENS.ingest })).status).toBe(403);
  });

  test("says how far each source is, from the log and the markers", async () => {
    const script = scriptWithFlight();
    script.rows = [
      { source: "flight", statement: "ods.flight", events: 120, quarantined: 3, refused: 4, free: 9, rows: 12 },
    ];
    const status = await statusOf(await fakeDoor(script).ask("/v1/admin/status"));
    expect(status.ready).toBe(true);
    expect(status.sources).toMatchObject([
      {
        ...{ source: "flight", topic: "flight", rows: 12, events_per_second: 2, lag_records: 5 },
        ...{ quarantined_last_hour: 3, refused_last_hour: 4, open_intents: null },
      },
    ]);
    expect(status.actors).toMatchObject({ running: 1, restarted: [{ address: "table/ods.flight", restarts: 2 }] });
  });

  test("says what a source took up by itself, what it leaves out, and who waits for columns", async () => {
    const script = scriptWithFlight();
    const { source } = FLIGHT.applied;
    const gate = { name: "gate", type: "Nullable(String)", comment: "added by evolve on 2026-01-31", codec: "" };
    const evolved = { ...source, drift: "evolve", leaveOut: ["crew"], columns: [...source.columns, gate] } as const;
    script.running = [{ ...FLIGHT, applied: { ...FLIGHT.applied, source: evolved } }];
    script.registry.set("table/ods.flight", () => ({
      ...{ address: "table/ods.flight", kind: "table", state: "evolving", note: "sale/0 lacks: tail" },
      ...{ mailbox: 0, mailboxMax: 9, restarts: 0, lastError: undefined },
    }));
    const door = fakeDoor(script);
    const status = await statusOf(await door.ask("/v1/admin/status"));
    expect(status).toMatchObject({ ready: true, sources: [{ evolved_columns: 1, left_out: ["crew"] }] });
    const lines = statusText(status, LOOK).split("\n");
    expect(lines).toContain("flight: evolve added 1 column; weir pull writes it down");
    expect(lines).toContain("flight: evolve leaves out crew");
    expect(lines).toContain("        table/ods.flight waits: sale/0 lacks: tail");
    expect(await (await door.ask("/metrics")).text()).toContain('weir_source_evolved_columns{source="flight"} 1\n');
  });

  test("shows what it can while parts are away, and why the door is not ready", async () => {
    const script = scriptWithFlight();
    script.isReady = false;
    script.logFails = new LogFailed({ reason: "unavailable", message: "", retriable: true });
    const { door } = fakeDoor(script);
    const warehouse = { ...door.warehouse, rows: () => Effect.fail(warehouseFailed("not done", 0)) };
    const status = await statusOf(await fakeDoor(script, { warehouse }).ask("/v1/admin/status"));
    expect(status).toMatchObject({
      ready: false,
      reasons: ["the warehouse does not answer", "the log does not answer"],
      sources: [{ source: "flight", rows: null, lag_records: null, lag_seconds: null, quarantined_last_hour: null }],
      disk: { warehouse_bytes: null },
    });
    const screen = statusText(status, LOOK);
    expect(screen).toContain("NOT READY: the warehouse does not answer; the log does not answer");
    expect(screen).toMatch(/^flight +flight +\?/m);
    expect(screen).toContain("2 restarts: no \\u001b[31mroom");
  });
});

describe("who lands a source, on the screen", () => {
  const one = [{ name: "host pid 7", partitions: [0, 1] }];
  test.each<[string, { owners: typeof one | null; running: number }, string | undefined]>([
    ["says nothing where that is the process that answers", { owners: one, running: 3 }, undefined],
    ["names it where a gateway answers", { owners: one, running: 0 }, "flight  host pid 7  0 1"],
    [
      "names all",
      { owners: [...one, { name: "other pid 8", partitions: [] }], running: 3 },
      "flight  other pid 8  none",
    ],
    ["says that nobody does", { owners: [], running: 0 }, "flight  nobody"],
    ["says that nobody knows", { owners: null, running: 0 }, "flight  ?      ?"],
  ])("%s", async (_, { owners, running }, line) => {
    const status = await statusOf(await fakeDoor(scriptWithFlight()).ask("/v1/admin/status"));
    const sources = status.sources.map((source) => ({ ...source, owners }));
    const screen = statusText({ ...status, sources, actors: { ...status.actors, running } }, LOOK);
    if (line === undefined) expect(screen).not.toContain("owner");
    else expect(screen.split("\n").some((row) => row.startsWith(line))).toBe(true);
  });
});

describe("span() and bytes()", () => {
  test.each([
    [59, "59 s"],
    [3_599, "59 min"],
    [86_399, "23 h"],
    [90_000, "1 d 1 h"],
  ])("%d seconds are %s", (seconds, text) => expect(span(seconds)).toBe(text));

  test.each([
    [null, "?"],
    [0, "0 B"],
    [1_023, "1023 B"],
    [1_536, "1.5 KiB"],
    [2 ** 60, "1048576.0 TiB"],
  ])("%p bytes are %s", (number, text) => expect(bytes(number)).toBe(text));
});
