import { describe, expect, test } from "bun:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { CodecFailed, DECOMPRESSED_BYTES_MAX, decompress } from "./compression.ts";

const CODEC = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;
const TEXT = "Weir reads what Java writes. ".repeat(9);
const base64 = (text: string) => Buffer.from(text, "base64");
const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

/** TEXT as Kafka 4.4's Java client compresses it, and as snappy-java does without its stream. */
const JAVA = {
  xerial: base64("glNOQVBQWQAAAAABAAAAAQAAACyFAnBXZWlyIHJlYWRzIHdoYXQgSmF2YSB3cml0ZXMuIP4dAP4dAP4dAJ4dAA=="),
  raw: base64("hQJwV2VpciByZWFkcyB3aGF0IEphdmEgd3JpdGVzLiD+HQD+HQD+HQCeHQA="),
  lz4: base64("BCJNGGBAgigAAAD/DldlaXIgcmVhZHMgd2hhdCBKYXZhIHdyaXRlcy4gHQDQUHRlcy4gAAAAAA=="),
} as const;

const XERIAL = "82 534e41505059 00 00000001 00000001";
const LZ4 = "04224d18 60 40 00";
const SUMMED = "04224d18 7c 40 0400000000000000 00 04000080 68696869 deadbeef 00000000 deadbeef";
const LINKED = `${LZ4} 08000080 6162636465666768 05000000 04 0800 10 21 00000000`;

/** A frame of half a megabyte that repeats one byte 133 million times. */
function lz4Bomb(): Buffer {
  const block = Buffer.concat([hex("1f 61 0100"), Buffer.alloc(1 << 19, 255), hex("00")]);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(block.length);
  return Buffer.concat([hex(LZ4), size, block, hex("00000000")]);
}

describe("decompress()", () => {
  test.each([
    ["gzip", CODEC.gzip, gzipSync(TEXT), TEXT],
    ["zstd", CODEC.zstd, zstdCompressSync(TEXT), TEXT],
    ["snappy as Java's producers frame it", CODEC.snappy, JAVA.xerial, TEXT],
    ["one Xerial stream behind another", CODEC.snappy, Buffer.concat([JAVA.xerial, JAVA.xerial]), TEXT + TEXT],
    ["snappy as librdkafka sends it, without a frame", CODEC.snappy, JAVA.raw, TEXT],
    ["snappy's copies near and far", CODEC.snappy, hex("0b 08616263 0103 0f07000000"), "abcabcaabca"],
    ["snappy's long bytes", CODEC.snappy, hex("03 f002 616263"), "abc"],
    ["an empty Xerial stream", CODEC.snappy, hex(XERIAL), ""],
    ["lz4 as Java's producers frame it", CODEC.lz4, JAVA.lz4, TEXT],
    ["one lz4 frame behind another", CODEC.lz4, Buffer.concat([JAVA.lz4, JAVA.lz4]), TEXT + TEXT],
    ["lz4 stored as it was", CODEC.lz4, hex(`${LZ4} 02000080 6869 00000000`), "hi"],
    ["lz4 with the sizes and sums of blocks and frame", CODEC.lz4, hex(SUMMED), "hihi"],
    ["a copy that reaches into the block before", CODEC.lz4, hex(LINKED), "abcdefghabcdefgh!"],
  ] as const)("reads %s", (_, codec, bytes, text) => {
    expect(Buffer.from(decompress(codec, bytes)).toString()).toBe(text);
  });

  test.each([
    ["a codec that Kafka has not", 5, JAVA.raw, "codec 5, which is none of Kafka's"],
    ["gzip of anything", CODEC.gzip, hex("00112233"), "cannot be decompressed by gzip"],
    [
      "a bomb of gzip",
      CODEC.gzip,
      gzipSync(Buffer.alloc(DECOMPRESSED_BYTES_MAX + 1)),
      "cannot be decompressed by gzip",
    ],
    ["a bomb of zstd", CODEC.zstd, zstdCompressSync(Buffer.alloc(DECOMPRESSED_BYTES_MAX + 1)), "by zstd"],
    ["a bomb of snappy", CODEC.snappy, hex("81808020 0061"), "it becomes 67108865 bytes"],
    ["a bomb of lz4", CODEC.lz4, lz4Bomb(), "it becomes more than 67108864 bytes"],
    ["snappy that never says its size", CODEC.snappy, hex("ffffffffff ff"), "it does not say its size"],
    ["snappy that repeats what was not there", CODEC.snappy, hex("04 0104"), "a copy runs over its bounds"],
    ["snappy that becomes less than it says", CODEC.snappy, hex("04 0061"), "it says 4 bytes and has 1"],
    ["a Xerial block longer than the batch", CODEC.snappy, hex(`${XERIAL} ffffffff 00`), "a block is cut off"],
    ["lz4 that repeats what was not there", CODEC.lz4, hex(`${LZ4} 03000000 000100 00000000`), "before its start"],
    ["lz4 with a dictionary", CODEC.lz4, hex("04224d18 61 40 00 00000000"), "not of version 1"],
  ] as const)("refuses %s", (_, codec, bytes, message) => {
    expect(() => decompress(codec, bytes)).toThrow(CodecFailed);
    expect(() => decompress(codec, bytes)).toThrow(message);
  });

  test.each([
    ["xerial", CODEC.snappy, 17],
    ["raw", CODEC.snappy, 1],
    ["lz4", CODEC.lz4, 1],
  ] as const)("refuses %s cut anywhere, and bears any changed byte", (name, codec, cutMin) => {
    for (let cut = cutMin; cut < JAVA[name].length; cut++)
      expect(() => decompress(codec, JAVA[name].subarray(0, cut))).toThrow(CodecFailed);
    for (let at = 0; at < JAVA[name].length; at++)
      for (const byte of [0, 1, 0x7f, 0x80, 0xff]) {
        const changed = Buffer.from(JAVA[name]);
        changed[at] = byte;
        try {
          expect(decompress(codec, changed).length).toBeLessThanOrEqual(DECOMPRESSED_BYTES_MAX);
        } catch (error) {
          expect(error).toBeInstanceOf(CodecFailed);
        }
      }
  });
});
