/**
 * Zones: how far local time is from UTC, by JavaScript's own time zone data.
 *
 * Compared with the engine over every zone's changes from 1980 to 2105; where
 * the two can differ, a zone or a year is refused rather than guessed. Pure.
 *
 * @module
 */

/** Names under which a zone has no offset at any time. */
export const UTC_NAMES: ReadonlySet<string> = new Set(["UTC", "Etc/UTC", "GMT", "Etc/GMT", "Zulu", "Etc/Zulu", "UCT"]);

const DAY_MS = 86_400_000;

/** Whether a zone exists and its local times can be read; the engine misreads zones that once dropped a whole day. */
export function isZoneReadable(zone: string): boolean {
  try {
    const offsets = Array.from({ length: 126 }, (_, year) => zoneOffsetMs(zone, Date.UTC(1980 + year, 0, 1)));
    return Math.max(...offsets) - Math.min(...offsets) < DAY_MS / 2;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

const zones = new Map<string, Intl.DateTimeFormat>();

/** The zone's offset from UTC at an instant, in milliseconds. */
export function zoneOffsetMs(zone: string, ms: number): number {
  let format = zones.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset", hour: "numeric" });
    zones.set(zone, format);
  }
  const found = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?/.exec(format.format(ms));
  if (found?.[1] === undefined) return 0;
  const seconds = Number(found[2]) * 3600 + Number(found[3]) * 60 + Number(found[4] ?? 0);
  return (found[1] === "-" ? -seconds : seconds) * 1000;
}
