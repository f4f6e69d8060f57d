import { describe, expect, test } from "bun:test";
import { murmur2, partitionOf } from "./murmur2.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("murmur2()", () => {
  // The vectors of Kafka's own UtilsTest.testMurmur2.
  test.each([
    ["21", -973932308],
    ["foobar", -790332482],
    ["a-little-bit-long-string", -985981536],
    ["a-little-bit-longer-string", -1486304829],
    ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
    ["abc", 479470107],
  ])("hashes %p as Kafka does", (text, expected) => {
    expect(murmur2(bytes(text))).toBe(expected);
  });

  test("agrees with Bun's own on every length and on slices", () => {
    for (let length = 0; length < 300; length++) {
      const key = crypto.getRandomValues(new Uint8Array(length));
      const around = crypto.getRandomValues(new Uint8Array(length + 7));
      around.set(key, 3);
      const expected = Bun.hash.murmur32v2(key, 0x9747b28c) | 0;
      expect(murmur2(key)).toBe(expected);
      expect(murmur2(around, 3, 3 + length)).toBe(expected);
    }
  });
});

describe("partitionOf()", () => {
  test.each([
    ["21", 6, (-973932308 & 0x7fffffff) % 6],
    ["abc", 12, 479470107 % 12],
  ])("puts %p of %i where Kafka does", (text, partitions, expected) => {
    const key = bytes(text);
    expect(partitionOf(key, { start: 0, end: key.length, partitions })).toBe(expected);
  });
});
