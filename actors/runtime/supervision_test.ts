/**
 * Supervision: each failure answered by a pause or by the parent.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { decide, ESCALATE, type RestartPolicy } from "./supervision.ts";

const POLICY: RestartPolicy = { delayMsMin: 100, delayMsMax: 1_000, failuresMax: 5, windowMs: 10_000 };

describe("decide()", () => {
  test.each([
    ["waits half of the first pause at least", [], { nowMs: 0, random: 0 }, 50],
    ["waits the whole first pause at most", [], { nowMs: 0, random: 1 }, 100],
    ["doubles the pause", [1], { nowMs: 2, random: 1 }, 200],
    ["doubles it again", [1, 2], { nowMs: 3, random: 1 }, 400],
    ["doubles it once more", [1, 2, 3], { nowMs: 4, random: 1 }, 800],
    ["stops doubling at delayMsMax", [1, 2, 3, 4], { nowMs: 5, random: 1 }, 1_000],
    ["hands one failure more than failuresMax to the parent", [1, 2, 3, 4, 5], { nowMs: 6, random: 1 }, "exceeded"],
    ["still remembers just inside of windowMs", [1, 2, 3, 4, 5], { nowMs: 10_000, random: 1 }, "exceeded"],
    ["forgets at windowMs", [1, 2, 3, 4, 5], { nowMs: 10_001, random: 1 }, 1_000],
    ["begins anew after a quiet window", [1, 2, 3, 4, 5], { nowMs: 20_000, random: 1 }, 100],
  ] as const)("%s", (_, failuresMs, at, next) => {
    expect(decide(POLICY, failuresMs, at).next).toBe(next);
  });

  test("remembers the failures inside of the window and this one", () => {
    const { failuresMs } = decide(POLICY, [1, 5_000, 9_000], { nowMs: 12_000, random: 0 });
    expect(failuresMs).toEqual([5_000, 9_000, 12_000]);
  });

  test("remembers no more than failuresMax + 1 failures before it gives up", () => {
    let failuresMs: readonly number[] = [];
    for (let nowMs = 1; nowMs <= 6; nowMs++) ({ failuresMs } = decide(POLICY, failuresMs, { nowMs, random: 0 }));
    expect(failuresMs).toHaveLength(POLICY.failuresMax + 1);
  });

  test("gives every failure to the parent under ESCALATE", () => {
    expect(decide(ESCALATE, [], { nowMs: 0, random: 0.5 }).next).toBe("exceeded");
  });
});
