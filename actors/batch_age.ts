/**
 * The age of a batch: how long it waits for company before it is cut.
 *
 *   quiet, or many rows ──▶ as short as allowed        few rows ──▶ longer, so that inserts do not eat the machine
 *
 * Pure.
 *
 * @module
 */

/** A batch waits at least and at most this long, in milliseconds. */
export interface AgeLimits {
  readonly ageMsMin: number;
  readonly ageMsMax: number;
}

/** The last landing: how long it took, how many rows it stored, when it ended (milliseconds since 1970). */
export interface LastLanding {
  readonly tookMs: number;
  readonly rows: number;
  readonly atMs: number;
}

/** A table that has landed nothing for this long is not under load. */
const QUIET_MS = 1_000;
/** With this many rows, an insert's own cost is about half of the cost of its rows. */
const FEW_ROWS = 1_000;

/**
 * How long a batch waits for company, in milliseconds. After a pause, and when the last insert had many rows: as short as
 * allowed, since records gather while an insert runs anyway. When it had few rows, up to five times as long as it took:
 * its cost was mostly the insert's own, and waiting makes the next one cheaper for each row.
 */
export function ageMs(limits: AgeLimits, last: LastLanding, nowMs: number): number {
  if (nowMs - last.atMs > QUIET_MS) return limits.ageMsMin;
  const patience = 5 / (1 + last.rows / FEW_ROWS);
  return Math.round(Math.min(limits.ageMsMax, Math.max(limits.ageMsMin, last.tookMs * patience)));
}

/** How long a batch still waits that began to fill at `openedMs`; not at all once the clock has gone back behind that. */
export function dueInMs(
  limits: AgeLimits,
  last: LastLanding,
  { openedMs, nowMs }: { readonly openedMs: number; readonly nowMs: number },
): number {
  return nowMs < openedMs ? 0 : Math.max(0, openedMs + ageMs(limits, last, nowMs) - nowMs);
}
