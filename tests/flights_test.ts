/**
 * The flights warehouse, told by five flights: what each layer makes of them, what each API answers, what is refused.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { projectDir } from "@weir/flights";
import { openWarehouse, type TestWarehouse } from "weir/test";

const NEW_YEAR = "2001-01-01T12:00:00Z";

/** From San Francisco on time and late, from New York very late and early; the last one from where nobody knows. */
const FLIGHTS = [
  { flight_id: "1", departed_at: "2001-01-01T09:00:00Z", origin: "SFO", destination: "LAX", distance: 337, delay: 0 },
  { flight_id: "2", departed_at: "2001-01-01T09:00:30Z", origin: "SFO", destination: "LAX", distance: 337, delay: 16 },
  { flight_id: "3", departed_at: "2001-01-01T09:30:00Z", origin: "JFK", destination: "SFO", distance: 2586, delay: 61 },
  { flight_id: "4", departed_at: "2001-01-01T11:00:00Z", origin: "JFK", destination: "LAX", distance: 2475, delay: -5 },
  { flight_id: "5", departed_at: "2000-12-31T23:59:00Z", origin: "XXX", destination: "LAX", distance: 7, delay: 15 },
];

let warehouse: TestWarehouse;
beforeAll(async () => {
  warehouse = await openWarehouse({ project: projectDir, now: NEW_YEAR });
  await warehouse.ingest("flight", FLIGHTS);
});
afterAll(() => warehouse.close());

describe("a flight", () => {
  test("keeps what was sent, and when it came", async () => {
    expect(
      await warehouse.sql`SELECT flight_id, delay, _event_time, _ingest_time FROM ods.flight WHERE flight_id = '1'`,
    ).toEqual([
      { flight_id: "1", delay: 0, _event_time: "2001-01-01T09:00:00.000Z", _ingest_time: "2001-01-01T12:00:00.000Z" },
    ]);
  });

  test("gets both airports of dim.airport, its route, its class and its minutes from gate to gate", async () => {
    expect(await warehouse.sql`SELECT name, state FROM dim.airport WHERE iata IN ('SFO', 'LAX') ORDER BY iata`).toEqual(
      [
        { name: "Los Angeles International", state: "CA" },
        { name: "San Francisco International", state: "CA" },
      ],
    );
    expect(await warehouse.api("flight", { flight_id: "2" })).toEqual([
      {
        ...{ flight_id: "2", departed_at: "2001-01-01T09:00:30.000Z", route: "SFO-LAX", distance: 337 },
        ...{ origin: "SFO", origin_name: "San Francisco International", origin_state: "CA" },
        ...{ destination: "LAX", destination_name: "Los Angeles International", destination_state: "CA" },
        ...{ block_minutes: 72, delay: 16, delay_class: "late" },
      },
    ]);
  });

  test("is early below 0, on time up to 15 minutes late, late up to 60; an unknown airport has no name", async () => {
    expect(
      await warehouse.sql`SELECT flight_id, delay_class, is_late, is_early, origin_name FROM dwf.flight
        WHERE flight_id != '2' ORDER BY flight_id`,
    ).toEqual([
      { flight_id: "1", delay_class: "on time", is_late: 0, is_early: 0, origin_name: "San Francisco International" },
      { flight_id: "3", delay_class: "very late", is_late: 1, is_early: 0, origin_name: "John F Kennedy Intl" },
      { flight_id: "4", delay_class: "early", is_late: 0, is_early: 1, origin_name: "John F Kennedy Intl" },
      { flight_id: "5", delay_class: "on time", is_late: 0, is_early: 0, origin_name: "" },
    ]);
  });
});

describe("aggregates", () => {
  test("dws.airport_hour counts departures by airport and hour", async () => {
    expect(
      await warehouse.sql`SELECT airport, hour, flights, late, early, average_delay, destinations FROM dws.airport_hour
        ORDER BY airport, hour`,
    ).toEqual([
      {
        ...{ airport: "JFK", hour: "2001-01-01T09:00:00Z", flights: "1", late: "1", early: "0" },
        average_delay: 61,
        destinations: "1",
      },
      {
        ...{ airport: "JFK", hour: "2001-01-01T11:00:00Z", flights: "1", late: "0", early: "1" },
        average_delay: -5,
        destinations: "1",
      },
      {
        ...{ airport: "SFO", hour: "2001-01-01T09:00:00Z", flights: "2", late: "1", early: "0" },
        average_delay: 8,
        destinations: "1",
      },
      {
        ...{ airport: "XXX", hour: "2000-12-31T23:00:00Z", flights: "1", late: "0", early: "0" },
        average_delay: 15,
        destinations: "1",
      },
    ]);
  });

  test("dwa.state_minute counts them by state and minute, dwa.route_day by route and day", async () => {
    expect(await warehouse.sql`SELECT * FROM dwa.state_minute WHERE state = 'CA'`).toEqual([
      { minute: "2001-01-01T09:00:00Z", state: "CA", flights: "2", late: "1", average_delay: 8 },
    ]);
    expect(await warehouse.sql`SELECT * FROM dwa.route_day WHERE route = 'SFO-LAX'`).toEqual([
      {
        ...{ route: "SFO-LAX", day: "2001-01-01", flights: "2", late: "1", late_share: 0.5, average_delay: 8 },
        ...{ longest_delay: 16, shortest_delay: 0, miles: "674", block_minutes: "144" },
      },
    ]);
  });

  test("are what a recomputation over all flights finds", async () => {
    const rows = { "dwf.flight": 5, "dws.airport_hour": 4, "dwa.state_minute": 4, "dwa.route_day": 4 };
    const checked = await warehouse.check();
    expect(Object.fromEntries(checked.map(({ model, rows }) => [model, rows]))).toEqual(rows);
  });
});

describe("the APIs", () => {
  test("today has the newest day alone", async () => {
    expect(await warehouse.api("today")).toEqual([
      {
        ...{ day: "2001-01-01", departures: "4", late_departures: "2", early_departures: "1", average_delay: 18 },
        ...{ longest_delay: 61, miles: "5735", airports: "2" },
      },
    ]);
  });

  test("airport_delays has the newest hours, with names and places", async () => {
    const delays = await warehouse.api("airport_delays", { hours: 1 });
    expect(delays).toMatchObject([{ airport: "JFK", city: "New York", departures: "1", average_delay: -5 }]);
    expect(await warehouse.api("airport_delays")).toHaveLength(3);
  });

  test("worst_airports has those with enough flights, the worst first", async () => {
    const from = "2001-01-01T00:00:00Z";
    const all = await warehouse.api("worst_airports", { from, flights: 1 });
    expect(all).toMatchObject([
      { airport: "JFK", average_delay: 28, longest: 61 },
      { airport: "SFO", average_delay: 8, longest: 16 },
    ]);
    expect(await warehouse.api("worst_airports", { from })).toEqual([]);
  });

  test("minutes and state_minute have the minutes, from the old ones on and from the newest back", async () => {
    expect(await warehouse.api("minutes", { minutes: 120 })).toEqual([
      { minute: "2001-01-01T09:30:00Z", departures: "1", late_departures: "1", average_delay: 61 },
      { minute: "2001-01-01T11:00:00Z", departures: "1", late_departures: "0", average_delay: -5 },
    ]);
    expect(await warehouse.api("state_minute", { state: "NY", limit: 1 })).toEqual([
      { minute: "2001-01-01T11:00:00Z", flights: "1", late: "0", average_delay: -5 },
    ]);
  });
});

describe("a bad flight", () => {
  test.each([
    ["more than an hour ahead of its arrival", { departed_at: "2001-01-01T13:00:01Z" }, "departed_at"],
    ["a distance below zero", { distance: -1 }, "distance"],
    ["a delay with a fraction", { delay: 1.5 }, "delay"],
    ["no origin", { origin: null }, "origin"],
    ["a field that no column declares", { pilot: "Amelia" }, "pilot"],
  ] as const)("%s is refused", async (_, more, column) => {
    expect(await warehouse.rejected("flight", { ...FLIGHTS[0], ...more })).toMatchObject([{ index: 0, column }]);
  });

  test("is kept with the reason, and none of them counts", async () => {
    const kept = await warehouse.quarantine("flight");
    expect(kept.map(({ column }) => column).sort()).toEqual(["delay", "departed_at", "distance", "origin", "pilot"]);
    expect(await warehouse.sql`SELECT count() AS flights FROM ods.flight`).toEqual([{ flights: "5" }]);
  });
});
