/**
 * What a table actor knows, hears and does: the vocabulary of `table_step.ts`.
 *
 *   TableMessage ──▶ stepTable(TableState) ──▶ TableState, TableAction …
 *
 * @module
 */
import type { Commit, MembershipEvent, OffsetGap, Records } from "@weir/connectors";
import { type BatchLimits, bytesReady, type Part, type Ready, rowsReady } from "./batch.ts";
import type { AgeLimits, LastLanding } from "./batch_age.ts";
import { announcedMs, encodeMark, type Intent, type LastRecord, sameCut } from "./intent.ts";
import type { Gap, Located, Place } from "./position.ts";
import type { Vitals } from "./runtime/registry.ts";

/** Every bound of the table actor. */
export interface TableLimits extends BatchLimits, AgeLimits {
  /** An insert that arrives later than this after its intent is refused by the warehouse. */
  readonly deadlineMs: number;
  /** First and longest pause before a delayed batch is announced again. */
  readonly retryMsMin: number;
  readonly retryMsMax: number;
  /** So long after its intent an insert is over whose owner was lost; 0 where inserts end with their owner's process. */
  readonly lateMs: number;
}

/** What a table actor is for; never changes while it lives. */
export interface TableSetup {
  /** Name of the target in tokens and in the ledger, for example `ods.flight`. */
  readonly statement: string;
  /** Catalog version for new batches. */
  readonly catalog: number;
  readonly limits: TableLimits;
}

/** One owned partition: where it stands and what is ready to be cut. */
export interface Owned {
  readonly epoch: number;
  /** The topic that it is a partition of, see `topicHash`. */
  readonly topic?: number | undefined;
  readonly last: LastRecord | undefined;
  /** The committed position; a batch moves it only if its range begins here, so it never goes backwards. */
  readonly committed: number;
  readonly ready: Ready;
  /** The batch that was found announced here, until it is finished or withdrawn. */
  readonly open?: Intent | undefined;
  /** Until when an insert of an owner that was lost may still come; undefined if none can. */
  readonly lateUntilMs?: number | undefined;
}

/** A batch under way. */
export interface Batch {
  readonly intent: Intent;
  readonly parts: readonly Part[];
  readonly token: string;
  readonly tries: number;
}

/** A batch's end: how many of its records became rows, how many were quarantined. */
export interface Landed {
  readonly stored: number;
  readonly quarantined: number;
  readonly tookMs: number;
}

/** The first record of a partition that does not fit, where that stops it. */
export interface Drift {
  readonly partition: number;
  readonly offset: number;
  /** What is wrong and what to do, for the operator. */
  readonly note: string;
  /** It fits as soon as its source has more columns, which is seen to. */
  readonly isEvolving?: boolean;
}

export type Phase =
  | "waiting"
  | "locating"
  | "recovering"
  | "filling"
  | "announcing"
  | "landing"
  | "delayed"
  | "withdrawing"
  | "advancing";

export interface TableState {
  readonly setup: TableSetup;
  readonly phase: Phase;
  readonly generation: number;
  readonly owned: ReadonlyMap<number, Owned>;
  /** Intents found open, not yet recovered. */
  readonly open: readonly Intent[];
  readonly batch: Batch | undefined;
  /** The batch announced together with the commit that is under way. */
  readonly following: Batch | undefined;
  /** The next batch, cut and prepared while this one lands; not announced yet. */
  readonly waiting: Batch | undefined;
  /** When the oldest record now ready arrived here. */
  readonly openedMs: number | undefined;
  readonly last: LastLanding;
  /** Partitions to be released as soon as no batch is under way. */
  readonly leaving: readonly number[] | undefined;
  /** A membership event that came while a batch was under way. */
  readonly next: Extract<MembershipEvent, { kind: "assigned" }> | undefined;
  /** True once the partitions are read: before, only recovery lands anything. */
  readonly reading: boolean;
  readonly draining: boolean;
  readonly rows: number;
  readonly quarantined: number;
  readonly note: string | undefined;
  /** Partitions that stand still, with the reason: until an operator acts, or until columns are added (`evolving`). */
  readonly stopped: ReadonlyMap<number, string>;
  /** Those among them that wait for columns of their source. */
  readonly evolving: ReadonlySet<number>;
}

export type TableMessage =
  | MembershipEvent
  | { readonly kind: "located"; readonly generation: number; readonly places: readonly Located[] }
  | {
      readonly kind: "reread";
      readonly intent: Intent;
      readonly parts: readonly Part[];
      readonly landed: Landed | undefined;
    }
  | { readonly kind: "unrecoverable"; readonly intent: Intent; readonly note: string }
  | { readonly kind: "offered"; readonly generation: number; readonly partition: number; readonly records: Records }
  | {
      readonly kind: "gapped";
      readonly generation: number;
      readonly partition: number;
      readonly note: string;
      readonly gap: OffsetGap | undefined;
    }
  | { readonly kind: "aged" }
  | { readonly kind: "announced"; readonly token: string }
  | { readonly kind: "landed"; readonly token: string; readonly landed: Landed }
  | { readonly kind: "delayed"; readonly token: string; readonly note: string }
  | { readonly kind: "drifted"; readonly token: string; readonly drifts: readonly Drift[] }
  | { readonly kind: "again" }
  | { readonly kind: "advanced"; readonly token: string }
  | { readonly kind: "fenced"; readonly generation: number }
  | { readonly kind: "drain" };

export type TableAction =
  | { readonly kind: "locate"; readonly generation: number; readonly partitions: readonly number[] }
  | { readonly kind: "reread"; readonly intent: Intent }
  | {
      readonly kind: "announce";
      readonly generation: number;
      readonly token: string;
      readonly commits: readonly Commit[];
    }
  | { readonly kind: "prepare"; readonly batch: Batch }
  | { readonly kind: "land"; readonly batch: Batch; readonly deadlineMs: number }
  | {
      readonly kind: "advance";
      readonly generation: number;
      readonly token: string;
      readonly commits: readonly Commit[];
    }
  | { readonly kind: "read"; readonly generation: number; readonly positions: readonly Place[] }
  | { readonly kind: "note gap"; readonly gap: Gap }
  | { readonly kind: "halt" }
  | { readonly kind: "consumed" | "returned"; readonly parts: readonly Part[] }
  | { readonly kind: "visible"; readonly positions: ReadonlyMap<number, number> }
  | { readonly kind: "release"; readonly partitions: readonly number[] }
  | { readonly kind: "drained" };

/** What a commit of a partition says; `last` is the last record before its offset, `intent` the batch that is announced. */
export const markOf = (
  { topic, epoch, lateUntilMs }: Owned,
  { last, intent }: { readonly last: LastRecord | undefined; readonly intent?: Intent },
): string => encodeMark({ topic, epoch, last, intent, lateUntilMs });

/**
 * Whether a batch is still to be announced, or taken back, in a partition: not once its position has moved on, nor where
 * another one was announced since. That happens to a batch which its other owners have withdrawn already.
 */
export function isStill(at: Owned | undefined, { from, intent }: { from: number; intent: Intent }): at is Owned {
  return at?.committed === from && (at.open === undefined || sameCut(at.open, intent));
}

/** The partitions of a batch that another owner left open: whoever that was may still be inserting it. */
export function lateAfter({ owned, setup }: TableState, { atMs, ranges }: Intent): ReadonlyMap<number, Owned> {
  const { lateMs } = setup.limits;
  const after = new Map(owned);
  for (const { partition } of lateMs === 0 ? [] : ranges) {
    const at = owned.get(partition);
    const lateUntilMs = Math.max(at?.lateUntilMs ?? 0, atMs + lateMs);
    if (at !== undefined) after.set(partition, { ...at, lateUntilMs });
  }
  return after;
}

/** A table actor that owns nothing yet. */
export function emptyTable(setup: TableSetup): TableState {
  return {
    setup,
    phase: "waiting",
    generation: 0,
    owned: new Map(),
    open: [],
    batch: undefined,
    following: undefined,
    waiting: undefined,
    openedMs: undefined,
    last: { tookMs: 0, rows: 0, atMs: 0 },
    leaving: undefined,
    next: undefined,
    reading: false,
    draining: false,
    rows: 0,
    quarantined: 0,
    note: undefined,
    stopped: new Map(),
    evolving: new Set(),
  };
}

/** What a table says of itself; whose partitions only wait for columns is not stopped. */
export function vitalsOf({ phase, stopped, evolving, rows, note }: TableState): Vitals {
  const still = [...stopped].find(([partition]) => !evolving.has(partition)) ?? [...stopped][0];
  if (still === undefined) return { state: phase, rows, note };
  return { state: evolving.has(still[0]) ? "evolving" : "stopped", rows, note: still[1] };
}

/** What each owned partition has ready to be cut. */
export function readyOf(state: TableState): Map<number, Ready> {
  return new Map([...state.owned].map(([partition, { ready }]) => [partition, ready]));
}

/** Whether what is ready fills a batch. */
export function isFull(state: TableState): boolean {
  const { rowsMax, bytesMax } = state.setup.limits;
  const ready = readyOf(state);
  return rowsReady(ready) >= rowsMax || bytesReady(ready) >= bytesMax;
}

/** A batch that was announced before and remembers since when. */
export function repeated(batch: Batch): Batch {
  return { ...batch, intent: { ...batch.intent, firstMs: announcedMs(batch.intent) } };
}

/** True when no further batch may be announced: something waits for the one under way to end. */
export function isEnding({ leaving, next, draining }: TableState): boolean {
  return leaving !== undefined || next !== undefined || draining;
}
