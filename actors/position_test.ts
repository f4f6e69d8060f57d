/**
 * Positions: where an owner goes on, for everything that log and ledger can say.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import type { Commit } from "@weir/connectors";
import { encodeMark, type Intent, type LastRecord, type Mark } from "./intent.ts";
import { counting, type Gap, type Known, type LedgerPosition, lastKnown, locate, topicHash } from "./position.ts";

const last = (offset: number, crc = 7): LastRecord => ({ offset, timestampMs: 1_000 + offset, crc });
const intent = (from: number, to: number, epoch = 1): Intent => ({
  epoch,
  catalog: 1,
  atMs: 5,
  ranges: [
    { partition: 0, from: 3, to: 9, rows: 6, crc: 1 },
    { partition: 2, from, to, rows: to - from, crc: 2 },
  ],
});
const commit = (offset: number, mark: Partial<Mark> = {}): Commit => ({
  partition: 2,
  offset,
  metadata: encodeMark({ epoch: 1, last: offset === 0 ? undefined : last(offset - 1), intent: undefined, ...mark }),
});
const foreign = (offset: number): Commit => ({ partition: 2, offset, metadata: "somebody else's" });
const ledger = (next: number, epoch = 1): LedgerPosition => ({ partition: 2, epoch, next, last: last(next - 1) });

const placed = (next: number, epoch = 1): LedgerPosition => ({ partition: 2, epoch, next, last: undefined });

/** An epoch in which nothing has landed yet. */
const begun = (epoch: number, topic: number): LedgerPosition => ({ ...placed(0, epoch), topic });

describe("counting()", () => {
  test.each<[string, Commit | undefined, LedgerPosition | undefined, boolean]>([
    ["the ledger without a commit", undefined, ledger(10), true],
    ["the ledger beside a commit", commit(10), ledger(12), true],
    ["a position that an operator put", commit(10), placed(3, 2), true],
    ["an epoch that was begun, while nothing is committed", undefined, begun(2, 7), true],
    ["no epoch that was begun, once something is committed", commit(0), begun(2, 7), false],
    ["an epoch that was begun, beside a foreign commit", foreign(4), begun(2, 7), true],
    ["an epoch that was begun, beside a commit of a topic that is gone", commit(200), begun(2, 7), true],
  ])("takes %s", (_, at, kept, isTaken) => {
    expect(counting(at, { ledger: kept, latest: 100 })).toEqual(isTaken ? kept : undefined);
  });
});

describe("topicHash()", () => {
  test("tells topics of one name apart, and is never 0", () => {
    const ids = Array.from({ length: 100 }, (_, index) => topicHash(`${index}`));
    expect(new Set(ids).size).toBe(100);
    expect(topicHash("")).toBe(1);
  });
});

describe("lastKnown()", () => {
  test.each<[string, Commit | undefined, LedgerPosition | undefined, LastRecord | undefined]>([
    ["nothing of a new partition", undefined, undefined, undefined],
    ["the commit's without a ledger", commit(10), undefined, last(9)],
    ["the ledger's without a commit", undefined, ledger(10), last(9)],
    ["the ledger's beside a foreign commit", foreign(50), ledger(10), last(9)],
    ["the ledger's beside a commit that has none", commit(0), ledger(10), last(9)],
    ["nothing of a foreign commit", foreign(50), undefined, undefined],
    ["the commit's if both are as far", commit(10, { last: last(9, 1) }), ledger(10), last(9, 1)],
    ["the commit's if it is further", commit(12), ledger(10), last(11)],
    ["the ledger's if it is further", commit(10), ledger(12), last(11)],
    ["the commit's of a newer epoch", commit(2, { epoch: 2 }), ledger(12), last(1)],
    ["the ledger's of a newer epoch", commit(20), ledger(3, 2), last(2)],
    ["nothing of an older epoch", commit(0, { epoch: 2 }), ledger(12), undefined],
    ["nothing where an operator put the position", commit(20), placed(3, 2), undefined],
  ])("is %s", (_, at, kept, expected) => {
    expect(lastKnown(at, kept)).toEqual(expected);
  });
});

const place = (offset: number, more: object = {}) => ({
  kind: "place",
  partition: 2,
  offset,
  epoch: 1,
  last: undefined,
  intent: undefined,
  ...more,
});
const stopped = (note: string) => ({ kind: "stopped", partition: 2, note: expect.stringContaining(note) });
const atGap = ({ from, to, ...more }: Partial<Gap> & Pick<Gap, "from" | "to">) => ({
  ...stopped(`records ${from} to ${to - 1} are no longer in the log. Raise its retention; weir position`),
  gap: { partition: 2, epoch: 1, from, to, last: last(from - 1), ...more },
});

/** What is known of partition 2 of topic `t`, which holds offsets [5, 100) unless said otherwise. */
const known = (what: Partial<Known> & { earliest?: number; latest?: number }): Known => ({
  topic: "t",
  commit: what.commit,
  ledger: what.ledger,
  newest: what.newest ?? what.ledger?.epoch ?? 0,
  range: { partition: 2, earliest: what.earliest ?? 5, latest: what.latest ?? 100 },
  held: what.held,
  topicNow: what.topicNow,
  epochNow: what.epochNow,
});

describe("locate()", () => {
  test.each<[string, Known, object]>([
    ["a new partition begins at the earliest offset", known({}), place(5)],
    [
      "an epoch begins again for its own topic",
      known({ ledger: begun(2, 7), topicNow: 7, earliest: 0 }),
      place(0, { epoch: 2, topic: 7 }),
    ],
    [
      "another topic begins another epoch, though nothing has landed",
      known({ ledger: begun(2, 7), topicNow: 8 }),
      place(5, { epoch: 3, topic: 8 }),
    ],
    [
      "an epoch without its topic's name goes on",
      known({ ledger: placed(5, 2), topicNow: 8 }),
      place(5, { epoch: 2, topic: 8 }),
    ],
    ["a new partition is in the newest epoch of the others", known({ newest: 3 }), place(5, { epoch: 3 })],
    [
      "or in that of the topic which is there now",
      known({ newest: 3, topicNow: 8, epochNow: 2 }),
      place(5, { epoch: 2, topic: 8 }),
    ],
    ["a commit goes on", known({ commit: commit(10), held: last(9) }), place(10, { last: last(9) })],
    [
      "a commit at the log's end goes on",
      known({ commit: commit(100), held: last(99) }),
      place(100, { last: last(99) }),
    ],
    ["a commit whose last record is gone goes on", known({ commit: commit(5) }), place(5, { last: last(4) })],
    ["a commit before the first batch goes on", known({ commit: commit(0), earliest: 0 }), place(0)],
    [
      "a missing commit resumes from the ledger",
      known({ ledger: ledger(30), held: last(29) }),
      place(30, { last: last(29) }),
    ],
    [
      "a commit behind the ledger resumes from the ledger",
      known({ commit: commit(10), ledger: ledger(30), held: last(29) }),
      place(30, { last: last(29) }),
    ],
    [
      "a commit before the ledger stays",
      known({ commit: commit(40), ledger: ledger(30), held: last(39) }),
      place(40, { last: last(39) }),
    ],
    ["an accepted gap is a position", known({ commit: commit(3), ledger: placed(30) }), place(30)],
    [
      "behind an accepted gap the last record before it stays known",
      known({ commit: commit(3), ledger: { ...ledger(3), next: 30 } }),
      place(30, { last: last(2) }),
    ],
    ["a foreign commit is a position", known({ commit: foreign(20) }), place(20)],
    [
      "a foreign commit behind the ledger is none",
      known({ commit: foreign(20), ledger: ledger(30), held: last(29) }),
      place(30, { last: last(29) }),
    ],
    [
      "an open intent is recovered at its commit",
      known({ commit: commit(10, { intent: intent(10, 20) }) }),
      place(10, { last: last(9), intent: intent(10, 20) }),
    ],
    [
      "an open intent is recovered although its marker is there",
      known({ commit: commit(10, { intent: intent(10, 20) }), ledger: ledger(20) }),
      place(10, { last: last(19), intent: intent(10, 20) }),
    ],
    [
      "the intent of a first batch is recovered",
      known({ commit: commit(0, { intent: intent(0, 20) }), earliest: 0 }),
      place(0, { intent: intent(0, 20) }),
    ],
    [
      "a commit whose last record was compacted away goes on",
      known({ commit: commit(10), ledger: ledger(10) }),
      place(10, { last: last(9) }),
    ],
    [
      "an intent that the ledger has left behind is over",
      known({ commit: commit(10, { intent: intent(10, 20) }), ledger: ledger(40) }),
      place(40, { last: last(39) }),
    ],
  ])("%s", (_, input, expected) => {
    expect(locate(input)).toEqual(expected as never);
  });

  test.each<[string, Known, object]>([
    [
      "the newest of both is taken",
      known({ commit: commit(10, { epoch: 3 }), ledger: ledger(50, 2) }),
      place(10, { epoch: 3, last: last(9) }),
    ],
    [
      "a commit of an old epoch does not count",
      known({ commit: commit(60), ledger: ledger(10, 2) }),
      place(10, { epoch: 2, last: last(9) }),
    ],
    [
      "an intent of an old epoch is dead",
      known({ commit: commit(6, { intent: intent(6, 20) }), ledger: ledger(10, 2) }),
      place(10, { epoch: 2, last: last(9) }),
    ],
    ["a reset to an earlier offset", known({ commit: commit(60), ledger: placed(10, 2) }), place(10, { epoch: 2 })],
    [
      "a reset that its first batch follows",
      known({ commit: commit(10, { epoch: 2, last: undefined, intent: intent(10, 20, 2) }), ledger: placed(10, 2) }),
      place(10, { epoch: 2, intent: intent(10, 20, 2) }),
    ],
    [
      "a reset leaves behind what was announced and is gone",
      known({ commit: commit(3, { intent: intent(3, 20) }), ledger: placed(5, 2) }),
      place(5, { epoch: 2 }),
    ],
    ["a topic that ends before the position was recreated", known({ commit: commit(200) }), place(5, { epoch: 2 })],
    ["a topic that ends before the ledger was recreated", known({ ledger: ledger(200, 4) }), place(5, { epoch: 5 })],
    [
      "a recreated topic is newer than every partition of the old ones",
      known({ commit: commit(200), newest: 6 }),
      place(5, { epoch: 7 }),
    ],
    [
      "it is in the epoch that its other partitions have entered already",
      known({ ledger: ledger(200), newest: 2, topicNow: 8, epochNow: 2 }),
      place(5, { epoch: 2, topic: 8 }),
    ],
    [
      "but not in its own of before",
      known({ ledger: ledger(200, 2), newest: 2, topicNow: 8, epochNow: 2 }),
      place(5, { epoch: 3, topic: 8 }),
    ],
    [
      "a commit for another topic of the name means recreated",
      known({ commit: commit(10, { topic: 7 }), held: last(9), topicNow: 8 }),
      place(5, { epoch: 2, topic: 8 }),
    ],
    [
      "a topic that has lost its end stops: what is there has landed already",
      known({ commit: commit(200, { topic: 7 }), topicNow: 7 }),
      stopped("it lost what it had acknowledged"),
    ],
    [
      "and so does one with another record in the place of the last one",
      known({ commit: commit(10, { topic: 7 }), held: last(9, 8), topicNow: 7 }),
      stopped("it lost what it had acknowledged"),
    ],
    [
      "and one that ends before what the ledger knows",
      known({ commit: commit(10, { topic: 7 }), ledger: ledger(200), topicNow: 7 }),
      stopped("it lost what it had acknowledged"),
    ],
    ["another checksum means recreated", known({ commit: commit(10), held: last(9, 8) }), place(5, { epoch: 2 })],
    [
      "another time means recreated",
      known({ commit: commit(10), held: { ...last(9), timestampMs: 1 } }),
      place(5, { epoch: 2 }),
    ],
    [
      "the first batch of an epoch is compared with nothing older",
      known({
        commit: commit(0, { epoch: 2, intent: intent(0, 20, 2) }),
        ledger: ledger(12),
        held: last(11, 8),
        earliest: 0,
      }),
      place(0, { epoch: 2, intent: intent(0, 20, 2) }),
    ],
    [
      "an empty topic after a position was recreated",
      known({ commit: commit(10), earliest: 0, latest: 0 }),
      place(0, { epoch: 2 }),
    ],
  ])("epochs: %s", (_, input, expected) => {
    expect(locate(input)).toEqual(expected as never);
  });

  test.each<[string, Known, object]>([
    [
      "recreated while a batch was open",
      known({ commit: commit(10, { intent: intent(10, 20) }), held: last(9, 8) }),
      stopped("Cannot go on with t/2: the topic was created anew while a batch was open."),
    ],
    [
      "recreated and shorter while a batch was open",
      known({ commit: commit(10, { intent: intent(10, 20) }), earliest: 0, latest: 3 }),
      stopped("created anew while a batch was open"),
    ],
    [
      "records between position and log are gone",
      known({ commit: commit(10), earliest: 30 }),
      atGap({ from: 10, to: 30 }),
    ],
    [
      "records behind the ledger's position are gone",
      known({ ledger: ledger(10), earliest: 11 }),
      atGap({ from: 10, to: 11 }),
    ],
    [
      "records behind a reset are gone",
      known({ commit: commit(60), ledger: placed(10, 2), earliest: 11 }),
      atGap({ from: 10, to: 11, epoch: 2, last: undefined }),
    ],
    [
      "the last record and the commits are gone",
      known({ ledger: ledger(30) }),
      stopped("record 29, the last one that landed, is gone"),
    ],
    [
      "an open intent's records are gone",
      known({ commit: commit(10, { intent: intent(10, 20) }), earliest: 11 }),
      stopped("records 10 to 10 are no longer in the log, and a batch of them was announced, which may have landed."),
    ],
  ])("stops: %s", (_, input, expected) => {
    expect(locate(input)).toEqual(expected as never);
  });
});
