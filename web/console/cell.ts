/**
 * A value of an answer as text: exact, short in its cell, whole where it is looked at.
 *
 * @module
 */

/** Characters of a value that its cell shows. */
export const CELL_CHARS_MAX = 200;
/** Characters of a value that are shown where it is looked at whole; a copy has all. */
export const WHOLE_CHARS_MAX = 500_000;

const NUMBER = /^(?:(?:Nullable|LowCardinality)\()*(?:U?Int\d|Float|BFloat|Decimal)/;

/** Whether values of the type stand on the right. */
export function isNumeric(type: string): boolean {
  return NUMBER.test(type);
}

/** The value in one line; null is shown by the cell itself. */
export function cellText(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The value as it is looked at: arrays and objects over several lines. */
export function wholeText(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value, null, 2) : String(value);
}

const DIGIT_PX = 7.9;
const PADDING_PX = 26;
const WIDTH_PX = { min: 64, max: 340 } as const;

/** A column's width in pixels: of its name, its type and its first values. */
export function columnWidth(texts: readonly string[]): number {
  const chars = texts.reduce((most, { length }) => Math.max(most, length), 0);
  return Math.round(Math.min(WIDTH_PX.max, Math.max(WIDTH_PX.min, chars * DIGIT_PX + PADDING_PX)));
}

/** A name as SQL takes it. */
export function sqlName(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? name : `\`${name.replace(/[\\`]/g, "\\$&")}\``;
}
