/**
 * The warehouse's time, as an owner of a table tells it.
 *
 *   the warehouse says what time it is ──set──▶ that, and what has passed since by a timer that never jumps
 *
 * An owner dates what it announces, the warehouse refuses late inserts and dates its markers, and recovery compares the
 * two. By an owner's own clock, which may be hours off for a minute, a batch would seem to be announced before batches
 * that were finished long ago, or after those that follow it. So all of it goes by one clock: the one that decides.
 *
 * @module
 */
import type { Clock } from "effect";

/** So long the machine's timer is trusted: even a bad one is off by a few milliseconds then. */
export const AGE_MS_MAX = 60_000;
const NANOS_PER_MS = 1_000_000n;

/** The warehouse's clock; until it is set, the machine's own. */
export class WarehouseClock {
  readonly #own: Clock.Clock;
  /** What the warehouse said, and when that was by the timer; undefined before it has said anything. */
  #said: { readonly nowMs: number; readonly atNanos: bigint } | undefined;

  constructor(own: Clock.Clock) {
    this.#own = own;
  }

  /** Sets it to what the warehouse has just said, milliseconds since 1970. */
  set(nowMs: number): void {
    this.#said = { nowMs, atNanos: this.#own.monotonicTimeNanosUnsafe() };
  }

  /** The warehouse's time, milliseconds since 1970. */
  nowMs(): number {
    return this.#said === undefined ? this.#own.currentTimeMillisUnsafe() : this.#said.nowMs + this.#ageMs();
  }

  /** Whether the warehouse is to be asked again. */
  isOld(): boolean {
    return this.#ageMs() > AGE_MS_MAX;
  }

  #ageMs(): number {
    if (this.#said === undefined) return Number.POSITIVE_INFINITY;
    return Number((this.#own.monotonicTimeNanosUnsafe() - this.#said.atNanos) / NANOS_PER_MS);
  }
}
