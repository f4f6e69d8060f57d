/**
 * Tests of `standing.ts`.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { ANNOUNCED_MS_MAX, type QuarantineAction, standingOf, stepOf } from "./standing.ts";

const AT_MS = 1_000_000;
const did = (action: QuarantineAction["action"], more: Partial<QuarantineAction> = {}): QuarantineAction => ({
  ...{ id: "flight.1.0.5", action, topic: "flight", partition: 0, offset: 9, author: "ana", at_ms: AT_MS },
  ...more,
});

describe("standingOf()", () => {
  test.each([
    ["nothing was done", [], { kind: "waiting" }],
    ["it was dropped", [did("dropped")], { kind: "dropped" }],
    [
      "a replay was begun",
      [did("announced")],
      { kind: "announced", sinceMs: AT_MS, from: [{ topic: "flight", partition: 0, offset: 9 }] },
    ],
    [
      "replays were begun again, also for another partition: the first time and the first offsets count",
      [did("announced", { at_ms: AT_MS + 5, offset: 30 }), did("announced"), did("announced", { partition: 2 })],
      {
        ...{ kind: "announced", sinceMs: AT_MS },
        from: [
          { topic: "flight", partition: 0, offset: 9 },
          { topic: "flight", partition: 2, offset: 9 },
        ],
      },
    ],
    ["a replay was begun, and it was dropped later", [did("announced"), did("dropped")], { kind: "dropped" }],
    [
      "it was dropped while another process began its replay: it may be in the log",
      [did("dropped"), did("announced", { at_ms: AT_MS + 1 })],
      { kind: "announced", sinceMs: AT_MS + 1, from: [{ topic: "flight", partition: 0, offset: 9 }] },
    ],
    [
      "it is in the log, whatever else",
      [did("announced"), did("dropped"), did("replayed", { partition: 1, offset: 44 })],
      { kind: "replayed", place: { partition: 1, offset: 44 } },
    ],
  ] as const)("%s", (_, actions, expected) => {
    expect<unknown>(standingOf(actions)).toEqual(expected);
  });
});

describe("stepOf()", () => {
  const announced = standingOf([did("announced")]);
  test.each([
    ["appends what waits", standingOf([]), AT_MS, "append"],
    ["appends again while the log knows the key", announced, AT_MS + ANNOUNCED_MS_MAX - 1, "append"],
    ["searches when the key may be forgotten", announced, AT_MS + ANNOUNCED_MS_MAX, "search"],
    ["searches when the clock went back", announced, AT_MS - 1, "search"],
    ["leaves what was replayed", standingOf([did("replayed")]), AT_MS, "already"],
    ["leaves what was dropped", standingOf([did("dropped")]), AT_MS, "dropped"],
  ] as const)("%s", (_, standing, nowMs, expected) => {
    expect(stepOf(standing, { nowMs, keepsKeys: true })).toBe(expected);
  });

  test("searches for whatever was announced where the log keeps no keys", () => {
    expect(stepOf(announced, { nowMs: AT_MS + 1, keepsKeys: false })).toBe("search");
    expect(stepOf(standingOf([]), { nowMs: AT_MS, keepsKeys: false })).toBe("append");
  });
});
