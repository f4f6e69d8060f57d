/**
 * The comparison of every group of every model with what was worked out by hand.
 *
 *   expectedModels ──▶ expected ─┐
 *                                ├─ modelDifferences ──▶ every value that differs, every group that is missing or too much
 *   POST /v1/sql ────▶ found ────┘
 *
 * What an endless replay on the same data added is left out: its flights have loops from 1
 * and leave at the time at which they are sent, long after the file's.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { airportsPath, flights20kPath } from "@weir/flights";
import { rows } from "../demo_check.ts";
import type { DoorAddress } from "../replay.ts";
import { type ExpectedModel, expectedModels, type ModelTable, type Value } from "./expected.ts";

/** One value that is not the same; `undefined` where a side has no such group. */
export interface ModelDifference {
  readonly table: ModelTable;
  readonly group: string;
  readonly measure: string;
  readonly expected: Value | undefined;
  readonly found: unknown;
}

/** What the comparison of one model saw. */
export interface ModelCheck {
  readonly table: ModelTable;
  /** Groups expected and found, and values compared. */
  readonly groups: number;
  readonly found: number;
  readonly values: number;
  readonly differences: readonly ModelDifference[];
}

/** How a model is asked for its groups. */
interface ModelQuery {
  /** Expressions whose texts, joined by a space, name the group. */
  readonly key: readonly string[];
  /** Expressions of measures that are not columns. */
  readonly computed?: Readonly<Record<string, string>>;
  readonly where?: string;
}

const REPLAYED_ENDLESSLY = "match(flight_id, '^[1-9][0-9]*-[0-9]+$')";
const FILE_TIMES = "< '2010-01-01'";

const QUERIES: Readonly<Record<ModelTable, ModelQuery>> = {
  "dim.airport": { key: ["iata"] },
  "dwf.flight": {
    key: ["flight_id"],
    computed: { departed_ms: "toUnixTimestamp64Milli(departed_at)" },
    where: `NOT ${REPLAYED_ENDLESSLY}`,
  },
  "dws.airport_hour": { key: ["airport", "toUnixTimestamp(hour)"], where: `hour ${FILE_TIMES}` },
  "dwa.state_minute": { key: ["toUnixTimestamp(minute)", "state"], where: `minute ${FILE_TIMES}` },
  "dwa.route_day": { key: ["route", "day"], where: `day ${FILE_TIMES}` },
};

/** The SELECT that reads a model's groups: `_group` and the measures; `table` may stand in for the model's own. */
export function modelQuery({ table: model, measures }: ExpectedModel, table: string = model): string {
  const { key, computed = {}, where } = QUERIES[model];
  const group = key.map((expression) => `toString(${expression})`).join(", ' ', ");
  const items = measures.map((measure) => (measure in computed ? `${computed[measure]} AS ${measure}` : measure));
  const name = key.length === 1 ? group : `concat(${group})`;
  const condition = where === undefined ? "" : ` WHERE ${where}`;
  return `SELECT ${name} AS _group, ${items.join(", ")} FROM ${table}${condition}`;
}

/** Compares all models of a running door with what the files say. */
export async function checkModels(door: DoorAddress, signal?: AbortSignal): Promise<readonly ModelCheck[]> {
  const expected = expectedModels(readFileSync(flights20kPath, "utf8"), readFileSync(airportsPath, "utf8"));
  const checks: ModelCheck[] = [];
  for (const model of expected) checks.push(modelDifferences(model, await rows(door, modelQuery(model), signal)));
  return checks;
}

/** Compares one model with the rows that `modelQuery` answers; groups in order. */
export function modelDifferences(
  { table, measures, groups }: ExpectedModel,
  rowsFound: readonly Readonly<Record<string, unknown>>[],
): ModelCheck {
  const differences: ModelDifference[] = [];
  const found = new Map<string, Readonly<Record<string, unknown>>>();
  for (const row of rowsFound) {
    const group = String(row._group);
    // One row of each group: a second one would hide behind the first.
    if (found.has(group)) differences.push({ table, group, measure: "rows", expected: 1, found: 2 });
    found.set(group, row);
  }
  for (const group of [...new Set([...groups.keys(), ...found.keys()])].sort()) {
    const wanted = groups.get(group);
    const there = found.get(group);
    for (const [index, measure] of measures.entries()) {
      const expected = wanted?.[index];
      if (wanted !== undefined && there !== undefined && isSame(expected, there[measure])) continue;
      differences.push({ table, group, measure, expected, found: there?.[measure] });
    }
  }
  return { table, groups: groups.size, found: found.size, values: groups.size * measures.length, differences };
}

/** Numbers must be the same double, however they are spelled: 64-bit integers come as strings. */
function isSame(expected: Value | undefined, found: unknown): boolean {
  if (typeof expected !== "number") return expected === found;
  const isNumber = typeof found === "number" || (typeof found === "string" && found.trim() !== "");
  return isNumber && Number(found) === expected;
}

/** Differences of all models that are spelled out; all are counted. */
const DIFFERENCES_SHOWN_MAX = 50;

/** Whether every value of every model is the same. */
export function modelsEqual(checks: readonly ModelCheck[]): boolean {
  return checks.every(({ differences }) => differences.length === 0);
}

/** The comparison for people: a line for each model, then what differs. */
export function modelsText(checks: readonly ModelCheck[]): string {
  const line = (what: string, expected: string, found: string, verdict: string) =>
    `  ${what.padEnd(24)}${expected.padStart(14)}${found.padStart(14)}   ${verdict}`;
  const lines = checks.map(({ table, groups, found, differences }) => {
    const verdict = differences.length === 0 ? "equal" : `DIFFERENT in ${differences.length} values`;
    return line(table, String(groups), String(found), verdict);
  });
  const values = checks.reduce((sum, check) => sum + check.values, 0);
  const differences = checks.flatMap((check) => check.differences);
  const head = line("groups of", "by hand", "there", "").trimEnd();
  if (differences.length === 0) return [head, ...lines, "", `All ${values} values compared are equal.`].join("\n");
  const shown = differences.slice(0, DIFFERENCES_SHOWN_MAX).map(({ table, group, measure, expected, found }) => {
    const there = found === undefined ? "missing" : JSON.stringify(found);
    const wanted = expected === undefined ? "no such group" : JSON.stringify(expected);
    return `  ${table} '${group}': ${measure} is ${there}, expected ${wanted}`;
  });
  const more = differences.length - shown.length;
  const rest = more > 0 ? [`  and ${more} more`] : [];
  return [head, ...lines, "", `${differences.length} values differ:`, ...shown, ...rest].join("\n");
}

/** The comparison for scripts, to be a member of the report. */
export function modelsReport(checks: readonly ModelCheck[]): Readonly<Record<string, unknown>> {
  const differences = checks.flatMap((check) => check.differences);
  return {
    equal: differences.length === 0,
    tables: Object.fromEntries(checks.map(({ table, groups, found, values }) => [table, { groups, found, values }])),
    differences: differences.slice(0, DIFFERENCES_SHOWN_MAX),
    differences_total: differences.length,
  };
}
