/**
 * Kafka's default partitioner: murmur2 over the key's bytes, so that a key lands in the
 * same partition whether the embedded log, Kafka or another producer chooses it.
 *
 *   key bytes ──murmur2──▶ 32 bits ──toPositive──▶ % partitions
 *
 * Source: org.apache.kafka.common.utils.Utils.murmur2 (seed 0x9747b28c). Works on a
 * slice in place, without allocation.
 *
 * @module
 */
const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;

/** The signed 32-bit murmur2 of `bytes[start, end)`, as Kafka's `Utils.murmur2` returns it. */
export function murmur2(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const length = end - start;
  let hash = SEED ^ length;
  let at = start;
  for (const last = end - 3; at < last; at += 4) {
    let word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    word = Math.imul(word, MULTIPLIER);
    word ^= word >>> 24;
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word, MULTIPLIER);
  }
  const tail = end - at;
  if (tail === 3) hash ^= bytes[at + 2] << 16;
  if (tail >= 2) hash ^= bytes[at + 1] << 8;
  if (tail >= 1) hash = Math.imul(hash ^ bytes[at], MULTIPLIER);
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}

/** The partition of a key, as Kafka's default partitioner chooses it: `toPositive(murmur2(key)) % partitions`. */
export function partitionOf(bytes: Uint8Array, at: { start: number; end: number; partitions: number }): number {
  return (murmur2(bytes, at.start, at.end) & 0x7fffffff) % at.partitions;
}
