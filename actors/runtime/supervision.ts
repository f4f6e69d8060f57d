/**
 * Supervision: what happens after an incarnation of an actor failed.
 *
 *   running ──failure──▶ waiting (backoff, doubled, capped) ──▶ running
 *                  └─more than failuresMax within windowMs──▶ exceeded: the parent fails in its turn
 *
 * Pure: the runtime passes the time and a random number in.
 *
 * @module
 */

/** How an actor comes back. Times in milliseconds. */
export interface RestartPolicy {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  /** Failures within `windowMs` that are answered by a restart; one more is handed to the parent. */
  readonly failuresMax: number;
  readonly windowMs: number;
}

/** A failure is the parent's business at once. */
export const ESCALATE: RestartPolicy = { delayMsMin: 0, delayMsMax: 0, failuresMax: 0, windowMs: 1 };

/** The decision after one more failure: the failures still remembered, and the pause before the next incarnation. */
export type Decision = { readonly failuresMs: readonly number[]; readonly next: number | "exceeded" };

/** Decides after a failure at `nowMs`; `random` in [0, 1) spreads restarts over the upper half of the pause. */
export function decide(
  policy: RestartPolicy,
  failuresMs: readonly number[],
  at: { nowMs: number; random: number },
): Decision {
  const remembered = [...failuresMs.filter((ms) => at.nowMs - ms < policy.windowMs), at.nowMs];
  if (remembered.length > policy.failuresMax) return { failuresMs: remembered, next: "exceeded" };
  const pause = Math.min(policy.delayMsMax, policy.delayMsMin * 2 ** (remembered.length - 1));
  return { failuresMs: remembered, next: Math.round(pause * (0.5 + at.random / 2)) };
}
