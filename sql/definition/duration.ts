/**
 * Spans of time and sizes as people write them: `10 s`, `7 days`, `2 GiB`. There is one grammar, in definitions and at the door.
 *
 * @module
 */
import { z } from "zod";

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
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
const UNITS_BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
};

/** What a span of time may look like, to be read by people. */
export const DURATION_FORM = 'a number and a unit, such as "60 s", "10 minutes", "12 hours" or "30 days"';

/** Milliseconds of a span of time; undefined if the text is none. */
export function durationMs(text: string): number | undefined {
  return amountOf(text, UNITS_MS);
}

/** A span of time, in milliseconds. */
export const duration = measured({
  units: UNITS_MS,
  what: "a span of time",
  examples: ["10 s", "5 minutes", "7 days"],
});

/** A span of time as people write it, in the largest unit of which it is a whole number: `1 hour`, `90 min`. */
export function spanText(ms: number): string {
  const units = Object.entries({ day: 86_400_000, hour: 3_600_000, min: 60_000, s: 1_000, ms: 1 });
  const [unit, size] = units.find(([, size]) => ms % size === 0) ?? ["ms", 1];
  const count = ms / size;
  return `${count} ${unit}${count !== 1 && (unit === "day" || unit === "hour") ? "s" : ""}`;
}

/** A size, in bytes. */
export const size = measured({ units: UNITS_BYTES, what: "a size", examples: ["500 MiB", "2 GiB"] });

function measured(of: { units: Readonly<Record<string, number>>; what: string; examples: readonly string[] }) {
  const message = `Write ${of.what}, for example ${of.examples.join(", ")}`;
  return z
    .string()
    .meta({ examples: of.examples })
    .transform((text, context) => {
      const amount = amountOf(text, of.units);
      if (amount !== undefined) return amount;
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    });
}

/** A number with one of these units, in the smallest of them; undefined if the text is none. */
function amountOf(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, count, name = ""] = /^\s*(\d{1,15}(?:\.\d{1,9})?)\s*([a-z]{1,10})\s*$/i.exec(text) ?? [];
  const word = name.toLowerCase();
  const unit = [word, word.replace(/s$/, "")].find((one) => Object.hasOwn(units, one));
  return unit === undefined ? undefined : Math.round(Number(count) * units[unit]!);
}
