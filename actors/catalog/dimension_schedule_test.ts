/**
 * Tests of which dimensions are due.
 *
 * @module
 */
import { expect, test } from "bun:test";
import type { Dimension } from "@weir/sql";
import { dueDimensions } from "./dimension_schedule.ts";
import type { Kept } from "./in_force.ts";

const dimension = (name: string, everyMs: number | undefined) =>
  ({ definition: { name, from: { kind: "query", everyMs } } }) as unknown as Kept<Dimension>;

test("dueDimensions() names those whose time has come, counted from when they were first seen", () => {
  const file = { definition: { name: "file", from: { kind: "file" } } } as unknown as Kept<Dimension>;
  const all = [dimension("often", 1_000), dimension("seldom", 10_000), dimension("never", undefined), file];
  const lastMs = new Map<string, number>();
  const due = (nowMs: number) => dueDimensions(all, { lastMs, nowMs }).map(({ definition }) => definition.name);
  expect([5_000, 5_999, 6_000, 6_001, 7_500, 15_000, 15_001].map(due)).toEqual([
    ...[[], [], ["often"], [], ["often"], ["often", "seldom"], []],
  ]);
});
