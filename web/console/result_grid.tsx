/**
 * The rows of an answer: only those that are seen are drawn, so 100,000 scroll like 100.
 *
 *   rows ──scroll position──▶ the rows in sight ──▶ cells        a cell chosen by mouse or keys ──▶ its whole value below
 *
 * Values are text nodes: whatever they hold, the browser never reads it as HTML.
 *
 * @module
 */
import {
  type CSSProperties,
  type KeyboardEvent,
  type MouseEvent,
  memo,
  type RefObject,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { CELL_CHARS_MAX, cellText, columnWidth, isNumeric } from "./cell.ts";
import { CellWhole } from "./cell_whole.tsx";
import type { Column, Row } from "./compact_rows.ts";

const ROW_PX = 28;
/** Rows drawn above and below those in sight. */
const MARGIN_ROWS = 12;
/** Rows whose values say how wide a column is. */
const MEASURED_ROWS = 100;
/** Columns drawn; wider answers are for downloads. */
export const COLUMNS_MAX = 300;
const NUMBERS_PX = 64;

/** A chosen cell. */
interface At {
  readonly row: number;
  readonly column: number;
}

interface Props {
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  readonly count: number;
}

/** A column and where it stands: names may repeat. */
interface Placed extends Column {
  readonly place: number;
}

/** The table, and below it the chosen value. */
export function ResultGrid({ columns: all, rows, count }: Props) {
  const columns = useMemo(
    () => all.slice(0, COLUMNS_MAX).map((column, place): Placed => ({ ...column, place })),
    [all],
  );
  const measured = Math.min(count, MEASURED_ROWS);
  const widths = useMemo(() => widthsOf(columns, rows.slice(0, measured)), [columns, rows, measured]);
  const scroller = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const height = useHeight(scroller);
  const [at, setAt] = useState<At>();
  const first = Math.max(0, Math.floor(top / ROW_PX) - MARGIN_ROWS);
  const end = Math.min(count, Math.ceil((top + height) / ROW_PX) + MARGIN_ROWS);
  const onClick = ({ target }: MouseEvent) => {
    const cell = (target as Element).closest<HTMLElement>("td[data-place]");
    if (cell !== null) setAt({ row: Number(cell.dataset.row), column: Number(cell.dataset.place) });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const next = moved(event, at, { rows: count, columns: columns.length, page: Math.floor(height / ROW_PX) - 2 });
    if (next === undefined) return;
    event.preventDefault();
    setAt(next === "close" ? undefined : next);
    if (next !== "close") show(scroller.current!, next, widths);
  };
  const style = useMemo(() => ({ gridTemplateColumns: templateOf(widths) }), [widths]);
  const chosen = at === undefined ? undefined : rows[at.row];
  return (
    <>
      <div
        ref={scroller}
        className="grid"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls, and where keys choose cells, must be reached by keys.
        tabIndex={0}
        onScroll={(event) => setTop(event.currentTarget.scrollTop)}
        {...{ onClick, onKeyDown }}
      >
        <table aria-label="Rows" aria-rowcount={count + 1}>
          <Head columns={columns} style={style} />
          <tbody style={{ height: count * ROW_PX }}>
            {rows.slice(first, end).map((row, offset) => {
              const index = first + offset;
              return (
                <GridRow key={index} {...{ row, columns, index, style }} chosen={at?.row === index ? at.column : -1} />
              );
            })}
          </tbody>
        </table>
      </div>
      {at !== undefined && chosen !== undefined && (
        <CellWhole column={columns[at.column]!} row={at.row} value={chosen[at.column]} close={() => setAt(undefined)} />
      )}
    </>
  );
}

/** An element's height in pixels, as it changes. */
function useHeight(element: RefObject<HTMLElement | null>): number {
  const [height, setHeight] = useState(400);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setHeight(entry!.contentRect.height));
    watch.observe(element.current!);
    return () => watch.disconnect();
  }, [element]);
  return height;
}

function Head({ columns, style }: { columns: readonly Placed[]; style: CSSProperties }) {
  return (
    <thead>
      <tr style={style}>
        <td className="number" />
        {columns.map(({ place, name, type }) => (
          <th key={place} scope="col" className={isNumeric(type) ? "right" : ""} title={`${name} ${type}`}>
            <strong>{name}</strong>
            <small>{type}</small>
          </th>
        ))}
      </tr>
    </thead>
  );
}

interface RowProps {
  readonly row: Row;
  readonly columns: readonly Placed[];
  readonly index: number;
  readonly style: CSSProperties;
  /** The chosen cell's column, or -1. */
  readonly chosen: number;
}

const GridRow = memo(function GridRow({ row, columns, index, style, chosen }: RowProps) {
  return (
    <tr aria-rowindex={index + 2} style={{ ...style, transform: `translateY(${index * ROW_PX}px)` }}>
      <td className="number">{index + 1}</td>
      {columns.map(({ place, type }) => (
        <td
          key={place}
          data-row={index}
          data-place={place}
          data-chosen={chosen === place}
          className={isNumeric(type) ? "right" : ""}
        >
          <Cell value={row[place]} />
        </td>
      ))}
    </tr>
  );
});

function Cell({ value }: { value: unknown }) {
  if (value === null || value === undefined) return <i className="null">null</i>;
  const text = cellText(value);
  return text.length > CELL_CHARS_MAX ? `${text.slice(0, CELL_CHARS_MAX)}…` : text;
}

function widthsOf(columns: readonly Column[], rows: readonly Row[]): readonly number[] {
  return columns.map(({ name, type }, index) =>
    columnWidth([name, type.slice(0, 20), ...rows.map((row) => cellText(row[index] ?? null).slice(0, CELL_CHARS_MAX))]),
  );
}

function templateOf(widths: readonly number[]): string {
  return `${NUMBERS_PX}px ${widths.map((width) => `${width}px`).join(" ")}`;
}

/** The cell that a key leads to; undefined if the key is not the grid's. */
function moved(
  { key, ctrlKey, metaKey }: KeyboardEvent,
  at: At | undefined,
  size: { readonly rows: number; readonly columns: number; readonly page: number },
): At | "close" | undefined {
  if (key === "Escape") return at === undefined ? undefined : "close";
  const { row, column } = at ?? { row: 0, column: 0 };
  const far = ctrlKey || metaKey;
  const steps: Readonly<Record<string, At>> = {
    ArrowDown: { row: row + (at === undefined ? 0 : 1), column },
    ArrowUp: { row: row - 1, column },
    ArrowRight: { row, column: column + 1 },
    ArrowLeft: { row, column: column - 1 },
    PageDown: { row: row + size.page, column },
    PageUp: { row: row - size.page, column },
    Home: far ? { row: 0, column: 0 } : { row, column: 0 },
    End: far ? { row: size.rows - 1, column } : { row, column: size.columns - 1 },
  };
  const next = steps[key];
  if (next === undefined || size.rows === 0) return undefined;
  const within = (value: number, count: number) => Math.min(Math.max(value, 0), count - 1);
  return { row: within(next.row, size.rows), column: within(next.column, size.columns) };
}

/** Scrolls as little as shows the cell, beside the head and the row numbers. */
function show(scroller: HTMLDivElement, { row, column }: At, widths: readonly number[]): void {
  const head = scroller.querySelector("thead")!.clientHeight;
  const y = row * ROW_PX;
  const below = y + ROW_PX + head - scroller.clientHeight;
  if (y < scroller.scrollTop) scroller.scrollTop = y;
  else if (below > scroller.scrollTop) scroller.scrollTop = below;
  const x = widths.slice(0, column).reduce((sum, width) => sum + width, 0);
  const beyond = x + widths[column]! + NUMBERS_PX - scroller.clientWidth;
  if (x < scroller.scrollLeft) scroller.scrollLeft = x;
  else if (beyond > scroller.scrollLeft) scroller.scrollLeft = beyond;
}
