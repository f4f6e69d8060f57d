/**
 * Locating: which epochs are entered in the ledger before their first batch.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { encodeMark, type LastRecord } from "./intent.ts";
import { entered, type PartitionAt } from "./locating.ts";
import type { Place } from "./position.ts";

const LAST: LastRecord = { offset: 4, timestampMs: 1, crc: 2 };
const PLACE: Place = { kind: "place", partition: 2, offset: 5, epoch: 3, last: undefined, intent: undefined };
const NEW: PartitionAt = {
  range: { partition: 2, earliest: 5, latest: 9 },
  commit: undefined,
  ledger: undefined,
  epoch: 3,
  located: PLACE,
  topicNow: 7,
};
const COMMIT = { partition: 2, offset: 5, metadata: encodeMark({ epoch: 3, last: LAST, intent: undefined }) };

describe("entered()", () => {
  test("has the epoch of a partition that nobody has been in", () => {
    expect(entered([NEW])).toEqual([{ partition: 2, epoch: 3, next: 5, last: undefined, topic: 7 }]);
  });

  test("has an epoch that comes after the ledger's", () => {
    const before = { partition: 2, epoch: 2, next: 50, last: LAST };
    expect(entered([{ ...NEW, ledger: before }])).toHaveLength(1);
  });

  test.each<[string, Partial<PartitionAt>]>([
    ["one that the ledger has", { ledger: { partition: 2, epoch: 3, next: 5, last: undefined } }],
    ["one that has a commit", { commit: COMMIT }],
    ["one that goes on", { located: { ...PLACE, last: LAST } }],
    ["one that stands still", { located: { kind: "stopped", partition: 2, note: "no" } }],
    ["one of a topic that nobody knows", { topicNow: undefined }],
  ])("leaves out %s", (_, but) => {
    expect(entered([{ ...NEW, ...but }])).toEqual([]);
  });
});
