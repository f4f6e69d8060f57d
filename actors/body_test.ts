/**
 * The body of a strict insert, byte for byte.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { type Part, partOf } from "./batch.ts";
import { type BodyOptions, BodyWriter } from "./body.ts";
import { type Made, recordsOf } from "./records_fixture.ts";

const NAMES = { partition: "_p_9f", offset: "_o_9f", time: "_t_9f", op: "_op_9f" };
const CHUNK_BYTES = 1 << 20;

/** A part that holds the given values from one read. */
function part(values: readonly (string | Uint8Array)[], made: Made = {}): Part {
  const records = recordsOf(values, made);
  const { partition = 0, from = 0 } = made;
  return partOf({ partition, from, slices: [{ records, start: 0, end: records.count }] });
}

function chunksOf(parts: readonly Part[], options: Partial<BodyOptions> = {}): readonly Uint8Array[] {
  const writer = new BodyWriter({ names: NAMES, rewrite: undefined, bytesHint: 1e9, ...options });
  for (const { range, slices } of parts) {
    writer.partition(range.partition);
    for (const { records, start, end } of slices)
      for (let index = start; index < end; index++) writer.add(records, index);
  }
  return writer.end();
}

const textOf = (parts: readonly Part[], options: Partial<BodyOptions> = {}): string =>
  Buffer.concat(chunksOf(parts, options)).toString();

const line = (offset: number, rest: string, { partition = 0, time = 1_000 + offset } = {}) =>
  `{"_p_9f":${partition},"_o_9f":${offset},"_t_9f":${time},${rest}\n`;

describe("BodyWriter", () => {
  test.each<[string, string, string]>([
    ["an object", '{"a":1}', '"a":1}'],
    ["white space in front of the brace", ' \t\r\n{"a":1}', '"a":1}'],
    ["white space behind the braces", '{ "a" : 1 } \n', ' "a" : 1 } \n'],
    ["characters of several bytes", '{"a":"é — 𝄞"}', '"a":"é — 𝄞"}'],
    ["more than 48 bytes", `{"a":"${"b".repeat(100)}"}`, `"a":"${"b".repeat(100)}"}`],
    ["an object in an object", '{"a":{"b":{}}}', '"a":{"b":{}}}'],
    ["a name of ours with another salt", '{"_p_8e":7,"a":1}', '"_p_8e":7,"a":1}'],
  ])("splices place and time in front of %s", (_, value, rest) => {
    expect(textOf([part([value], { from: 12 })])).toBe(line(12, rest));
  });

  test("passes bytes on as they are, whether or not they are text", () => {
    const value = Uint8Array.from([0x7b, 0x22, 0xff, 0x00, 0xc3, 0x22, 0x7d]);
    const [chunk] = chunksOf([part([value])]);
    expect(chunk.subarray(-value.length)).toEqual(Uint8Array.from([...value.subarray(1), 0x0a]));
  });

  test("names partition, offset and time of every record", () => {
    const parts = [
      part(['{"a":1}', '{"a":2}'], { from: 5 }),
      part(['{"a":3}'], { partition: 17, from: 99, timeMs: 3 }),
    ];
    const lines = [line(5, '"a":1}'), line(6, '"a":2}'), line(99, '"a":3}', { partition: 17, time: 3 })];
    expect(textOf(parts)).toBe(lines.join(""));
  });

  test.each([0, 9, 10, 99, 100, 999_999_999, 1_000_000_000, 4_294_967_296, 999_999_999_999_999, 9_007_199_254_740_990])(
    "writes offset %p in full",
    (offset) => {
      expect(textOf([part(['{"a":1}'], { from: offset, timeMs: 1 })])).toBe(line(offset, '"a":1}', { time: 1 }));
    },
  );

  test.each([
    ["whole milliseconds", 1_700_000_000_123, 1_700_000_000_123],
    ["fractions, cut", 1_700_000_000_123.9, 1_700_000_000_123],
    ["zero", 0, 0],
    ["Kafka's missing time", -1, -1],
  ])("writes times of %s", (_, timeMs, time) => {
    expect(textOf([part(['{"a":1}'], { timeMs })])).toBe(line(0, '"a":1}', { time }));
  });

  test("takes only the records of its slices", () => {
    const records = recordsOf(['{"a":0}', '{"a":1}', '{"a":2}', '{"a":3}']);
    const slices = [
      { records, start: 0, end: 1 },
      { records, start: 2, end: 3 },
    ];
    expect(textOf([partOf({ partition: 0, from: 0, slices })])).toBe(line(0, '"a":0}') + line(2, '"a":2}'));
  });

  test("rewrites each record's text, white space in front cut off", () => {
    const rewrite = (text: string) => `\n ${text.replace("1", '"é"')}`;
    expect(textOf([part(['{"a":1}', ' {"b":1}'])], { rewrite: (text) => rewrite(text.trim()) })).toBe(
      line(0, '"a":"é"}') + line(1, '"b":"é"}'),
    );
  });

  test("makes nothing of nothing", () => {
    expect(chunksOf([])).toEqual([]);
  });

  test("cuts chunks between records, whatever the border", () => {
    for (const pad of [0, 1, 40, 41, 47, 48, 49, 1_000]) {
      const values = Array.from({ length: 3_000 }, (_, index) => `{"i":${index},"p":"${"x".repeat(700 + pad)}"}`);
      const chunks = chunksOf([part(values)]);
      expect(chunks.length).toBeGreaterThan(1);
      for (const chunk of chunks) {
        expect(chunk.length).toBeLessThanOrEqual(CHUNK_BYTES);
        expect(chunk[0]).toBe(0x7b);
        expect(chunk.at(-1)).toBe(0x0a);
      }
      expect(Buffer.concat(chunks).toString()).toBe(values.map((value, at) => line(at, value.slice(1))).join(""));
    }
  });

  test("gives a record that is larger than a chunk a chunk of its own", () => {
    const large = `{"a":"${"x".repeat(2 * CHUNK_BYTES)}"}`;
    const values = ['{"a":0}', large, '{"a":2}'];
    const chunks = chunksOf([part(values)]);
    expect(Buffer.concat(chunks).toString()).toBe(values.map((value, at) => line(at, value.slice(1))).join(""));
    expect(chunks.length).toBe(3);
  });

  test("makes small chunks for small bodies", () => {
    const [chunk] = chunksOf([part(['{"a":1}'])], { bytesHint: 100 });
    expect(chunk.buffer.byteLength).toBeLessThan(1_000);
  });

  test("can be made again", () => {
    const parts = [part(['{"a":1}', '{"a":2}'])];
    expect(textOf(parts)).toBe(textOf(parts));
  });
});
