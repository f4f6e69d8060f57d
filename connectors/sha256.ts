/**
 * The checksum of a file. Blocks: for Workers and commands.
 *
 * @module
 */
import { closeSync, openSync, readSync } from "node:fs";

const CHUNK_BYTES = 4 << 20;

/** Sha256 of a file's content, in hex. Throws what reading throws. */
export function sha256Of(path: string): string {
  const hasher = new Bun.CryptoHasher("sha256");
  const chunk = new Uint8Array(CHUNK_BYTES);
  const file = openSync(path, "r");
  try {
    for (let read = readSync(file, chunk); read > 0; read = readSync(file, chunk))
      hasher.update(chunk.subarray(0, read));
  } finally {
    closeSync(file);
  }
  return hasher.digest("hex");
}
