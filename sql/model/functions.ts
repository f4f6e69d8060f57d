/**
 * Functions a model may not call: their answer changes though the rows do not.
 *
 * The engine says which of its functions are deterministic; the lists here are
 * what it says too strictly or not strictly enough.
 *
 * @module
 */

import { CLOCK_FUNCTIONS } from "../clock.ts";

const names = (text: string) => new Set(text.trim().toLowerCase().split(/\s+/));

/** Not deterministic to the engine, and yet the same for the same row: expansion, and look-ups, which count at landing. */
const ALLOWED = names(`
  arrayJoin unnest financialNetPresentValueExtended dictGet dictGetAll dictGetChildren dictGetDate dictGetDateOrDefault
  dictGetDateTime dictGetDateTimeOrDefault dictGetDescendants dictGetFloat32 dictGetFloat32OrDefault dictGetFloat64
  dictGetFloat64OrDefault dictGetHierarchy dictGetIPv4 dictGetIPv4OrDefault dictGetIPv6 dictGetIPv6OrDefault dictGetInt16
  dictGetInt16OrDefault dictGetInt32 dictGetInt32OrDefault dictGetInt64 dictGetInt64OrDefault dictGetInt8
  dictGetInt8OrDefault dictGetKeys dictGetOrDefault dictGetOrNull dictGetRoot dictGetString dictGetStringOrDefault
  dictGetUInt16 dictGetUInt16OrDefault dictGetUInt32 dictGetUInt32OrDefault dictGetUInt64 dictGetUInt64OrDefault
  dictGetUInt8 dictGetUInt8OrDefault dictGetUUID dictGetUUIDOrDefault dictHas dictIsIn`);
/** Deterministic to the engine, and yet they see the block, wait, or reach outside. */
const REFUSED = names("sleep sleepEachRow runningConcurrency logTrace tid evalMLMethod zookeeperSessionUptime file");
/** Table functions that read nothing from outside. */
const PURE_TABLES = names("numbers numbers_mt zeros generateSeries generate_series values null");

/** The first of the names that a model may not call; with `hasClock` the clock may be asked: everything is computed anew. */
export function forbiddenFunction(
  called: Iterable<string>,
  { undetermined, hasClock }: { undetermined: ReadonlySet<string>; hasClock: boolean },
): string | undefined {
  return [...called].find((name) => {
    const lower = name.toLowerCase();
    if (hasClock && CLOCK_FUNCTIONS.has(lower)) return false;
    return REFUSED.has(lower) || (undetermined.has(lower) && !ALLOWED.has(lower));
  });
}

/** Whether a table function reads nothing from outside. */
export function isPureTable(name: string): boolean {
  return PURE_TABLES.has(name.toLowerCase());
}
