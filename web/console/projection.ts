/**
 * The map's projection: the United States as they are usually drawn, Alaska and Hawaii in the corner.
 *
 *   longitude, latitude (degrees) ──▶ x, y on a sheet of 960 × 600, or nothing
 *
 * Albers' equal-area conic (Snyder, "Map Projections: A Working Manual", USGS 1987,
 * page 100), for a sphere, once for each of the three parts.
 *
 * @module
 */

/** The sheet, in its own units. */
export const SHEET = { width: 960, height: 600 } as const;

/** A place on the sheet. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

interface Part {
  /** Degrees: where the part's middle is, and the two parallels that keep their length. */
  readonly longitude: number;
  readonly latitude: number;
  readonly parallels: readonly [number, number];
  /** Units of the sheet for the earth's radius. */
  readonly scale: number;
  /** Where the middle lies on the sheet. */
  readonly at: Point;
  readonly holds: (longitude: number, latitude: number) => boolean;
}

const PARTS: readonly Part[] = [
  {
    ...{ longitude: -96, latitude: 38.3, parallels: [29.5, 45.5], scale: 1_230, at: { x: 484, y: 290 } },
    holds: (longitude, latitude) => longitude > -126 && longitude < -66 && latitude > 24 && latitude < 50,
  },
  {
    ...{ longitude: -152, latitude: 63, parallels: [55, 65], scale: 430, at: { x: 122, y: 500 } },
    holds: (longitude, latitude) => latitude >= 50 && (longitude < -129 || longitude > 170),
  },
  {
    ...{ longitude: -157.5, latitude: 20.6, parallels: [8, 18], scale: 1_230, at: { x: 290, y: 540 } },
    holds: (longitude, latitude) => longitude > -161 && longitude < -154 && latitude > 18 && latitude < 23,
  },
];

/** Where a place lies on the sheet; undefined for what the sheet does not show. */
export function project(longitude: number, latitude: number): Point | undefined {
  const part = PARTS.find(({ holds }) => holds(longitude, latitude));
  return part === undefined ? undefined : albers(part, longitude, latitude);
}

const radians = (degrees: number) => (degrees * Math.PI) / 180;

function albers({ parallels, scale, at, ...middle }: Part, longitude: number, latitude: number): Point {
  const [first, second] = [radians(parallels[0]), radians(parallels[1])];
  const n = (Math.sin(first) + Math.sin(second)) / 2;
  const c = Math.cos(first) ** 2 + 2 * n * Math.sin(first);
  const radius = (degrees: number) => Math.sqrt(c - 2 * n * Math.sin(radians(degrees))) / n;
  // Places beyond the antimeridian belong to Alaska's west.
  const turned = ((longitude - middle.longitude + 540) % 360) - 180;
  const theta = n * radians(turned);
  const x = radius(latitude) * Math.sin(theta);
  const y = radius(middle.latitude) - radius(latitude) * Math.cos(theta);
  return { x: at.x + scale * x, y: at.y - scale * y };
}
