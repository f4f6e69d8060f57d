import { describe, expect, test } from "bun:test";
import { headersOf, openRecords, type Records, RecordWriter, releasable, walkPacked } from "./records.ts";

const where = { topic: "t", partition: 0, next: 0 };
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (records: Records, start: number, end: number) =>
  start < 0 ? null : new TextDecoder().decode(records.bytes.subarray(start, end));

function open(writer: RecordWriter, firstOffset = 0): Records {
  const packed = writer.packed();
  return openRecords(where, packed, [{ firstOffset, count: writer.count, start: 0, end: packed.length }]);
}

function numbered(count: number): RecordWriter {
  const writer = new RecordWriter(1);
  for (let n = 0; n < count; n++) writer.add({ key: bytes(`k${n}`), value: bytes("v".repeat(n)), timestampMs: n });
  return writer;
}

describe("RecordWriter", () => {
  test.each([
    ["key and value", { key: bytes("k"), value: bytes("v") }, "k", "v", {}],
    ["no key", { key: null, value: bytes("v") }, null, "v", {}],
    ["an empty key", { key: bytes(""), value: bytes("v") }, "", "v", {}],
    ["a tombstone", { key: bytes("k"), value: null }, "k", null, {}],
    ["an empty value", { key: null, value: bytes("") }, null, "", {}],
    ["headers", { key: bytes("k"), value: bytes("v"), headers: { ä: "1" } }, "k", "v", { ä: "1" }],
    ["headers of a tombstone", { key: null, value: null, headers: { a: "→" } }, null, null, { a: "→" }],
    ["a long value", { key: null, value: bytes("é".repeat(100_000)) }, null, "é".repeat(100_000), {}],
  ] as const)("packs %s", (_, parts, key, value, headers) => {
    const writer = new RecordWriter(8);
    writer.add({ ...parts, timestampMs: 1_700_000_000_123 });
    const records = open(writer, 7);
    expect([records.count, records.offsets[0], records.timestamps[0]]).toEqual([1, 7, 1_700_000_000_123]);
    expect(text(records, records.keyStarts[0], records.keyEnds[0])).toBe(key);
    expect(text(records, records.valueStarts[0], records.valueEnds[0])).toBe(value);
    expect(headersOf(records, 0)).toEqual(headers);
  });

  test("packs slices as it packs parts", () => {
    const source = bytes('{"id":"a1","n":5}');
    const slices = new RecordWriter(4);
    const parts = new RecordWriter();
    slices.addSlice(source, { keyStart: 7, keyEnd: 9, valueStart: 0, valueEnd: source.length, timestampMs: -1.5 });
    parts.add({ key: bytes("a1"), value: source, timestampMs: -1.5 });
    slices.addSlice(source, { keyStart: -1, keyEnd: -1, valueStart: 3, valueEnd: 3, timestampMs: 2 ** 52 + 1 });
    parts.add({ key: null, value: bytes(""), timestampMs: 2 ** 52 + 1 });
    expect([...slices.packed()]).toEqual([...parts.packed()]);
    expect([slices.count, slices.newestMs]).toEqual([2, 2 ** 52 + 1]);
  });

  test("appends other writers, empty ones too", () => {
    const all = new RecordWriter(1);
    for (const count of [0, 3, 0, 2]) all.addAll(numbered(count));
    expect([all.count, all.newestMs]).toEqual([5, 2]);
    const records = open(all);
    expect([...records.timestamps]).toEqual([0, 1, 2, 0, 1]);
    const copy = new Uint8Array(all.length + 3);
    all.copyTo(copy, 3);
    expect([...copy.subarray(3)]).toEqual([...all.packed()]);
    expect(new RecordWriter().newestMs).toBe(Number.NEGATIVE_INFINITY);
  });
});

describe("openRecords()", () => {
  test("opens several runs of one buffer with their own offsets", () => {
    const packed = numbered(6).packed();
    const first = walkPacked(packed, 0, { recordsMax: 2, bytesMax: packed.length });
    const records = openRecords(where, packed, [
      { firstOffset: 10, count: 2, start: 0, end: first.end },
      { firstOffset: 90, count: 4, start: first.end, end: packed.length },
    ]);
    expect([...records.offsets]).toEqual([10, 11, 90, 91, 92, 93]);
    expect([...records.timestamps]).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test.each([
    ["a count too small", 2, 0],
    ["a count too large", 4, 0],
    ["a wrong end", 3, -1],
  ])("throws on %s", (_, count, shorter) => {
    const packed = numbered(3).packed();
    const run = { firstOffset: 0, count, start: 0, end: packed.length + shorter };
    expect(() => openRecords(where, packed, [run])).toThrow(RangeError);
  });
});

describe("releasable()", () => {
  test("frees columns and bytes when it is told to, and no sooner", () => {
    const records = releasable(open(numbered(3)), { bytes: true });
    expect([...records.offsets]).toEqual([0, 1, 2]);
    records.release?.();
    expect([records.offsets.length, records.valueEnds.length, records.bytes.length]).toEqual([0, 0, 0]);
  });

  test("leaves bytes alone that are others' as well", () => {
    const writer = numbered(3);
    releasable(open(writer), { bytes: false }).release?.();
    expect([...open(writer).offsets]).toEqual([0, 1, 2]);
  });
});

describe("walkPacked()", () => {
  const packed = numbered(3).packed(); // of 22, 23 and 24 bytes
  test.each([
    ["all", { recordsMax: 9, bytesMax: 999 }, { count: 3, end: 69 }],
    ["recordsMax", { recordsMax: 2, bytesMax: 999 }, { count: 2, end: 45 }],
    ["whole records within bytesMax", { recordsMax: 9, bytesMax: 68 }, { count: 2, end: 45 }],
    ["exactly bytesMax", { recordsMax: 9, bytesMax: 45 }, { count: 2, end: 45 }],
    ["nothing below the first", { recordsMax: 9, bytesMax: 21 }, { count: 0, end: 0 }],
  ] as const)("walks %s", (_, bounds, expected) => {
    expect(walkPacked(packed, 0, bounds)).toEqual(expected);
  });

  test("starts anywhere", () => {
    expect(walkPacked(packed, 22, { recordsMax: 1, bytesMax: 999 })).toEqual({ count: 1, end: 45 });
  });
});
