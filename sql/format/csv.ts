/**
 * CSV: one record is one line of cells, quoted as in RFC 4180.
 *
 *   a,"b ""c""",,""  ──▶  {"id":"a","name":"b \"c\"","note":null,"rest":""}
 *
 * A cell without anything is no value: null where the column is Nullable, else
 * missing. An empty text is written `""`. Quoted cells may hold line breaks:
 * the record is the line. Pure.
 *
 * @module
 */
import type { ColumnType } from "../conform/column_type.ts";
import type { Decode, Format } from "./format.ts";
import { textValue } from "./text_value.ts";
import { Undecodable, utf8 } from "./undecodable.ts";

/** One cell; `isQuoted` tells an empty text from no value. */
interface Cell {
  readonly text: string;
  readonly isQuoted: boolean;
}

/** Makes the decoder of a source's lines. */
export function csvDecoder(
  { delimiter, columns }: Format & { readonly kind: "csv" },
  types: ReadonlyMap<string, ColumnType>,
): Decode {
  const heads = columns.map((name) => ({ name: `${JSON.stringify(name)}:`, type: types.get(name) }));
  return (value) => {
    const cells = cellsOf(utf8(value).replace(/\r?\n$/, ""), delimiter);
    if (cells.length !== heads.length) {
      throw new Undecodable(`the line has ${cells.length} cells, not ${heads.length} (${columns.join(", ")})`);
    }
    const fields: string[] = [];
    for (const [index, { name, type }] of heads.entries()) {
      const { text, isQuoted } = cells[index];
      if (text !== "" || isQuoted) fields.push(name + textValue(text, type));
      else if (type?.nullable) fields.push(`${name}null`);
    }
    return { kind: "row", text: `{${fields.join(",")}}`, op: "c" };
  };
}

/** A line with these values in its cells, every text in quotes; what has values inside is JSON. */
export function csvLine(
  { delimiter, columns }: Format & { readonly kind: "csv" },
  values: Readonly<Record<string, unknown>>,
): string {
  const cells = columns.map((name) => {
    const value = values[name] ?? null;
    if (value === null) return "";
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    return `"${text.replaceAll('"', '""')}"`;
  });
  return cells.join(delimiter);
}

/** Cuts a line into its cells; throws `Undecodable` where quotes do not fit. */
export function cellsOf(line: string, delimiter: string): readonly Cell[] {
  const cells: Cell[] = [];
  for (let at = 0; ; at++) {
    if (line[at] === '"') {
      const end = quotedEnd(line, at);
      cells.push({ text: line.slice(at + 1, end).replaceAll('""', '"'), isQuoted: true });
      at = end + 1;
      if (at < line.length && line[at] !== delimiter) {
        throw new Undecodable(`the line has something behind a closing quote, at character ${at}`);
      }
    } else {
      const next = line.indexOf(delimiter, at);
      const end = next < 0 ? line.length : next;
      const text = line.slice(at, end);
      const odd = /["\r\n]/.exec(text);
      if (odd !== null) {
        const what = odd[0] === '"' ? "quote" : "line break";
        throw new Undecodable(`the line has a ${what} in a cell without quotes, at character ${at + odd.index}`);
      }
      cells.push({ text, isQuoted: false });
      at = end;
    }
    if (at >= line.length) return cells;
  }
}

/** Where the quote stands that closes the one at `start`. */
function quotedEnd(line: string, start: number): number {
  for (let at = line.indexOf('"', start + 1); at >= 0; at = line.indexOf('"', at + 2)) {
    if (line[at + 1] !== '"') return at;
  }
  throw new Undecodable(`the line has a quote that is never closed, at character ${start}`);
}
