/**
 * The demo's oracle: what `ods.flight` must hold after one replay, and what it does hold.
 *
 *   flights-20k.json ──tallyOf (plain TypeScript)──▶ expected ─┐
 *                                                              ├─ differencesOf ──▶ every value that differs
 *   ods.flight ──POST /v1/sql──▶ found ────────────────────────┘
 *
 * What must hold: the expected side shares no code with what made the events, with
 * Weir's loader or with ClickHouse. It reads the file itself and counts by hand, so
 * a mistake on the way cannot hide in both.
 *
 * @module
 */
import { ask, type DoorAddress, pause } from "./replay.ts";

/** What is compared of all rows and of each group; sums in miles and minutes. */
export const MEASURES = ["rows", "flights", "distance", "delay", "delay_min", "delay_max"] as const;
export type Measure = (typeof MEASURES)[number];

/** One group's values as decimal text, as the door writes 64-bit integers. */
export type Totals = Readonly<Record<Measure, string>>;

/** By what rows are grouped; `all` is one group, named `all`. */
export const GROUPINGS = ["all", "origin", "destination", "day", "delay_class"] as const;
export type Grouping = (typeof GROUPINGS)[number];

/** Everything that is compared: per grouping the groups' totals by name. */
export type Tally = Readonly<Record<Grouping, ReadonlyMap<string, Totals>>>;

/** One value that is not the same; `undefined` where a side has no such group. */
export interface Difference {
  readonly grouping: Grouping;
  readonly group: string;
  readonly measure: Measure;
  readonly expected: string | undefined;
  readonly found: string | undefined;
}

/** A record of the file, as far as the oracle needs it. */
interface FileRecord {
  readonly date: string;
  readonly delay: number;
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
}

interface Sums {
  rows: number;
  distance: number;
  delay: number;
  delayMin: number;
  delayMax: number;
}

/** Counts the text of `flights-20k.json`; each record is a flight of its own. */
export function tallyOf(text: string): Tally {
  const sums = Object.fromEntries(GROUPINGS.map((grouping) => [grouping, new Map<string, Sums>()])) as Record<
    Grouping,
    Map<string, Sums>
  >;
  for (const record of JSON.parse(text) as FileRecord[]) {
    addTo(sums.all, "all", record);
    addTo(sums.origin, record.origin, record);
    addTo(sums.destination, record.destination, record);
    addTo(sums.day, record.date.slice(0, 10).replaceAll("/", "-"), record);
    addTo(sums.delay_class, delayClass(record.delay), record);
  }
  const totals = GROUPINGS.map((grouping) => [
    grouping,
    new Map([...sums[grouping]].map(([name, one]) => [name, totalsOf(one)])),
  ]);
  return Object.fromEntries(totals) as Tally;
}

function delayClass(minutes: number): string {
  if (minutes < 0) return "early";
  if (minutes <= 15) return "on time";
  return minutes <= 60 ? "late" : "very late";
}

function addTo(groups: Map<string, Sums>, name: string, { distance, delay }: FileRecord): void {
  const sums = groups.get(name);
  if (sums === undefined) {
    groups.set(name, { rows: 1, distance, delay, delayMin: delay, delayMax: delay });
    return;
  }
  sums.rows += 1;
  sums.distance += distance;
  sums.delay += delay;
  if (delay < sums.delayMin) sums.delayMin = delay;
  if (delay > sums.delayMax) sums.delayMax = delay;
}

function totalsOf({ rows, distance, delay, delayMin, delayMax }: Sums): Totals {
  const numbers = { rows, flights: rows, distance, delay, delay_min: delayMin, delay_max: delayMax };
  return Object.fromEntries(Object.entries(numbers).map(([measure, value]) => [measure, String(value)])) as Totals;
}

/** How SQL names each grouping's groups. */
const GROUP_SQL: Readonly<Record<Grouping, string>> = {
  all: "'all'",
  origin: "toString(origin)",
  destination: "toString(destination)",
  day: "toString(toDate(departed_at, 'UTC'))",
  delay_class: "multiIf(delay < 0, 'early', delay <= 15, 'on time', delay <= 60, 'late', 'very late')",
};

/** Rows that do not belong to an endless replay (whose loops count from 1) on the same data: a damaged id is among them. */
const ONCE_ROWS = "NOT match(flight_id, '^[1-9][0-9]*-[0-9]+$')";

/** Asks the door for rows; 64-bit integers come as strings. Throws ReplayFailed with the door's message. */
export async function rows(
  door: DoorAddress,
  sql: string,
  signal?: AbortSignal,
): Promise<readonly Record<string, unknown>[]> {
  const headers = { "content-type": "text/plain", accept: "application/json" };
  const answer = (await ask(door, { path: "/v1/sql?format=json", headers, body: sql, signal })) as {
    data?: Record<string, unknown>[];
  };
  if (!Array.isArray(answer?.data))
    throw new Error(`Cannot read the door's answer to '${sql.slice(0, 100)}': it has no data.`);
  return answer.data;
}

/** The same tally by SQL, over the rows of the replay that happens once. */
export async function foundIn(door: DoorAddress): Promise<Tally> {
  const found = GROUPINGS.map(async (grouping) => {
    const answer = await rows(
      door,
      `SELECT ${GROUP_SQL[grouping]} AS name, count() AS rows, uniqExact(flight_id) AS flights, sum(distance) AS distance_sum,
        sum(delay) AS delay_sum, min(delay) AS delay_min, max(delay) AS delay_max
      FROM ods.flight WHERE ${ONCE_ROWS} GROUP BY name ORDER BY name`,
    );
    return [grouping, new Map(answer.map((row) => [String(row.name), totalsIn(row)]))] as const;
  });
  return Object.fromEntries(await Promise.all(found)) as unknown as Tally;
}

function totalsIn({ rows, flights, distance_sum, delay_sum, delay_min, delay_max }: Record<string, unknown>): Totals {
  const values = { rows, flights, distance: distance_sum, delay: delay_sum, delay_min, delay_max };
  return Object.fromEntries(Object.entries(values).map(([measure, value]) => [measure, String(value)])) as Totals;
}

/** Every value that differs, grouping by grouping, groups in order; empty when all is equal. */
export function differencesOf(expected: Tally, found: Tally): readonly Difference[] {
  const differences: Difference[] = [];
  for (const grouping of GROUPINGS) {
    const names = new Set([...expected[grouping].keys(), ...found[grouping].keys()]);
    for (const group of [...names].sort()) {
      const wanted = expected[grouping].get(group);
      const there = found[grouping].get(group);
      for (const measure of MEASURES) {
        if (wanted !== undefined && there !== undefined && wanted[measure] === there[measure]) continue;
        differences.push({ grouping, group, measure, expected: wanted?.[measure], found: there?.[measure] });
      }
    }
  }
  return differences;
}

const POLL_MS = 100;

/** Waits until the replay's rows can be queried, at most `waitMsMax`; answers how many there were at the end. */
export async function waitForRows(
  door: DoorAddress,
  rowsCount: number,
  { waitMsMax, signal }: { waitMsMax: number; signal: AbortSignal },
): Promise<number> {
  const deadlineMs = performance.now() + waitMsMax;
  for (;;) {
    const [{ n }] = await rows(door, `SELECT count() AS n FROM ods.flight WHERE ${ONCE_ROWS}`, signal);
    if (Number(n) >= rowsCount || performance.now() > deadlineMs || signal.aborted) return Number(n);
    await pause(POLL_MS, signal);
  }
}

/** Differences that are spelled out; all are counted. */
const DIFFERENCES_SHOWN_MAX = 50;

/** The comparison for people: what agreed, or every difference. */
export function reportText(expected: Tally, found: Tally): string {
  const differences = differencesOf(expected, found);
  const line = (what: string, file: string, table: string, verdict: string) =>
    `  ${what.padEnd(24)}${file.padStart(14)}${table.padStart(14)}   ${verdict}`;
  const wanted = expected.all.get("all");
  const there = found.all.get("all");
  const head = [line("", "file", "ods.flight", "").trimEnd()];
  const all = MEASURES.map((measure) => {
    const same = wanted?.[measure] === there?.[measure];
    return line(NAMES[measure], wanted?.[measure] ?? "none", there?.[measure] ?? "none", same ? "equal" : "DIFFERENT");
  });
  const groups = GROUPINGS.slice(1).map((grouping) => {
    const count = differences.filter((one) => one.grouping === grouping).length;
    const verdict = count === 0 ? "equal" : `DIFFERENT in ${count} values`;
    return line(
      `groups by ${grouping.replace("_", " ")}`,
      String(expected[grouping].size),
      String(found[grouping].size),
      verdict,
    );
  });
  return [...head, ...all, ...groups, "", ...verdictLines(expected, differences)].join("\n");
}

const NAMES: Readonly<Record<Measure, string>> = {
  rows: "rows",
  flights: "different flights",
  distance: "sum of distance",
  delay: "sum of delay",
  delay_min: "least delay",
  delay_max: "greatest delay",
};

function verdictLines(expected: Tally, differences: readonly Difference[]): readonly string[] {
  const values = MEASURES.length * GROUPINGS.reduce((sum, grouping) => sum + expected[grouping].size, 0);
  if (differences.length === 0) return [`All ${values} values compared are equal.`];
  const shown = differences
    .slice(0, DIFFERENCES_SHOWN_MAX)
    .map(({ grouping, group, measure, expected: wanted, found: there }) => {
      const where = grouping === "all" ? "all rows" : `${grouping} '${group}'`;
      return `  ${where}: ${NAMES[measure]} is ${there ?? "missing"}, expected ${wanted ?? "no such group"}`;
    });
  const more = differences.length - shown.length;
  return [`${differences.length} values differ:`, ...shown, ...(more > 0 ? [`  and ${more} more`] : [])];
}

/** The comparison for scripts: one line of JSON. */
export function reportJson(expected: Tally, found: Tally, more: object = {}): string {
  const differences = differencesOf(expected, found);
  const groups = Object.fromEntries(GROUPINGS.slice(1).map((grouping) => [grouping, expected[grouping].size]));
  return JSON.stringify({
    compared: true,
    equal: differences.length === 0,
    expected: expected.all.get("all") ?? null,
    found: found.all.get("all") ?? null,
    groups,
    differences: differences.slice(0, DIFFERENCES_SHOWN_MAX),
    differences_total: differences.length,
    ...more,
  });
}
