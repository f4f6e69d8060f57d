/**
 * Colours of delays: blue is early, green on time, yellow to red late. Legible on light and dark.
 *
 * @module
 */

/** Minutes of delay and their colours; between two, the colour is mixed. */
export const STOPS: readonly (readonly [minutes: number, red: number, green: number, blue: number])[] = [
  [-15, 44, 123, 182],
  [0, 32, 160, 146],
  [8, 140, 190, 92],
  [15, 246, 186, 48],
  [30, 236, 112, 44],
  [60, 190, 24, 60],
];

/** The colour of an average delay in minutes, as CSS writes it. */
export function delayColour(minutes: number): string {
  const [first, last] = [STOPS[0]!, STOPS.at(-1)!];
  const held = Math.min(last[0], Math.max(first[0], minutes));
  const above = Math.max(
    1,
    STOPS.findIndex(([at]) => at >= held),
  );
  const [from, to] = [STOPS[above - 1]!, STOPS[above]!];
  const part = (held - from[0]) / (to[0] - from[0]);
  const mixed = [1, 2, 3].map((index) => Math.round(from[index]! + part * (to[index]! - from[index]!)));
  return `rgb(${mixed.join(" ")})`;
}

/** What a delay is called, for those who do not see its colour. */
export function delayWord(minutes: number): string {
  if (minutes < 0) return "early";
  if (minutes <= 15) return "on time";
  return minutes <= 60 ? "late" : "very late";
}
