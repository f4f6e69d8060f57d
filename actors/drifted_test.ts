/**
 * Drifted batches: which records stop their partition, by what their source says.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import type { Drift as Policy } from "@weir/sql";
import { Effect, Exit } from "effect";
import { type BadRecord, type BadRecords, keepBad } from "./bad_records.ts";
import { type Drifted, stopAtDrift } from "./drifted.ts";
import { PROJECTION, TARGET } from "./landing_fixture.ts";

const bad = (partition: number, offset: number, awaits?: BadRecord["awaits"]): BadRecord => {
  const [column, reason] = ["n", "is bad"];
  return { partition, offset, timestampMs: 0, raw: null, column, reason, awaits };
};
const INT = { name: "x", type: "Nullable(Int64)" } as const;
const FLOAT = { name: "x", type: "Nullable(Float64)" } as const;
const TEXT = { name: "y", type: "Nullable(String)" } as const;

/** What a source says to records, the later ones first. */
function stopped(drift: Policy, ...records: readonly BadRecord[]): Pick<Drifted, "drifts" | "awaited"> | undefined {
  const all: BadRecords = new Map();
  for (const record of records.toReversed()) keepBad(all, record.partition, record);
  const projection = { ...PROJECTION, source: { ...PROJECTION.source, drift } };
  const exit = Effect.runSyncExit(Effect.flip(stopAtDrift({ ...TARGET, projection }, all)));
  if (!Exit.isSuccess(exit)) return undefined;
  const { drifts, awaited } = exit.value;
  return { drifts, awaited };
}

describe("stopAtDrift()", () => {
  test("stops nothing where bad records are quarantined, or where there are none", () => {
    expect(stopped("quarantine", bad(0, 1))).toBeUndefined();
    expect(stopped("stop")).toBeUndefined();
  });

  test("stops each partition at its first bad record", () => {
    expect(stopped("stop", bad(0, 3), bad(0, 5))).toEqual({
      drifts: [
        {
          partition: 0,
          offset: 3,
          note: "Cannot land t/0 from offset 3 on: n: is bad. Correct the source or say `drift: quarantine`, and apply it.",
        },
      ],
      awaited: [],
    });
  });

  test("of a source that evolves stops at what awaits columns, and asks for those of all its records", () => {
    expect(stopped("evolve", bad(0, 1), bad(1, 2))).toBeUndefined();
    const records = [bad(0, 1), bad(0, 3, [INT]), bad(0, 5, [FLOAT, TEXT]), bad(1, 2)];
    expect(stopped("evolve", ...records)).toEqual({
      drifts: [
        {
          ...{ partition: 0, offset: 3, isEvolving: true },
          note: "t/0 from offset 3 on waits until columns are added for: x.",
        },
      ],
      awaited: [FLOAT, TEXT],
    });
  });
});
