/**
 * Numbers of binary formats as text: no digit is lost on the way.
 *
 *   days, micros, … since 1970 ──▶ 2024-01-31 · 2024-01-31T10:20:30.123456       unscaled bytes, scale ──▶ "12.34"
 *
 * Texts are JSON already. Pure.
 *
 * @module
 */
import { Undecodable } from "./undecodable.ts";

/** Digits of a second: none, milli, micro or nano. */
export type SecondDigits = 0 | 3 | 6 | 9;

const DAY_MS = 86_400_000;
/** 0001-01-01 and 9999-12-31 in days: the years that have four digits. */
const DAYS = { first: -719_162n, last: 2_932_896n } as const;
/** A Decimal(76) has 32 bytes; what is longer is no number of a database. */
const DECIMAL_BYTES_MAX = 64;
const SCALE_MAX = 200;

/** The JSON text of a day. */
export function dayText(days: bigint): string {
  if (days < DAYS.first || days > DAYS.last) throw new Undecodable(`${days} days since 1970 is no day of the calendar`);
  return `"${new Date(Number(days) * DAY_MS).toISOString().slice(0, 10)}"`;
}

/** The JSON text of a time, in units of so many digits since 1970; `zone` is `Z` for an instant, empty for a local time. */
export function timeText(units: bigint, { digits, zone }: { digits: SecondDigits; zone: "Z" | "" }): string {
  const perSecond = 10n ** BigInt(digits);
  const fraction = ((units % perSecond) + perSecond) % perSecond;
  const seconds = (units - fraction) / perSecond;
  if (seconds < DAYS.first * 86_400n || seconds >= (DAYS.last + 1n) * 86_400n) {
    throw new Undecodable(`${units} is no time of the calendar, counted since 1970 in units of 10^-${digits} s`);
  }
  const text = new Date(Number(seconds) * 1_000).toISOString().slice(0, 19);
  const point = digits === 0 ? "" : `.${fraction.toString().padStart(digits, "0")}`;
  return `"${text}${point}${zone}"`;
}

/** The JSON text of a decimal number: big-endian two's complement without its point. */
export function decimalText(unscaled: Uint8Array, scale: number): string {
  if (unscaled.length > DECIMAL_BYTES_MAX) {
    throw new Undecodable(`a decimal has ${unscaled.length} bytes; at most ${DECIMAL_BYTES_MAX} are taken`);
  }
  if (!Number.isInteger(scale) || Math.abs(scale) > SCALE_MAX) {
    throw new Undecodable(`a decimal has a scale of ${scale}; at most ${SCALE_MAX} is taken`);
  }
  if (unscaled.length === 0) throw new Undecodable("a decimal has no bytes");
  const value = BigInt.asIntN(unscaled.length * 8, BigInt(`0x${Buffer.from(unscaled).toString("hex")}`));
  const sign = value < 0n ? "-" : "";
  const digits = (value < 0n ? -value : value).toString();
  if (scale <= 0) return `"${sign}${value === 0n ? "0" : digits.padEnd(digits.length - scale, "0")}"`;
  const padded = digits.padStart(scale + 1, "0");
  return `"${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}"`;
}

/** The JSON text of a Float; what JSON cannot say becomes a text, which no Float column takes. */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  return Object.is(value, -0) ? "-0.0" : String(value);
}

/** The JSON text of bytes that mean no text: base64. */
export function bytesText(bytes: Uint8Array): string {
  return `"${Buffer.from(bytes).toString("base64")}"`;
}
