import { describe, expect, test } from "bun:test";
import { headersOf, openRecords, type RecordParts, type Records, RecordWriter } from "../records.ts";
import { BatchWriter, bytesOfRecord } from "./batch_writer.ts";
import { decompress } from "./compression.ts";
import { crc32c } from "./crc32c.ts";
import { takeRecords } from "./record_batch.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const producer = { id: 7_000_000_000n, epoch: 3 };

function packed(all: readonly RecordParts[]): Records {
  const writer = new RecordWriter();
  for (const one of all) writer.add(one);
  const run = { firstOffset: 0, count: all.length, start: 0, end: writer.length };
  return openRecords({ topic: "t", partition: 0, next: all.length }, writer.packed(), [run]);
}

function written(all: readonly RecordParts[], more?: Readonly<Record<string, string>>): BatchWriter {
  const writer = new BatchWriter();
  const records = packed(all);
  for (let index = 0; index < records.count; index++) writer.add(records, { index, more });
  return writer;
}

/** What a reader of the batch finds. */
function read(batch: Uint8Array): readonly unknown[] {
  const bounds = { topic: "t", partition: 0, offset: 0, recordsMax: 1e6, bytesMax: 1e9, aborted: [] };
  const records = takeRecords(batch, { ...bounds, decompress });
  const text = (start: number, end: number) =>
    start < 0 ? null : new TextDecoder().decode(records.bytes.subarray(start, end));
  return Array.from({ length: records.count }, (_, i) => ({
    offset: records.offsets[i],
    timestampMs: records.timestamps[i],
    key: text(records.keyStarts[i]!, records.keyEnds[i]!),
    value: text(records.valueStarts[i]!, records.valueEnds[i]!),
    headers: headersOf(records, i),
  }));
}

describe("BatchWriter", () => {
  test("writes a batch byte by byte as the format describes it", () => {
    const records = [
      { key: utf8("k"), value: utf8("v1"), timestampMs: 1_000 },
      { key: null, value: null, timestampMs: 999, headers: { h: "x" } },
    ];
    const batch = written(records).seal(producer, 300);
    const expected = Buffer.from(
      [
        ...["0000000000000000", "00000048", "ffffffff", "02", "00000000", "0000", "00000001"],
        ...["00000000000003e8", "00000000000003e8", "00000001a13b8600", "0003", "0000012c", "00000002"],
        ...["12", "00", "00", "00", "02", "6b", "04", "7631", "00"],
        ...["14", "00", "01", "02", "01", "01", "02", "02", "68", "02", "78"],
      ].join(""),
      "hex",
    );
    expected.writeInt32BE(expected.length - 12, 8);
    expected.writeUInt32BE(crc32c(expected, 21), 17);
    expect(batch.toString("hex")).toBe(expected.toString("hex"));
  });

  const long = "ä".repeat(70_000);
  test.each<[string, readonly RecordParts[]]>([
    [
      "no key, no value, neither",
      [
        { key: null, value: utf8("{}"), timestampMs: 5 },
        { key: utf8("k"), value: null, timestampMs: 5 },
        { key: null, value: null, timestampMs: 5 },
        { key: utf8(""), value: utf8(""), timestampMs: 5 },
      ],
    ],
    [
      "times that go back and far ahead",
      [
        { key: null, value: utf8("a"), timestampMs: 1_763_000_000_000 },
        { key: null, value: utf8("b"), timestampMs: 0 },
        { key: null, value: utf8("c"), timestampMs: 8_640_000_000_000_000 },
      ],
    ],
    ["lengths of several bytes", [{ key: utf8(long), value: utf8(long), timestampMs: 1 }]],
    [
      "thousands",
      Array.from({ length: 20_000 }, (_, i) => ({ key: utf8(`${i}`), value: utf8(`{"i":${i}}`), timestampMs: i })),
    ],
    [
      "headers, also of other alphabets",
      [
        { key: null, value: utf8("a"), timestampMs: 1, headers: { "": "", größe: "✓", long } },
        { key: null, value: utf8("b"), timestampMs: 1 },
      ],
    ],
  ])("is read as it was written: %s", (_, all) => {
    const found = read(written(all).seal(producer, 0));
    const text = (bytes: Uint8Array | null) => (bytes === null ? null : new TextDecoder().decode(bytes));
    const expected = all.map(({ key, value, timestampMs, headers = {} }, offset) => {
      return { offset, timestampMs, key: text(key), value: text(value), headers };
    });
    expect(found).toEqual(expected);
  });

  test("adds headers to those that are there", () => {
    const [one] = read(
      written([{ key: null, value: utf8("a"), timestampMs: 1, headers: { a: "1" } }], { b: "2" }).seal(producer, 0),
    );
    expect(one).toMatchObject({ headers: { a: "1", b: "2" } });
  });

  test("compresses where that gains something", () => {
    const codecOf = (batch: Buffer) => batch.readInt16BE(21) & 7;
    const value = utf8("abc".repeat(1_000));
    expect(codecOf(written([{ key: null, value, timestampMs: 1 }]).seal(producer, 0))).toBe(4);
    expect(codecOf(written([{ key: null, value: utf8("abc"), timestampMs: 1 }]).seal(producer, 0))).toBe(0);
  });

  test("never takes more than was reckoned", () => {
    const all: RecordParts[] = [
      { key: utf8("k"), value: utf8("v"), timestampMs: 1 },
      { key: null, value: null, timestampMs: 0 },
      { key: utf8(long), value: utf8(long), timestampMs: 8e15, headers: { "": "", größe: "✓", long } },
    ];
    const records = packed(all);
    const writer = new BatchWriter();
    for (let index = 0; index < records.count; index++) {
      const before = writer.length;
      writer.add(records, { index });
      expect(writer.length - before).toBeLessThanOrEqual(bytesOfRecord(records, index));
    }
  });
});
