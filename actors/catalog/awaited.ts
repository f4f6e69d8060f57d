/**
 * Awaited: the columns that records of a source wait for, and when the next change of it is due.
 *
 *   gathered ──due──▶ taken for one change ──done──▶ rest, a multiple of the change
 *       ▲                                  └─failed─▶ the same again, after a longer rest
 *       └──────────── what comes meanwhile ────────────────┘
 *
 * Pure. A change makes the source's table anew, so the rest after it is what keeps
 * producers that send new fields all the time from keeping the catalog busy.
 *
 * @module
 */
import { mergedColumns, type NewColumn } from "@weir/sql";
import type { KeptEntry } from "./entries.ts";
import { EVOLVER } from "./evolve.ts";

/** Bounds of the changes of one source. */
export const EVOLVING_LIMITS = {
  /** What comes in this time goes into the same change. */
  gatherMs: 200,
  /** Rest after a change, and how many times as long as the change it is at least. */
  restMsMin: 5_000,
  restTimesMin: 4,
  /** Longest rest for failures alone. */
  restMsMax: 300_000,
  /** Changes in a row that may be refused before their fields are left out. */
  refusalsMax: 3,
} as const;

/** What one source awaits. */
export interface Awaited {
  readonly columns: readonly NewColumn[];
  readonly dueMs: number;
  /** Changes in a row that failed; the reasons of those that were refused. */
  readonly failures: number;
  readonly refusals: readonly string[];
}

/** How a change ended: a warehouse or log that is away has refused nothing. */
export type Ended = { readonly kind: "done" | "failed" } | { readonly kind: "refused"; readonly reason: string };

const NOTHING: Awaited = { columns: [], dueMs: 0, failures: 0, refusals: [] };

/** With columns that more records await. */
export function gathered(before: Awaited | undefined, columns: readonly NewColumn[], nowMs: number): Awaited {
  const known = before ?? NOTHING;
  const isWaiting = known.columns.length > 0;
  const dueMs = isWaiting ? known.dueMs : Math.max(known.dueMs, nowMs + EVOLVING_LIMITS.gatherMs);
  return { ...known, columns: mergedColumns([known.columns, columns]), dueMs };
}

/** Why what is awaited is to be left out: it was refused too often; undefined if it was not. */
export function refusalOf({ refusals }: Awaited): string | undefined {
  return refusals.length < EVOLVING_LIMITS.refusalsMax ? undefined : refusals.at(-1);
}

/** Whether a source was changed so just now, here or elsewhere; two clocks may differ. */
export function isResting({ author, applied_at }: Pick<KeptEntry, "author" | "applied_at">, nowMs: number): boolean {
  const appliedMs = Date.parse(applied_at.endsWith("Z") ? applied_at : `${applied_at.replace(" ", "T")}Z`);
  return author === EVOLVER && Math.abs(nowMs - appliedMs) < EVOLVING_LIMITS.restMsMin;
}

/** After a change that took `taken`; what came meanwhile is in `during`. */
export function rested(
  during: Awaited,
  change: {
    readonly taken: readonly NewColumn[];
    readonly ended: Ended;
    readonly tookMs: number;
    readonly nowMs: number;
  },
): Awaited {
  const { taken, ended, tookMs, nowMs } = change;
  const { restMsMin, restTimesMin, restMsMax } = EVOLVING_LIMITS;
  const { columns, failures, refusals } = during;
  const restMs = Math.max(restMsMin, restTimesMin * tookMs);
  if (ended.kind === "done") return { columns, dueMs: nowMs + restMs, failures: 0, refusals: [] };
  const longer = Math.min(restMsMax, restMsMin * 2 ** Math.min(failures, 20));
  return {
    columns: mergedColumns([taken, columns]),
    dueMs: nowMs + Math.max(restMs, longer),
    failures: failures + 1,
    refusals: ended.kind === "refused" ? [...refusals, ended.reason].slice(-EVOLVING_LIMITS.refusalsMax) : refusals,
  };
}
