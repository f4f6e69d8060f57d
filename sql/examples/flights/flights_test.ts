/**
 * Tests of the flights: dates, order, events, and the files of vega-datasets being what the demo expects.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  airportsPath,
  departureMs,
  FlightsUnreadable,
  flightEvent,
  flights3mPath,
  flights3mQuery,
  flights20kPath,
  parseFlights,
  projectDir,
} from "./mod.ts";

describe("departureMs()", () => {
  test.each([
    ["reads the wall time as UTC", "2001/01/01 00:47", Date.UTC(2001, 0, 1, 0, 47)],
    ["reads an hour that daylight saving skips in America", "2001/04/01 02:30", Date.UTC(2001, 3, 1, 2, 30)],
    ["reads a leap day", "2004/02/29 23:59", Date.UTC(2004, 1, 29, 23, 59)],
    ["refuses a day that does not exist", "2001/02/29 10:00", undefined],
    ["refuses hour 24", "2001/01/01 24:00", undefined],
    ["refuses minute 60", "2001/01/01 10:60", undefined],
    ["refuses seconds", "2001/01/01 10:00:00", undefined],
    ["refuses another form", "2001-01-01T10:00", undefined],
  ] as const)("%s", (_, date, expected) => {
    expect(departureMs(date)).toBe(expected);
  });
});

describe("parseFlights()", () => {
  const record = (date: string, delay: unknown = 1) => ({
    date,
    delay,
    distance: 10,
    origin: "SFO",
    destination: "LAX",
  });

  test("sorts by departure and keeps the file's order of equal times", () => {
    const text = JSON.stringify([
      record("2001/01/02 00:00", 1),
      record("2001/01/01 00:00", 2),
      record("2001/01/02 00:00", 3),
    ]);
    expect(parseFlights(text).map(({ delay }) => delay)).toEqual([2, 1, 3]);
  });

  test.each([
    ["no array", {}],
    ["a null element", [null]],
    ["a bad date", [record("yesterday")]],
    ["a delay with a fraction", [record("2001/01/01 00:00", 1.5)]],
    ["a delay as text", [record("2001/01/01 00:00", "1")]],
    ["a missing origin", [{ ...record("2001/01/01 00:00"), origin: undefined }]],
  ] as const)("refuses %s", (_, records) => {
    expect(() => parseFlights(JSON.stringify(records))).toThrow(FlightsUnreadable);
  });

  test("reads all 20,000 of the package's file, in order", () => {
    const flights = parseFlights(readFileSync(flights20kPath, "utf8"));
    expect(flights.length).toBe(20_000);
    expect(flights.every((flight, i) => i === 0 || flights[i - 1].departedMs <= flight.departedMs)).toBe(true);
    expect(new Date(flights[0].departedMs).toISOString()).toBe("2001-01-01T00:47:00.000Z");
    expect(new Date(flights[19_999].departedMs).toISOString()).toBe("2001-03-31T22:27:00.000Z");
  });
});

describe("flightEvent()", () => {
  const flight = {
    departedMs: Date.UTC(2001, 0, 1, 0, 47),
    origin: "DTW",
    destination: "LAS",
    distance: 1750,
    delay: -3,
  };

  test.each([
    ["keeps its own time without a shift", { loop: 0, number: 1, shiftMs: 0 }, "0-1", "2001-01-01T00:47:00.000Z"],
    ["moves it by the shift", { loop: 7, number: 20_000, shiftMs: 86_400_001 }, "7-20000", "2001-01-02T00:47:00.001Z"],
  ] as const)("%s", (_, replayed, flight_id, departed_at) => {
    const same = { origin: "DTW", destination: "LAS", distance: 1750, delay: -3 };
    expect(flightEvent(flight, replayed)).toEqual({ flight_id, departed_at, ...same });
  });
});

describe("flights3mQuery()", () => {
  test("quotes the path and says the loop", () => {
    const query = flights3mQuery("/a'b\\c.parquet", { loop: 3 });
    expect(query).toContain("file('/a\\'b\\\\c.parquet', 'Parquet')");
    expect(query).toContain("concat('3-', toString(_row_number + 1)) AS flight_id");
  });
});

describe("paths", () => {
  test.each([flights20kPath, flights3mPath, airportsPath, join(projectDir, "ods/flight.sql")])(
    "%s is there",
    (path) => {
      expect(existsSync(path)).toBe(true);
    },
  );
});
