/**
 * Frames the engine's rows as the door's JSON answer, without parsing them.
 *
 *   {"meta":[…]}          {"data":[{…},{…}],"meta":{"rows","elapsed_ms","columns"}}
 *   {"row":{…}}     ──▶
 *   {"row":{…}}
 *
 * The input is ClickHouse's JSONEachRowWithProgress: one object a line, rows
 * wrapped in `{"row":…}`, names and types before them. Rows are moved within
 * their chunk, so a row costs two native calls, and a long row never waits
 * to be complete. Whatever ends early must error: an answer is whole or broken.
 *
 * @module
 */

/** A column of an answer. */
export interface AnswerColumn {
  readonly name: string;
  readonly type: string;
}

/** A line that is no row (names and types, progress, totals) is at most this long. */
const LINE_BYTES_MAX = 16 * 2 ** 20;
const ROW_START = '{"row":';
const NEWLINE = 10;
const COMMA = 44;

/** Turns chunks of rows into chunks of a JSON array's content. Used once per answer. */
export class JsonRows {
  rows = 0;
  columns: readonly AnswerColumn[] | undefined;
  /** Totals of `WITH TOTALS`, as JSON text. */
  totals: string | undefined;
  #held = Buffer.alloc(0);
  #isInRow = false;

  /** Takes what arrived; gives what may go out. Throws when it is not in the expected format. */
  push(chunk: Uint8Array): Uint8Array {
    const all = Buffer.concat([this.#held, chunk]);
    let at = 0;
    let out = 0;
    while (at < all.length) {
      if (!this.#isInRow) {
        if (all.length - at < ROW_START.length) break;
        if (isRow(all, at)) {
          this.#isInRow = true;
          at += ROW_START.length;
          if (this.rows > 0) all[out++] = COMMA;
          this.rows += 1;
        } else {
          const end = all.indexOf(NEWLINE, at);
          if (end < 0 && all.length - at > LINE_BYTES_MAX) throw unexpected();
          if (end < 0) break;
          this.#note(all.toString("utf8", at, end));
          at = end + 1;
        }
        continue;
      }
      const end = all.indexOf(NEWLINE, at);
      // The last byte before the line's end is the wrapper's brace: the last one of a chunk waits.
      const upTo = (end < 0 ? all.length : end) - 1;
      if (upTo < at) throw unexpected();
      all.copyWithin(out, at, upTo);
      out += upTo - at;
      at = end < 0 ? upTo : end + 1;
      if (end < 0) break;
      this.#isInRow = false;
    }
    this.#held = Buffer.from(all.subarray(at));
    return all.subarray(0, out);
  }

  /** Throws unless everything that was pushed made whole lines. */
  end(): void {
    if (this.#held.length > 0 || this.#isInRow || this.columns === undefined) throw unexpected();
  }

  #note(line: string): void {
    if (line === "") return;
    if (line.startsWith('{"totals":')) {
      this.totals = line.slice('{"totals":'.length, -1);
      return;
    }
    const { meta, exception } = JSON.parse(line) as { meta?: AnswerColumn[]; exception?: string };
    if (exception !== undefined) throw new Error("Cannot go on with the answer: the engine failed in its middle.");
    if (meta !== undefined) this.columns = meta.map(({ name, type }) => ({ name, type }));
  }
}

function isRow(all: Buffer, at: number): boolean {
  return all[at + 2] === 0x72 && all[at + 3] === 0x6f && all[at + 4] === 0x77 && all[at + 5] === 0x22;
}

function unexpected(): Error {
  return new Error("Cannot frame the answer: it is not in the expected format.");
}

/** The rows of `source` as a whole JSON answer. */
export async function* jsonAnswer(
  source: AsyncIterable<Uint8Array>,
  elapsedMs: () => number,
): AsyncGenerator<Uint8Array> {
  const rows = new JsonRows();
  let isOpen = false;
  for await (const chunk of source) {
    const bytes = rows.push(chunk);
    if (bytes.length === 0) continue;
    yield isOpen ? bytes : Buffer.concat([Buffer.from('{"data":['), bytes]);
    isOpen = true;
  }
  rows.end();
  const { columns, totals } = rows;
  const meta = JSON.stringify({ rows: rows.rows, elapsed_ms: elapsedMs(), columns });
  const more = totals === undefined ? "" : `,"totals":${totals}`;
  yield Buffer.from(`${isOpen ? "" : '{"data":['}],"meta":${meta.slice(0, -1)}${more}}}\n`);
}
