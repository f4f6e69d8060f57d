import { describe, expect, test } from "bun:test";
import type { Clock } from "effect";
import { AGE_MS_MAX, WarehouseClock } from "./warehouse_clock.ts";

const HOUR_MS = 3_600_000;

/** A machine's own clock, which a test may set, and its timer, which only goes on. */
function ownClock() {
  const own = { nowMs: 10 * HOUR_MS, passedMs: 0.9 };
  const clock = {
    currentTimeMillisUnsafe: () => own.nowMs,
    monotonicTimeNanosUnsafe: () => BigInt(own.passedMs * 1_000_000),
  };
  return { own, clock: new WarehouseClock(clock as unknown as Clock.Clock) };
}

describe("WarehouseClock", () => {
  test("is the machine's own until the warehouse has said what time it is", () => {
    const { own, clock } = ownClock();
    own.nowMs += 5;
    expect([clock.nowMs(), clock.isOld()]).toEqual([10 * HOUR_MS + 5, true]);
  });

  test.each([
    ["is ahead", 3],
    ["is behind", -3],
    ["is right", 0],
  ])("goes on from what the warehouse said where the machine's own %s", (_, hours) => {
    const { own, clock } = ownClock();
    clock.set(20 * HOUR_MS);
    own.nowMs += hours * HOUR_MS;
    own.passedMs += 250;
    expect(clock.nowMs()).toBe(20 * HOUR_MS + 250);
  });

  test("follows the warehouse, also back", () => {
    const { own, clock } = ownClock();
    clock.set(20 * HOUR_MS);
    own.passedMs += 250;
    clock.set(19 * HOUR_MS);
    expect(clock.nowMs()).toBe(19 * HOUR_MS);
  });

  test("is old after a minute", () => {
    const { own, clock } = ownClock();
    clock.set(0);
    own.passedMs += AGE_MS_MAX;
    expect(clock.isOld()).toBe(false);
    own.passedMs += 1;
    expect(clock.isOld()).toBe(true);
  });
});
