import { describe, expect, test } from "bun:test";
import { ageMs, dueInMs } from "./batch_age.ts";

const LIMITS = { ageMsMin: 20, ageMsMax: 200 };

describe("ageMs()", () => {
  test.each([
    ["is as short as allowed when nothing has landed for a while", { tookMs: 150, rows: 10, atMs: 0 }, 1_001, 20],
    ["is as short as allowed when the last insert had many rows", { tookMs: 100, rows: 100_000, atMs: 0 }, 500, 20],
    ["is longer when its rows cost as much as itself", { tookMs: 20, rows: 1_000, atMs: 0 }, 500, 50],
    ["is five times as long when it had no rows to speak of", { tookMs: 15, rows: 0, atMs: 0 }, 500, 75],
    ["is never below ageMsMin", { tookMs: 1, rows: 1e12, atMs: 0 }, 500, 20],
    ["is never above ageMsMax", { tookMs: 90, rows: 0, atMs: 0 }, 500, 200],
  ])("%s", (_, last, nowMs, expected) => {
    expect(ageMs(LIMITS, last, nowMs)).toBe(expected);
  });
});

describe("dueInMs()", () => {
  const last = { tookMs: 0, rows: 0, atMs: 0 };
  test.each([
    ["is all of its age at first", 5_000, 20],
    ["is what is left", 5_015, 5],
    ["is nothing once it is old", 5_020, 0],
    ["is nothing when the clock has gone forward", 3_600_000, 0],
    ["is nothing when the clock has gone back", 4_999, 0],
  ])("%s", (_, nowMs, expected) => {
    expect(dueInMs(LIMITS, last, { openedMs: 5_000, nowMs })).toBe(expected);
  });
});
