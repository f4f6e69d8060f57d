/**
 * Times: the texts that mean exactly one day or instant.
 *
 * The patterns are written in the part of the syntax that JavaScript and the
 * engine's RE2 share, so the judge and the engine cannot disagree on a form:
 * RFC 3339 with `Z` or an offset, or the column's local time; real calendar
 * days only; no digit of a second that the column would drop. Pure.
 *
 *   local time in a zone:  offset a day before ≠ offset a day after?
 *       no ──▶ that offset, if it holds then     yes ──▶ one holds: it · none: skipped · both: repeated
 *
 * @module
 */

import type { ColumnType } from "./column_type.ts";
import { UTC_NAMES, zoneOffsetMs } from "./zones.ts";

/** A type of kind `time`. */
export type TimeType = ColumnType & { readonly kind: "time" };
/** A type of kind `date`. */
export type DateType = ColumnType & { readonly kind: "date" };

/** A day of the Gregorian calendar, `YYYY-MM-DD`. */
export const DAY = [
  "(?:\\d\\d\\d\\d-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))",
  "(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)",
].join("|");

/** How an instant with its own offset ends. */
export const OFFSET = "(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)";

/** Whole days a column keeps, both ends included; texts compare like days. */
export function dayRange(type: DateType): { readonly first: string; readonly last: string } {
  return type.wide ? { first: "1900-01-01", last: "2299-12-31" } : { first: "1970-01-01", last: "2149-06-06" };
}

/** Instants a column keeps: from `first` up to, not including, `end`; UTC days. */
export function timeRange(type: TimeType): { readonly first: string; readonly last: string } {
  if (!type.wide) return { first: "1970-01-01 00:00:00", last: "2106-02-07 06:28:15" };
  const last = type.scale > 8 ? "2261-12-31 23:59:59" : "2299-12-31 23:59:59";
  return { first: "1900-01-01 00:00:00", last: type.scale > 0 ? `${last}.${"9".repeat(type.scale)}` : last };
}

/** Years of local times, the end not included: outside, engine and JavaScript do not know the same rules of all zones. */
export const LOCAL_YEARS = { first: "1980", end: "2106" } as const;

/** The pattern of a time with at most the column's digits of a second, zeros beyond them. */
export function timePattern(scale: number): string {
  const fraction = scale > 0 ? `\\d{1,${scale}}0*` : "0+";
  return `^${DAY}[T ](?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.${fraction})?${OFFSET}?$`;
}

/** Milliseconds since 1970, rounded down, or why the text is no time of the column. */
export type TimeReading = { readonly ms: number } | { readonly reason: string };

/** Reads dates and times of columns as the engine's guards would; made once per column. */
export function timeReader(type: TimeType): (text: string) => TimeReading {
  const form = new RegExp(timePattern(type.scale));
  const anyFraction = new RegExp(timePattern(99));
  const offset = new RegExp(`${OFFSET}$`);
  const range = timeRange(type);
  const firstMs = civilMs(range.first);
  const lastMs = civilMs(range.last);
  const isUtc = UTC_NAMES.has(type.zone);
  return (text) => {
    if (!form.test(text)) {
      if (anyFraction.test(text)) return { reason: `has more digits of a second than ${type.plain} keeps` };
      return { reason: `is not a time: write 2024-01-31T10:20:30Z, with an offset or in the zone ${type.zone}` };
    }
    const civil = civilMs(text);
    const own = offset.exec(text)?.[0];
    let ms = civil;
    if (own !== undefined) ms = civil - offsetMs(own);
    else if (!isUtc) {
      const local = localMs(text, civil, type.zone);
      if (typeof local === "string") return { reason: local };
      ms = local;
    }
    const outside = text < "1900" || text >= "2300" || ms < firstMs || ms > lastMs;
    return outside ? { reason: `is out of range for ${type.plain} (${range.first} to ${range.last} UTC)` } : { ms };
  };
}

/** Reads a day, milliseconds of its UTC midnight. */
export function dateReader(type: DateType): (text: string) => TimeReading {
  const form = new RegExp(`^${DAY}$`);
  const range = dayRange(type);
  return (text) => {
    if (!form.test(text)) return { reason: "is not a day of the calendar: write 2024-01-31" };
    if (text < range.first || text > range.last) {
      return { reason: `is out of range for ${type.plain} (${range.first} to ${range.last})` };
    }
    return { ms: civilMs(text) };
  };
}

const DAY_MS = 86_400_000;

/** The text's digits read as if the zone were UTC; anything after the third digit of a second is dropped. */
function civilMs(text: string): number {
  const seconds = Date.parse(`${text.slice(0, 10)}T${text.length > 10 ? text.slice(11, 19) : "00:00:00"}Z`);
  return text[19] === "." ? seconds + Number(/^\d{1,3}/.exec(text.slice(20))?.[0].padEnd(3, "0")) : seconds;
}

function offsetMs(offset: string): number {
  if (offset === "Z") return 0;
  const minutes = Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4, 6));
  return (offset[0] === "-" ? -minutes : minutes) * 60_000;
}

function localMs(text: string, civil: number, zone: string): number | string {
  if (text < LOCAL_YEARS.first || text >= LOCAL_YEARS.end) {
    return `needs an offset: local times are read from ${LOCAL_YEARS.first} to ${LOCAL_YEARS.end}`;
  }
  const before = zoneOffsetMs(zone, civil - DAY_MS);
  const after = zoneOffsetMs(zone, civil + DAY_MS);
  const beforeHolds = zoneOffsetMs(zone, civil - before) === before;
  const afterHolds = zoneOffsetMs(zone, civil - after) === after;
  if (!beforeHolds && !afterHolds) return `does not exist in ${zone}: daylight saving skips it`;
  if (before !== after && beforeHolds && afterHolds) return `happens twice in ${zone}: add an offset`;
  return civil - (beforeHolds ? before : after);
}
