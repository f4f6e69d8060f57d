/**
 * Drift: a batch that is withdrawn, line by line: nothing is skipped, nothing else waits.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { type Drift, vitalsOf } from "./table_state.ts";
import {
  advanced,
  aged,
  announced,
  assigned,
  drain,
  FILLING,
  fenced,
  intent,
  LANDING,
  landed,
  located,
  offered,
  place,
  play,
  type Row,
  reread,
  revoked,
  type Step,
  token,
} from "./table_step_fixture.ts";

const drifted = (vector: string, ...drifts: readonly Drift[]): Step => ({
  kind: "drifted",
  token: token(vector),
  drifts,
});
const at = (partition: number, offset: number): Drift => ({ partition, offset, note: `bad ${partition}@${offset}` });

/** Two records of partition 0 and one of partition 1 land; the second of partition 0 does not fit. */
const BOTH: readonly Step[] = [
  ...[...FILLING, offered(1, 0, [0, 2]), offered(1, 1, [0, 1]), 20, aged],
  ...[25, announced("0[0,2)1[0,1)"), 30, drifted("0[0,2)1[0,1)", at(0, 1))],
];

describe("stepTable() when a record does not fit", () => {
  test.each<Row>([
    ["takes the intent back, and moves no position", BOTH, ["returned 0[0,2)1[0,1)", "start advance g1 0@0 1@0"]],
    ["shows nothing as landed", [...BOTH, advanced("0[0,2)1[0,1)")], ["after 20 aged"]],
    [
      "cuts anew what was in front of it, and the other partitions",
      [...BOTH, advanced("0[0,2)1[0,1)"), 60, aged],
      ["cancel age", "start announce g1 0@0+0[0,1)1[0,1) 1@0+0[0,1)1[0,1)", "consumed 0[0,1)1[0,1)"],
    ],
    [
      "goes on with the others, and takes no more records of its own",
      [
        ...[...BOTH, advanced("0[0,2)1[0,1)"), 60, aged, announced("0[0,1)1[0,1)"), landed("0[0,1)1[0,1)")],
        ...[offered(1, 0, [3, 9]), offered(1, 1, [1, 3]), 90, advanced("0[0,1)1[0,1)")],
      ],
      ["visible 0@1 1@1", "cancel age", "start announce g1 1@1+1[1,3)", "consumed 1[1,3)"],
    ],
    [
      "waits for nothing when the first record is the one",
      [...LANDING, drifted("0[0,2)", at(0, 0)), advanced("0[0,2)")],
      [],
    ],
    [
      "has nothing open when it is drained, so that a corrected source can be applied",
      [...LANDING, drifted("0[0,2)", at(0, 0)), drain, advanced("0[0,2)")],
      ["halt", "drained"],
    ],
    [
      "gives the partitions away after the intent is taken back",
      [...LANDING, drifted("0[0,2)", at(0, 0)), revoked(1, 0, 1), advanced("0[0,2)")],
      ["halt", "release 0,1"],
    ],
    [
      "is nobody's business after the partitions were lost",
      [...LANDING, drifted("0[0,2)", at(0, 0)), fenced(1)],
      ["cancel age", "cancel again", "halt"],
    ],
    ["is ignored for another batch", [...LANDING, drifted("0[0,9)", at(0, 0))], []],
    [
      "takes back what it recovers, and reads it again",
      [
        assigned(1, 0),
        located(1, place(0, 0, { intent: intent("0[0,2)") })),
        ...[reread("0[0,2)"), announced("0[0,2)"), drifted("0[0,2)", at(0, 1)), advanced("0[0,2)")],
      ],
      ["visible 0@0", "read g1 0@0"],
    ],
  ])("%s", (_, steps, expected) => {
    expect(play(steps).told).toEqual([...expected]);
  });

  test("puts back what was cut behind it already, in order", () => {
    const full = [offered(1, 0, [2, 5]), offered(1, 1, [1, 4])];
    const steps = [...BOTH.slice(0, -1), ...full, drifted("0[0,2)1[0,1)", at(0, 1))];
    const { state } = play(steps);
    expect(state.waiting).toBeUndefined();
    const offsets = (partition: number) =>
      state.owned
        .get(partition)!
        .ready.slices.flatMap(({ records, start, end }) => [...records.offsets.slice(start, end)]);
    expect([offsets(0), offsets(1)]).toEqual([[0], [0, 1, 2, 3]]);
    expect([...state.owned].map(([partition, { ready }]) => [partition, ready.next])).toEqual([
      [0, 0],
      [1, 0],
    ]);
  });

  test("says which partition stands still, and why, until it is assigned anew", () => {
    const { state } = play(BOTH);
    expect(state.stopped).toEqual(new Map([[0, "bad 0@1"]]));
    expect(play([advanced("0[0,2)1[0,1)"), assigned(2, 0)], state).state.stopped).toEqual(new Map());
  });

  test("is not stopped where columns are seen to, but where nothing is", () => {
    const waits = { ...at(0, 1), isEvolving: true };
    const waiting = play([...BOTH.slice(0, -1), drifted("0[0,2)1[0,1)", waits)]).state;
    expect(vitalsOf(waiting)).toMatchObject({ state: "evolving", note: "bad 0@1" });
    const both = play([...BOTH.slice(0, -1), drifted("0[0,2)1[0,1)", waits, at(1, 0))]).state;
    expect(vitalsOf(both)).toMatchObject({ state: "stopped", note: "bad 1@0" });
    const anew = play([advanced("0[0,2)1[0,1)"), assigned(2, 0)], waiting).state;
    expect([vitalsOf(anew).state, anew.evolving.size]).toEqual(["locating", 0]);
  });
});
