import { describe, expect, test } from "bun:test";
import { zstdCompressSync } from "node:zlib";
import { crcOf, type Records, recordCrc } from "../records.ts";
import { decompress } from "./compression.ts";
import { crc32c } from "./crc32c.ts";
import { type Aborted, takeRecords } from "./record_batch.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const zigzag = (value: number) => {
  const bytes: number[] = [];
  let rest = value < 0 ? -value * 2 - 1 : value * 2;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
};

interface Made {
  readonly base: number;
  /** Offset deltas with their values. */
  readonly records: readonly (readonly [number, string])[];
  readonly attributes?: number;
  readonly producerId?: number;
  readonly control?: 0 | 1;
}

/** A batch by the format's description, not by the code under test. */
function batch({ base, records, attributes = 0, producerId = -1, control }: Made): Buffer {
  const plain = records.flatMap(([delta, value]) => {
    const key = control === undefined ? zigzag(-1) : [...zigzag(4), 0, 0, 0, control];
    const body = [0, ...zigzag(delta * 10), ...zigzag(delta), ...key, ...zigzag(utf8(value).length), ...utf8(value), 0];
    return [...zigzag(body.length), ...body];
  });
  const coded = (attributes & 7) === 4 ? zstdCompressSync(Uint8Array.from(plain)) : Buffer.from(plain);
  const bytes = Buffer.alloc(61 + coded.length);
  bytes.writeBigInt64BE(BigInt(base), 0);
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes.writeInt8(2, 16);
  bytes.writeInt16BE(attributes, 21);
  bytes.writeInt32BE(records.at(-1)![0], 23);
  bytes.writeBigInt64BE(1_000n, 27);
  bytes.writeBigInt64BE(2_000n, 35);
  bytes.writeBigInt64BE(BigInt(producerId), 43);
  bytes.writeInt32BE(records.length, 57);
  bytes.set(coded, 61);
  bytes.writeUInt32BE(crc32c(bytes, 21), 17);
  return bytes;
}

const bounds = {
  topic: "t",
  partition: 0,
  offset: 0,
  recordsMax: 100,
  bytesMax: 1 << 20,
  aborted: [] as readonly Aborted[],
  decompress,
};
const offsetsOf = ({ offsets, count }: Records) => [...offsets.subarray(0, count)];

const three = batch({
  base: 10,
  records: [
    [0, "a"],
    [1, "b"],
    [2, "c"],
  ],
});
const gaps = batch({
  base: 20,
  records: [
    [0, "a"],
    [3, "d"],
    [4, "e"],
  ],
});
const zstd = batch({ base: 30, records: [[0, "a".repeat(99)]], attributes: 4 });
const open = batch({
  base: 40,
  records: [
    [0, "x"],
    [1, "y"],
  ],
  attributes: 0x10,
  producerId: 7,
});
const others = batch({ base: 42, records: [[0, "z"]], attributes: 0x10, producerId: 8 });
const abort = batch({ base: 43, records: [[0, ""]], attributes: 0x30, producerId: 7, control: 0 });
const after = batch({ base: 44, records: [[0, "v"]], attributes: 0x10, producerId: 7 });
const aborted = [{ producerId: 7n, firstOffset: 40 }];

describe("takeRecords()", () => {
  test.each([
    ["takes a batch", [three], {}, [10, 11, 12], 13],
    ["starts in the middle", [three], { offset: 11 }, [11, 12], 13],
    ["keeps each record's own offset", [gaps], {}, [20, 23, 24], 25],
    ["stops at recordsMax, before the next one", [three, gaps], { recordsMax: 4 }, [10, 11, 12, 20], 21],
    ["takes one batch though bytesMax is less", [three, gaps], { bytesMax: 1 }, [10, 11, 12], 13],
    ["decompresses zstd", [zstd], {}, [30], 31],
    ["leaves a cut batch to the next fetch", [three, gaps.subarray(0, -1)], {}, [10, 11, 12], 13],
    ["takes nothing of a cut batch alone", [three.subarray(0, 40)], { offset: 10 }, [], 10],
    ["leaves out what was aborted", [open, others, abort, after], { offset: 40, aborted }, [42, 44], 45],
    ["keeps what was not", [open, others], { offset: 40 }, [40, 41, 42], 43],
    ["goes on behind a control batch", [abort], { offset: 43 }, [], 44],
  ] as const)("%s", (_, batches, from, offsets, next) => {
    const taken = takeRecords(Buffer.concat([...batches]), { ...bounds, ...from });
    expect(offsetsOf(taken)).toEqual([...offsets]);
    expect(taken.next).toBe(next);
  });

  test("has the same sums of the same records, however they were read", () => {
    const whole = takeRecords(Buffer.concat([three, zstd, gaps]), bounds);
    const first = takeRecords(three, { ...bounds, recordsMax: 2 });
    const rest = takeRecords(Buffer.concat([three, zstd, gaps]), { ...bounds, offset: first.next });
    const cut = crcOf(rest, { start: 0, end: 5 }, crcOf(first, { start: 0, end: 2 }, 0));
    expect(crcOf(whole, { start: 0, end: 7 }, 0)).toBe(cut);
    expect(crcOf(whole, { start: 0, end: 6 }, 0)).not.toBe(cut);
    expect(recordCrc(whole, 2)).toBe(recordCrc(rest, 0));
    expect(recordCrc(whole, 1)).not.toBe(recordCrc(whole, 2));
  });

  test("leaves compressed what lies behind its bounds", () => {
    const large = batch({ base: 0, records: [[0, "a".repeat(1_000)]], attributes: 4 });
    const next = batch({ base: 1, records: [[0, "b"]], attributes: 4 });
    let decompressed = 0;
    const counting = (codec: number, bytes: Uint8Array) => {
      decompressed += 1;
      return decompress(codec, bytes);
    };
    const first = takeRecords(Buffer.concat([large, next]), { ...bounds, bytesMax: 1_000, decompress: counting });
    expect([first.next, decompressed]).toEqual([1, 1]);
    const rest = takeRecords(Buffer.concat([large, next]), { ...bounds, offset: first.next });
    expect(offsetsOf(rest)).toEqual([1]);
  });

  test.each<[string, (bytes: Buffer) => void, string]>([
    ["changed on its way", (bytes) => bytes.writeUInt8(1, bytes.length - 2), "does not match its checksum"],
    ["says a wrong size", (bytes) => bytes.writeInt32BE(-12, 8), "Out of bounds"],
    [
      "is damaged under its checksum",
      (bytes) => {
        bytes.writeUInt8(0x7e, 61); // the length of its record
        bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17);
      },
      "a record in the batch of offsets 1 to 1 is cut off",
    ],
  ])("takes what lies before a batch that %s", (_, change, message) => {
    const [good, bad] = [batch({ base: 0, records: [[0, "a"]] }), batch({ base: 1, records: [[0, "b"]] })];
    change(bad);
    const both = Buffer.concat([good, bad, batch({ base: 2, records: [[0, "c"]] })]);
    const read = takeRecords(both, bounds);
    expect([offsetsOf(read), read.next]).toEqual([[0], 1]);
    expect(() => takeRecords(both, { ...bounds, offset: read.next })).toThrow(message);
  });

  test("refuses a batch that changed on its way, and a codec it does not know", () => {
    const changed = Buffer.from(three);
    changed[changed.length - 2]! ^= 1;
    expect(() => takeRecords(changed, bounds)).toThrow("does not match its checksum");
    const unknown = batch({ base: 0, records: [[0, "a"]], attributes: 5 });
    expect(() => takeRecords(unknown, bounds)).toThrow("compressed by codec 5");
  });
});

describe("crc32c()", () => {
  test.each([
    ["123456789", 0xe3069283],
    ["", 0],
    ["\0".repeat(32), 0x8a9136aa],
  ])("is the published sum of %j", (text, sum) => {
    expect(crc32c(utf8(text))).toBe(sum);
  });
});
