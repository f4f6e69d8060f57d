/**
 * The partition actor's decisions: when it reads, rests, is full, stops.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { heldBytes, OffsetGap } from "@weir/connectors";
import { type PartitionLimits, type PartitionMessage, type PartitionState, stepPartition } from "./partition.ts";
import { numbered, recordsOf } from "./records_fixture.ts";

const LIMITS: PartitionLimits = { recordsMax: 10, bytesMax: 1_000, aheadBytesMax: 9_000, waitMs: 5_000, pauseMs: 10 };
const STATE: PartitionState = { next: 5, ahead: 0, phase: "reading", rows: 0, note: undefined };

const read = (count: number, next = 5 + count): PartitionMessage => ({
  kind: "read",
  records: numbered(count, { from: 5, next }),
});
const large = (bytes: number): PartitionMessage => ({
  kind: "read",
  records: recordsOf(["x".repeat(bytes - 20 - "key 5".length)], { from: 5 }),
});
/** What one record of so many bytes takes. */
const held = (bytes: number) => heldBytes({ bytes: new Uint8Array(bytes), count: 1 });
const consumed = (bytes: number): PartitionMessage => ({ kind: "consumed", bytes });
const gap = (asked: number, earliest: number, latest: number): PartitionMessage => ({
  kind: "gap",
  gap: new OffsetGap({ topic: "t", partition: 3, asked, earliest, latest }),
});

/** What is decided, in words: `offer 5`, `read 10`, `rest 10`. */
function play(state: Partial<PartitionState>, message: PartitionMessage) {
  const [next, commands] = stepPartition(LIMITS, { ...STATE, ...state }, message);
  const told = commands.map((command) => {
    if (command.kind === "after") return `rest ${command.delayMs}`;
    if (command.kind === "act" && command.action.kind === "offer") return `offer ${command.action.records.count}`;
    if (command.kind === "start" && command.action.kind === "read") return `read ${command.action.offset}`;
    if (command.kind === "act" && command.action.kind === "stopped")
      return `stopped ${command.action.gap?.asked} to ${command.action.gap?.earliest}`;
    return command.kind;
  });
  return { next, told };
}

describe("stepPartition()", () => {
  test.each<[string, Partial<PartitionState>, PartitionMessage, string[], Partial<PartitionState>]>([
    [
      "rests after a read that found little",
      {},
      read(2),
      ["offer 2", "rest 10"],
      { phase: "pausing", next: 7, rows: 2 },
    ],
    ["reads on after its pause", { phase: "pausing", next: 7 }, { kind: "rested" }, ["read 7"], { phase: "reading" }],
    [
      "reads on at once when half of recordsMax came",
      {},
      read(5),
      ["offer 5", "read 10"],
      { phase: "reading", next: 10 },
    ],
    [
      "reads on at once when half of bytesMax came",
      {},
      large(500),
      ["offer 1", "read 6"],
      { phase: "reading", ahead: held(500) },
    ],
    ["rests one byte below", {}, large(499), ["offer 1", "rest 10"], { phase: "pausing", ahead: held(499) }],
    ["asks again after a read without news", {}, read(0), ["read 5"], { phase: "reading", rows: 0 }],
    ["goes on behind offsets which the log skips", {}, read(0, 9), ["read 9"], { next: 9 }],
    ["goes on behind offsets skipped after the last record", {}, read(5, 40), ["offer 5", "read 40"], { next: 40 }],
    [
      "is full when aheadBytesMax are offered",
      { ahead: 9_000 - held(500) },
      large(500),
      ["offer 1"],
      { phase: "full", ahead: 9_000 },
    ],
    [
      "goes on one byte below",
      { ahead: 8_999 - held(500) },
      large(500),
      ["offer 1", "read 6"],
      { phase: "reading", ahead: 8_999 },
    ],
    ["counts what describes the records", { ahead: 8_000 }, read(1), ["offer 1"], { phase: "full" }],
    [
      "reads on when there is room again",
      { phase: "full", ahead: 9_000 },
      consumed(1),
      ["read 5"],
      { phase: "reading", ahead: 8_999 },
    ],
    [
      "stays full while there is no room",
      { phase: "full", ahead: 10_000 },
      consumed(1_000),
      [],
      { phase: "full", ahead: 9_000 },
    ],
    ["only counts what is consumed while it reads", { ahead: 500 }, consumed(500), [], { phase: "reading", ahead: 0 }],
    [
      "only counts what is consumed while it rests",
      { phase: "pausing", ahead: 500 },
      consumed(100),
      [],
      { phase: "pausing", ahead: 400 },
    ],
    ["ignores a pause that ends while it is full", { phase: "full" }, { kind: "rested" }, [], { phase: "full" }],
    [
      "stops at what cannot be read",
      {},
      { kind: "unreadable", note: "damaged" },
      ["stopped undefined to undefined"],
      { phase: "stopped", note: "damaged" },
    ],
    [
      "says what it waits for when a schema is not known yet",
      {},
      { kind: "asking", note: "away" },
      [],
      { phase: "asking", note: "away" },
    ],
    [
      "only counts what is consumed while it waits",
      { phase: "asking", ahead: 500 },
      consumed(100),
      [],
      { phase: "asking", ahead: 400 },
    ],
    [
      "offers what it read once everything is known",
      { phase: "asking", note: "away" },
      read(5),
      ["offer 5", "read 10"],
      { phase: "reading", note: undefined },
    ],
    ["stays stopped", { phase: "stopped", ahead: 10 }, consumed(10), [], { phase: "stopped", ahead: 0 }],
  ])("%s", (_, state, message, told, expected) => {
    const played = play(state, message);
    expect(played.told).toEqual(told);
    expect(played.next).toMatchObject(expected);
  });

  test.each([
    [
      "retention has removed, and tells its table",
      ...[gap(5, 30, 99), "Cannot go on with t/3: records 5 to 29 are no longer in the log.", ["stopped 5 to 30"]],
    ],
    ["the log does not reach", gap(120, 0, 99), "Cannot read t/3: offset 120 is asked for, the log ends at 99.", []],
  ] as const)("stops at records which %s, and says so", (_, message, note, expected) => {
    const { next, told } = play({}, message);
    expect(told).toEqual([...expected]);
    expect(next).toMatchObject({ phase: "stopped", next: 5, note: expect.stringContaining(note) });
  });

  test("has exactly one read or pause under way until it is full", () => {
    let state = STATE;
    for (const message of [read(2), { kind: "rested" }, consumed(1), read(0), read(9), consumed(1)] as const) {
      const [next, commands] = stepPartition(LIMITS, state, message);
      const isIdle = message.kind === "consumed";
      expect(commands.filter(({ kind }) => kind !== "act").length).toBe(isIdle ? 0 : 1);
      state = next;
    }
  });
});
