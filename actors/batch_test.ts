/**
 * Batches: where a cut falls, and that successive cuts give back exactly what was read.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { crcOf } from "@weir/connectors";
import {
  type BatchLimits,
  bytesOf,
  bytesReady,
  type Cut,
  cut,
  type Part,
  partOf,
  type Ready,
  rowsReady,
  type Slice,
} from "./batch.ts";
import { RANGES_MAX } from "./intent.ts";
import { numbered, randomOf, recordsOf } from "./records_fixture.ts";

const SEED = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 1e9));
const NO_BYTES_LIMIT = Number.MAX_SAFE_INTEGER;

const whole = (count: number, from: number, next?: number): Slice => ({
  records: numbered(count, { from, next }),
  start: 0,
  end: count,
});

/** Slices of one partition, one per given number of records, beginning at `from`. */
function ready(from: number, ...counts: number[]): Ready {
  let at = from;
  const slices = counts.map((count) => {
    at += count;
    return whole(count, at - count);
  });
  return { next: from, slices };
}

const offsetsOf = (slices: readonly Slice[]): number[] =>
  slices.flatMap(({ records, start, end }) => [...records.offsets.subarray(start, end)]);

/** A cut in words: `0[5,8)` per part, `0@8+2` for what stays. */
function told({ parts, rest }: Cut): string {
  const taken = parts.map(({ range }) => `${range.partition}[${range.from},${range.to})`);
  const left = [...rest].map(([partition, at]) => `${partition}@${at.next}+${offsetsOf(at.slices).length}`);
  return `${taken.join(" ")} | ${left.join(" ")}`;
}

describe("rowsReady() and bytesReady()", () => {
  const slices = [whole(5, 0), { ...whole(5, 5), start: 1, end: 3 }];
  const waiting = new Map<number, Ready>([
    [0, { next: 0, slices }],
    [1, { next: 0, slices: [whole(1, 0)] }],
    [2, { next: 9, slices: [] }],
  ]);

  test("count the records of all slices, not of their buffers", () => {
    expect(rowsReady(waiting)).toBe(8);
  });

  test("measure packed bytes", () => {
    expect(bytesReady(waiting)).toBe(bytesOf(slices[0]) + bytesOf(slices[1]) + bytesOf(whole(1, 0)));
    expect(bytesReady(new Map())).toBe(0);
  });
});

describe("cut()", () => {
  test.each<[string, [number, Ready][], number, string]>([
    ["takes everything below the limit", [[0, ready(5, 3)]], 10, "0[5,8) | 0@8+0"],
    ["takes everything at the limit", [[0, ready(5, 3)]], 3, "0[5,8) | 0@8+0"],
    ["cuts inside of a slice", [[0, ready(5, 3)]], 2, "0[5,7) | 0@7+1"],
    ["takes several slices", [[0, ready(0, 2, 3, 4)]], 20, "0[0,9) | 0@9+0"],
    ["cuts between slices", [[0, ready(0, 2, 3, 4)]], 5, "0[0,5) | 0@5+4"],
    ["cuts inside of a later slice", [[0, ready(0, 2, 3, 4)]], 6, "0[0,6) | 0@6+3"],
    [
      "shares rows between partitions",
      [
        [0, ready(0, 9)],
        [1, ready(0, 9)],
      ],
      10,
      "0[0,5) 1[0,5) | 0@5+4 1@5+4",
    ],
    [
      "gives what one leaves to the others",
      [
        [0, ready(0, 2)],
        [1, ready(0, 9)],
      ],
      10,
      "0[0,2) 1[0,8) | 0@2+0 1@8+1",
    ],
    [
      "rounds shares so that none is lost",
      [
        [0, ready(0, 9)],
        [1, ready(0, 9)],
        [2, ready(0, 9)],
      ],
      10,
      "0[0,4) 1[0,3) 2[0,3) | 0@4+5 1@3+6 2@3+6",
    ],
    [
      "orders ranges by partition",
      [
        [2, ready(0, 1)],
        [0, ready(0, 1)],
      ],
      10,
      "0[0,1) 2[0,1) | 0@1+0 2@1+0",
    ],
    [
      "puts partitions that had nothing first",
      [
        [0, ready(0, 1)],
        [1, ready(4)],
      ],
      10,
      "0[0,1) | 1@4+0 0@1+0",
    ],
    ["takes nothing from nothing", [[0, ready(4)]], 10, " | 0@4+0"],
    [
      "leaves partitions without a row of their own",
      [
        [0, ready(0, 3)],
        [1, ready(0, 3)],
      ],
      1,
      "0[0,1) | 1@0+3 0@1+2",
    ],
  ])("%s", (_, waiting, rowsMax, expected) => {
    expect(told(cut(new Map(waiting), { rowsMax, bytesMax: NO_BYTES_LIMIT }))).toBe(expected);
  });

  test("takes partitions of one shard, and those of the other the next time", () => {
    const waiting = new Map([0, 1, 2, 3].map((partition) => [partition, ready(0, 2)] as const));
    const limits = { rowsMax: 10, bytesMax: NO_BYTES_LIMIT, shards: 2 };
    const first = cut(waiting, limits);
    expect(told(first)).toBe("0[0,2) 2[0,2) | 1@0+2 3@0+2 0@2+0 2@2+0");
    const second = cut(first.rest, limits);
    expect(told(second)).toBe("1[0,2) 3[0,2) | 0@2+0 2@2+0 1@2+0 3@2+0");
  });

  const bytes = bytesOf(whole(1, 0));
  test.each<[string, [number, Ready][], number, string]>([
    ["takes everything at bytesMax", [[0, ready(0, 4)]], bytesOf(whole(4, 0)), "0[0,4) | 0@4+0"],
    ["cuts one byte below", [[0, ready(0, 4)]], bytesOf(whole(4, 0)) - 1, "0[0,3) | 0@3+1"],
    ["counts the bytes of earlier slices", [[0, ready(0, 2, 2)]], bytesOf(whole(3, 0)), "0[0,3) | 0@3+1"],
    [
      "shares bytes between partitions",
      [
        [0, ready(0, 4)],
        [1, ready(0, 4)],
      ],
      bytesOf(whole(2, 0)) * 2,
      "0[0,2) 1[0,2) | 0@2+2 1@2+2",
    ],
    ["takes one record that is too large, alone", [[0, ready(0, 4)]], bytes - 1, "0[0,1) | 0@1+3"],
    [
      "takes one record of each partition when all are too large",
      [
        [0, ready(0, 4)],
        [1, ready(7, 4)],
      ],
      1,
      "0[0,1) 1[7,8) | 0@1+3 1@8+3",
    ],
  ])("%s", (_, waiting, bytesMax, expected) => {
    expect(told(cut(new Map(waiting), { rowsMax: 1_000, bytesMax }))).toBe(expected);
  });

  test("takes an oversized record that comes later with the next batch", () => {
    const records = recordsOf(["{}", "x".repeat(10_000), "{}"]);
    const limits = { rowsMax: 100, bytesMax: 1_000 };
    const first = cut(new Map([[0, { next: 0, slices: [{ records, start: 0, end: 3 }] }]]), limits);
    expect(told(first)).toBe("0[0,1) | 0@1+2");
    const second = cut(first.rest, limits);
    expect(told(second)).toBe("0[1,2) | 0@2+1");
    expect(told(cut(second.rest, limits))).toBe("0[2,3) | 0@3+0");
  });

  test(`takes ${RANGES_MAX} partitions at most, and the others the next time`, () => {
    const waiting = new Map(Array.from({ length: 100 }, (_, partition) => [partition, ready(0, 10)] as const));
    const limits = { rowsMax: RANGES_MAX, bytesMax: NO_BYTES_LIMIT };
    const first = cut(waiting, limits);
    const second = cut(first.rest, limits);
    const partitions = [first, second].map(({ parts }) => parts.map(({ range }) => range.partition));
    expect(partitions.map((cut) => cut.length)).toEqual([RANGES_MAX, RANGES_MAX]);
    expect(new Set(partitions.flat()).size).toBe(100);
    for (const cut of partitions) expect(cut).toEqual(cut.toSorted((a, b) => a - b));
  });

  test("leaves its input as it was", () => {
    const waiting = new Map([[0, ready(0, 3)]]);
    cut(waiting, { rowsMax: 1, bytesMax: 1 });
    expect(offsetsOf((waiting.get(0) as Ready).slices)).toEqual([0, 1, 2]);
  });
});

describe("partOf()", () => {
  test("ends behind offsets which the log skipped", () => {
    const part = partOf({ partition: 1, from: 5, slices: [whole(3, 5, 12)] });
    expect(part.range).toMatchObject({ partition: 1, from: 5, to: 12, rows: 3 });
    expect(part.last.offset).toBe(7);
  });

  test("ends behind its last record when the slice goes on", () => {
    expect(partOf({ partition: 0, from: 5, slices: [{ ...whole(3, 5, 12), end: 2 }] }).range).toMatchObject({
      to: 7,
      rows: 2,
    });
  });

  test("remembers offset, time and checksum of its last record", () => {
    const slice = { ...whole(4, 10), end: 3 };
    const crc = crcOf(slice.records, { start: 2, end: 3 }, 0);
    expect(partOf({ partition: 0, from: 10, slices: [slice] }).last).toEqual({ offset: 12, timestampMs: 1_012, crc });
  });

  test("has another checksum for another value, key, time or tombstone", () => {
    const crcs = [
      recordsOf(["a", "b"]),
      recordsOf(["a", "c"]),
      recordsOf(["a", null]),
      recordsOf(["a", "b"], { timeMs: 7 }),
      recordsOf(["a", "b"], { from: 1, timeMs: 1_000 }),
    ].map((records) => partOf({ partition: 0, from: 0, slices: [{ records, start: 0, end: 2 }] }).range.crc);
    expect(new Set(crcs).size).toBe(crcs.length);
  });
});

/** Cuts until nothing is left; gives every part in the order of the cuts. */
function cutAll(waiting: ReadonlyMap<number, Ready>, limits: BatchLimits): Part[] {
  const parts: Part[] = [];
  for (let rest = waiting; rowsReady(rest) > 0; ) {
    const one = cut(rest, limits);
    expect(one.parts.length).toBeGreaterThan(0);
    expect(one.parts.length).toBeLessThanOrEqual(RANGES_MAX);
    expect(one.parts.reduce((sum, { range }) => sum + range.rows, 0)).toBeLessThanOrEqual(limits.rowsMax);
    parts.push(...one.parts);
    rest = one.rest;
  }
  return parts;
}

describe("successive cuts", () => {
  test(`give back exactly what was read, however it was read (WEIR_SEED=${SEED})`, () => {
    const random = randomOf(SEED);
    const below = (bound: number) => Math.floor(random() * bound);
    for (let round = 0; round < 200; round++) {
      const partitions = 1 + below(round % 20 === 0 ? 90 : 4);
      const waiting = new Map<number, Ready>();
      for (let partition = 0; partition < partitions; partition++) {
        const from = below(1_000);
        waiting.set(partition, ready(from, ...Array.from({ length: below(5) }, () => 1 + below(12))));
      }
      const bytesMax = random() < 0.5 ? NO_BYTES_LIMIT : 1 + below(2_000);
      const parts = cutAll(waiting, { rowsMax: 1 + below(40), bytesMax });
      for (const [partition, { next, slices }] of waiting) {
        const own = parts.filter(({ range }) => range.partition === partition);
        expect(own.flatMap((part) => offsetsOf(part.slices))).toEqual(offsetsOf(slices));
        let at = next;
        for (const { range, slices: taken } of own) {
          expect(range.from).toBe(at);
          at = range.to;
          // Read again, one record at a time: the checksum must not depend on how records came.
          const alone = offsetsOf(taken).map((offset) => whole(1, offset));
          expect(partOf({ partition, from: range.from, slices: alone }).range).toEqual(range);
        }
      }
    }
  });
});
