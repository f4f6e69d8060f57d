/**
 * Lengths of time as people write them: `60 s`, `10 minutes`, `30 days`.
 *
 * @module
 */

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  second: 1_000,
  min: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  week: 604_800_000,
  year: 31_536_000_000,
};

/** What a length of time may look like, to be read by people. */
export const DURATION_FORM = 'a number and a unit, such as "60 s", "10 minutes", "12 hours" or "30 days"';

/** Milliseconds of a length of time; undefined if the text is none. */
export function durationMs(text: string): number | undefined {
  const [, count, unit] = /^([1-9]\d{0,8}) ?([a-z]{1,7})$/.exec(text.trim()) ?? [];
  if (count === undefined || unit === undefined) return undefined;
  const name = Object.hasOwn(UNIT_MS, unit) ? unit : unit.replace(/s$/, "");
  return Object.hasOwn(UNIT_MS, name) ? Number(count) * UNIT_MS[name]! : undefined;
}
