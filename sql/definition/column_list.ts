/**
 * The column list of a source: `CREATE TABLE ods.flight ( name Type [CODEC(…)] [COMMENT '…'], … )`.
 *
 * Cut at token spans; whether a type is a type is for the engine to say.
 * Columns that compute themselves are refused: a source stores what was sent.
 *
 * @module
 */

import { DefinitionError, lineAndColumn } from "./error.ts";
import type { CutFile } from "./front_matter.ts";
import { meaning, type Token, tokenize } from "./tokens.ts";

/** A column as written. */
export interface WrittenColumn {
  readonly name: string;
  readonly type: string;
  readonly comment: string;
  readonly codec: string;
  /** Offsets of the column's name and type in the file. */
  readonly nameAt: number;
  readonly at: number;
}

/** A table as written. */
export interface WrittenTable {
  readonly database: string | undefined;
  readonly name: string;
  /** Offsets in the file: of the whole name, and of the name behind the database. */
  readonly at: number;
  readonly nameAt: number;
  readonly columns: readonly WrittenColumn[];
  /** Offsets in the file: behind the last column, and of the bracket that closes the list. */
  readonly lastEnd: number;
  readonly closeAt: number;
}

const REFUSED: Readonly<Record<string, string>> = {
  DEFAULT: "Make the column Nullable, or compute the value in a model.",
  MATERIALIZED: "Compute the value in a model.",
  ALIAS: "Compute the value in a model.",
  EPHEMERAL: "Compute the value in a model.",
  TTL: "Say `retention` in the front matter.",
  PRIMARY: "Leave it out: Weir chooses the sort key.",
  NULL: "Write the type as Nullable(…).",
  NOT: "Leave NOT NULL out: columns are never null unless Nullable(…).",
};
const NO_COLUMN = new Set(["INDEX", "PROJECTION", "CONSTRAINT", "PRIMARY"]);

/** Reads the table that a source declares. */
export function readColumnList(cut: CutFile): WrittenTable {
  return new Reader(cut).table();
}

class Reader {
  readonly #cut: CutFile;
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(cut: CutFile) {
    this.#cut = cut;
    this.#tokens = tokenize(cut.sql);
  }

  table(): WrittenTable {
    this.#expect("CREATE");
    this.#expect("TABLE");
    const at = this.#peek()?.start ?? 0;
    let name = this.#name("the table's name");
    let nameAt = at;
    let database: string | undefined;
    if (this.#peek()?.text === ".") {
      this.#next += 1;
      nameAt = this.#peek()?.start ?? at;
      database = name;
      name = this.#name("the table's name");
    }
    this.#expect("(");
    const columns: WrittenColumn[] = [];
    let close: Token;
    let lastEnd: number;
    do {
      columns.push(this.#column());
      lastEnd = this.#tokens[this.#next - 1].end;
      close = this.#take();
    } while (close.text === ",");
    if (close.text !== ")") this.#fail(close, "its bracket never closes", "End the list of columns with `)`.");
    if (this.#peek()?.text === ";") this.#next += 1;
    const rest = this.#peek();
    if (rest !== undefined)
      this.#fail(
        rest,
        `${quoted(rest.text)} follows the column list`,
        "End the file there: engine, sort key and partitions are Weir's to choose.",
      );
    const { sqlStart } = this.#cut;
    const places = { at: at + sqlStart, nameAt: nameAt + sqlStart };
    return { database, name, ...places, columns, lastEnd: lastEnd + sqlStart, closeAt: close.start + sqlStart };
  }

  #column(): WrittenColumn {
    const first = this.#peek();
    if (first?.kind === "word" && NO_COLUMN.has(first.text.toUpperCase())) {
      this.#fail(
        first,
        `${quoted(first.text)} is no column`,
        "Declare columns only; a column of that name stands in backquotes.",
      );
    }
    const name = this.#name("a column's name");
    const from = this.#peek() ?? this.#end();
    const type = this.#until((token) => isKeyword(token));
    if (type === "") this.#fail(from, `column ${quoted(name)} has no type`, "Write a ClickHouse type behind the name.");
    let comment = "";
    let codec = "";
    for (
      let token = this.#peek();
      token !== undefined && token.text !== "," && token.text !== ")";
      token = this.#peek()
    ) {
      const word = token.text.toUpperCase();
      if (word === "COMMENT") {
        this.#next += 1;
        const value = this.#take();
        if (value.kind !== "string") this.#fail(value, "a comment is a string", "Write COMMENT 'text'.");
        comment = meaning(value);
      } else if (word === "CODEC") {
        this.#next += 1;
        codec = this.#until((other) => other.text.toUpperCase() === "COMMENT");
      } else
        this.#fail(
          token,
          `${quoted(token.text)} does not belong to a column of a source`,
          REFUSED[word] ?? "Write a name, a type, and CODEC or COMMENT.",
        );
    }
    const { sqlStart } = this.#cut;
    return { name, type, comment, codec, nameAt: (first ?? from).start + sqlStart, at: from.start + sqlStart };
  }

  /** The author's text up to a comma or bracket at this level, or up to a token that ends it. */
  #until(ends: (token: Token) => boolean): string {
    const from = this.#peek();
    let to = from?.start ?? 0;
    for (let depth = 0; this.#next < this.#tokens.length; this.#next++) {
      const token = this.#tokens[this.#next];
      if (depth === 0 && (token.text === "," || token.text === ")" || ends(token))) break;
      if (token.text === "(") depth += 1;
      if (token.text === ")") depth -= 1;
      to = token.end;
    }
    return from === undefined ? "" : this.#cut.sql.slice(from.start, to).trim();
  }

  #name(what: string): string {
    const token = this.#take();
    if (token.kind !== "word" && token.kind !== "quoted")
      this.#fail(token, `${quoted(token.text)} is not ${what}`, "Write a name.");
    return meaning(token);
  }

  #expect(word: string): void {
    const token = this.#take();
    if (token.text.toUpperCase() !== word)
      this.#fail(
        token,
        `${quoted(token.text)} stands where ${quoted(word)} is expected`,
        "Write CREATE TABLE ods.<name> ( <column> <Type>, … ).",
      );
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#next];
  }

  #take(): Token {
    const token = this.#tokens[this.#next] ?? this.#end();
    this.#next += 1;
    return token;
  }

  #end(): Token {
    const at = this.#cut.sql.trimEnd().length;
    return { kind: "symbol", text: END, start: at, end: at };
  }

  #fail(token: Token, problem: string, hint: string): never {
    const at = lineAndColumn(this.#cut.text, this.#cut.sqlStart + token.start);
    throw new DefinitionError({ file: this.#cut.file, ...at }, `Cannot read the column list: ${problem}.`, hint);
  }
}

function isKeyword(token: Token): boolean {
  const word = token.text.toUpperCase();
  return token.kind === "word" && (word === "COMMENT" || word === "CODEC" || REFUSED[word] !== undefined);
}

const END = "the end of the file";
const quoted = (text: string) => (text === END ? END : `'${text.slice(0, 100)}'`);
