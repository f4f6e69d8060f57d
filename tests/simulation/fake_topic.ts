/**
 * A fake topic: records in memory, at offsets with gaps, until they are compacted away or the topic is deleted.
 *
 *   append ──▶ partition: records · gaps (control records) ──compact──▶ fewer records, the same offsets
 *
 * Each record remembers what the warehouse owes it: exactly one row, unless the
 * log itself lost it before its position was committed.
 *
 * @module
 */
import { openRecords, type PackedRun, type Records, RecordWriter, releasable } from "@weir/connectors";
import type { World } from "./world.ts";

/** One record; its value is unique in the world. */
export interface Stored {
  readonly offset: number;
  readonly value: string;
  readonly timestampMs: number;
  /** Compacted away: nobody can read it any more. */
  gone: boolean;
  /** It must have become exactly one row or quarantined record in the end; otherwise it may have. */
  owed: boolean;
}

/** One partition of one topic. */
export class FakePartition {
  readonly records: Stored[] = [];
  /** Offset of what is appended next. */
  latest = 0;
  /** The furthest position that was ever committed here. */
  committed = 0;

  /** Appends a record, sometimes followed by an offset that holds none. */
  append(world: World, value: string): void {
    this.records.push({ offset: this.latest, value, timestampMs: world.nowMs, gone: false, owed: true });
    this.latest += world.chance(0.03) ? 2 : 1;
  }

  /** At most `recordsMax` records from `offset`. */
  read(topic: string, at: { partition: number; offset: number; recordsMax: number }): Records {
    const writer = new RecordWriter();
    const runs: PackedRun[] = [];
    let next = this.latest;
    for (const record of this.records.slice(this.#indexOf(at.offset))) {
      if (record.gone) continue;
      if (writer.count === at.recordsMax) {
        next = (runs.at(-1) as PackedRun).firstOffset + (runs.at(-1) as PackedRun).count;
        break;
      }
      const { offset, value, timestampMs } = record;
      const start = writer.length;
      writer.add({ key: null, value: Buffer.from(value), timestampMs });
      const run = runs.at(-1);
      if (run !== undefined && run.firstOffset + run.count === offset)
        runs[runs.length - 1] = { ...run, count: run.count + 1, end: writer.length };
      else runs.push({ firstOffset: offset, count: 1, start, end: writer.length });
    }
    // Its memory is its own: whoever reads on in what was released is noticed.
    return releasable(openRecords({ topic, partition: at.partition, next }, writer.packed(), runs), { bytes: true });
  }

  /** Compacts some of the newest records away. */
  compact(world: World): void {
    for (const record of this.records.slice(-20)) if (world.chance(0.3)) this.#lose(record, true);
  }

  /** True if a record of [from, to) was compacted away. */
  isHoled({ from, to }: { from: number; to: number }): boolean {
    return this.records.some(({ offset, gone }) => gone && offset >= from && offset < to);
  }

  /** True if a record can be read at exactly this offset. */
  has(offset: number): boolean {
    const record = this.records[this.#indexOf(offset)];
    return record?.offset === offset && !record.gone;
  }

  /** The topic is deleted. */
  end(): void {
    for (const record of this.records) this.#lose(record, record.gone);
  }

  /** What was committed before stays owed. */
  #lose(record: Stored, gone: boolean): void {
    record.gone = gone;
    record.owed &&= record.offset < this.committed;
  }

  /** Index of the first record at `offset` or behind it. */
  #indexOf(offset: number): number {
    let low = 0;
    let high = this.records.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.records[middle].offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
