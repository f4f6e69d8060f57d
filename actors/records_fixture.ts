/**
 * Records for the tests of this room, packed as the log hands them out, and a seeded random.
 *
 * @module
 */
import { openRecords, type Records, RecordWriter } from "@weir/connectors";

/** How a stretch of records is made; offsets count from `from`, times from `timeMs` in steps of a millisecond. */
export interface Made {
  readonly from?: number;
  readonly partition?: number;
  readonly timeMs?: number;
  /** The offset after the last one, where the log skips some. */
  readonly next?: number;
}

/** Packs values as one read of the log; null is a tombstone. */
export function recordsOf(values: readonly (string | Uint8Array | null)[], made: Made = {}): Records {
  const { from = 0, partition = 0, timeMs = 1_000 + from } = made;
  const writer = new RecordWriter();
  for (const [index, value] of values.entries()) {
    writer.add({
      key: (from + index) % 2 === 0 ? null : Buffer.from(`key ${from + index}`),
      value: typeof value === "string" ? Buffer.from(value) : value,
      timestampMs: timeMs + index,
    });
  }
  const run = { firstOffset: from, count: values.length, start: 0, end: writer.length };
  const next = made.next ?? from + values.length;
  return openRecords({ topic: "t", partition, next }, writer.packed(), values.length === 0 ? [] : [run]);
}

/** Packs `count` small records, each the JSON text of its own offset. */
export function numbered(count: number, made: Made = {}): Records {
  return recordsOf(
    Array.from({ length: count }, (_, index) => JSON.stringify({ n: (made.from ?? 0) + index })),
    made,
  );
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
