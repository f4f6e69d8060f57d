/**
 * Flights: the records of vega-datasets turned into events of `ods.flight`.
 *
 *   flights-20k.json ──parseFlights──▶ in order of departure ──flightEvent(loop, number, shift)──▶ event
 *   flights-3m.parquet ──flights3mQuery──▶ the same events, a JSON object a line, made by the engine
 *
 * Pure: the caller reads files and clocks. The files say local times without a zone
 * ("2001/01/01 00:47"); they are taken as UTC wall time, unchanged, so a day of the
 * file is a UTC day of the table.
 *
 * @module
 */

/** One flight as the file has it, its departure in milliseconds since 1970 (the wall time read as UTC). */
export interface Flight {
  readonly departedMs: number;
  readonly origin: string;
  readonly destination: string;
  /** Miles. */
  readonly distance: number;
  /** Minutes late on arrival; negative is early. */
  readonly delay: number;
}

/** One event of the source `flight`; `flight_id` is `<loop>-<number>`, `departed_at` RFC 3339 in UTC. */
export interface FlightEvent {
  readonly flight_id: string;
  readonly departed_at: string;
  readonly origin: string;
  readonly destination: string;
  readonly distance: number;
  readonly delay: number;
}

/** Which replay of the file an event belongs to, and how far its time is moved. */
export interface Replayed {
  /** Counts replays of the whole file; 0 is the one with its own times. */
  readonly loop: number;
  /** Counts flights in order of departure, from 1. */
  readonly number: number;
  readonly shiftMs: number;
}

/** A file that is not what vega-datasets publishes; the message names the element. */
export class FlightsUnreadable extends Error {
  override readonly name = "FlightsUnreadable";
}

const DATE = /^(\d{4})\/(\d\d)\/(\d\d) (\d\d):(\d\d)$/;

/** Reads the text of `flights-20k.json`; flights come in order of departure, equal times as in the file. */
export function parseFlights(text: string): readonly Flight[] {
  const records: unknown = JSON.parse(text);
  if (!Array.isArray(records)) throw unreadable("it is not an array");
  return records.map(flightOf).sort((a, b) => a.departedMs - b.departedMs);
}

/** Milliseconds since 1970 of a time like "2001/01/01 00:47", read as UTC; undefined if it is none. */
export function departureMs(date: string): number | undefined {
  const match = DATE.exec(date);
  if (match === null) return undefined;
  const [year, month, day, hour, minute] = match.slice(1).map(Number);
  const ms = Date.UTC(year, month - 1, day, hour, minute);
  // Date.UTC rolls 31 February over to March: a time is one only if it comes back unchanged.
  const back = new Date(ms).toISOString().slice(0, 16);
  return back === date.replaceAll("/", "-").replace(" ", "T") ? ms : undefined;
}

/** Makes the event of one flight in one replay. */
export function flightEvent(flight: Flight, { loop, number, shiftMs }: Replayed): FlightEvent {
  return {
    flight_id: `${loop}-${number}`,
    departed_at: new Date(flight.departedMs + shiftMs).toISOString(),
    origin: flight.origin,
    destination: flight.destination,
    distance: flight.distance,
    delay: flight.delay,
  };
}

/**
 * The SELECT that makes events of `flights-3m.parquet` in the file's order, which is that of departure; append a
 * FORMAT, for example JSONEachRow. `date` is a timestamp in microseconds without a zone, read as UTC; the integers
 * have 64 bits in the file and are narrowed so that no setting turns them into strings.
 */
export function flights3mQuery(path: string, { loop }: { readonly loop: number } = { loop: 0 }): string {
  return `SELECT
  concat('${Math.trunc(loop)}-', toString(_row_number + 1)) AS flight_id,
  formatDateTime(date, '%Y-%m-%dT%H:%i:%S.000Z', 'UTC') AS departed_at,
  origin,
  destination,
  toUInt32(distance) AS distance,
  toInt32(delay) AS delay
FROM file('${path.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}', 'Parquet')
ORDER BY _row_number`;
}

function flightOf(record: Partial<Record<string, unknown>> | null, index: number): Flight {
  const { date, origin, destination, distance, delay } = record ?? {};
  const departedMs = typeof date === "string" ? departureMs(date) : undefined;
  if (departedMs === undefined) throw unreadable(`element ${index} has no date like 2001/01/01 00:47`);
  if (typeof origin !== "string" || typeof destination !== "string") {
    throw unreadable(`element ${index} has no origin or destination`);
  }
  if (!isInteger(distance) || !isInteger(delay)) {
    throw unreadable(`element ${index} has no whole distance or delay`);
  }
  return { departedMs, origin, destination, distance, delay };
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function unreadable(problem: string): FlightsUnreadable {
  return new FlightsUnreadable(`Cannot read the flights: ${problem}. Install vega-datasets again: bun install.`);
}
