/**
 * The door's `compact` format, taken apart while it arrives: names, types, then one array a row.
 *
 *   ["a","b"]\n["UInt8","String"]\n[1,"x"]\n… ──push(chunk)──▶ columns, rows ──bound──▶ full
 *
 * A line that is not complete waits for the next chunk. What is beyond a bound is
 * not taken: the page says so, and a download has all.
 *
 * @module
 */

/** A column of an answer, with the engine's spelling of its type. */
export interface Column {
  readonly name: string;
  readonly type: string;
}

/** A row; 64-bit integers and Decimals are texts, so no digit is lost. */
export type Row = readonly unknown[];

/** What one page holds of an answer. */
export const RESULT_LIMITS = { rowsMax: 200_000, charsMax: 128 * 2 ** 20 } as const;

/** Reads one answer. */
export class CompactRows {
  columns: readonly Column[] = [];
  readonly rows: Row[] = [];
  /** A bound is reached: nothing more is taken. */
  isFull = false;
  #names: readonly string[] | undefined;
  #hasTypes = false;
  #held = "";
  #chars = 0;
  readonly #limits: { readonly rowsMax: number; readonly charsMax: number };

  constructor(limits: { readonly rowsMax: number; readonly charsMax: number } = RESULT_LIMITS) {
    this.#limits = limits;
  }

  /** Takes what arrived; throws a SyntaxError when it is not in the format. */
  push(chunk: string): void {
    this.#chars += chunk.length;
    const lines = (this.#held + chunk).split("\n");
    this.#held = lines.pop()!;
    for (const line of lines) {
      if (this.isFull) return;
      if (line !== "") this.#take(JSON.parse(line) as unknown[]);
    }
    if (this.#chars >= this.#limits.charsMax) this.isFull = true;
  }

  #take(values: unknown[]): void {
    if (this.#names === undefined) {
      this.#names = values.map(String);
      return;
    }
    if (!this.#hasTypes) {
      this.columns = this.#names.map((name, index) => ({ name, type: String(values[index] ?? "") }));
      this.#hasTypes = true;
      return;
    }
    // The row after the last one that fits says that there are more.
    if (this.rows.length >= this.#limits.rowsMax) this.isFull = true;
    else this.rows.push(values);
  }
}
