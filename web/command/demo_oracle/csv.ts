/**
 * CSV in plain TypeScript (RFC 4180): the oracle's own reader, so that it shares none with the warehouse.
 *
 *   text ──parseCsv──▶ header, rows of cells
 *
 * @module
 */

/** Cuts a text into rows of cells. Quotes double inside quotes; line ends are LF or CRLF. Throws where a quote never closes. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (let at = text.startsWith("\uFEFF") ? 1 : 0; at < text.length; ) {
    const { cell, end } = text[at] === '"' ? quotedCell(text, at) : plainCell(text, at);
    row.push(cell);
    at = end;
    if (text[at] === ",") {
      at += 1;
      if (at < text.length) continue;
      row.push("");
    }
    rows.push(row);
    row = [];
    if (text[at] === "\r") at += 1;
    if (text[at] === "\n") at += 1;
  }
  return rows;
}

/** Reads a CSV with a header into one record per row; throws where a row has another number of cells. */
export function csvRecords(text: string): Readonly<Record<string, string>>[] {
  const [header, ...rows] = parseCsv(text);
  return rows.map((cells, index) => {
    if (cells.length !== header.length)
      throw new Error(`Cannot read row ${index + 1}: it has ${cells.length} cells, its header ${header.length}.`);
    return Object.fromEntries(header.map((name, column) => [name, cells[column]]));
  });
}

function plainCell(text: string, start: number): { cell: string; end: number } {
  let end = start;
  while (end < text.length && text[end] !== "," && text[end] !== "\n" && text[end] !== "\r") end += 1;
  return { cell: text.slice(start, end), end };
}

function quotedCell(text: string, start: number): { cell: string; end: number } {
  let cell = "";
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] !== '"') cell += text[at];
    else if (text[at + 1] === '"') {
      cell += '"';
      at += 1;
    } else return { cell, end: at + 1 };
  }
  throw new Error(`Cannot read the CSV: the quote at character ${start + 1} never closes.`);
}
