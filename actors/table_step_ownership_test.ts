/**
 * The table actor's decisions where ownership begins and ends: recovery, assignment, revocation, fencing, drain.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { decodeMark } from "./intent.ts";
import { emptyTable } from "./table_state.ts";
import {
  ADVANCING,
  ANNOUNCING,
  advanced,
  again,
  aged,
  announced,
  assigned,
  delayed,
  drain,
  FILLING,
  fenced,
  intent,
  LANDING,
  landed,
  located,
  lost,
  offered,
  place,
  play,
  type Row,
  reread,
  revoked,
  SETUP,
  type Step,
  token,
} from "./table_step_fixture.ts";

describe("stepTable(): recovery", () => {
  const BOTH = "0[0,4)1[0,2)";
  /** Partition 0 is already past the batch, partition 1 still has it open. */
  const OPEN: readonly Step[] = [assigned(1, 0, 1), located(1, place(0, 4), place(1, 0, { intent: intent(BOTH) }))];
  const RECOVERED: readonly Step[] = [...OPEN, reread(BOTH), announced(BOTH), landed(BOTH)];
  const TWO: readonly Step[] = [
    assigned(1, 0, 1),
    located(1, place(0, 0, { intent: intent("0[0,4)") }), place(1, 0, { intent: intent("1[0,2)") })),
  ];
  test.each<Row>([
    ["an open intent is read again before anything is read", OPEN, [`start reread ${BOTH}`]],
    [
      "reread: announced where its range begins, nowhere else",
      [...OPEN, reread(BOTH)],
      ["cancel age", `start announce g1 1@0+${BOTH}`],
    ],
    [
      "announced: lands under a new deadline",
      [...OPEN, 70_000, reread(BOTH), announced(BOTH)],
      [`start land ${BOTH} by 130000`],
    ],
    ["landed: no position goes backwards", RECOVERED, ["start advance g1 1@2"]],
    [
      "advanced: reads behind it",
      [...RECOVERED, advanced(BOTH)],
      ["visible 0@4 1@2", "visible 0@4 1@2", "read g1 0@4 1@2"],
    ],
    [
      "reread with its marker there: only moves the position",
      [...OPEN, reread(BOTH, { stored: 5, quarantined: 1, tookMs: 0 })],
      ["start advance g1 1@2"],
    ],
    [
      "the same intent in two partitions is recovered once",
      [
        assigned(1, 0, 1),
        located(1, place(0, 0, { intent: intent(BOTH) }), place(1, 0, { intent: intent(BOTH, 9) })),
        reread(BOTH),
        announced(BOTH),
        landed(BOTH),
        advanced(BOTH),
      ],
      ["visible 0@4 1@2", "visible 0@4 1@2", "read g1 0@4 1@2"],
    ],
    ["two intents: the first one first", TWO, ["start reread 0[0,4)"]],
    [
      "two intents: then the second",
      [...TWO, reread("0[0,4)"), announced("0[0,4)"), landed("0[0,4)"), advanced("0[0,4)")],
      ["visible 0@4", "start reread 1[0,2)"],
    ],
    [
      "two intents: only then the partitions are read",
      [
        ...TWO,
        reread("0[0,4)", { stored: 4, quarantined: 0, tookMs: 0 }),
        advanced("0[0,4)"),
        reread("1[0,2)", { stored: 2, quarantined: 0, tookMs: 0 }),
        advanced("1[0,2)"),
      ],
      ["visible 1@2", "visible 0@4 1@2", "read g1 0@4 1@2"],
    ],
    ["the answer for another cut is ignored", [...OPEN, reread("1[0,2)")], []],
    ["an answer that comes twice is ignored", [...OPEN, reread(BOTH), reread(BOTH)], []],
    [
      "delayed: again, the same cut",
      [...OPEN, reread(BOTH), announced(BOTH), delayed(BOTH), 50, again],
      ["cancel age", `start announce g1 1@0+${BOTH}`],
    ],
    [
      "unrecoverable: its partitions stand still, the others are read",
      [...TWO, lost("0[0,4)"), reread("1[0,2)", { stored: 2, quarantined: 0, tookMs: 0 }), advanced("1[0,2)")],
      ["visible 1@2", "visible 1@2", "read g1 1@2"],
    ],
    ["unrecoverable twice: nothing is read", [...TWO, lost("0[0,4)"), lost("1[0,2)")], ["visible", "read g1"]],
    ["unrecoverable, but not the one in question: ignored", [...TWO, lost("1[0,2)")], []],
    ["revoked: released at once, the intent stays open", [...OPEN, revoked(1, 0, 1)], ["halt", "release 0,1"]],
    ["revoked: the answer comes too late", [...OPEN, revoked(1, 0, 1), reread(BOTH)], []],
    ["assigned: looked up again", [...OPEN, assigned(2, 1)], ["halt", "start locate g2 1"]],
    [
      "drain while it lands: the others are recovered, too",
      [...TWO, reread("0[0,4)"), announced("0[0,4)"), drain, landed("0[0,4)"), advanced("0[0,4)")],
      ["visible 0@4", "start reread 1[0,2)"],
    ],
  ])("%s", (_, steps, expected) => {
    expect(play(steps).told).toEqual([...expected]);
  });

  test("says which partitions stand still and why", () => {
    const note = "records 3 to 9 are no longer in the log";
    const { state, told } = play([
      assigned(1, 0, 1),
      { kind: "located", generation: 1, places: [place(0, 7), { kind: "stopped", partition: 1, note }] },
    ]);
    expect(told).toEqual(["visible 0@7", "read g1 0@7"]);
    expect(state.stopped).toEqual(new Map([[1, note]]));
    expect(play([lost("0[0,4)")], play(TWO).state).state.stopped).toEqual(new Map([[0, "lost 0[0,4)"]]));
  });

  test("writes with the newest epoch of all partitions", () => {
    const { state } = play([
      assigned(1, 0, 1),
      located(1, place(0, 0, { epoch: 3 }), place(1, 0)),
      offered(1, 1, [0, 4]),
    ]);
    expect(state.batch?.token).toBe(token("1[0,4)", 3));
  });
});

describe("stepTable(): an owner that was lost", () => {
  const SHARED = emptyTable({ ...SETUP, limits: { ...SETUP.limits, lateMs: 120_000 } });
  const OPEN: readonly Step[] = [assigned(1, 0), located(1, place(0, 0, { intent: intent("0[0,4)") }))];
  const marks = ({ commands }: ReturnType<typeof play>) =>
    commands.flatMap((command) =>
      command.kind === "start" && "commits" in command.action
        ? command.action.commits.map(({ metadata }) => decodeMark(metadata)?.lateUntilMs)
        : [],
    );

  test("every commit after a recovery says until when its insert may still come", () => {
    const until = 5 + 120_000;
    expect(marks(play([...OPEN, reread("0[0,4)")], SHARED))).toEqual([until]);
    const after = play([...OPEN, reread("0[0,4)"), announced("0[0,4)"), landed("0[0,4)")], SHARED);
    expect(marks(after)).toEqual([until]);
    const found = [assigned(1, 0), located(1, { ...place(0, 4), lateUntilMs: until }), offered(1, 0, [4, 8])];
    expect(marks(play(found, SHARED))).toEqual([until]);
  });

  test("nothing can come late where inserts end with their owner", () => {
    expect(marks(play([...OPEN, reread("0[0,4)")]))).toEqual([undefined]);
  });
});

describe("stepTable(): ownership", () => {
  const NEXT: readonly Step[] = [...LANDING, assigned(2, 1)];
  const LEAVING: readonly Step[] = [...LANDING, offered(1, 1, [0, 9]), revoked(1, 0, 1)];
  test.each<Row>([
    ["fenced while announcing: forgets everything", [...ANNOUNCING, fenced(1)], ["cancel age", "cancel again", "halt"]],
    ["fenced while advancing: forgets everything", [...ADVANCING, fenced(1)], ["cancel age", "cancel again", "halt"]],
    ["fenced, then landed: ignored", [...LANDING, fenced(1), landed("0[0,2)")], []],
    ["fenced, then offered: ignored", [...LANDING, fenced(1), offered(1, 0, [2, 9])], []],
    ["fenced, then assigned: begins anew", [...LANDING, fenced(1), assigned(2, 0)], ["halt", "start locate g2 0"]],
    ["fenced under another generation: ignored", [...ADVANCING, fenced(7)], []],
    ["assigned while landing: waits for the batch", NEXT, []],
    [
      "assigned while landing: its commit is still the old generation's",
      [...NEXT, offered(1, 0, [2, 9]), landed("0[0,2)")],
      ["start advance g1 0@2"],
    ],
    [
      "assigned while landing: then looks up positions",
      [...NEXT, landed("0[0,2)"), advanced("0[0,2)")],
      ["visible 0@2", "halt", "start locate g2 1"],
    ],
    [
      "assigned while landing, then fenced: looks up positions",
      [...NEXT, landed("0[0,2)"), fenced(1)],
      ["cancel age", "cancel again", "halt", "halt", "start locate g2 1"],
    ],
    [
      "assigned twice while landing: the last one counts",
      [...NEXT, assigned(3, 0), landed("0[0,2)"), advanced("0[0,2)")],
      ["visible 0@2", "halt", "start locate g3 0"],
    ],
    [
      "assigned while filling: forgets what is ready",
      [...FILLING, offered(1, 0, [0, 3]), assigned(2, 0), located(2, place(0, 0)), aged],
      [],
    ],
    ["revoked while filling: released", [...FILLING, offered(1, 0, [0, 2]), revoked(1, 0, 1)], ["halt", "release 0,1"]],
    ["revoked while nothing is owned: released", [revoked(1)], ["halt", "release "]],
    [
      "revoked while locating: released, the answer is ignored",
      [assigned(1, 0), revoked(1, 0), located(1, place(0, 0))],
      [],
    ],
    ["revoked while landing: the insert is finished first", LEAVING, []],
    ["revoked while landing: no other batch is announced", [...LEAVING, landed("0[0,2)")], ["start advance g1 0@2"]],
    [
      "revoked while landing: then released",
      [...LEAVING, landed("0[0,2)"), advanced("0[0,2)")],
      ["visible 0@2", "halt", "release 0,1"],
    ],
    [
      "revoked while landing, then fenced: released",
      [...LEAVING, landed("0[0,2)"), fenced(1)],
      ["cancel age", "cancel again", "halt", "release 0,1"],
    ],
    [
      "revoked when the next batch is announced: finishes that, too",
      [...LANDING, offered(1, 1, [0, 4]), 30, landed("0[0,2)"), revoked(1, 0, 1), advanced("0[0,2)")],
      ["visible 0@2", "start land 1[0,4) by 60030"],
    ],
    [
      "revoked and assigned while landing: released, then looked up",
      [...LEAVING, assigned(2, 0), landed("0[0,2)"), advanced("0[0,2)")],
      ["visible 0@2", "halt", "release 0,1", "halt", "start locate g2 0"],
    ],
    [
      "revoked while delayed: tries on",
      [...LANDING, delayed("0[0,2)"), revoked(1, 0, 1), again],
      ["cancel age", "start announce g1 0@0+0[0,2)"],
    ],
  ])("%s", (_, steps, expected) => {
    expect(play(steps).told).toEqual([...expected]);
  });
});

describe("stepTable(): drain", () => {
  test.each<Row>([
    ["before anything is assigned: at once", [drain], ["halt", "drained"]],
    ["while locating: at once, whoever is next finds what is open", [assigned(1, 0), drain], ["halt", "drained"]],
    ["located when it is drained: not looked at", [assigned(1, 0), drain, located(1, place(0, 0))], []],
    ["while filling", [...FILLING, offered(1, 0, [0, 2]), drain], ["halt", "drained"]],
    ["while announcing: the batch is finished first", [...ANNOUNCING, drain], []],
    [
      "while landing: no other batch is announced",
      [...LANDING, offered(1, 1, [0, 9]), drain, landed("0[0,2)")],
      ["start advance g1 0@2"],
    ],
    ["while advancing: at its end", [...ADVANCING, drain, advanced("0[0,2)")], ["visible 0@2", "halt", "drained"]],
    [
      "while delayed: the batch is tried again",
      [...LANDING, delayed("0[0,2)"), drain, again],
      ["cancel age", "start announce g1 0@0+0[0,2)"],
    ],
    [
      "fenced meanwhile: there is nothing left to finish",
      [...LANDING, drain, fenced(1)],
      ["cancel age", "cancel again", "halt", "drained"],
    ],
    [
      "revoked meanwhile: released as well",
      [...LANDING, drain, revoked(1, 0, 1), landed("0[0,2)"), advanced("0[0,2)")],
      ["visible 0@2", "halt", "release 0,1", "halt", "drained"],
    ],
    ["assigned afterwards: looks up", [drain, assigned(1, 0)], ["halt", "start locate g1 0"]],
    ["located afterwards: reads nothing", [drain, assigned(1, 0), located(1, place(0, 0))], ["halt", "drained"]],
  ])("%s", (_, steps, expected) => {
    expect(play(steps).told).toEqual([...expected]);
  });
});
