/**
 * The rows of the APIs that the page watches, and how numbers are written.
 *
 * 64-bit integers come as texts: they are counts here, far below what a double keeps exactly.
 *
 * @module
 */

/** `today`: the newest day of the data, one row. */
export interface Today {
  readonly day: string;
  readonly departures: string;
  readonly late_departures: string;
  readonly early_departures: string;
  readonly average_delay: number | null;
  readonly longest_delay: number;
  readonly miles: string;
  readonly airports: string;
}

/** `airport_delays`: one airport over some hours. */
export interface Airport {
  readonly airport: string;
  readonly name: string;
  readonly city: string;
  readonly state: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly departures: string;
  readonly late_departures: string;
  readonly average_delay: number;
}

/** `minutes`: departures of one minute. */
export interface Minute {
  readonly minute: string;
  readonly departures: string;
  readonly late_departures: string;
  readonly average_delay: number | null;
}

const WHOLE = new Intl.NumberFormat("en-US");
const SHORT = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const TENTHS = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const SHARE = new Intl.NumberFormat("en-US", {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

/** 20,000 */
export const whole = (value: string | number) => WHOLE.format(Number(value));
/** 1.2M */
export const short = (value: string | number) => SHORT.format(Number(value));
/** −3.4; a minus is a minus, not a dash. */
export const tenths = (value: number) => TENTHS.format(value).replace("-", "−");
/** 18.3% */
export const share = (part: string | number, of: string | number) =>
  Number(of) === 0 ? "–" : SHARE.format(Number(part) / Number(of));

/** A day as people write it: Saturday, January 31, 2026. */
export function dayName(day: string): string {
  return new Date(day).toLocaleDateString("en-US", { dateStyle: "full", timeZone: "UTC" });
}

/** What charts draw: one array of times, in Unix seconds, and one for each line. */
export interface Series {
  readonly times: readonly number[];
  readonly departures: readonly number[];
  readonly late: readonly number[];
  /** Null where nothing departed. */
  readonly delay: readonly (number | null)[];
}

/** The `count` minutes up to the newest, with those in which nothing departed; none without a row. */
export function seriesOf(minutes: readonly Minute[], count: number): Series {
  const known = new Map(minutes.map((minute) => [Date.parse(minute.minute) / 1_000, minute]));
  const newest = Math.max(...known.keys());
  const times = Array.from({ length: known.size === 0 ? 0 : count }, (_, index) => newest - 60 * (count - 1 - index));
  const at = (time: number) => known.get(time);
  return {
    times,
    departures: times.map((time) => Number(at(time)?.departures ?? 0)),
    late: times.map((time) => Number(at(time)?.late_departures ?? 0)),
    delay: times.map((time) => at(time)?.average_delay ?? null),
  };
}
