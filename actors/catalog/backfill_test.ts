/**
 * Tests of how a backfill is cut.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { chunkOf, cutChunks } from "./backfill.ts";

const parts = (...rows: number[]) => rows.map((count, index) => ({ part: `p${index}`, rows: count }));
const short = (chunks: ReturnType<typeof cutChunks>) =>
  chunks.map((pieces) => pieces.map(({ part, from, to }) => `${part} ${from}-${to}`).join(" "));

describe("cutChunks()", () => {
  test.each([
    ["nothing of nothing", parts(), []],
    ["nothing of empty parts", parts(0, 0), []],
    ["one chunk of what fits", parts(3), ["p0 0-3"]],
    ["one chunk of exactly as much", parts(10), ["p0 0-10"]],
    ["a large part into several", parts(25), ["p0 0-10", "p0 10-20", "p0 20-25"]],
    ["small parts together", parts(4, 4, 2, 1), ["p0 0-4 p1 0-4 p2 0-2", "p3 0-1"]],
    ["a part over the edge of a chunk", parts(7, 0, 7), ["p0 0-7 p2 0-3", "p2 3-7"]],
  ])("makes %s", (_, all, expected) => {
    expect(short(cutChunks(all, 10))).toEqual(expected);
  });

  test("has every row in one chunk, whatever the sizes", () => {
    for (let size = 1; size < 40; size++) {
      const all = parts(13, 1, 0, 29, 5);
      const chunks = cutChunks(all, size);
      const rows = chunks.flatMap((pieces) =>
        pieces.flatMap(({ part, from, to }) => Array.from({ length: to - from }, (_, at) => `${part}:${from + at}`)),
      );
      expect(rows).toEqual(all.flatMap(({ part, rows }) => Array.from({ length: rows }, (_, at) => `${part}:${at}`)));
      const sizes = chunks.map((pieces) => pieces.reduce((sum, { from, to }) => sum + to - from, 0));
      expect(sizes.slice(0, -1).every((one) => one === size)).toBe(true);
    }
  });
});

describe("chunkOf()", () => {
  test("selects rows by part and place", () => {
    const pieces = [
      { part: "all_1_1_0", from: 0, to: 5 },
      { part: "202401_2_2_0", from: 7, to: 9 },
    ];
    expect(chunkOf("weir_state.x__snapshot", pieces)).toBe(
      "(SELECT * FROM weir_state.x__snapshot WHERE (_part = 'all_1_1_0' AND _part_offset >= 0 AND _part_offset < 5)" +
        " OR (_part = '202401_2_2_0' AND _part_offset >= 7 AND _part_offset < 9))",
    );
  });
});
