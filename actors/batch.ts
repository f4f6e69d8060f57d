/**
 * A batch: the records of several partitions that become one insert.
 *
 *   partition 0 ─slices─┐
 *   partition 1 ─slices─┼─cut─▶ batch: one contiguous range per partition ─▶ one insert, one block
 *   partition 2 ─slices─┘
 *
 * Pure. A slice is a stretch of records as they were read; a cut may end inside
 * one. Ranges are contiguous and ascending, at most one per partition.
 *
 * @module
 */
import { crcOf, type Records, recordCrc } from "@weir/connectors";
import { type LastRecord, RANGES_MAX, type Range } from "./intent.ts";
import { shardOf } from "./shards.ts";

/** Upper bounds of a batch. The first one reached cuts it. */
export interface BatchLimits {
  readonly rowsMax: number;
  readonly bytesMax: number;
  /** Servers that rows are spread over: a batch goes to one of them. One if it is not said. */
  readonly shards?: number;
}

/** Records [start, end) of `records`, by index. */
export interface Slice {
  readonly records: Records;
  readonly start: number;
  readonly end: number;
}

/** What one partition has ready: `next` is the offset of the first record not yet cut. */
export interface Ready {
  readonly next: number;
  readonly slices: readonly Slice[];
}

/** One partition's part of a batch. */
export interface Part {
  readonly range: Range;
  readonly slices: readonly Slice[];
  readonly last: LastRecord;
}

/** The outcome of a cut: the parts, and what stays ready, the partitions that were left waiting first. */
export interface Cut {
  readonly parts: readonly Part[];
  readonly rest: ReadonlyMap<number, Ready>;
}

/** Bytes of records [start, end), framing included. */
export function bytesOf({ records, start, end }: Slice): number {
  return start === end ? 0 : records.valueEnds[end - 1] - records.keyEnds[start];
}

/** Rows ready in all partitions. */
export function rowsReady(ready: ReadonlyMap<number, Ready>): number {
  let rows = 0;
  for (const { slices } of ready.values()) for (const slice of slices) rows += slice.end - slice.start;
  return rows;
}

/** Bytes ready in all partitions. */
export function bytesReady(ready: ReadonlyMap<number, Ready>): number {
  let bytes = 0;
  for (const { slices } of ready.values()) for (const slice of slices) bytes += bytesOf(slice);
  return bytes;
}

/**
 * Cuts a batch off what is ready, each partition getting an equal share of what is left of the limits. With several
 * shards it is of the one whose partition was left waiting first.
 */
export function cut(ready: ReadonlyMap<number, Ready>, limits: BatchLimits): Cut {
  const rest = new Map(ready);
  const parts: Part[] = [];
  const waiting = waitingOf(ready, limits.shards ?? 1);
  let { rowsMax, bytesMax } = limits;
  for (const [index, [partition, from]] of waiting.entries()) {
    const sharers = waiting.length - index;
    const taken = takeFrom(from, { rowsMax: Math.ceil(rowsMax / sharers), bytesMax: Math.ceil(bytesMax / sharers) });
    if (taken.slices.length === 0) continue;
    const part = partOf({ partition, from: from.next, slices: taken.slices });
    rowsMax = Math.max(0, rowsMax - part.range.rows);
    bytesMax = Math.max(0, bytesMax - taken.bytes);
    parts.push(part);
    // To the end of the line: with more than RANGES_MAX partitions the others are cut first the next time.
    rest.delete(partition);
    rest.set(partition, { next: part.range.to, slices: taken.rest });
  }
  return { parts, rest };
}

/** The partitions of the next batch, ascending. */
function waitingOf(ready: ReadonlyMap<number, Ready>, shards: number): readonly (readonly [number, Ready])[] {
  const filled = [...ready].filter(([, { slices }]) => slices.length > 0);
  const [first] = filled;
  if (first === undefined) return [];
  const shard = shardOf(first[0], shards);
  const waiting = filled.filter(([partition]) => shardOf(partition, shards) === shard).slice(0, RANGES_MAX);
  return waiting.sort(([a], [b]) => a - b);
}

/** Makes the part for slices which together hold records [from, …) of one partition. */
export function partOf({
  partition,
  from,
  slices,
}: {
  partition: number;
  from: number;
  slices: readonly Slice[];
}): Part {
  let rows = 0;
  let crc = 0;
  for (const slice of slices) {
    rows += slice.end - slice.start;
    crc = crcOf(slice.records, slice, crc);
  }
  const { records, end } = slices[slices.length - 1];
  const index = end - 1;
  const to = end === records.count ? records.next : records.offsets[index] + 1;
  const last = {
    offset: records.offsets[index],
    timestampMs: records.timestamps[index],
    crc: recordCrc(records, index),
  };
  return { range: { partition, from, to, rows, crc }, slices, last };
}

function takeFrom(ready: Ready, limits: BatchLimits): { slices: Slice[]; rest: readonly Slice[]; bytes: number } {
  const slices: Slice[] = [];
  let bytes = 0;
  let rows = 0;
  for (const [index, slice] of ready.slices.entries()) {
    let end = Math.min(slice.end, slice.start + limits.rowsMax - rows);
    if (end <= slice.start) return { slices, rest: ready.slices.slice(index), bytes };
    if (bytes + bytesOf({ ...slice, end }) > limits.bytesMax)
      end = fitting(slice, { end, bytesMax: limits.bytesMax - bytes });
    // One record always goes, however large: a batch of one is within what the door admits.
    if (end === slice.start && slices.length === 0) end = slice.start + 1;
    if (end > slice.start) slices.push({ ...slice, end });
    rows += end - slice.start;
    bytes += bytesOf({ ...slice, end });
    if (end < slice.end) return { slices, rest: [{ ...slice, start: end }, ...ready.slices.slice(index + 1)], bytes };
  }
  return { slices, rest: [], bytes };
}

/** The largest end, at most `end`, whose records fit into bytesMax. */
function fitting(slice: Slice, { end, bytesMax }: { end: number; bytesMax: number }): number {
  let low = slice.start;
  let high = end;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (bytesOf({ ...slice, end: middle }) <= bytesMax) low = middle;
    else high = middle - 1;
  }
  return low;
}
