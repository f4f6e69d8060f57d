/**
 * Tables as text for a terminal: columns aligned, cut to its width.
 *
 *   rows ──cell texts──▶ widths (narrowed until they fit) ──▶ lines
 *
 * Pure. What a value holds never moves the cursor: control characters, and those
 * that turn the direction of writing, are shown as escapes.
 *
 * @module
 */
import { CliOutput } from "effect/cli";
import { safeText } from "../safe_text.ts";

/** A cell's value, as JSON has it. */
export type Cell = string | number | boolean | null | object | undefined;

/** A column's name, width in terminal cells, and whether it is lined up on the right. */
export interface TableColumn {
  readonly name: string;
  readonly width: number;
  readonly isRight: boolean;
}

const GAP = "  ";
/** A column is not made narrower than this. */
const WIDTH_MIN = 8;
/** A value is not shown any further than this. */
const CELL_CHARS_MAX = 1_000;

const SEGMENTER = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** A value's text. */
export function cellText(value: Cell): string {
  if (value === null || value === undefined) return "NULL";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return safeText(text.slice(0, CELL_CHARS_MAX));
}

/** Cuts a text to so many terminal cells, with an ellipsis where something is missing. */
export function fitted(text: string, width: number): string {
  if (CliOutput.displayWidth(text) <= width) return text;
  let shown = "";
  let used = 0;
  for (const { segment } of SEGMENTER.segment(text)) {
    used += CliOutput.displayWidth(segment);
    if (used > width - 1) break;
    shown += segment;
  }
  return width < 1 ? "" : `${shown}…`;
}

/** Whether rows can be read as a table: every column has its width, or enough of it to say something. */
export function fitsTable(rows: readonly Readonly<Record<string, Cell>>[], width: number): boolean {
  const columns = tableColumns(rows, width);
  return columns.reduce((sum, column) => sum + column.width + GAP.length, -GAP.length) <= width;
}

/** One row, a line for each column. */
export function recordText(row: Readonly<Record<string, Cell>>, { number, width }: { number: number; width: number }) {
  const names = Object.keys(row).map(safeText);
  const nameWidth = Math.min(WIDTH_MIN * 3, Math.max(...names.map((name) => CliOutput.displayWidth(name))));
  const column = { name: "", width: nameWidth, isRight: false };
  const lines = Object.values(row).map((value, index) => `${padded(names[index]!, column)}${GAP}${cellText(value)}`);
  return [`── row ${number}`, ...lines].map((line) => fitted(line, width)).join("\n");
}

/** The columns of rows, narrowed, the widest first, until a line has at most `width` cells or none can be narrower. */
export function tableColumns(rows: readonly Readonly<Record<string, Cell>>[], width: number): readonly TableColumn[] {
  const columns = Object.keys(rows[0] ?? {}).map((name) => {
    const texts = rows.map((row) => cellText(row[name]));
    const widths = texts.map((text) => CliOutput.displayWidth(text));
    return {
      name: safeText(name),
      width: Math.max(CliOutput.displayWidth(safeText(name)), ...widths),
      isRight: rows.every((row) => isNumeric(row[name])),
    };
  });
  let excess = columns.reduce((sum, column) => sum + column.width + GAP.length, -GAP.length) - width;
  while (excess > 0) {
    const widest = columns.reduce((one, other) => (other.width > one.width ? other : one));
    if (widest.width <= WIDTH_MIN) break;
    const others = columns.filter((column) => column !== widest).map((column) => column.width);
    // Down to the next one; those that are as wide as each other take turns.
    const less = Math.min(excess, Math.max(1, widest.width - Math.max(WIDTH_MIN, ...others)));
    widest.width -= less;
    excess -= less;
  }
  return columns;
}

/** Numbers, and 64-bit integers and Decimals, which come as texts. */
function isNumeric(value: Cell): boolean {
  if (value === null || value === undefined || typeof value === "number") return true;
  return typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value);
}

/** The line of names and the line below it. */
export function headLines(columns: readonly TableColumn[], width: number): string {
  const names = columns.map((column) => padded(column.name, column));
  const rules = columns.map((column) => "─".repeat(column.width));
  return [names, rules].map((cells) => fitted(cells.join(GAP).trimEnd(), width)).join("\n");
}

/** One row's line. */
export function rowLine(row: readonly Cell[], { columns, width }: { columns: readonly TableColumn[]; width: number }) {
  const cells = columns.map((column, index) => padded(cellText(row[index]), column));
  return fitted(cells.join(GAP).trimEnd(), width);
}

function padded(text: string, { width, isRight }: TableColumn): string {
  const cut = fitted(text, width);
  const space = " ".repeat(Math.max(0, width - CliOutput.displayWidth(cut)));
  return isRight ? space + cut : cut + space;
}

/** A whole table; nothing for no rows. */
export function tableText(rows: readonly Readonly<Record<string, Cell>>[], width: number): string {
  if (rows.length === 0) return "";
  const columns = tableColumns(rows, width);
  const lines = rows.map((row) => rowLine(Object.values(row), { columns, width }));
  return [headLines(columns, width), ...lines].join("\n");
}
