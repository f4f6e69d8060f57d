/**
 * Preload: a wall clock that a test sets, as NTP or an operator does: `Date` jumps, timers and the monotonic clock do not.
 *
 *     WEIR_CLOCK_FILE=<file> bun --preload ./tests/faults/clock_preload.ts web/main.ts start …
 *
 * The file holds by how many milliseconds the clock is off; without it the clock is right.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";

const LOOK_MS = 50;
const file = process.env.WEIR_CLOCK_FILE;
if (file === undefined) throw new Error("Cannot set the clock: WEIR_CLOCK_FILE is not set. Name a file.");

const RealDate = Date;
let offMs = 0;
setInterval(() => {
  offMs = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
}, LOOK_MS).unref();

globalThis.Date = new Proxy(RealDate, {
  construct: (real, args) => (args.length === 0 ? new real(real.now() + offMs) : Reflect.construct(real, args)),
  get: (real, name) => (name === "now" ? () => real.now() + offMs : Reflect.get(real, name)),
});
