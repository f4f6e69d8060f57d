/**
 * Schema files: an .avsc or .proto file beside a definition that names it, behind its SQL wherever it travels.
 *
 *   ods/flight.sql, ods/flight.avsc ──attach──▶ one text ──▶ door, catalog ──detach──▶ the same two files
 *
 * Each file stands in a block like the front matter's, after a line with its
 * name: the lines of the definition keep their numbers, the text in the catalog
 * is the whole truth, and nothing has to be stored beside it. Pure.
 *
 * @module
 */

/** A file's name as `schema` and `schemas` may say it: in the definition's folder or below it, never out of it. */
export const SCHEMA_FILE: RegExp = /^(?:[A-Za-z0-9_][\w.-]*\/)*[A-Za-z0-9_][\w.-]*\.(?:avsc|proto)$/;

const OPEN = "/*--- ";
const CLOSE = "---*/";

/** A definition's own text, and the schema files that came with it, by name. */
export interface Detached {
  readonly text: string;
  readonly files: ReadonlyMap<string, string>;
}

/** Whether a file's text would end its block too early. */
export const closesEarly = (content: string): boolean => content.split("\n").some((line) => line.trimEnd() === CLOSE);

/** A definition's text with files behind it. */
export function attach(text: string, files: ReadonlyMap<string, string>): string {
  return text + [...files].map(([name, content]) => `\n${OPEN}${name}\n${content}\n${CLOSE}`).join("");
}

/** Takes apart what `attach` made, character by character; a text without files is its own. */
export function detach(text: string): Detached {
  const lines = text.split("\n");
  const start = lines.findIndex((line, index) => index > 0 && nameIn(line) !== undefined);
  const files = new Map<string, string>();
  for (let at = start; at >= 0 && at < lines.length; ) {
    // An editor may have put an empty line behind the last block.
    if (lines[at].trim() === "") at += 1;
    else {
      const name = nameIn(lines[at]);
      const end = lines.findIndex((line, index) => index > at && line.trimEnd() === CLOSE);
      // Not a block of ours: then it is SQL's to judge.
      if (name === undefined || end < 0) return { text, files: new Map() };
      files.set(name, lines.slice(at + 1, end).join("\n"));
      at = end + 1;
    }
  }
  return start < 0 ? { text, files } : { text: lines.slice(0, start).join("\n"), files };
}

function nameIn(line: string): string | undefined {
  if (!line.startsWith(OPEN)) return undefined;
  const name = line.slice(OPEN.length).trimEnd();
  return SCHEMA_FILE.test(name) ? name : undefined;
}
