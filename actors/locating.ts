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
import { decodeMark, type LastRecord } from "./intent.ts";
import { Ledger } from "./ledger.ts";
import { counting, epochOf, type LedgerPosition, type Located, lastKnown, locate, topicHash } from "./position.ts";
import { isUnreadable, UNREADABLE_RETRY } from "./unreadable.ts";

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
  /** The newest that anybody has entered. */
  readonly epoch: number;
  readonly located: Located;
  /** The topic that has the name now. */
  readonly topicNow: number | undefined;
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
  const topicNow = yield* topicNamed(topic);
  const epochNow = newestFor(topicNow, { commits, positions });
  return yield* Effect.forEach(partitions ?? ranges.map((range) => range.partition), (partition) =>
    Effect.gen(function* () {
      const commit = commits.find((one) => one.partition === partition);
      const range = ranges.find((one) => one.partition === partition);
      if (range === undefined) {
        const message = `Cannot find ${topic}/${partition} in the log, although it is assigned.`;
        return yield* new LogFailed({ reason: "unavailable", message, retriable: false });
      }
      const newestKept = positions.find((one) => one.partition === partition);
      const position = counting(commit, { ledger: newestKept, latest: range.latest });
      const last = lastKnown(commit, position);
      const held =
        last && (yield* Effect.catchIf(recordAt({ topic, offset: last.offset }, range), isUnreadable, Effect.succeed));
      const located: Located =
        held instanceof LogFailed
          ? { kind: "stopped", partition, note: held.message }
          : locate({ topic, commit, ledger: position, newest, range, held, topicNow, epochNow });
      const epoch = epochOf(commit, newestKept);
      return { range, commit, ledger: position, epoch, located, topicNow } satisfies PartitionAt as PartitionAt;
    }),
  );
});

/** The newest epoch that is known to be of a topic; undefined if none is. */
function newestFor(
  topic: number | undefined,
  { commits, positions }: { readonly commits: readonly Commit[]; readonly positions: readonly LedgerPosition[] },
): number | undefined {
  const known = [...commits.flatMap(({ metadata }) => decodeMark(metadata) ?? []), ...positions];
  const epochs = known.filter((at) => topic !== undefined && at.topic === topic).map(({ epoch }) => epoch);
  return epochs.length === 0 ? undefined : Math.max(...epochs);
}

/** The topic that has a name now; undefined if none has. */
const topicNamed = Effect.fnUntraced(function* (name: string): Effect.fn.Return<number | undefined, LogFailed, Log> {
  const log = yield* Log;
  const found = yield* log.topic(name);
  return found && topicHash(found.id);
});

/**
 * The positions of epochs that nothing has landed in: to be in the ledger before the first batch is announced. An insert
 * that comes late, from a topic that is gone, then lies in an epoch that the next topic of that name does not take.
 */
export function entered(all: readonly PartitionAt[]): readonly LedgerPosition[] {
  return all.flatMap(({ located, commit, ledger, topicNow }) => {
    if (located.kind === "stopped" || located.last !== undefined || located.intent !== undefined) return [];
    const { partition, epoch, offset } = located;
    return commit !== undefined || ledger?.epoch === epoch || topicNow === undefined
      ? []
      : [{ partition, epoch, next: offset, last: undefined, topic: topicNow }];
  });
}

/** The record at an offset; undefined if the log has none there, or no longer. */
export const recordAt = Effect.fnUntraced(function* (
  at: { readonly topic: string; readonly offset: number },
  { partition, earliest, latest }: OffsetRange,
): Effect.fn.Return<LastRecord | undefined, LogFailed | OffsetGap, Log> {
  if (at.offset < earliest || at.offset >= latest) return undefined;
  const log = yield* Log;
  const one = log.read({ ...at, partition, recordsMax: 1, bytesMax: 1, waitMs: 0 });
  const away = { while: (error: LogFailed | OffsetGap) => error._tag === "LogFailed" && error.retriable };
  const records = yield* one.pipe(Effect.retry({ ...away, schedule: AWAY_RETRY }), Effect.retry(UNREADABLE_RETRY));
  // What stands behind a gap is another record.
  if (records.count === 0 || records.offsets[0] !== at.offset) return undefined;
  return { offset: records.offsets[0], timestampMs: records.timestamps[0], crc: recordCrc(records, 0) };
});
