/**
 * What the embedded log's main thread and its two Workers say to each other.
 *
 *   appends · groups · layer ──WriterCalls──▶ writer.ts ──commits──▶ log.db
 *   reads                    ──ReaderCalls──▶ reader.ts ◀──reads───── log.db
 *
 * Calls are `[id, name, body]`, answers `[id, failure | undefined, answer]`;
 * id 0 is a notice which nobody asked for. Everything here survives a
 * structured clone; buffers are transferred, never cloned.
 *
 * @module
 */
import type { Appended, CopiedLog, LogFailed, Retention } from "../log.ts";
import type { PackedRun } from "../records.ts";

/** What the layer is told; every bound has its default in `layer.ts`. */
export interface SqliteLogOptions {
  /** The data directory; made when it is missing. */
  readonly dir: string;
  /** Bytes that may wait for the disk before appends are refused; 64 MiB. */
  readonly pendingBytesMax?: number;
  /** How often retention looks for records to remove; 30 s. */
  readonly retentionEveryMs?: number;
  /** How long a revoked member may take to release its partitions before it is fenced; 60 s. */
  readonly releaseMsMax?: number;
  /** How long an idempotency key is kept at least; 24 h. */
  readonly onceMsMin?: number;
  /** Blocks this long after each commit, to feel like a slower disk; for benchmarks. */
  readonly fsyncDelayMs?: number;
  /** Pages the file may have, to feel like a full disk; for tests. */
  readonly pagesMax?: number;
}

/** What a Worker needs in order to open the file. */
export interface OpenCall {
  readonly file: string;
  readonly retentionEveryMs: number;
  readonly onceMsMin: number;
  readonly fsyncDelayMs: number;
  readonly pagesMax: number | undefined;
}

/** A partition as the file has it; `key` is its number there, never used again. */
export interface StoredPartition {
  readonly key: number;
  readonly partition: number;
  readonly earliest: number;
  readonly latest: number;
}

/** A topic as the file has it, partitions ascending from 0. */
export interface StoredTopic {
  readonly id: string;
  readonly name: string;
  readonly retention: Retention;
  readonly partitions: readonly StoredPartition[];
}

/** Numbers per blob in `GroupCommit.blobs`: slot, start, end, count, newestMs, index into `once` or -1. */
export const BLOB_NUMBERS = 6;

/** One append of the group that must happen once. */
export interface OnceEntry {
  readonly key: string;
  readonly fingerprint: string;
  readonly answer: string;
  /** Where its writes are: their slot, and how many records (in the order of the writes). */
  readonly writes: readonly { topic: string; partition: number; slot: number; count: number }[];
}

/** A committed position on its way into the file. */
export interface StoredCommit {
  readonly group: string;
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  readonly metadata: string;
}

/** Everything that becomes durable with one fsync; flat, because cloning objects costs more than the records. */
export interface GroupCommit {
  /** All packed records, slot after slot. */
  readonly bytes: Uint8Array;
  /** The partition's key of each slot. */
  readonly keys: readonly number[];
  /** How the bytes are cut, ascending in each slot; see BLOB_NUMBERS. */
  readonly blobs: readonly number[];
  readonly once: readonly OnceEntry[];
  readonly commits: readonly StoredCommit[];
}

/** What became of one `OnceEntry`. */
export type OnceVerdict =
  | { readonly kind: "appended" | "repeated"; readonly appended: readonly Appended[]; readonly answer: string }
  | { readonly kind: "reused" };

/** Per slot the first offset and the partition's new latest; per once entry its verdict. */
export interface GroupCommitted {
  readonly bases: readonly number[];
  readonly latests: readonly number[];
  readonly once: readonly OnceVerdict[];
}

/** A call with its question and its answer. */
interface Call<Ask, Answer> {
  readonly ask: Ask;
  readonly answer: Answer;
}

/** What the writing Worker does. Administrative calls answer with the whole catalog. */
export interface WriterCalls {
  readonly open: Call<OpenCall, readonly StoredTopic[]>;
  readonly commit: Call<GroupCommit, GroupCommitted>;
  readonly createTopic: Call<{ name: string; partitions: number; retention: Retention }, readonly StoredTopic[]>;
  readonly alterTopic: Call<{ name: string; partitions: number; retention: Retention }, readonly StoredTopic[]>;
  /** Looks at the name only. */
  readonly deleteTopic: Call<{ name: string; partitions: number; retention: Retention }, readonly StoredTopic[]>;
  readonly nextGeneration: Call<undefined, number>;
  readonly committed: Call<{ group: string; topicId: string }, readonly StoredCommit[]>;
  readonly retain: Call<undefined, undefined>;
  /** Whether the WAL may grow without bound for a while: a copy reads beside it. */
  readonly keepWal: Call<boolean, undefined>;
  readonly close: Call<undefined, undefined>;
}

/** Packed records from the file, or the range which the partition really holds. */
export type ReadAnswer =
  | { readonly kind: "records"; readonly bytes: Uint8Array; readonly runs: readonly PackedRun[]; readonly next: number }
  | { readonly kind: "gap"; readonly earliest: number; readonly latest: number };

/** What the reading Worker does. */
export interface ReaderCalls {
  readonly open: Call<OpenCall, undefined>;
  readonly read: Call<{ key: number; offset: number; recordsMax: number; bytesMax: number }, ReadAnswer>;
  readonly close: Call<undefined, undefined>;
}

/** What the copying Worker says, in this order. */
export type CopyNotice =
  | { readonly kind: "begun" }
  | { readonly kind: "copied"; readonly copied: CopiedLog }
  | { readonly kind: "failed"; readonly failure: Failure };

/** Partitions whose oldest records were removed: `[key, earliest]` each. */
export interface Trimmed {
  readonly trimmed: readonly (readonly [key: number, earliest: number])[];
}

/** A LogFailed as it crosses the threads. */
export type Failure = Pick<LogFailed, "reason" | "message" | "retriable">;
