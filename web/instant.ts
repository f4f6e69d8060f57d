/**
 * Instants as people and scripts say them: RFC 3339, or so long ago.
 *
 * @module
 */
import { durationMs } from "@weir/sql";

/** What an instant may look like, to be read by people. */
export const INSTANT_FORM = 'a time such as 2026-01-31T00:00:00Z, or how long ago, such as "90 min" or "2 days"';

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;

/** Milliseconds since 1970 of an RFC 3339 time; undefined if the text is none. */
export function rfc3339Ms(text: string): number | undefined {
  const ms = RFC3339.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}

/** Milliseconds since 1970 of a time, or of a length of time before `nowMs`, 1970 at the earliest; undefined if the text is neither. */
export function instantMs(text: string, nowMs: number): number | undefined {
  const agoMs = durationMs(text);
  return agoMs === undefined ? rfc3339Ms(text) : Math.max(0, nowMs - agoMs);
}
