/**
 * Turns: so many at once, so many waiting, the rest is told to come later.
 *
 * @module
 */
import { Refusal } from "../errors.ts";

/** Bounds of what runs at the same time. */
export interface TurnLimits {
  readonly runningMax: number;
  readonly waitingMax: number;
}

/** A queue in front of something that must not be asked too often at once. */
export class Turns {
  readonly #limits: TurnLimits;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /** Runs `work` when its turn comes; throws a Refusal when too many wait already. */
  async take<A>(work: () => Promise<A>): Promise<A> {
    if (this.#running >= this.#limits.runningMax) {
      if (this.#waiting.length >= this.#limits.waitingMax) {
        throw new Refusal(503, "busy", "Cannot answer: too many requests wait already.", "Try again in a second.");
      }
      // Whoever ends hands the place over: the count stays as it is.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
