/**
 * One look for many: what costs something is looked at once for all who ask at about the same time.
 *
 *   callers ──▶ a look is under way or fresh? ──yes──▶ that one
 *                            └──no──▶ a new one
 *
 * @module
 */

/** Shares one look among all who ask while it is under way or fresh: there is never more than one. */
export function atMostEvery<A>(ms: number, look: () => Promise<A>): () => Promise<A> {
  let last: Promise<A> | undefined;
  let untilMs = 0;
  return () => {
    if (last === undefined || Date.now() >= untilMs) {
      untilMs = Number.POSITIVE_INFINITY;
      const beganMs = Date.now();
      last = look().finally(() => {
        untilMs = beganMs + ms;
      });
    }
    return last;
  };
}
