import { describe, expect, test } from "bun:test";
import { decodeShare, encodeShare, shareOut } from "./assignment.ts";

describe("shareOut()", () => {
  test.each([
    ["gives one member all", ["a"], 3, { a: [0, 1, 2] }],
    ["shares evenly, whatever the order of names", ["b", "a"], 5, { a: [0, 2, 4], b: [1, 3] }],
    ["leaves members without a share", ["a", "b"], 1, { a: [0], b: [] }],
  ] as const)("%s", (_, members, count, expected) => {
    expect(Object.fromEntries(shareOut(members, count))).toEqual(expected as never);
  });

  test("is read as it was written", () => {
    expect(decodeShare("t", encodeShare("t", [2, 0]))).toEqual([2, 0]);
    expect(decodeShare("t", Buffer.alloc(0))).toEqual([]);
  });
});
