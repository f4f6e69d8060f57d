/**
 * The codecs of record batches that this log reads: gzip and zstd. Producers of others are refused by name.
 *
 * @module
 */
import { gunzipSync, zstdDecompressSync } from "node:zlib";

/** A batch of a codec that is not here. */
export class CodecUnknown extends Error {
  override readonly name = "CodecUnknown";
}

const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
/** A batch is at most 1 MiB on most brokers; one that becomes larger than this was made to fill the memory. */
const DECOMPRESSED_BYTES_MAX = 256 << 20;

/** Decompresses the records of a batch; throws CodecUnknown, and RangeError above the bound. */
export function decompress(codec: number, bytes: Uint8Array): Uint8Array {
  const options = { maxOutputLength: DECOMPRESSED_BYTES_MAX };
  switch (CODECS[codec]) {
    case "none":
      return bytes;
    case "gzip":
      return gunzipSync(bytes, options);
    case "zstd":
      return zstdDecompressSync(bytes, options);
    default:
      throw new CodecUnknown(
        `the records are compressed by ${CODECS[codec] ?? `codec ${codec}`}, which Weir does not read. Set the producer's compression.type to gzip, zstd or none`,
      );
  }
}
