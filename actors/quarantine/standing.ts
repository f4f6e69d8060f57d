/**
 * Where a row of the quarantine stands, from what people did with it, and what a replay does next.
 *
 *   waiting ──announced──▶ announced ──append──▶ replayed
 *      └──drop──▶ dropped ◀──drop──┘       (only if the log does not have it)
 *
 * Pure. A log that keeps keys knows that of a replayed record for a day at least.
 * An announcement that is older than half of that proves nothing any more, and
 * none does where the log keeps no keys: then the log itself is searched before
 * anything is appended.
 *
 * @module
 */

import { ONCE_MS } from "@weir/connectors";

/** One row of `weir.quarantine_action`. */
export interface QuarantineAction {
  readonly id: string;
  readonly action: "announced" | "replayed" | "dropped";
  /** The topic's id. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly author: string;
  /** When, milliseconds since 1970. */
  readonly at_ms: number;
}

/** A place in the log. */
export interface LogPlace {
  readonly partition: number;
  readonly offset: number;
}

/** A place from which on to search, in the topic of that id. */
export interface SearchFrom extends LogPlace {
  readonly topic: string;
}

/** Where a row stands. */
export type Standing =
  | { readonly kind: "waiting" }
  | { readonly kind: "announced"; readonly sinceMs: number; readonly from: readonly SearchFrom[] }
  | { readonly kind: "replayed"; readonly place: LogPlace }
  | { readonly kind: "dropped" };

/** What a replay does with a row that the source takes now. */
export type ReplayStep = "append" | "search" | "already" | "dropped";

/** An announcement proves for so long that a log that keeps keys still knows it: half of the time for which it keeps it. */
export const ANNOUNCED_MS_MAX: number = ONCE_MS / 2;

/** Where a row stands. What is in the log is in the log, whatever else was written; otherwise the last word counts. */
export function standingOf(actions: readonly QuarantineAction[]): Standing {
  const replayed = actions.find(({ action }) => action === "replayed");
  if (replayed !== undefined)
    return { kind: "replayed", place: { partition: replayed.partition, offset: replayed.offset } };
  const announced = actions.filter(({ action }) => action === "announced");
  const droppedMs = Math.max(...actions.filter(({ action }) => action === "dropped").map(({ at_ms }) => at_ms));
  if (announced.some(({ at_ms }) => at_ms > droppedMs)) {
    const places = Map.groupBy(announced, ({ topic, partition }) => `${topic}/${partition}`);
    const from = [...places.values()].map((some) => ({
      topic: some[0]!.topic,
      partition: some[0]!.partition,
      offset: Math.min(...some.map(({ offset }) => offset)),
    }));
    // The first one counts: the log may have the key from then.
    return { kind: "announced", sinceMs: Math.min(...announced.map(({ at_ms }) => at_ms)), from };
  }
  return { kind: actions.length > 0 ? "dropped" : "waiting" };
}

/** What a replay does next with a row that the source takes now. */
export function stepOf(
  standing: Standing,
  { nowMs, keepsKeys }: { readonly nowMs: number; readonly keepsKeys: boolean },
): ReplayStep {
  switch (standing.kind) {
    case "waiting":
      return "append";
    case "announced":
      // A clock that went back proves nothing either.
      return keepsKeys && nowMs >= standing.sinceMs && nowMs - standing.sinceMs < ANNOUNCED_MS_MAX
        ? "append"
        : "search";
    case "replayed":
      return "already";
    case "dropped":
      return "dropped";
  }
}
