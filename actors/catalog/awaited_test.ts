/**
 * Awaited columns over time: what is gathered, when it is due, and how long a source rests.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import type { NewColumn } from "@weir/sql";
import { type Awaited, EVOLVING_LIMITS, gathered, isResting, refusalOf, rested } from "./awaited.ts";

const { gatherMs, restMsMin, restMsMax } = EVOLVING_LIMITS;
const column = (name: string): NewColumn => ({ name, type: "Nullable(String)" });
const T0 = 1_000_000;
const ONE = gathered(undefined, [column("a")], T0);
/** While a change is made, nothing is awaited but what comes meanwhile. */
const taken = (awaited: Awaited, ...meanwhile: string[]): Awaited => ({
  ...awaited,
  columns: meanwhile.map(column),
});

describe("gathered()", () => {
  test("is due a moment after the first record, however many follow", () => {
    expect(ONE).toMatchObject({ columns: [column("a")], dueMs: T0 + gatherMs });
    expect(gathered(ONE, [column("b")], T0 + 90)).toMatchObject({
      columns: [column("a"), column("b")],
      dueMs: T0 + gatherMs,
    });
  });

  test("waits for the rest to end", () => {
    const after = rested(taken(ONE), { taken: ONE.columns, ended: { kind: "done" }, tookMs: 10, nowMs: T0 });
    expect(gathered(after, [column("b")], T0 + 1_000)).toMatchObject({ columns: [column("b")], dueMs: T0 + restMsMin });
  });
});

describe("rested()", () => {
  const change = { taken: ONE.columns, tookMs: 10, nowMs: T0 };
  const done = { ...change, ended: { kind: "done" } } as const;
  const away = { ...change, ended: { kind: "failed" } } as const;
  const no = (reason: string) => ({ ...change, ended: { kind: "refused", reason } }) as const;

  test.each<readonly [string, Parameters<typeof rested>[1], Partial<Awaited>]>([
    ["keeps what came meanwhile", done, { columns: [column("b")], dueMs: T0 + restMsMin, failures: 0 }],
    ["rests four times as long as the change took", { ...done, tookMs: 60_000 }, { dueMs: T0 + 240_000 }],
    ["takes back what was not added, first", away, { columns: [column("a"), column("b")], failures: 1, refusals: [] }],
    ["remembers why it was refused", no("so"), { columns: [column("a"), column("b")], refusals: ["so"] }],
  ])("%s", (_, how, expected) => {
    expect(rested(taken(ONE, "b"), how)).toMatchObject(expected);
  });

  test("rests longer after each failure, up to a bound, and forgets them with a change", () => {
    let at = ONE;
    const rests = Array.from({ length: 9 }, () => {
      at = rested(taken(at), away);
      return at.dueMs - T0;
    });
    expect(rests.slice(0, 4)).toEqual([5_000, 10_000, 20_000, 40_000]);
    expect(rests.at(-1)).toBe(restMsMax);
    expect(rested(taken(at), done)).toMatchObject({ failures: 0, dueMs: T0 + restMsMin });
  });

  test("gives up what is refused three times, and not what could not be tried", () => {
    const twice = [no("one"), away, no("two"), away].reduce((at, how) => rested(taken(at), how), ONE);
    expect(refusalOf(twice)).toBeUndefined();
    expect(refusalOf(rested(taken(twice), no("three")))).toBe("three");
  });
});

describe("isResting()", () => {
  test.each([
    ["a change by evolve just now", "evolve", "2026-01-31 10:20:30.000", true],
    ["as this process remembers it", "evolve", "2026-01-31T10:20:30.000Z", true],
    ["whatever clock said so", "evolve", "2026-01-31 10:20:34.500", true],
    ["one that is over", "evolve", "2026-01-31 10:20:25.000", false],
    ["a change by somebody else", "admin", "2026-01-31 10:20:30.000", false],
  ])("%s", (_, author, applied_at, expected) => {
    expect(isResting({ author, applied_at }, Date.parse("2026-01-31T10:20:30.500Z"))).toBe(expected);
  });
});
