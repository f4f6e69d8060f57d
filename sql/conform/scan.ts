/**
 * Scanning: steps over one plain JSON value in UTF-8 bytes.
 *
 * What the generated scanner is made of. Each function gets the position of the
 * value's first byte and returns the one after its last, or -1 for anything that
 * is not plainly right: an escape, an unusual form, a value near a limit. -1 never
 * means wrong, only "ask the judge". Nothing here allocates. Reading past the end
 * yields undefined, which no comparison below takes for a digit in a loop; the
 * scanner checks the end once, when it is through. Pure.
 *
 * @module
 */

/** What the last scanned time meant; one object, so that nothing is allocated. */
export interface Scanned {
  /** Milliseconds since 1970, rounded down. */
  ms: number;
}

/** Steps over spaces between tokens. */
export function scanSpace(b: Uint8Array, p: number): number {
  let c = b[p];
  while (c === 32 || c === 10 || c === 13 || c === 9) c = b[++p];
  return p;
}

/** A string without escapes. */
export function scanString(b: Uint8Array, p: number): number {
  if (b[p] !== 34) return -1;
  let c = b[++p];
  while (c >= 32 && c !== 34 && c !== 92) c = b[++p];
  return c === 34 ? p + 1 : -1;
}

/** An integer between min and max, in quotes or not, of at most 18 digits. */
export function scanInteger(b: Uint8Array, p: number, min: number, max: number): number {
  const isQuoted = b[p] === 34;
  if (isQuoted) p++;
  const isNegative = b[p] === 45;
  if (isNegative) p++;
  const first = p;
  let c = b[p];
  let value = 0;
  while (c >= 48 && c <= 57) {
    value = value * 10 + (c - 48);
    c = b[++p];
  }
  const digits = p - first;
  if (digits === 0 || digits > 18 || (b[first] === 48 && (digits > 1 || isNegative))) return -1;
  if (isNegative) value = -value;
  if (value < min || value > max) return -1;
  if (!isQuoted) return p;
  return c === 34 ? p + 1 : -1;
}

/** A number with at most 30 characters and no exponent, which every Float holds. */
export function scanFloat(b: Uint8Array, p: number): number {
  return scanDecimal(b, p, 30, 30);
}

/** A number with at most so many digits before and after the point, no exponent. */
export function scanDecimal(b: Uint8Array, p: number, wholeMax: number, scale: number): number {
  const isQuoted = b[p] === 34;
  if (isQuoted) p++;
  if (b[p] === 45) p++;
  const first = p;
  let c = b[p];
  while (c >= 48 && c <= 57) c = b[++p];
  const whole = p - first;
  if (whole === 0 || whole > (b[first] === 48 ? 1 : wholeMax)) return -1;
  if (c === 46) {
    const point = p;
    c = b[++p];
    while (c >= 48 && c <= 57) c = b[++p];
    const digits = p - point - 1;
    if (digits === 0 || digits > scale) return -1;
  }
  if (!isQuoted) return p;
  return c === 34 ? p + 1 : -1;
}

/** `true` or `false`. */
export function scanBool(b: Uint8Array, p: number): number {
  if (b[p] === 116 && b[p + 1] === 114 && b[p + 2] === 117 && b[p + 3] === 101) return p + 4;
  if (b[p] === 102 && b[p + 1] === 97 && b[p + 2] === 108 && b[p + 3] === 115 && b[p + 4] === 101) return p + 5;
  return -1;
}

/** `null`. */
export function scanNull(b: Uint8Array, p: number): number {
  return b[p] === 110 && b[p + 1] === 117 && b[p + 2] === 108 && b[p + 3] === 108 ? p + 4 : -1;
}

/** A string of exactly so many bytes. */
export function scanFixed(b: Uint8Array, p: number, bytes: number): number {
  const end = scanString(b, p);
  return end - p === bytes + 2 ? end : -1;
}

/** One of the names, given as bytes. */
export function scanEnum(b: Uint8Array, p: number, names: readonly Uint8Array[]): number {
  const end = scanString(b, p);
  if (end < 0) return -1;
  const length = end - p - 2;
  for (const name of names) {
    if (name.length !== length) continue;
    let index = 0;
    while (index < length && name[index] === b[p + 1 + index]) index++;
    if (index === length) return end;
  }
  return -1;
}

/** A UUID with small letters: the form that is also its key. */
export function scanUuid(b: Uint8Array, p: number): number {
  if (b[p] !== 34) return -1;
  for (let index = 1; index < 37; index++) {
    const c = b[p + index];
    if (index === 9 || index === 14 || index === 19 || index === 24) {
      if (c !== 45) return -1;
    } else if (!((c >= 48 && c <= 57) || (c >= 97 && c <= 102))) return -1;
  }
  return b[p + 37] === 34 ? p + 38 : -1;
}

/** A plain IPv4 address. */
export function scanIpv4(b: Uint8Array, p: number): number {
  if (b[p] !== 34) return -1;
  p++;
  for (let group = 0; group < 4; group++) {
    const first = p;
    let value = 0;
    let c = b[p];
    while (c >= 48 && c <= 57 && p - first < 4) {
      value = value * 10 + (c - 48);
      c = b[++p];
    }
    if (p === first || value > 255 || (b[first] === 48 && p - first > 1)) return -1;
    if (c !== (group === 3 ? 34 : 46)) return -1;
    p++;
  }
  return p;
}

const YEAR_FIRST = 1971;
const YEAR_LAST = 2099;
/** Days from 1970 to each year's beginning, minus one for the day's number. */
const YEAR_DAYS = Int32Array.from({ length: YEAR_LAST + 1 }, (_, year) => Date.UTC(year, 0, 1) / 86_400_000 - 1);
const MONTH_DAYS = Int32Array.from([0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]);
const MONTH_LENGTHS = Int32Array.from([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]);

/** Two digits as a number, or -1. */
function two(b: Uint8Array, p: number): number {
  const high = b[p] - 48;
  const low = b[p + 1] - 48;
  return high >= 0 && high <= 9 && low >= 0 && low <= 9 ? high * 10 + low : -1;
}

/** Days since 1970 of `YYYY-MM-DD` at p, or -1; the years 1971 to 2099 are in every type's range. */
function days(b: Uint8Array, p: number): number {
  const century = two(b, p);
  const rest = two(b, p + 2);
  const month = two(b, p + 5);
  const day = two(b, p + 8);
  if (century < 0 || rest < 0 || b[p + 4] !== 45 || b[p + 7] !== 45) return -1;
  const year = century * 100 + rest;
  if (year < YEAR_FIRST || year > YEAR_LAST || month < 1 || month > 12 || day < 1) return -1;
  const isLeap = (year & 3) === 0;
  if (day > MONTH_LENGTHS[month] && !(isLeap && month === 2 && day === 29)) return -1;
  return YEAR_DAYS[year] + MONTH_DAYS[month] + (isLeap && month > 2 ? 1 : 0) + day;
}

/** A day. */
export function scanDate(b: Uint8Array, p: number, scanned: Scanned): number {
  if (b[p] !== 34 || b[p + 11] !== 34) return -1;
  const day = days(b, p + 1);
  if (day < 0) return -1;
  scanned.ms = day * 86_400_000;
  return p + 12;
}

/** A time with at most `scale` digits of a second (then zeros); without an offset only if the zone is UTC. */
export function scanTime(b: Uint8Array, p: number, at: { scale: number; isUtc: boolean }, scanned: Scanned): number {
  if (b[p] !== 34) return -1;
  const day = days(b, p + 1);
  const hour = two(b, p + 12);
  const minute = two(b, p + 15);
  const second = two(b, p + 18);
  if (day < 0 || (b[p + 11] !== 84 && b[p + 11] !== 32) || b[p + 14] !== 58 || b[p + 17] !== 58) return -1;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return -1;
  let ms = ((day * 24 + hour) * 60 + minute) * 60_000 + second * 1000;
  p += 20;
  let c = b[p];
  if (c === 46) {
    const point = p;
    let weight = 100;
    c = b[++p];
    while (c >= 48 && c <= 57) {
      if (p - point > at.scale && c !== 48) return -1;
      if (weight >= 1) ms += (c - 48) * weight;
      weight /= 10;
      c = b[++p];
    }
    if (p - point === 1) return -1;
  }
  if (c === 90) c = b[++p];
  else if (c === 43 || c === 45) {
    const hours = two(b, p + 1);
    const minutes = two(b, p + 4);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || b[p + 3] !== 58) return -1;
    ms += (c === 43 ? -1 : 1) * (hours * 60 + minutes) * 60_000;
    p += 6;
    c = b[p];
  } else if (!at.isUtc) return -1;
  if (c !== 34) return -1;
  scanned.ms = ms;
  return p + 1;
}

/** Any string, number, true, false or null, for fields that are ignored. */
export function scanScalar(b: Uint8Array, p: number): number {
  const c = b[p];
  if (c === 34) return scanString(b, p);
  if (c === 116 || c === 102) return scanBool(b, p);
  return c === 110 ? scanNull(b, p) : scanFloat(b, p);
}
