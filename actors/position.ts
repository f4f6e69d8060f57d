/**
 * Positions: where an owner goes on, from everything that is known.
 *
 *   commit (log) ─┐
 *   ledger (warehouse) ─┼─▶ place: go on here, recover this intent first · or stopped, with the reason
 *   what the log holds ─┘
 *
 * Pure. Positions and epochs never decrease: group offsets expire and logs are
 * recreated, the ledger stays. When the facts do not fit, a partition stops
 * and says so; it never guesses.
 *
 * @module
 */
import type { Commit, OffsetRange } from "@weir/connectors";
import { decodeMark, type Intent, type LastRecord } from "./intent.ts";

/** What the warehouse remembers of a partition: every batch up to here has its marker. */
export interface LedgerPosition {
  readonly partition: number;
  readonly epoch: number;
  readonly next: number;
  /** Undefined where an operator put the position, or where an epoch begins: no record stands before it. */
  readonly last: LastRecord | undefined;
  /** Without a last record: which topic of that name the epoch is of, see `topicHash`; undefined if nobody knows. */
  readonly topic?: number | undefined;
}

/** Records that are gone: [from, to). */
export interface Gap {
  readonly partition: number;
  readonly epoch: number;
  readonly from: number;
  /** The first offset that is there. */
  readonly to: number;
  /** The last record that landed before it. */
  readonly last: LastRecord | undefined;
}

/** Where to go on. */
export interface Place {
  readonly kind: "place";
  readonly partition: number;
  readonly offset: number;
  readonly epoch: number;
  /** The topic that has the name now; undefined if nobody knows. */
  readonly topic?: number | undefined;
  readonly last: LastRecord | undefined;
  /** To be recovered before anything is read. */
  readonly intent: Intent | undefined;
  /** Until when an insert of an owner that was lost may still come; undefined if none can. */
  readonly lateUntilMs?: number | undefined;
}

/** A partition that must not go on. */
export interface Stopped {
  readonly kind: "stopped";
  readonly partition: number;
  readonly note: string;
  /** What an operator may accept as lost, so that it goes on; undefined where only a reset helps. */
  readonly gap?: Gap;
}

export type Located = Place | Stopped;

/** What is known about one partition. `held` is the record that the log has at exactly `last.offset` now, if it still has one. */
export interface Known {
  readonly topic: string;
  readonly commit: Commit | undefined;
  readonly ledger: LedgerPosition | undefined;
  /** The newest epoch that any partition of the topic has in the ledger; 0 for none. */
  readonly newest: number;
  readonly range: OffsetRange;
  readonly held: LastRecord | undefined;
  /** The topic that has the name now. */
  readonly topicNow?: number | undefined;
  /** The newest epoch that any partition is known to have entered for the topic that has the name now. */
  readonly epochNow?: number | undefined;
}

/** A topic's id as a number from 1 to 2^32 - 1, by which one is told from another of the same name. */
export const topicHash = (id: string): number => Bun.hash.crc32(id) || 1;

/**
 * The last record that the position stands behind, by commit or ledger, whichever is further; undefined at the begin of an
 * epoch, when only an older one has a last record.
 */
export function lastKnown(commit: Commit | undefined, ledger: LedgerPosition | undefined): LastRecord | undefined {
  const mark = commit && decodeMark(commit.metadata);
  if (commit === undefined || mark === undefined) return ledger?.last;
  if (ledger === undefined || mark.epoch > ledger.epoch) return mark.last;
  const isFurther = ledger.epoch > mark.epoch || ledger.next > commit.offset;
  return isFurther ? ledger.last : (mark.last ?? ledger.last);
}

/**
 * The ledger's position as far as it counts beside a commit. Whoever looks enters an epoch, the owner of a moment ago as
 * well, and perhaps another one: once the topic has a commit, that says in which epoch its batches are.
 */
export function counting(
  commit: Commit | undefined,
  { ledger, latest }: { readonly ledger: LedgerPosition | undefined; readonly latest: number },
): LedgerPosition | undefined {
  const isCommitted = commit !== undefined && decodeMark(commit.metadata) !== undefined && commit.offset <= latest;
  return isCommitted && ledger?.topic !== undefined ? undefined : ledger;
}

/** Decides where the owner of one partition goes on. */
export function locate({ topic, commit, ledger, newest, range, held, topicNow, epochNow }: Known): Located {
  const { partition, earliest, latest } = range;
  const mark = commit && decodeMark(commit.metadata);
  const last = lastKnown(commit, ledger);
  const epoch = epochOf(commit, ledger);
  const known = Math.max(
    mark !== undefined && mark.epoch < epoch ? 0 : (commit?.offset ?? 0),
    ledger !== undefined && ledger.epoch === epoch ? ledger.next : 0,
  );
  const isOpen = mark?.intent !== undefined && mark.epoch === epoch && known <= endOf(mark.intent, partition);
  const intent = isOpen ? mark.intent : undefined;
  const stop = (note: string): Stopped => ({ kind: "stopped", partition, note });
  const begun = (entered: number): Place => ({
    ...{ kind: "place", partition, offset: earliest, epoch: entered, topic: topicNow },
    ...{ last: undefined, intent: undefined },
  });
  const isLost = known > latest || (last !== undefined && held !== undefined && !sameRecord(last, held));
  // Without a commit an epoch that was entered tells which topic it is of.
  const isEntered = mark === undefined && last === undefined;
  const committedFor = mark?.topic ?? (isEntered ? ledger?.topic : undefined);
  const isOfAnother = committedFor !== undefined && topicNow !== undefined && committedFor !== topicNow;
  if (isLost && mark?.topic !== undefined && mark.topic === topicNow) {
    return stop(
      `Cannot go on with ${topic}/${partition}: the log ends at ${latest} or has other records now, although those before ${known} had landed: it lost what it had acknowledged. Compare the table with its producers, then reset the position: weir position --help.`,
    );
  }
  const recreated = isOfAnother || isLost;
  if (recreated && intent !== undefined) {
    return stop(
      `Cannot go on with ${topic}/${partition}: the topic was created anew while a batch was open. Compare the table with its producers, then reset the position: weir position --help.`,
    );
  }
  if (recreated) {
    // The epoch that its other partitions have entered already, by whoever owns them.
    const next = epochNow !== undefined && epochNow > epoch ? epochNow : Math.max(epoch, newest) + 1;
    return begun(next);
  }
  // A topic takes its group's commits with it, so whoever still has one looks at the same topic, compacted meanwhile.
  const isGone = last !== undefined && held === undefined && last.offset >= earliest && last.offset < latest;
  if (isGone && mark === undefined) {
    return stop(
      `Cannot go on with ${topic}/${partition}: record ${last.offset}, the last one that landed, is gone, and so are the commits; a compacted topic looks like one created anew then. Compare the table with its producers, then reset the position: weir position --help.`,
    );
  }
  const offset = intent === undefined ? known : (commit as Commit).offset;
  // A partition that was added is in the epoch of the others.
  if (commit === undefined && ledger === undefined) return begun(Math.max(epoch, epochNow ?? newest));
  if (offset < earliest && intent !== undefined) {
    return stop(
      `Cannot go on with ${topic}/${partition}: records ${offset} to ${earliest - 1} are no longer in the log, and a batch of them was announced, which may have landed. Raise its retention; then reset the position: weir position --help.`,
    );
  }
  if (offset < earliest) {
    const gap = { partition, epoch, from: offset, to: earliest, last };
    return { ...stop(gapNote(topic, gap)), gap };
  }
  return { kind: "place", partition, offset, epoch, topic: topicNow, last, intent, lateUntilMs: mark?.lateUntilMs };
}

/** What an operator is told of a gap. */
export function gapNote(topic: string, { partition, from, to }: Pick<Gap, "partition" | "from" | "to">): string {
  return `Cannot go on with ${topic}/${partition}: records ${from} to ${to - 1} are no longer in the log. Raise its retention; weir position <source> --accept-gap accepts them as lost.`;
}

/** The epoch that a partition is in, as far as commit and ledger know; 1 for a new one. */
export function epochOf(commit: Commit | undefined, ledger: LedgerPosition | undefined): number {
  return Math.max((commit && decodeMark(commit.metadata)?.epoch) ?? 1, ledger?.epoch ?? 1);
}

/** Where an intent's range of a partition ends; a ledger that is further has seen it finished. */
function endOf({ ranges }: Intent, partition: number): number {
  return ranges.find((range) => range.partition === partition)?.to ?? Number.POSITIVE_INFINITY;
}

function sameRecord(one: LastRecord, other: LastRecord): boolean {
  return one.offset === other.offset && one.timestampMs === other.timestampMs && one.crc === other.crc;
}
