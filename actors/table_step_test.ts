/**
 * The table actor's decisions, batch by batch: every line of the protocol is a row.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import type { Part } from "./batch.ts";
import { decodeMark } from "./intent.ts";
import type { Command } from "./runtime/actor.ts";
import { emptyTable, type TableAction, type TableMessage } from "./table_state.ts";
import {
  ADVANCING,
  ANNOUNCING,
  advanced,
  again,
  aged,
  announced,
  assigned,
  delayed,
  FILLING,
  fenced,
  intent,
  LANDING,
  landed,
  located,
  lost,
  offered,
  partsOf,
  place,
  play,
  type Row,
  reread,
  SETUP,
  type Step,
  T0,
  token,
} from "./table_step_fixture.ts";

describe("stepTable(): one batch after the other", () => {
  test.each<Row>([
    ["assigned: stops reading and looks up positions", [assigned(1, 0, 1)], ["halt", "start locate g1 0,1"]],
    ["located: publishes and reads", FILLING, ["visible 0@0 1@0", "read g1 0@0 1@0"]],
    ["located nothing: reads nothing", [assigned(1), located(1)], ["visible", "read g1"]],
    ["offered: waits for company", [...FILLING, offered(1, 0, [0, 2])], ["after 20 aged"]],
    [
      "offered more: waits no longer for that",
      [...FILLING, offered(1, 0, [0, 1]), 15, offered(1, 1, [0, 1])],
      ["after 5 aged"],
    ],
    [
      "offered rowsMax: announces at once",
      [...FILLING, offered(1, 0, [0, 2]), offered(1, 1, [0, 2])],
      ["cancel age", "start announce g1 0@0+0[0,2)1[0,2) 1@0+0[0,2)1[0,2)", "consumed 0[0,2)1[0,2)"],
    ],
    [
      "offered more than rowsMax: cuts",
      [...FILLING, offered(1, 0, [0, 9])],
      ["cancel age", "start announce g1 0@0+0[0,4)", "consumed 0[0,4)"],
    ],
    ["aged too early: looks again", [...FILLING, offered(1, 0, [0, 2]), 19, aged], ["after 1 aged"]],
    [
      "aged after the clock went back: announces",
      [...FILLING, offered(1, 0, [0, 2]), -3_600_000, aged],
      ["cancel age", "start announce g1 0@0+0[0,2)", "consumed 0[0,2)"],
    ],
    ["aged: announces", ANNOUNCING, ["cancel age", "start announce g1 0@0+0[0,2)", "consumed 0[0,2)"]],
    ["aged with nothing ready: nothing", [...FILLING, 50, aged], []],
    ["announced: lands, with a deadline from the announcement", LANDING, ["start land 0[0,2) by 60020"]],
    ["landed: moves the position", ADVANCING, ["start advance g1 0@2"]],
    ["advanced: is visible", [...ADVANCING, advanced("0[0,2)")], ["visible 0@2"]],
    ["offered meanwhile, not a full batch: only kept", [...LANDING, offered(1, 1, [0, 3])], []],
    [
      "offered meanwhile, a full batch: cut and made ready, not announced",
      [...LANDING, offered(1, 1, [0, 9])],
      ["start prepare 1[0,4)", "consumed 1[0,4)"],
    ],
    [
      "advanced with a batch made ready meanwhile: announces that one",
      [...ADVANCING, offered(1, 1, [0, 9]), offered(1, 0, [2, 9]), advanced("0[0,2)")],
      ["visible 0@2", "cancel age", "start announce g1 1@0+1[0,4)"],
    ],
    ["offered when a batch is ready: only kept", [...LANDING, offered(1, 1, [0, 9]), offered(1, 0, [2, 9])], []],
    [
      "landed with a batch made ready, but draining: it is not announced",
      [...LANDING, offered(1, 1, [0, 9]), 30, { kind: "drain" }, landed("0[0,2)")],
      ["start advance g1 0@2"],
    ],
    [
      "landed with a full batch ready: the same commit carries the next intent",
      [...LANDING, offered(1, 1, [0, 3]), offered(1, 0, [2, 3]), 30, landed("0[0,2)")],
      ["start advance g1 0@2+0[2,3)1[0,3) 1@0+0[2,3)1[0,3)"],
    ],
    [
      "landed with an old batch ready: the same commit carries the next intent",
      [...LANDING, offered(1, 0, [2, 3]), 45, landed("0[0,2)")],
      ["start advance g1 0@2+0[2,3)", "consumed 0[2,3)"],
    ],
    [
      "landed with a young batch ready: leaves it for later",
      [...LANDING, offered(1, 0, [2, 3]), 44, landed("0[0,2)")],
      ["start advance g1 0@2"],
    ],
    [
      "advanced with a young batch ready: waits for company",
      [...LANDING, offered(1, 0, [2, 3]), 30, landed("0[0,2)"), 40, advanced("0[0,2)")],
      ["visible 0@2", "after 5 aged"],
    ],
    [
      "advanced with the next intent: lands it, without another commit",
      [...LANDING, offered(1, 1, [0, 4]), 30, landed("0[0,2)"), 35, advanced("0[0,2)")],
      ["visible 0@2", "start land 1[0,4) by 60030"],
    ],
    [
      "announced late: the deadline is not moved",
      [...ANNOUNCING, 90_000, announced("0[0,2)")],
      ["start land 0[0,2) by 60020"],
    ],
  ])("%s", (_, steps, expected) => {
    expect(play(steps).told).toEqual([...expected]);
  });

  test.each([
    ["ageMsMin at least", 2, 0, 20],
    ["longer after few rows", 1_000, 100, 250],
    ["ageMsMax at most", 2, 3_000, 500],
  ])("a batch waits %s", (_, stored, tookMs, waits) => {
    const steps = [...LANDING, 30, landed("0[0,2)", { stored, tookMs }), advanced("0[0,2)"), offered(1, 0, [2, 3])];
    expect(play(steps).told).toEqual([`after ${waits} aged`]);
  });

  test("counts what was stored and what was quarantined", () => {
    expect(play(ADVANCING).state).toMatchObject({ rows: 2, quarantined: 1, note: undefined });
  });

  test("marks every commit with the epoch, the last record and the whole intent", () => {
    const { commands } = play([...LANDING, offered(1, 0, [2, 6]), 30, landed("0[0,2)")]);
    const [command] = commands as [Extract<Command<TableMessage, TableAction>, { kind: "start" }>];
    const { commits } = command.action as Extract<TableAction, { kind: "advance" }>;
    expect(commits.map(({ metadata }) => decodeMark(metadata))).toEqual([
      { epoch: 1, last: partsOf("0[0,2)")[0].last, intent: intent("0[2,6)", T0 + 30) },
    ]);
  });

  test("takes turns when there are more partitions than fit into a vector", () => {
    const partitions = Array.from({ length: 65 }, (_, partition) => partition);
    const steps: Step[] = [
      assigned(1, ...partitions),
      located(1, ...partitions.map((partition) => place(partition, 0))),
    ];
    const busy = { ...SETUP, limits: { ...SETUP.limits, rowsMax: 64 } };
    const offers = partitions.map((partition) => offered(1, partition, [0, 2]));
    const { state } = play([...steps, ...offers.slice(0, 31)], emptyTable(busy));
    const { state: full } = play(offers.slice(31), { ...state, phase: "landing", reading: false });
    const { state: first } = play([aged], { ...full, phase: "filling", reading: true });
    const { state: second } = play([aged], { ...first, phase: "filling", batch: undefined, reading: false });
    expect(first.batch?.intent.ranges.length).toBe(64);
    expect(second.batch?.intent.ranges.map(({ partition }) => partition)).toContain(64);
  });
});

describe("stepTable(): a delayed batch", () => {
  const TRIED: readonly Step[] = [...LANDING, 30, delayed("0[0,2)")];
  test.each<Row>([
    ["delayed: waits", TRIED, ["after 50 again"]],
    ["again: announces the same cut", [...TRIED, 80, again], ["cancel age", "start announce g1 0@0+0[0,2)"]],
    [
      "announced again: lands with a new deadline",
      [...TRIED, 80, again, announced("0[0,2)")],
      ["start land 0[0,2) by 60080"],
    ],
    [
      "delayed again: waits twice as long",
      [...TRIED, 80, again, announced("0[0,2)"), delayed("0[0,2)")],
      ["after 100 again"],
    ],
    [
      "landed at last: moves the position",
      [...TRIED, 80, again, announced("0[0,2)"), landed("0[0,2)")],
      ["start advance g1 0@2"],
    ],
    ["offered meanwhile: only kept", [...TRIED, offered(1, 0, [2, 5])], []],
    ["aged meanwhile: nothing", [...TRIED, aged], []],
    [
      "delayed at the next batch: its cut stays too",
      [
        ...LANDING,
        offered(1, 1, [0, 4]),
        30,
        landed("0[0,2)"),
        advanced("0[0,2)"),
        delayed("1[0,4)"),
        offered(1, 0, [2, 4]),
        99,
        again,
      ],
      ["cancel age", "start announce g1 1@0+1[0,4)"],
    ],
  ])("%s", (_, steps, expected) => {
    expect(play(steps).told).toEqual([...expected]);
  });

  test("keeps its token and says why it waits", () => {
    const { state } = play(TRIED);
    expect(state).toMatchObject({
      phase: "delayed",
      note: "memory limit",
      batch: { token: token("0[0,2)"), tries: 1 },
    });
    const { state: next } = play([again], state);
    expect(next.batch).toMatchObject({ token: token("0[0,2)"), tries: 1, intent: { atMs: T0 } });
    expect(next.batch?.parts).toBe(state.batch?.parts as Part[]);
  });

  test("remembers when it was announced first, however often it is announced again", () => {
    const { state } = play([...TRIED, 80, again, announced("0[0,2)"), delayed("0[0,2)"), 300, again]);
    expect(state.batch?.intent).toMatchObject({ atMs: T0 + 300, firstMs: T0 + 20 });
  });

  test("is never waited for longer than retryMsMax", () => {
    const round: Step[] = [again, announced("0[0,2)"), delayed("0[0,2)")];
    expect(play([...TRIED, ...Array.from({ length: 40 }, () => round).flat()]).told).toEqual(["after 5000 again"]);
  });
});

describe("stepTable(): what comes too late", () => {
  test.each<readonly [string, readonly Step[], Step]>([
    ["located of an older generation", [assigned(1, 0), assigned(2, 0)], located(1, place(0, 5))],
    ["located twice", FILLING, located(1, place(0, 5))],
    ["offered of an older generation", [...FILLING, assigned(2, 0), located(2, place(0, 0))], offered(1, 0, [0, 9])],
    ["offered for a partition of somebody else", FILLING, offered(1, 7, [0, 9])],
    ["announced of another batch", ANNOUNCING, announced("0[0,4)")],
    ["announced twice", LANDING, announced("0[0,2)")],
    ["landed of another batch", LANDING, landed("0[0,4)")],
    ["landed twice", ADVANCING, landed("0[0,2)")],
    ["landed before it was announced", ANNOUNCING, landed("0[0,2)")],
    ["delayed of another batch", LANDING, delayed("0[0,4)")],
    ["delayed after it landed", ADVANCING, delayed("0[0,2)")],
    ["again while nothing is delayed", LANDING, again],
    ["again while filling", FILLING, again],
    ["advanced of another batch", ADVANCING, advanced("0[0,4)")],
    ["advanced twice", [...ADVANCING, advanced("0[0,2)")], advanced("0[0,2)")],
    ["advanced before it landed", LANDING, advanced("0[0,2)")],
    ["aged while landing", LANDING, aged],
    ["fenced of an older generation", [...FILLING, assigned(2, 0)], fenced(1)],
    ["reread while filling", FILLING, reread("0[0,2)")],
    ["unrecoverable while filling", FILLING, lost("0[0,2)")],
  ])("%s: changes nothing", (_, steps, late) => {
    const { state } = play(steps);
    const after = play([late], state);
    expect(after.told).toEqual([]);
    expect(after.state).toBe(state);
  });
});
