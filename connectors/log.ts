/**
 * The port `Log`: where every event waits, durable and in order per partition.
 *
 *   web/ingest ──append──▶ topic · partition · offset ──read──▶ actors/partition
 *                                  commit(group, offset + metadata) ◀── actors/table
 *
 * What every implementation must hold (`log_contract.ts` is the judge): an
 * append answers only after it is durable; a read below the earliest offset
 * fails loudly; a commit counts only under the generation that owns the partition.
 * Offsets are integers below 2^53; times are milliseconds since 1970.
 *
 * @module
 */
import { Context, Data, type Effect, type Queue, type Scope } from "effect";
import type { Records, RecordWriter } from "./records.ts";

/** The log refused a call. `retriable` says whether the same call can succeed later. */
export class LogFailed extends Data.TaggedError("LogFailed")<{
  readonly reason: "disk full" | "unknown topic" | "topic exists" | "unavailable" | "fenced" | "invalid" | "damaged";
  readonly message: string;
  readonly retriable: boolean;
  readonly cause?: unknown;
}> {}

/** A read asked for records which retention has removed, or for offsets which do not exist yet: never skipped in silence. */
export class OffsetGap extends Data.TaggedError("OffsetGap")<{
  readonly topic: string;
  readonly partition: number;
  readonly asked: number;
  readonly earliest: number;
  readonly latest: number;
}> {}

/** An `Idempotency-Key` came back with other content: nothing was appended. */
export class KeyReused extends Data.TaggedError("KeyReused")<{ readonly key: string }> {}

/** What a topic keeps. The oldest records go first; undefined keeps without that bound. */
export interface Retention {
  readonly ageMsMax?: number;
  /** Bound of each partition, in packed bytes. */
  readonly bytesMax?: number;
}

/** A topic to create, or as it is. */
export interface Topic {
  readonly name: string;
  readonly partitions: number;
  readonly retention: Retention;
}

/** A topic as it is; `id` is new whenever the topic is created anew. */
export interface TopicInfo extends Topic {
  readonly id: string;
}

/** Bounds of what a partition holds: records [earliest, latest). */
export interface OffsetRange {
  readonly partition: number;
  readonly earliest: number;
  readonly latest: number;
}

/** Packed records for one partition. */
export interface Write {
  readonly topic: string;
  readonly partition: number;
  readonly records: RecordWriter;
  /** Beside `once`: the index of each record in the request that brought it; its place in this write by default. */
  readonly indexes?: readonly number[];
}

/** For how long an append that happens once is known at least. */
export const ONCE_MS: number = 24 * 3_600_000;

/**
 * Makes an append happen once, in one of two ways:
 *
 * - A log that keeps keys does it itself: the key is kept in the append's own transaction for at least ONCE_MS. A repeat
 *   appends nothing and is answered with `repeated`.
 * - Any other log appends the repeat too, as a whole, and is none the wiser. Every record carries key, fingerprint and
 *   its index in a header (`once_header.ts`), and whoever lands the records drops those that came before, by their own
 *   time within ONCE_MS. That holds if the repeat puts them into the same partitions. So an append that failed half
 *   way is made whole by its repeat, and none of its records is stored twice.
 */
export interface Once {
  /** Unique per caller's scope, for example source and `Idempotency-Key`. */
  readonly key: string;
  /**
   * Hash of the content. The same key with another fingerprint is refused with KeyReused, or, where the log keeps no
   * keys, not taken for a repeat: a record whose key and index came before with another one is quarantined.
   */
  readonly fingerprint: string;
  /** What the first append answered, returned to every repeat by a log that keeps keys; at most 1 MiB. */
  readonly answer: string;
}

/** Where an append's records went; those of others may lie between them. */
export interface Appended {
  readonly topic: string;
  readonly partition: number;
  /** The offset of the first record. */
  readonly first: number;
  /** The offset behind the last one. */
  readonly next: number;
  readonly count: number;
}

/**
 * The answer to an append; `repeated` means that `once.key` was known and nothing was appended now. A log that keeps no
 * keys never says so.
 */
export interface AppendReceipt {
  readonly appended: readonly Appended[];
  readonly repeated: boolean;
  /** `once.answer` of the append which stored the records. */
  readonly answer?: string;
}

/**
 * Where to read and how much: at least one record if there is one, `waitMs` for the first (long poll). Records that were
 * appended together may come together, past `bytesMax`.
 */
export interface ReadAt {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly recordsMax: number;
  readonly bytesMax: number;
  readonly waitMs: number;
}

/** One partition's committed position: `offset` is the next to read. */
export interface Commit {
  readonly partition: number;
  readonly offset: number;
  /** At most 4,096 bytes, as on Kafka. */
  readonly metadata: string;
}

/** One partition's answer to a commit: undefined is success. */
export interface CommitAnswer {
  readonly partition: number;
  readonly error: "fenced" | "not owned" | "metadata too large" | undefined;
}

/**
 * What the group tells a member. `assigned` carries what the member owns from
 * now on; on `revoked` it must finish, then call `released`.
 */
export type MembershipEvent =
  | { readonly kind: "assigned"; readonly generation: number; readonly partitions: readonly number[] }
  | { readonly kind: "revoked"; readonly generation: number; readonly partitions: readonly number[] };

/** How a member takes part in its group. */
export interface JoinOptions {
  /**
   * Takes every partition of the topic, once the others have released theirs, and keeps them until it leaves: members
   * that come later wait, and a second one that wants them all waits for the first. `revoked` says that it lost them.
   */
  readonly exclusive?: boolean;
}

/** One member of a consumer group of one topic; leaving is closing the scope. */
export interface Membership {
  readonly events: Queue.Dequeue<MembershipEvent>;
  /** Answers a `revoked` event: these partitions are no longer worked on here. */
  readonly released: (partitions: readonly number[]) => Effect.Effect<void>;
  /** Until when nobody else can own what this member owns now, by this machine's clock; -Infinity if it owns nothing. */
  readonly heldUntilMs: () => number;
}

/** Who owns what of a topic, as its group's coordinator says. */
export interface Member {
  /** Where it runs, as it called itself. */
  readonly name: string;
  readonly partitions: readonly number[];
}

/** A copy of the log that has begun: it will hold what was durable then, and nothing later. */
export interface LogCopy {
  /** Resolves once the copy is whole. */
  readonly finish: Effect.Effect<CopiedLog, LogFailed>;
}

/** The file of a whole copy. */
export interface CopiedLog {
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
  /** What it holds of each topic. */
  readonly topics: Readonly<Record<string, readonly OffsetRange[]>>;
}

/** Where every event waits, durable and in order per partition. */
export class Log extends Context.Service<
  Log,
  {
    /** Whether other processes may work on this log at the same time. */
    readonly isShared: boolean;
    readonly createTopic: (topic: Topic) => Effect.Effect<TopicInfo, LogFailed>;
    readonly deleteTopic: (name: string) => Effect.Effect<void, LogFailed>;
    /** A topic as it is now; undefined if there is none of that name. */
    readonly topic: (name: string) => Effect.Effect<TopicInfo | undefined, LogFailed>;
    /** Changes retention, and grows the number of partitions (it never shrinks). */
    readonly alterTopic: (topic: Topic) => Effect.Effect<TopicInfo, LogFailed>;
    readonly offsets: (topic: string) => Effect.Effect<readonly OffsetRange[], LogFailed>;
    /** Whether the log knows the keys of appends itself: see Once. */
    readonly keepsKeys: boolean;
    /**
     * Appends all writes or none; answers when they are durable. Kafka knows no such append over several partitions:
     * there, one that fails may have stored a part, which its repeat with the same `once` makes whole if it can succeed.
     */
    readonly append: (writes: readonly Write[], once?: Once) => Effect.Effect<AppendReceipt, LogFailed | KeyReused>;
    readonly read: (at: ReadAt) => Effect.Effect<Records, LogFailed | OffsetGap>;
    readonly join: (
      group: string,
      topic: string,
      options?: JoinOptions,
    ) => Effect.Effect<Membership, LogFailed, Scope.Scope>;
    /** The members of a group now. */
    readonly members: (of: {
      readonly group: string;
      readonly topic: string;
    }) => Effect.Effect<readonly Member[], LogFailed>;
    /** Commits several partitions at once, under the generation that owns them; looks at each answer are the caller's. */
    readonly commit: (
      of: { readonly group: string; readonly topic: string; readonly generation: number },
      commits: readonly Commit[],
    ) => Effect.Effect<readonly CommitAnswer[], LogFailed>;
    /** The commits of a group; partitions without one are absent. */
    readonly committed: (of: {
      readonly group: string;
      readonly topic: string;
    }) => Effect.Effect<readonly Commit[], LogFailed>;
    /** Bytes that the log takes on the disk of this machine; undefined where it is kept by others. */
    readonly diskBytes: Effect.Effect<number | undefined>;
    /**
     * Begins a copy of everything, records and commits, as of this moment, into a new file that the same kind of log can
     * be opened on. LogFailed("invalid") where the log is kept by others, who also back it up.
     */
    readonly copy: (file: string) => Effect.Effect<LogCopy, LogFailed, Scope.Scope>;
  }
>()("weir/connectors/Log") {}
