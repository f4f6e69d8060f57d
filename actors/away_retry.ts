/**
 * Waiting for what is away: the log or the warehouse, for as long as it takes.
 *
 * @module
 */
import { Schedule } from "effect";

/** Pauses between tries of a call that can succeed later: 20 ms, doubled, 2 s at most. */
export const AWAY_RETRY = Schedule.min([Schedule.exponential("20 millis"), Schedule.spaced("2 seconds")]);
