/**
 * Locating: what log and ledger say of a topic's partitions, asked and put together.
 *
 *   Log: commits, offsets, the last record ─┐
 *   Ledger: positions ──────────────────────┴──locate()──▶ where each partition goes on, or why not
 *
 * Asking changes nothing and needs no ownership: an owner does before it reads,
 * and an operator may at any time.
 *
 * @module
 */
import { type Commit, Log, LogFailed, type OffsetGap, type OffsetRange, recordCrc } from "@weir/connectors";
import { Effect } from "effect";
import { AWAY_RETRY } from "./away_retry.ts";
import type { LastRecord } from "./intent.ts";
import { Ledger } from "./ledger.ts";
import { epochOf, type LedgerPosition, type Located, lastKnown, locate } from "./position.ts";

/** Whose partitions are meant. */
export interface LocatedOf {
  readonly group: string;
  readonly topic: string;
  /** The target as the ledger names it: `ods.flight`. */
  readonly statement: string;
}

/** One partition: what is known of it, and what follows from that. */
export interface PartitionAt {
  readonly range: OffsetRange;
  readonly commit: Commit | undefined;
  readonly ledger: LedgerPosition | undefined;
  readonly epoch: number;
  readonly located: Located;
}

/** Looks at partitions of a topic, all of them unless told which. */
export const locateAll = Effect.fnUntraced(function* (
  { group, topic, statement }: LocatedOf,
  partitions?: readonly number[],
) {
  const log = yield* Log;
  const ledger = yield* Ledger;
  const [commits, positions, ranges] = yield* Effect.all([
    log.committed({ group, topic }),
    ledger.positions(statement),
    log.offsets(topic),
  ]);
  const newest = positions.reduce((epoch, position) => Math.max(epoch, position.epoch), 0);
  return yield* Effect.forEach(partitions ?? ranges.map((range) => range.partition), (partition) =>
    Effect.gen(function* () {
      const commit = commits.find((one) => one.partition === partition);
      const position = positions.find((one) => one.partition === partition);
      const range = ranges.find((one) => one.partition === partition);
      if (range === undefined) {
        const message = `Cannot find ${topic}/${partition} in the log, although it is assigned.`;
        return yield* new LogFailed({ reason: "unavailable", message, retriable: false });
      }
      const last = lastKnown(commit, position);
      const held = last === undefined ? undefined : yield* recordAt({ topic, offset: last.offset }, range);
      const located = locate({ topic, commit, ledger: position, newest, range, held });
      const at: PartitionAt = { range, commit, ledger: position, epoch: epochOf(commit, position), located };
      return at;
    }),
  );
});

/** The record at an offset; undefined if the log has none there, or no longer. */
export const recordAt = Effect.fnUntraced(function* (
  at: { readonly topic: string; readonly offset: number },
  { partition, earliest, latest }: OffsetRange,
): Effect.fn.Return<LastRecord | undefined, LogFailed | OffsetGap, Log> {
  if (at.offset < earliest || at.offset >= latest) return undefined;
  const log = yield* Log;
  const one = log.read({ ...at, partition, recordsMax: 1, bytesMax: 1, waitMs: 0 });
  const records = yield* Effect.retry(one, {
    while: (error) => error._tag === "LogFailed" && error.retriable,
    schedule: AWAY_RETRY,
  });
  // What stands behind a gap is another record.
  if (records.count === 0 || records.offsets[0] !== at.offset) return undefined;
  return { offset: records.offsets[0], timestampMs: records.timestamps[0], crc: recordCrc(records, 0) };
});
