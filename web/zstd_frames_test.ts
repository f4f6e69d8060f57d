import { describe, expect, test } from "bun:test";
import { constants, createZstdCompress, zstdCompressSync } from "node:zlib";
import { areWholeFrames } from "./zstd_frames.ts";

const random = crypto.getRandomValues(new Uint8Array(60_000));
const checked = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
const skipped = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
/** As a compressor writes it that does not know how much will come. */
const compressor = createZstdCompress();
compressor.write("a");
compressor.end(random);
const unsized = Buffer.concat(await Array.fromAsync(compressor));
const FRAMES: readonly (readonly [string, Uint8Array])[] = [
  ["nothing in a frame", zstdCompressSync("")],
  ["one byte", zstdCompressSync("a")],
  ["a run", zstdCompressSync(Buffer.alloc(1_000_000, 32))],
  ["what cannot be compressed", zstdCompressSync(random)],
  ["several blocks", zstdCompressSync(Buffer.concat(Array.from({ length: 10 }, () => random)))],
  ["a checksum", zstdCompressSync(random.subarray(0, 999), checked)],
  ["a size that is not said", unsized],
  ["two frames", Buffer.concat([zstdCompressSync("a"), zstdCompressSync(random, checked)])],
  ["a frame to skip", Buffer.concat([skipped, zstdCompressSync("a")])],
];

describe("areWholeFrames()", () => {
  test.each(FRAMES)("takes %s, and nothing less or more of it", (_, whole) => {
    expect(areWholeFrames(whole)).toBe(true);
    for (const cut of [1, 2, 5]) expect(areWholeFrames(whole.subarray(0, -cut))).toBe(false);
    expect(areWholeFrames(Buffer.concat([whole, Buffer.from("more")]))).toBe(false);
  });

  test("takes neither nothing nor something else", () => {
    for (const text of ["", "{}", '{"id":"a","n":1}']) expect(areWholeFrames(Buffer.from(text))).toBe(false);
  });
});
