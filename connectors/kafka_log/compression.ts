/**
 * The codecs of record batches: all that Kafka has for reading; zstd, where it gains something, for writing.
 *
 * What it becomes is bounded before memory is taken: a batch of a few kilobytes can be made to become gigabytes.
 *
 * @module
 */
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { lz4Decompress } from "./lz4.ts";
import { snappyDecompress } from "./snappy.ts";

/** A batch whose records cannot be decompressed: an unknown codec, damaged, or too large. */
export class CodecFailed extends Error {
  override readonly name = "CodecFailed";
}

const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
/** What one batch may become; brokers take batches of at most 1 MiB unless told otherwise. */
export const DECOMPRESSED_BYTES_MAX = 64 << 20;

const PIECE_BYTES = { min: 16 << 10, max: 1 << 20 } as const;
/** How far events as JSON are compressed, roughly. */
const RATIO = 8;

/** Decompresses the records of a batch; throws CodecFailed. */
export function decompress(codec: number, bytes: Uint8Array): Uint8Array {
  const name = CODECS[codec];
  if (name === undefined)
    throw new CodecFailed(
      `the records are compressed by codec ${codec}, which is none of Kafka's. Set the producer's compression.type to one of ${CODECS.join(", ")}`,
    );
  try {
    return decompressBy(name, bytes);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CodecFailed(
      `the records cannot be decompressed by ${name} into at most ${DECOMPRESSED_BYTES_MAX} bytes: ${why}. Look at the producer that wrote them, or let it send smaller batches`,
      { cause },
    );
  }
}

function decompressBy(name: (typeof CODECS)[number], bytes: Uint8Array): Uint8Array {
  const options = { maxOutputLength: DECOMPRESSED_BYTES_MAX };
  switch (name) {
    case "none":
      return bytes;
    case "gzip":
      return gunzipSync(bytes, options);
    case "snappy":
      return snappyDecompress(bytes, DECOMPRESSED_BYTES_MAX);
    case "lz4":
      return lz4Decompress(bytes, DECOMPRESSED_BYTES_MAX);
    case "zstd":
      return zstdDecompressSync(bytes, { ...options, chunkSize: pieceBytes(bytes.length) });
  }
}

/** What is decompressed at once: pieces cost more than the little that is left over of one. */
function pieceBytes(compressed: number): number {
  return Math.min(Math.max(PIECE_BYTES.min, RATIO * compressed), PIECE_BYTES.max);
}

/** The fastest level: what it saves in checksums, sockets and disks is more than it costs. */
const ZSTD = { level: 1 } as const;

/** Compresses the records of a batch; answers them as they are, with the codec that means that, where nothing is gained. */
export function compress(bytes: Uint8Array): { readonly codec: number; readonly bytes: Uint8Array } {
  const compressed = Bun.zstdCompressSync(bytes, ZSTD);
  const name = compressed.length < bytes.length ? "zstd" : "none";
  return { codec: CODECS.indexOf(name), bytes: name === "zstd" ? compressed : bytes };
}
