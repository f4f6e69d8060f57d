/**
 * Tests of positions: what was written is read again, and nothing else.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { decodePosition, encodePosition } from "./position.ts";

const packed = (text: string) => Buffer.from(text).toString("base64url");

describe("decodePosition()", () => {
  test.each([
    ["flight", []],
    ["flight", [[0, 0]]],
    [
      "a_b-c.d",
      [
        [3, 12],
        [255, 9_007_199_254_740],
      ],
    ],
  ] as [string, [number, number][]][])("reads what was written of %s %p", (source, entries) => {
    const position = new Map(entries);
    expect(decodePosition(encodePosition(source, position))).toEqual({ source, position });
  });

  test.each([
    "",
    "MXxm!",
    packed("2|flight|0:1"),
    packed("1|flight"),
    packed("1|flight|0"),
    packed("1|flight|0:1,"),
    packed("1|flight|,0:1"),
    packed("1|flight|0:-1"),
    packed("1|flight|0:9999999999999999"),
    packed("1||0:1"),
    "A".repeat(20_000),
  ])("refuses %p", (text) => {
    expect(decodePosition(text)).toBeUndefined();
  });
});
