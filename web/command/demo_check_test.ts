/**
 * Tests of the oracle: what it counts by hand, and that no kind of difference escapes it.
 *
 * @module
 */
import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { flights20kPath } from "@weir/flights";
import {
  differencesOf,
  foundIn,
  GROUPINGS,
  type Grouping,
  reportJson,
  reportText,
  type Tally,
  type Totals,
  tallyOf,
  waitForRows,
} from "./demo_check.ts";

const FILE = JSON.stringify([
  { date: "2001/01/01 00:47", delay: 66, distance: 1750, origin: "DTW", destination: "LAS" },
  { date: "2001/01/01 23:59", delay: -5, distance: 407, origin: "LAS", destination: "OAK" },
  { date: "2001/01/02 00:00", delay: 0, distance: 407, origin: "LAS", destination: "OAK" },
  { date: "2001/01/02 10:00", delay: 15, distance: 10, origin: "OAK", destination: "LAS" },
  { date: "2001/01/02 10:00", delay: 16, distance: 10, origin: "OAK", destination: "LAS" },
  { date: "2001/01/02 10:00", delay: 60, distance: 10, origin: "OAK", destination: "LAS" },
  { date: "2001/01/02 10:00", delay: 61, distance: 10, origin: "OAK", destination: "LAS" },
]);

/** The package's file as awk and Python count it. */
const COUNTED_ELSEWHERE: Totals = totals(20_000, 14_476_934, [154_078, -59, 522]);

function totals(rows: number, distance: number, delays: readonly [sum: number, min: number, max: number]): Totals {
  const [sum, min, max] = delays.map(String);
  return { rows: `${rows}`, flights: `${rows}`, distance: `${distance}`, delay: sum, delay_min: min, delay_max: max };
}

/** The tally with one group replaced, added, or removed. */
function changed(
  tally: Tally,
  grouping: Grouping,
  groups: Readonly<Record<string, Partial<Totals> | undefined>>,
): Tally {
  const map = new Map(tally[grouping]);
  for (const [name, change] of Object.entries(groups)) {
    if (change === undefined) map.delete(name);
    else map.set(name, { ...totals(0, 0, [0, 0, 0]), ...map.get(name), ...change });
  }
  return { ...tally, [grouping]: map };
}

describe("tallyOf()", () => {
  const tally = tallyOf(FILE);

  test.each([
    ["all rows", "all", { all: totals(7, 2604, [213, -5, 66]) }],
    [
      "origins",
      "origin",
      { DTW: totals(1, 1750, [66, 66, 66]), LAS: totals(2, 814, [-5, -5, 0]), OAK: totals(4, 40, [152, 15, 61]) },
    ],
    ["destinations", "destination", { LAS: totals(5, 1790, [218, 15, 66]), OAK: totals(2, 814, [-5, -5, 0]) }],
    ["days", "day", { "2001-01-01": totals(2, 2157, [61, -5, 66]), "2001-01-02": totals(5, 447, [152, 0, 61]) }],
    [
      "delay classes with their bounds",
      "delay_class",
      {
        "very late": totals(2, 1760, [127, 61, 66]),
        early: totals(1, 407, [-5, -5, -5]),
        "on time": totals(2, 417, [15, 0, 15]),
        late: totals(2, 20, [76, 16, 60]),
      },
    ],
  ] as const)("counts %s", (_, grouping, expected) => {
    expect(Object.fromEntries(tally[grouping])).toEqual(expected);
  });

  test("counts the package's file as awk and Python do", () => {
    const whole = tallyOf(readFileSync(flights20kPath, "utf8"));
    expect(whole.all.get("all")).toEqual(COUNTED_ELSEWHERE);
    expect(GROUPINGS.map((grouping) => whole[grouping].size)).toEqual([1, 220, 223, 90, 4]);
  });
});

describe("differencesOf()", () => {
  const expected = tallyOf(FILE);

  test("finds nothing between equal tallies", () => {
    expect(differencesOf(expected, tallyOf(FILE))).toEqual([]);
  });

  test.each([
    [
      "a changed sum",
      changed(expected, "origin", { LAS: { distance: "815" } }),
      [["origin", "LAS", "distance", "814", "815"]],
    ],
    ["a doubled flight", changed(expected, "all", { all: { rows: "8" } }), [["all", "all", "rows", "7", "8"]]],
    [
      "a greatest delay",
      changed(expected, "delay_class", { late: { delay_max: "61" } }),
      [["delay_class", "late", "delay_max", "60", "61"]],
    ],
  ] as const)("finds %s", (_, found, differences) => {
    const named = differences.map(([grouping, group, measure, wanted, there]) => ({
      grouping,
      group,
      measure,
      expected: wanted,
      found: there,
    }));
    expect(differencesOf(expected, found)).toEqual(named);
  });

  test("finds a missing group in every measure", () => {
    const differences = differencesOf(expected, changed(expected, "day", { "2001-01-02": undefined }));
    expect(differences.map(({ group, found }) => [group, found])).toEqual(Array(6).fill(["2001-01-02", undefined]));
  });

  test("finds an extra group, of zeros too", () => {
    const differences = differencesOf(expected, changed(expected, "destination", { XXX: {} }));
    expect(differences.map(({ group, expected: wanted }) => [group, wanted])).toEqual(
      Array(6).fill(["XXX", undefined]),
    );
  });

  test("finds everything in an empty table", () => {
    const nothing = Object.fromEntries(GROUPINGS.map((grouping) => [grouping, new Map()])) as unknown as Tally;
    expect(differencesOf(expected, nothing).length).toBe(6 * (1 + 3 + 2 + 2 + 4));
  });
});

describe("reportText()", () => {
  const expected = tallyOf(FILE);

  test("says how many values agreed", () => {
    expect(reportText(expected, expected)).toContain("All 72 values compared are equal.");
  });

  test("names each difference with both values", () => {
    const text = reportText(expected, changed(expected, "origin", { LAS: { distance: "815" } }));
    expect(text).toContain("1 values differ:\n  origin 'LAS': sum of distance is 815, expected 814");
    expect(text).toContain("DIFFERENT in 1 values");
  });
});

describe("reportJson()", () => {
  test("is one line with the verdict", () => {
    const expected = tallyOf(FILE);
    const line = reportJson(expected, changed(expected, "all", { all: { delay: "214" } }));
    expect(line).not.toContain("\n");
    expect(JSON.parse(line)).toMatchObject({
      compared: true,
      equal: false,
      differences_total: 1,
      groups: { origin: 3 },
    });
  });
});

describe("foundIn()", () => {
  const asked: string[] = [];
  const row = {
    name: "SFO",
    rows: "2",
    flights: "2",
    distance_sum: "20",
    delay_sum: "-3",
    delay_min: -5,
    delay_max: 2,
    n: "2",
  };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      asked.push(await request.text());
      return Response.json({ data: [row], meta: {} });
    },
  });
  const door = { url: `http://127.0.0.1:${server.port}`, token: "t" };
  afterAll(() => server.stop(true));

  test("reads numbers and strings alike, one statement for each grouping", async () => {
    const found = await foundIn(door);
    expect(asked.length).toBe(GROUPINGS.length);
    for (const grouping of GROUPINGS) expect([...found[grouping]]).toEqual([["SFO", totals(2, 20, [-3, -5, 2])]]);
  });

  test.each([
    ["answers at once when the rows are there", 2, 60_000],
    ["answers what there is at the deadline", 3, 0],
  ] as const)("waitForRows() %s", async (_, wanted, waitMsMax) => {
    expect(await waitForRows(door, wanted, { waitMsMax, signal: new AbortController().signal })).toBe(2);
  });
});
