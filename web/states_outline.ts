/**
 * The outlines of the states, as one SVG path on the map's sheet, made from a package when the page is built.
 *
 *   us-10m.json (TopoJSON: arcs that neighbours share, as whole steps) ──▶ rings ──projected, thinned out──▶ "M…l…z"
 *
 * The format: "The TopoJSON Format Specification", sections 2.1.3 and 4.1.
 *
 * @module
 */
import { statesPath } from "@weir/flights";
import { z } from "zod";
import { type Point, project } from "./console/projection.ts";

/** Units of the sheet: points nearer to the one before are left out, and so are islands with a smaller area. */
const STEP_MIN = 0.5;
const AREA_MIN = 6;
/** Decimals of a coordinate. */
const DECIMALS = 1;

const pair = z.tuple([z.number(), z.number()]);
const ring = z.array(z.int());
const topology = z.object({
  transform: z.object({ scale: pair, translate: pair }),
  arcs: z.array(z.array(pair)),
  objects: z.object({
    states: z.object({
      geometries: z.array(
        z.discriminatedUnion("type", [
          z.object({ type: z.literal("Polygon"), arcs: z.array(ring) }),
          z.object({ type: z.literal("MultiPolygon"), arcs: z.array(z.array(ring)) }),
        ]),
      ),
    }),
  }),
});

type Topology = z.output<typeof topology>;

/** The path's `d`. */
export async function statesOutline(): Promise<string> {
  return outlineOf(topology.parse(await Bun.file(statesPath).json()));
}

/** All outer rings of the states that the sheet shows, as one path. */
export function outlineOf(shape: Topology): string {
  const { geometries } = shape.objects.states;
  const polygons = geometries.flatMap((one) => (one.type === "Polygon" ? [one.arcs] : one.arcs));
  return polygons
    .flatMap(([outer]) => (outer === undefined ? [] : [thinned(projected(pointsOf(shape, outer)))]))
    .filter((points) => points.length > 3 && area(points) >= AREA_MIN)
    .map(pathOf)
    .join("");
}

/** Longitudes and latitudes of a ring; an arc is steps from its first point, a negative number is an arc backwards. */
function pointsOf({ arcs, transform }: Topology, ring: readonly number[]): (readonly [number, number])[] {
  return ring.flatMap((number) => {
    const steps = arcs[number < 0 ? ~number : number] ?? [];
    let [x, y] = [0, 0];
    const points = steps.map(([dx, dy]): [number, number] => {
      x += dx;
      y += dy;
      const { scale, translate } = transform;
      return [x * scale[0] + translate[0], y * scale[1] + translate[1]];
    });
    return number < 0 ? points.reverse() : points;
  });
}

function projected(points: readonly (readonly [number, number])[]): readonly Point[] {
  return points.flatMap(([longitude, latitude]) => project(longitude, latitude) ?? []);
}

function thinned(points: readonly Point[]): readonly Point[] {
  const kept: Point[] = [];
  for (const point of points) {
    const last = kept.at(-1);
    if (last === undefined || Math.hypot(point.x - last.x, point.y - last.y) >= STEP_MIN) kept.push(point);
  }
  return kept;
}

/** The area inside a ring, by the shoelace formula. */
function area(points: readonly Point[]): number {
  const twice = points.reduce((sum, { x, y }, index) => {
    const next = points[(index + 1) % points.length];
    return sum + x * (next?.y ?? 0) - y * (next?.x ?? 0);
  }, 0);
  return Math.abs(twice) / 2;
}

/** Steps from point to point, each counted from what was written before, so that rounding does not add up. */
function pathOf(points: readonly Point[]): string {
  const unit = 10 ** DECIMALS;
  const whole = points.map(({ x, y }) => [Math.round(x * unit), Math.round(y * unit)] as const);
  const [[x, y] = [0, 0]] = whole;
  const steps = whole.slice(1).map(([toX, toY], index) => {
    const [fromX, fromY] = whole[index] ?? [0, 0];
    return `${(toX - fromX) / unit} ${(toY - fromY) / unit}`;
  });
  return `M${x / unit} ${y / unit}l${steps.join(" ")}z`;
}
