/**
 * Gaps: a partition whose records are gone stops alone, and what was read before them lands.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { OffsetGap } from "@weir/connectors";
import { aged, announced, FILLING, offered, play, type Row, type Step } from "./table_step_fixture.ts";

const gapped = (generation: number, partition: number, [asked, earliest]: readonly [number, number]): Step => ({
  kind: "gapped",
  generation,
  partition,
  note: `gone ${partition}[${asked},${earliest})`,
  gap: new OffsetGap({ topic: "t", partition, asked, earliest, latest: 100 }),
});

const STOPPED: readonly Step[] = [...FILLING, offered(1, 0, [0, 2]), gapped(1, 0, [2, 9])];

describe("stepTable() when records are gone", () => {
  test.each<Row>([
    ["notes the gap", STOPPED, ["start note gap 0[2,9) of epoch 1"]],
    [
      "lands what was read before it",
      [...STOPPED, 20, aged],
      ["cancel age", "start announce g1 0@0+0[0,2)", "consumed 0[0,2)"],
    ],
    ["takes nothing from behind it", [...STOPPED, 20, aged, announced("0[0,2)"), offered(1, 0, [9, 12])], []],
    [
      "lets the other partitions go on",
      [...STOPPED, offered(1, 1, [0, 4])],
      ["cancel age", "start announce g1 0@0+0[0,2)1[0,2) 1@0+0[0,2)1[0,2)", "consumed 0[0,2)1[0,2)"],
    ],
    [
      "notes nothing where records are there and cannot be read",
      [...FILLING, { kind: "gapped", generation: 1, partition: 0, note: "damaged", gap: undefined }],
      [],
    ],
    ["hears nothing of an older generation", [...FILLING, gapped(0, 0, [2, 9])], []],
    ["hears nothing of a partition that it does not own", [...FILLING, gapped(1, 7, [2, 9])], []],
  ])("%s", (_, steps, told) => {
    expect(play(steps).told).toEqual([...told]);
  });

  test("says why", () => {
    expect([...play(STOPPED).state.stopped]).toEqual([[0, "gone 0[2,9)"]]);
  });
});
