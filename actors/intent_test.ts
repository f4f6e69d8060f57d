/**
 * Intents: tokens, and marks as commit metadata.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { decodeMark, encodeMark, type Intent, type Mark, RANGES_MAX, sameCut, tokenOf } from "./intent.ts";

const INTENT: Intent = {
  epoch: 2,
  catalog: 7,
  atMs: 1_700_000_000_000,
  ranges: [
    { partition: 0, from: 10, to: 14, rows: 4, crc: 99 },
    { partition: 3, from: 0, to: 5, rows: 2, crc: 5 },
  ],
};
const LAST = { offset: 9, timestampMs: 1_699_999_999_999, crc: 4_294_967_295 };

const withRange = (change: object): Intent => ({
  ...INTENT,
  ranges: [{ ...INTENT.ranges[0], ...change }, INTENT.ranges[1]],
});

describe("tokenOf()", () => {
  test("says statement, catalog, epoch, vector and checksum", () => {
    expect(tokenOf("ods.flight", INTENT)).toMatch(/^ods\.flight:7:2:0\[10,14\)3\[0,5\):[0-9a-f]{1,8}$/);
  });

  test("is the same on every try", () => {
    expect(tokenOf("ods.flight", { ...INTENT, atMs: 1 })).toBe(tokenOf("ods.flight", INTENT));
  });

  test.each([
    ["another catalog", { ...INTENT, catalog: 8 }],
    ["another epoch", { ...INTENT, epoch: 3 }],
    ["another start", withRange({ from: 9 })],
    ["another end", withRange({ to: 15 })],
    ["another partition", withRange({ partition: 1 })],
    ["fewer partitions", { ...INTENT, ranges: [INTENT.ranges[0]] }],
    ["other records at the same offsets", withRange({ crc: 98 })],
    ["digits which only look alike", withRange({ partition: 1, from: 0 })],
  ])("is another for %s", (_, other) => {
    expect(tokenOf("ods.flight", other)).not.toBe(tokenOf("ods.flight", INTENT));
  });

  test("is another for another target", () => {
    expect(tokenOf("ods.flight", INTENT)).not.toBe(tokenOf("ods.flights", INTENT));
  });
});

describe("sameCut()", () => {
  test.each([
    ["itself", INTENT, true],
    ["a later announcement of the same cut", { ...INTENT, atMs: 5 }, true],
    ["other records under the same offsets", withRange({ crc: 100 }), false],
    ["another number of records", withRange({ rows: 3 }), false],
    ["another end", withRange({ to: 13 }), false],
    ["another catalog", { ...INTENT, catalog: 8 }, false],
    ["an earlier first time", { ...INTENT, firstMs: 1 }, true],
    ["another epoch", { ...INTENT, epoch: 1 }, false],
    ["one range less", { ...INTENT, ranges: [INTENT.ranges[0]] }, false],
  ])("compares with %s", (_, other, expected) => {
    expect(sameCut(INTENT, other)).toBe(expected);
    expect(sameCut(other, INTENT)).toBe(expected);
  });
});

describe("encodeMark() and decodeMark()", () => {
  test.each<[string, Mark]>([
    ["a new partition", { epoch: 1, last: undefined, intent: undefined }],
    ["a position", { epoch: 3, last: LAST, intent: undefined }],
    ["the first intent of a partition", { epoch: 1, last: undefined, intent: INTENT }],
    [
      "an intent that was announced again",
      { epoch: 1, last: undefined, intent: { ...INTENT, firstMs: INTENT.atMs - 9 } },
    ],
    ["a position with the next intent", { epoch: 2, last: LAST, intent: INTENT }],
    [
      "fractions of a millisecond",
      { epoch: 1, last: { ...LAST, timestampMs: 1_700_000_000_000.125 }, intent: undefined },
    ],
  ])("keep %s", (_, mark) => {
    expect(decodeMark(encodeMark(mark))).toEqual(mark);
  });

  test.each([[""], ["checkpoint 17"], ['{"v":2,"e":1}'], ['{"e":1,"v":1}'], [' {"v":1,"e":1}'], ["null"]])(
    "do not read %p, which is not of this protocol",
    (metadata) => {
      expect(decodeMark(metadata)).toBeUndefined();
    },
  );

  test(`fit ${RANGES_MAX} ranges with the largest offsets into Kafka's 4,096 bytes`, () => {
    const offset = Number.MAX_SAFE_INTEGER;
    const crc = 0xffffffff;
    const ranges = Array.from({ length: RANGES_MAX }, (_, index) => ({
      partition: 9_999 - index,
      from: offset - 200_000,
      to: offset,
      rows: 200_000,
      crc,
    }));
    const last = { offset, timestampMs: 1_799_999_999_999, crc };
    const mark: Mark = {
      epoch: 9_999,
      last,
      intent: { epoch: 9_999, catalog: 99_999, atMs: 1_799_999_999_999, ranges },
    };
    const metadata = encodeMark(mark);
    expect(Buffer.byteLength(metadata)).toBeLessThanOrEqual(4_096);
    expect(decodeMark(metadata)).toEqual(mark);
  });
});
