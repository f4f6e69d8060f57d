/**
 * What every model of the flights warehouse must hold after one replay, worked out by hand.
 *
 *   flights-20k.json, airports.csv ──expectedModels (plain TypeScript)──▶ dim.airport · dwf.flight · dws.airport_hour
 *                                                                         dwa.state_minute · dwa.route_day
 *
 * What must hold: nothing here is shared with what makes the events, loads the airports
 * or runs the models. Each rule of the definitions is said a second time, in other words.
 *
 * @module
 */
import { csvRecords } from "./csv.ts";

/** A value as it must come back: text exactly, numbers as the same double. */
export type Value = string | number;

/** One model's groups, each with its measures in the order of `measures`; keys are texts joined by a space. */
export interface ExpectedModel {
  readonly table: ModelTable;
  readonly measures: readonly string[];
  readonly groups: ReadonlyMap<string, readonly Value[]>;
}

/** The models compared, lower layers first. */
export const MODEL_TABLES = [
  "dim.airport",
  "dwf.flight",
  "dws.airport_hour",
  "dwa.state_minute",
  "dwa.route_day",
] as const;
export type ModelTable = (typeof MODEL_TABLES)[number];

/** A record of flights-20k.json. */
interface FlightRecord {
  readonly date: string;
  readonly delay: number;
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
}

/** An airport as the models use it. */
interface Airport {
  readonly name: string;
  readonly state: string;
  readonly latitude: number;
  readonly longitude: number;
}

const UNKNOWN_AIRPORT: Airport = { name: "", state: "", latitude: 0, longitude: 0 };
const SECONDS_PER_MINUTE = 60;
const SECONDS_PER_HOUR = 3_600;

/** Works out all models from the texts of both files. */
export function expectedModels(flightsText: string, airportsText: string): readonly ExpectedModel[] {
  const airports = csvRecords(airportsText);
  const byCode = new Map(airports.map((row) => [row.iata, airportOf(row)]));
  // The replay numbers flights by departure; equal times stay in the order of the file.
  const flights = (JSON.parse(flightsText) as FlightRecord[]).sort((a, b) =>
    a.date < b.date ? -1 : Number(a.date > b.date),
  );
  const stateOf = (code: string) => (byCode.get(code) ?? UNKNOWN_AIRPORT).state;
  return [
    airportModel(airports),
    flightModel(flights, byCode),
    airportHourModel(flights),
    stateMinuteModel(flights, stateOf),
    routeDayModel(flights),
  ];
}

function airportOf(row: Readonly<Record<string, string>>): Airport {
  return { name: row.name, state: row.state, latitude: Number(row.latitude), longitude: Number(row.longitude) };
}

function airportModel(rows: readonly Readonly<Record<string, string>>[]): ExpectedModel {
  const measures = ["name", "city", "state", "country", "latitude", "longitude"];
  const groups = rows.map(({ iata, name, city, state, country, latitude, longitude }): [string, readonly Value[]] => [
    iata,
    [name, city, state, country, Number(latitude), Number(longitude)],
  ]);
  return { table: "dim.airport", measures, groups: unique(groups) };
}

const FLIGHT_MEASURES = [
  ...["departed_ms", "origin", "origin_name", "origin_state", "origin_latitude", "origin_longitude"],
  ...["destination", "destination_name", "destination_state", "destination_latitude", "destination_longitude"],
  ...["route", "distance", "delay", "delay_class", "is_late", "is_early", "block_minutes"],
];

function flightModel(flights: readonly FlightRecord[], byCode: ReadonlyMap<string, Airport>): ExpectedModel {
  const groups = flights.map((flight, index): [string, readonly Value[]] => {
    const ends = [flight.origin, flight.destination].flatMap((code) => {
      const { name, state, latitude, longitude } = byCode.get(code) ?? UNKNOWN_AIRPORT;
      return [code, name, state, latitude, longitude];
    });
    const { distance, delay } = flight;
    const minutes = blockMinutes(distance);
    const late = [delayClass(delay), isLate(flight), isEarly(flight)];
    const route = `${flight.origin}-${flight.destination}`;
    return [`0-${index + 1}`, [secondsOf(flight.date) * 1_000, ...ends, route, distance, delay, ...late, minutes]];
  });
  return { table: "dwf.flight", measures: FLIGHT_MEASURES, groups: unique(groups) };
}

function airportHourModel(flights: readonly FlightRecord[]): ExpectedModel {
  const key = ({ origin, date }: FlightRecord) => `${origin} ${floorTo(secondsOf(date), SECONDS_PER_HOUR)}`;
  return grouped(flights, "dws.airport_hour", key, {
    flights: (all) => all.length,
    late: (all) => total(all, isLate),
    early: (all) => total(all, isEarly),
    total_delay: (all) => total(all, delayOf),
    average_delay: (all) => total(all, delayOf) / all.length,
    longest_delay: (all) => Math.max(...all.map(delayOf)),
    shortest_delay: (all) => Math.min(...all.map(delayOf)),
    miles: (all) => total(all, ({ distance }) => distance),
    destinations: destinationCount,
  });
}

function stateMinuteModel(flights: readonly FlightRecord[], stateOf: (code: string) => string): ExpectedModel {
  const key = ({ origin, date }: FlightRecord) => `${floorTo(secondsOf(date), SECONDS_PER_MINUTE)} ${stateOf(origin)}`;
  return grouped(flights, "dwa.state_minute", key, {
    flights: (all) => all.length,
    late: (all) => total(all, isLate),
    average_delay: (all) => total(all, delayOf) / all.length,
  });
}

function routeDayModel(flights: readonly FlightRecord[]): ExpectedModel {
  const key = ({ origin, destination, date }: FlightRecord) =>
    `${origin}-${destination} ${date.slice(0, 10).replaceAll("/", "-")}`;
  return grouped(flights, "dwa.route_day", key, {
    flights: (all) => all.length,
    late: (all) => total(all, isLate),
    late_share: (all) => total(all, isLate) / all.length,
    average_delay: (all) => total(all, delayOf) / all.length,
    longest_delay: (all) => Math.max(...all.map(delayOf)),
    shortest_delay: (all) => Math.min(...all.map(delayOf)),
    miles: (all) => total(all, ({ distance }) => distance),
    block_minutes: (all) => total(all, ({ distance }) => blockMinutes(distance)),
  });
}

type Measured = (all: readonly FlightRecord[]) => number;

function grouped(
  flights: readonly FlightRecord[],
  table: ModelTable,
  keyOf: (flight: FlightRecord) => string,
  measures: Readonly<Record<string, Measured>>,
): ExpectedModel {
  const members = new Map<string, FlightRecord[]>();
  for (const flight of flights) {
    const key = keyOf(flight);
    const group = members.get(key);
    if (group === undefined) members.set(key, [flight]);
    else group.push(flight);
  }
  const measured = Object.values(measures);
  const groups = new Map([...members].map(([key, all]) => [key, measured.map((measure) => measure(all))]));
  return { table, measures: Object.keys(measures), groups };
}

function unique(entries: readonly [string, readonly Value[]][]): ReadonlyMap<string, readonly Value[]> {
  const groups = new Map(entries);
  if (groups.size !== entries.length) throw new Error("Cannot expect anything: a key of the file comes twice.");
  return groups;
}

/** Seconds since 1970 of a time like "2001/01/01 00:47", read as UTC. */
function secondsOf(date: string): number {
  return Date.parse(`${date.slice(0, 10).replaceAll("/", "-")}T${date.slice(11)}:00Z`) / 1_000;
}

const floorTo = (seconds: number, step: number) => seconds - (seconds % step);
const delayOf = ({ delay }: FlightRecord) => delay;
const isLate = ({ delay }: FlightRecord) => Number(delay > 15);
const isEarly = ({ delay }: FlightRecord) => Number(delay < 0);
const blockMinutes = (miles: number) => 30 + (miles - (miles % 8)) / 8;
const total = (all: readonly FlightRecord[], of: (flight: FlightRecord) => number) =>
  all.reduce((sum, flight) => sum + of(flight), 0);
const destinationCount = (all: readonly FlightRecord[]) => new Set(all.map(({ destination }) => destination)).size;

function delayClass(minutes: number): string {
  if (minutes < 0) return "early";
  if (minutes <= 15) return "on time";
  return minutes <= 60 ? "late" : "very late";
}
