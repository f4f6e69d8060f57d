/**
 * Waiting for what is away: the log or the warehouse, for as long as it takes.
 *
 * @module
 */
import { LogFailed, WarehouseFailed } from "@weir/connectors";
import { Effect, Schedule } from "effect";

/** Pauses between tries of a call that can succeed later: 20 ms, doubled, 2 s at most. */
export const AWAY_RETRY = Schedule.min([Schedule.exponential("20 millis"), Schedule.spaced("2 seconds")]);

/** Repeats, while the log or the warehouse is away, what can be repeated; other failures pass. */
export const whileAway = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.retry(work, {
    while: (failed) =>
      (failed instanceof WarehouseFailed && failed.outcome !== "refused") ||
      (failed instanceof LogFailed && failed.retriable),
    schedule: AWAY_RETRY,
  });
