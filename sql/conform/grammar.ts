/**
 * Grammar: what a value may look like, said once for the judge and the engine.
 *
 * Patterns use only the syntax that JavaScript and the engine's RE2 share. Where
 * the engine parses a value itself (integers, Float, Decimal, Bool), the pattern
 * describes what it takes in quotes; without quotes JSON's own number applies.
 *
 * @module
 */

import type { ColumnType } from "./column_type.ts";
import { DAY, timePattern } from "./time.ts";

const OCTET = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = `(?:${OCTET}\\.){3}${OCTET}`;
const HEX = "[0-9a-fA-F]{1,4}";
/** RFC 4291, section 2.2: eight groups, one run of zeros as `::`, the last two groups as IPv4. */
const IPV6 = [
  `(?:${HEX}:){7}${HEX}`,
  `(?:${HEX}:){1,7}:`,
  ...[1, 2, 3, 4, 5, 6].map((tail) => `(?:${HEX}:){1,${7 - tail}}(?::${HEX}){1,${tail}}`),
  `:(?::${HEX}){1,7}`,
  "::",
  `(?:${HEX}:){6}${IPV4}`,
  `::(?:${HEX}:){0,5}${IPV4}`,
  ...[1, 2, 3, 4, 5].map((head) => `(?:${HEX}:){${head}}:(?:${HEX}:){0,${5 - head}}${IPV4}`),
].join("|");

/** The pattern which a text of the type must match in judge and engine alike; undefined: none. */
export function textPattern(type: ColumnType): string | undefined {
  switch (type.kind) {
    case "uuid":
      return "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";
    case "ipv4":
      return `^${IPV4}$`;
    case "ipv6":
      return `^(?:${IPV6})$`;
    case "date":
      return `^${DAY}$`;
    case "time":
      return timePattern(type.scale);
    default:
      return undefined;
  }
}

/** A JSON number without fraction or exponent. */
export const INTEGER = /^-?(?:0|[1-9][0-9]*)$/;

/** What the engine reads as an integer inside quotes. */
export const QUOTED_INTEGER = /^[+-]?[0-9]+$/;

/** What the engine reads as a Float or Decimal inside quotes. */
export const QUOTED_NUMBER = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;

/** Characters of an exact number; more could only be zeros, and make the checks slow. */
export const NUMBER_CHARS_MAX = 400;

/** Digits of an exponent that a Decimal may have. */
export const EXPONENT_DIGITS_MAX = 3;
