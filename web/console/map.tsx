/**
 * Airports on a map: a dot's size is its departures, its colour their average delay. The same as a table.
 *
 * @module
 */
import { type PointerEvent, useMemo, useState } from "react";
import { delayColour, delayWord, STOPS } from "./colour.ts";
import { project, SHEET } from "./projection.ts";
import { type Airport, share, tenths, whole } from "./rows_api.ts";
import { Card } from "./status.tsx";
import type { Live } from "./use_live.ts";

/** The states as one SVG path on the sheet, put there when the page is built. */
declare const STATES_OUTLINE: string;

/** An airport on the sheet. */
interface Dot {
  readonly airport: Airport;
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

/** A pointer so far from a dot, in units of the sheet, still means it. */
const REACH = 14;
const RADIUS = { from: 2.5, upTo: 22 } as const;

/** The map's card. */
export function AirportMap({ live }: { live: Live<Airport> }) {
  const [isTable, setTable] = useState(false);
  const airports = live.result?.data ?? [];
  const toggle = (
    <button type="button" className="quiet" aria-pressed={isTable} onClick={() => setTable(!isTable)}>
      {isTable ? "Show the map" : "Show as a table"}
    </button>
  );
  return (
    <Card
      title="Delays by airport"
      about="Average delay of departures, 24 hours up to the newest"
      live={live}
      className="map"
      aside={toggle}
    >
      {isTable ? <AirportTable airports={airports} /> : <Sheet airports={airports} />}
    </Card>
  );
}

/** Large dots first, so that small ones lie on top. */
function dotsOf(airports: readonly Airport[]): readonly Dot[] {
  const most = Math.max(1, ...airports.map(({ departures }) => Number(departures)));
  return airports.flatMap((airport) => {
    const point = project(airport.longitude, airport.latitude);
    if (point === undefined) return [];
    const radius = RADIUS.from + (RADIUS.upTo - RADIUS.from) * Math.sqrt(Number(airport.departures) / most);
    return [{ airport, ...point, radius: Math.round(radius * 10) / 10 }];
  });
}

function Sheet({ airports }: { airports: readonly Airport[] }) {
  const dots = useMemo(() => dotsOf(airports), [airports]);
  const [near, setNear] = useState<string>();
  const pointed = dots.find(({ airport }) => airport.airport === near);
  const point = (event: PointerEvent<SVGSVGElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * SHEET.width;
    const y = ((event.clientY - box.top) / box.height) * SHEET.height;
    const reach = (REACH * SHEET.width) / Math.max(480, box.width);
    const distances = dots.map((dot) => ({ dot, far: Math.hypot(dot.x - x, dot.y - y) }));
    const [nearest] = distances.filter(({ dot, far }) => far < dot.radius + reach).sort((a, b) => a.far - b.far);
    setNear(nearest?.dot.airport.airport);
  };
  const latest = [...airports].sort((a, b) => b.average_delay - a.average_delay)[0];
  const words =
    latest === undefined
      ? "A map without airports."
      : `A map of ${airports.length} airports. The longest average delay is ${tenths(latest.average_delay)} minutes, at ${latest.name}.`;
  return (
    <div className="sheet">
      <svg
        viewBox={`0 0 ${SHEET.width} ${SHEET.height}`}
        role="img"
        aria-label={`${words} The table has them all.`}
        onPointerMove={point}
        onPointerDown={point}
        onPointerLeave={() => setNear(undefined)}
      >
        <path className="land" d={STATES_OUTLINE} />
        {dots.map(({ airport, x, y, radius }) => (
          <g key={airport.airport}>
            <circle className="ring" key={airport.departures} cx={x} cy={y} r={radius} />
            <circle className="dot" cx={x} cy={y} r={radius} fill={delayColour(airport.average_delay)} />
          </g>
        ))}
        {pointed !== undefined && <circle className="pointed" cx={pointed.x} cy={pointed.y} r={pointed.radius + 3} />}
      </svg>
      <div className="below">
        <p className="hint" aria-hidden="true">
          {pointed === undefined ? (
            <span className="about">Point at an airport, or tap one.</span>
          ) : (
            <Pointed dot={pointed} />
          )}
        </p>
        <Legend />
      </div>
    </div>
  );
}

function Pointed({ dot: { airport } }: { dot: Dot }) {
  return (
    <>
      <i style={{ background: delayColour(airport.average_delay) }} />
      <strong>
        {airport.airport} · {airport.name}
      </strong>
      <br />
      {tenths(airport.average_delay)} min on average, {whole(airport.departures)} departures,{" "}
      {share(airport.late_departures, airport.departures)} late
    </>
  );
}

const LABELS = [-15, 0, 15, 30, 60] as const;

function Legend() {
  const [first, last] = [LABELS[0], LABELS[4]];
  const at = (minutes: number) => ((minutes - first) / (last - first)) * 240;
  return (
    <svg
      className="legend"
      viewBox="0 0 300 34"
      role="img"
      aria-label="From blue, early, over green, on time, to red, an hour late"
    >
      <defs>
        <linearGradient id="delays">
          {STOPS.map(([minutes]) => (
            <stop key={minutes} offset={`${(at(minutes) / 240) * 100}%`} stopColor={delayColour(minutes)} />
          ))}
        </linearGradient>
      </defs>
      <g transform="translate(16 4)">
        <rect width="240" height="10" rx="5" fill="url(#delays)" />
        {LABELS.map((minutes) => (
          <text key={minutes} x={at(minutes)} y="27">
            {minutes === last ? `${minutes}+ min` : String(minutes).replace("-", "−")}
          </text>
        ))}
      </g>
    </svg>
  );
}

function AirportTable({ airports }: { airports: readonly Airport[] }) {
  return (
    // A region that scrolls must be reachable by keyboard.
    // biome-ignore lint/a11y/noNoninteractiveTabindex: https://www.w3.org/WAI/ARIA/apg/patterns/landmarks/
    <section className="scroll" tabIndex={0} aria-label="Airports as a table">
      <table>
        <thead>
          <tr>
            <th scope="col">Airport</th>
            <th scope="col">Name</th>
            <th scope="col">Departures</th>
            <th scope="col">Late</th>
            <th scope="col">Average delay</th>
          </tr>
        </thead>
        <tbody>
          {airports.map(({ airport, name, city, state, departures, late_departures, average_delay }) => (
            <tr key={airport}>
              <th scope="row">{airport}</th>
              <td>
                {name} <span className="about">{[city, state].filter((part) => part !== "").join(", ")}</span>
              </td>
              <td>{whole(departures)}</td>
              <td>{share(late_departures, departures)}</td>
              <td>
                <i style={{ background: delayColour(average_delay) }} /> {tenths(average_delay)} min,{" "}
                {delayWord(average_delay)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
