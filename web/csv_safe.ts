/**
 * CSV that people open: cells which a spreadsheet would compute become texts.
 *
 *   "=HYPERLINK(…)"  ──▶  "'=HYPERLINK(…)"
 *
 * The input is the engine's CSV: texts in double quotes, numbers bare. Only texts
 * are changed, so a negative number stays one. What is added is the apostrophe
 * that spreadsheets take for "this is a text" (OWASP, CSV injection).
 *
 * @module
 */

const QUOTE = 0x22;
const COMMA = 0x2c;
const NEWLINE = 0x0a;
const APOSTROPHE = 0x27;
/** What begins a formula: = + - @, a tab, a carriage return, a line feed. */
const BEGINS = new Set([0x3d, 0x2b, 0x2d, 0x40, 0x09, 0x0d, 0x0a]);
/** The first byte of the wide forms of = + - @, which some programs read alike. */
const WIDE = 0xef;

/** Where the next byte stands. */
type Place = "before cell" | "in number" | "first of text" | "in text" | "behind quote";

/** Makes the CSV of `source` safe, chunk by chunk. */
export async function* safeCsv(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let place: Place = "before cell";
  for await (const chunk of source) {
    const parts: Uint8Array[] = [];
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (place === "first of text" && (BEGINS.has(byte) || byte === WIDE)) {
        parts.push(chunk.subarray(from, at), Uint8Array.of(APOSTROPHE));
        from = at;
      }
      place = next(place, byte);
    }
    yield parts.length === 0 ? chunk : Buffer.concat([...parts, chunk.subarray(from)]);
  }
}

function next(place: Place, byte: number): Place {
  switch (place) {
    case "before cell":
      if (byte === QUOTE) return "first of text";
      return byte === COMMA || byte === NEWLINE ? place : "in number";
    case "in number":
      return byte === COMMA || byte === NEWLINE ? "before cell" : place;
    case "first of text":
    case "in text":
      return byte === QUOTE ? "behind quote" : "in text";
    case "behind quote":
      // A doubled quote is part of the text.
      if (byte === QUOTE) return "in text";
      return "before cell";
  }
}
