/**
 * Tests of the models' oracle: what it works out by hand, and that no kind of difference escapes it.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { airportsPath, flights20kPath } from "@weir/flights";
import { modelDifferences, modelQuery, modelsEqual, modelsReport, modelsText } from "./check.ts";
import { csvRecords, parseCsv } from "./csv.ts";
import { expectedModels, MODEL_TABLES } from "./expected.ts";

const AIRPORTS = `iata,name,city,state,country,latitude,longitude
LAS,"McCarran, ""Intl""",Las Vegas,NV,USA,36.5,-115.25
OAK,Oakland,Oakland,CA,USA,37.5,-122.0
`;
const FLIGHTS = JSON.stringify([
  { date: "2001/01/02 10:59", delay: 16, distance: 407, origin: "LAS", destination: "OAK" },
  { date: "2001/01/01 00:47", delay: -5, distance: 8, origin: "ZZZ", destination: "LAS" },
  { date: "2001/01/02 10:59", delay: 15, distance: 15, origin: "LAS", destination: "OAK" },
  { date: "2001/01/02 10:00", delay: 61, distance: 7, origin: "LAS", destination: "ZZZ" },
]);
const seconds = (time: string) => Date.parse(`${time}Z`) / 1_000;

describe("parseCsv()", () => {
  test.each([
    [
      "plain cells",
      "a,b\nc,d\n",
      [
        ["a", "b"],
        ["c", "d"],
      ],
    ],
    ["quotes, commas and line ends inside", '"a ""x"", y","b\nc"\n', [['a "x", y', "b\nc"]]],
    [
      "CRLF and no line end at the end",
      "a,b\r\nc,d",
      [
        ["a", "b"],
        ["c", "d"],
      ],
    ],
    [
      "empty cells",
      ',\n"",\n',
      [
        ["", ""],
        ["", ""],
      ],
    ],
    ["an empty cell at the very end", "a,", [["a", ""]]],
    ["a byte order mark", "\uFEFFa\n", [["a"]]],
    ["nothing", "", []],
  ] as const)("reads %s", (_, text, rows) => {
    expect(parseCsv(text)).toEqual(rows as never);
  });

  test("refuses a quote that never closes, and rows of another width", () => {
    expect(() => parseCsv('a\n"b')).toThrow("the quote at character 3 never closes");
    expect(() => csvRecords("a,b\nc\n")).toThrow("row 1: it has 1 cells, its header 2");
  });

  test("reads the package's airports", () => {
    const rows = csvRecords(readFileSync(airportsPath, "utf8"));
    expect(rows).toHaveLength(3376);
    expect(rows.find(({ iata }) => iata === "DBN")?.name).toBe('W. H. "Bud" Barron');
  });
});

describe("expectedModels()", () => {
  const models = Object.fromEntries(expectedModels(FLIGHTS, AIRPORTS).map((model) => [model.table, model.groups]));

  test("keeps airports as the file has them", () => {
    expect(models["dim.airport"].get("LAS")).toEqual(['McCarran, "Intl"', "Las Vegas", "NV", "USA", 36.5, -115.25]);
  });

  test("numbers flights by departure, ties in the order of the file, with both airports or their zeros", () => {
    expect([...models["dwf.flight"].keys()]).toEqual(["0-1", "0-2", "0-3", "0-4"]);
    expect(models["dwf.flight"].get("0-1")).toEqual([
      ...[seconds("2001-01-01T00:47:00") * 1_000, "ZZZ", "", "", 0, 0, "LAS", 'McCarran, "Intl"', "NV", 36.5, -115.25],
      ...["ZZZ-LAS", 8, -5, "early", 0, 1, 31],
    ]);
    expect(models["dwf.flight"].get("0-3")?.slice(-6)).toEqual([407, 16, "late", 1, 0, 80]);
    expect(models["dwf.flight"].get("0-4")?.slice(-6)).toEqual([15, 15, "on time", 0, 0, 31]);
  });

  test("counts by airport and hour, state and minute, route and day", () => {
    const hour = `LAS ${seconds("2001-01-02T10:00:00")}`;
    expect(models["dws.airport_hour"].get(hour)).toEqual([3, 2, 0, 92, 92 / 3, 61, 15, 429, 2]);
    expect(models["dwa.state_minute"].get(`${seconds("2001-01-02T10:59:00")} NV`)).toEqual([2, 1, 15.5]);
    expect(models["dwa.state_minute"].get(`${seconds("2001-01-01T00:47:00")} `)).toEqual([1, 0, -5]);
    expect(models["dwa.route_day"].get("LAS-OAK 2001-01-02")).toEqual([2, 1, 0.5, 15.5, 16, 15, 422, 111]);
  });

  test("has every group of the package's files once", () => {
    const whole = expectedModels(readFileSync(flights20kPath, "utf8"), readFileSync(airportsPath, "utf8"));
    expect(whole.map(({ table }) => table)).toEqual([...MODEL_TABLES]);
    const counted = whole.map(({ groups, measures }) => {
      const at = measures.indexOf("flights");
      return at < 0 ? groups.size : [...groups.values()].reduce((sum, values) => sum + Number(values[at]), 0);
    });
    expect(counted).toEqual([3376, 20_000, 20_000, 20_000, 20_000]);
  });
});

describe("modelDifferences()", () => {
  const [, , model] = expectedModels(FLIGHTS, AIRPORTS);
  const rows = [...model.groups].map(
    ([group, values]): Record<string, unknown> => ({
      _group: group,
      ...Object.fromEntries(model.measures.map((measure, index) => [measure, values[index]])),
    }),
  );

  test("finds nothing where all is the same, integers as text or not", () => {
    const texts = rows.map((row) => ({ ...row, miles: String(row.miles) }));
    expect(modelDifferences(model, texts).differences).toEqual([]);
    expect(modelsEqual([modelDifferences(model, rows)])).toBe(true);
    expect(modelsText([modelDifferences(model, rows)])).toContain("All 18 values compared are equal.");
  });

  test.each([
    ["another value", rows.map((row, at) => (at === 0 ? { ...row, late: 9 } : row)), 1],
    ["a float's last digit", rows.map((row, at) => (at === 1 ? { ...row, average_delay: 92 / 3 + 4e-15 } : row)), 1],
    ["null", rows.map((row, at) => (at === 0 ? { ...row, late: null } : row)), 1],
    ["an empty text for 0", rows.map((row, at) => (at === 0 ? { ...row, late: "" } : row)), 1],
    ["a group twice", [...rows, rows[0]], 1],
    ["a missing group", rows.slice(1), 9],
    ["a group too much", [...rows, { ...rows[0], _group: "YYY 1" }], 9],
    ["an empty table", [], 18],
  ] as const)("finds %s", (_, found, count) => {
    const check = modelDifferences(model, found);
    expect(check.differences).toHaveLength(count);
    expect(modelsEqual([check])).toBe(false);
    expect(modelsText([check])).toContain(`${count} values differ:`);
    expect(modelsReport([check])).toMatchObject({ equal: false, differences_total: count });
  });
});

describe("modelQuery()", () => {
  test("reads keys as text and leaves endless replays out", () => {
    const [, flight] = expectedModels(FLIGHTS, AIRPORTS);
    const sql = modelQuery(flight);
    expect(sql).toContain("toString(flight_id) AS _group, toUnixTimestamp64Milli(departed_at) AS departed_ms, origin,");
    expect(sql).toEndWith("FROM dwf.flight WHERE NOT match(flight_id, '^[1-9][0-9]*-[0-9]+$')");
  });
});
