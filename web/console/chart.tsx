/**
 * A chart over time, drawn by uPlot, moved by new rows.
 *
 * @module
 */
import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { tenths, whole } from "./rows_api.ts";
import { Card } from "./status.tsx";
import type { Live } from "./use_live.ts";

/** One line; its colour is the name of a CSS variable. */
export interface Line {
  readonly name: string;
  readonly values: readonly (number | null)[];
  readonly colour: string;
  readonly filled: boolean;
  readonly unit?: string;
}

interface ChartProps {
  readonly title: string;
  readonly about: string;
  readonly live: Live<unknown>;
  /** Unix seconds. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
}

const HEIGHT = 220;
const DARK = "(prefers-color-scheme: dark)";

/** A card with a chart; the newest values stand beside its title, as text. */
export function FlightChart({ title, about, live, times, lines }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const data = useRef<uPlot.AlignedData>([[]]);
  data.current = [[...times], ...lines.map(({ values }) => [...values])] as uPlot.AlignedData;
  const shape = lines.map(({ name, colour }) => name + colour).join();
  const hasRows = times.length > 0;
  const [pointed, setPointed] = useState<number | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a plot is made anew for other lines only; new values go by setData.
  useEffect(() => {
    const box = place.current;
    if (box === null) return;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(box, { lines, point: setPointed }), data.current, box);
    };
    draw();
    const scheme = matchMedia(DARK);
    scheme.addEventListener("change", draw);
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: box.clientWidth, height: HEIGHT }));
    resized.observe(box);
    return () => {
      scheme.removeEventListener("change", draw);
      resized.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [shape, hasRows]);
  useEffect(() => plot.current?.setData(data.current));
  const newest = lines.map((line) => ({ ...line, value: line.values.findLast((value) => value !== null) }));
  const shown = pointed === null ? newest : lines.map((line) => ({ ...line, value: line.values[pointed] }));
  const time = pointed === null ? undefined : times[pointed];
  const aside = hasRows && (
    <ul className="newest">
      {time !== undefined && <li className="about">{clock(time)}</li>}
      {shown.map(({ name, colour, value, unit }) => (
        <li key={name}>
          <i style={{ background: `var(${colour})` }} />
          <strong>{written(value, unit)}</strong> <span className="about">{name}</span>
        </li>
      ))}
    </ul>
  );
  return (
    <Card title={title} about={about} live={live} className="chart" aside={aside}>
      {hasRows ? (
        <div ref={place} className="plot" role="img" aria-label={spoken(title, newest)} />
      ) : (
        <p className="empty">No minute yet.</p>
      )}
    </Card>
  );
}

function written(value: number | null | undefined, unit: string | undefined): string {
  if (value === null || value === undefined) return "–";
  return unit === undefined ? whole(value) : `${tenths(value)} ${unit}`;
}

function spoken(title: string, newest: readonly (Line & { value: number | null | undefined })[]): string {
  return `${title}. Newest: ${newest.map(({ name, value, unit }) => `${name} ${written(value, unit)}`).join(", ")}.`;
}

/** The time of day, UTC. */
function clock(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().slice(11, 16);
}

/** What is drawn, and who hears which point is pointed at. */
interface Drawn {
  readonly lines: readonly Line[];
  readonly point: (index: number | null) => void;
}

function optionsOf(box: HTMLElement, { lines, point }: Drawn): uPlot.Options {
  const style = getComputedStyle(box);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour("--soft"),
    grid: { stroke: colour("--grid"), width: 1 },
    ticks: { show: false },
    font: `12px ${style.fontFamily}`,
  };
  return {
    width: box.clientWidth,
    height: HEIGHT,
    padding: [10, 22, 0, 0],
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), "UTC"),
    cursor: { y: false, points: { size: 7 } },
    legend: { show: false },
    hooks: { setCursor: [({ cursor }) => point(cursor.idx ?? null)] },
    axes: [
      { ...axis, size: 30, values: (_, ticks) => ticks.map(clock) },
      { ...axis, size: 44 },
    ],
    scales: { y: { range: (_, low, high) => rangeOf(low, high) } },
    series: [
      {},
      ...lines.map(({ name, colour: variable, filled }): uPlot.Series => {
        const stroke = colour(variable);
        return {
          ...{ label: name, stroke, width: 2, spanGaps: true, points: { show: isSparse, size: 6, fill: stroke } },
          ...(filled ? { fill: `${stroke}22` } : {}),
        };
      }),
    ],
  };
}

/** From zero, unless something is below it, with some air above. */
function rangeOf(low: number | null, high: number | null): [number, number] {
  const [from, to] = [Math.min(0, low ?? 0), Math.max(0, high ?? 0)];
  const air = Math.max(1, (to - from) * 0.08);
  return [from < 0 ? from - air : 0, to + air];
}

/** A line of so few values would hardly be seen. */
const SPARSE_MAX = 3;

function isSparse({ data }: uPlot, index: number): boolean {
  const values: ArrayLike<number | null | undefined> = data[index] ?? [];
  return Array.from(values).filter((value) => value !== null && value !== undefined).length <= SPARSE_MAX;
}
