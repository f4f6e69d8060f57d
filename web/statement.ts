/**
 * What SQL may be by its words: one statement that reads, without its own format.
 *
 *   text ──tokens──▶ first word reads? ──▶ no FORMAT, no `file` ──▶ engine (readonly=1)
 *
 * The engine's `readonly=1` refuses writes, DDL, settings and table functions
 * that reach outside. Left to this file is what it lets through: KILL, USE,
 * DESCRIBE of a table function, an answer in another format than the door
 * frames, and the scalar function `file`, which reads any file of the machine. Where
 * ClickHouse's lexer could see other tokens than this one, the text is refused.
 * This is the guard for the administrator. SQL of others passes it too, for errors
 * that name a place, and is then judged by the engine's own reading (`sql_judge.ts`).
 *
 * @module
 */
import { Refusal } from "./errors.ts";
import { nearest } from "./nearest.ts";

interface Token {
  readonly kind: "word" | "quoted" | "string" | "number" | "symbol";
  readonly text: string;
  readonly start: number;
}

const READING: ReadonlySet<string> = new Set([
  ...["SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS"],
]);
const PATTERN =
  /(?<space>\s+|--[^\n]*|#[ !][^\n]*|\/\/[^\n]*)|(?<open>\/\*)|(?<heredoc>\$\w*\$)|(?<word>[A-Za-z_][\w$]*)|(?<quote>[`"'])|(?<number>\d[\w.]*)|(?<symbol>.)/sy;

/** Throws a Refusal unless `sql` is one statement that reads and leaves its format to the door. */
export function checkReading(sql: string, params: Readonly<Record<string, string>>): void {
  const tokens = tokenize(sql);
  const first = firstOf(tokens);
  if (first === undefined || !READING.has(first.text.toUpperCase())) {
    const hint = "Send SELECT, WITH, SHOW, DESCRIBE, EXPLAIN or EXISTS. Tables are made by definitions: weir apply.";
    throw noReading(sql, { first, words: READING, hint });
  }
  refuseDescribedFunction(sql, tokens.slice(tokens.indexOf(first)));
  const format = formatOf(tokens);
  if (format !== undefined) {
    const hint = "Leave FORMAT out; choose with ?format= or the Accept header.";
    throw refusal(sql, { start: format.start, message: "Cannot run the statement: it names its own format.", hint });
  }
  refuseFile(sql, tokens);
  const isNamed = tokens.some(({ text }) => text.toUpperCase() === "IDENTIFIER");
  if (isNamed && Object.values(params).some(isFile)) {
    const hint = "Use another name.";
    throw new Refusal(400, "sql_refused", "Cannot use `file` as an identifier's parameter.", hint);
  }
}

/** The first word, or what stands in its place. */
function firstOf(tokens: readonly Token[]): Token | undefined {
  return tokens.find(({ text }) => text !== "(");
}

interface Beginning {
  readonly first: Token | undefined;
  /** Those that the caller may begin with. */
  readonly words: ReadonlySet<string>;
  readonly hint: string;
}

function noReading(sql: string, { first, words, hint }: Beginning): Refusal {
  const meant = first?.kind === "word" ? nearest(first.text, words) : undefined;
  const message = "Cannot run the statement: it does not read.";
  const start = first?.start ?? 0;
  return refusal(sql, { start, message, hint: meant === undefined ? hint : `Maybe ${meant} was meant. ${hint}` });
}

const SELECTING: ReadonlySet<string> = new Set(["SELECT", "WITH", "FROM"]);

/** Throws a Refusal unless `sql` is one SELECT, as far as words tell. */
export function checkSelect(sql: string, params: Readonly<Record<string, string>>): void {
  const tokens = tokenize(sql);
  const first = firstOf(tokens);
  const word = first?.text.toUpperCase() ?? "";
  if (!READING.has(word)) {
    const hint = "Send one SELECT; GET /v1/sql/schema lists the databases, tables and columns that can be read.";
    throw noReading(sql, { first, words: SELECTING, hint });
  }
  if (!SELECTING.has(word)) {
    const message = `Cannot run the statement: ${word} is for administrators.`;
    const hint = "GET /v1/sql/schema lists the databases, tables and columns that can be read.";
    throw refusal(sql, { start: first!.start, message, hint });
  }
  refuseSettings(sql, tokens);
  checkReading(sql, params);
}

/** The engine judges values of settings before anybody can judge the statement: its words would tell its bounds. */
function refuseSettings(sql: string, tokens: readonly Token[]): void {
  const found = tokens.find(({ kind, text }, index) => {
    const [name, sign] = [tokens[index + 1], tokens[index + 2]];
    const isNamed = (name?.kind === "word" || name?.kind === "quoted") && sign?.text === "=";
    return kind === "word" && text.toUpperCase() === "SETTINGS" && isNamed;
  });
  if (found === undefined) return;
  const hint = "Leave SETTINGS out: the door chooses them.";
  const message = "Cannot run the statement: it has SETTINGS.";
  throw new Refusal(403, "sql_forbidden", message, hint, placeAt(sql, found.start));
}

/** Where a name stands in a text, or null: the first name or string that means it, in any case of its letters. */
export function placeOf(sql: string, name: string): { line: number; column: number } | null {
  const [first] = placesOf(sql, name);
  return first === undefined ? null : placeAt(sql, first.start);
}

/** Where a name stands in a text if it stands there once; among the strings only if no name means it. */
export function onlyPlaceOf(sql: string, name: string): { line: number; column: number } | null {
  const found = placesOf(sql, name);
  const names = found.filter(({ kind }) => kind !== "string");
  const [only, ...more] = names.length > 0 ? names : found;
  return only === undefined || more.length > 0 ? null : placeAt(sql, only.start);
}

/** Tokens at which a name begins, or strings that say it. */
function placesOf(sql: string, name: string): readonly Token[] {
  const parts = name.toLowerCase().split(".");
  const tokens = tokenize(sql);
  const means = (token: Token | undefined, part: string) => {
    const isName = token?.kind === "word" || token?.kind === "quoted";
    return isName && (token.kind === "quoted" ? token.text.slice(1, -1) : token.text).toLowerCase() === part;
  };
  return tokens.filter((token, index) => {
    if (token.kind === "string") return token.text.slice(1, -1).toLowerCase() === name.toLowerCase();
    return parts.every((part, at) => {
      const isDotted = at === 0 || tokens[index + 2 * at - 1]?.text === ".";
      return isDotted && means(tokens[index + 2 * at], part);
    });
  });
}

/** `DESCRIBE url(…)` asks the remote side for its columns, readonly or not: measured on 26.7. */
function refuseDescribedFunction(sql: string, [verb, ...rest]: readonly Token[]): void {
  const word = (index: number) => rest[index]?.text.toUpperCase();
  const isOverride = verb?.text.toUpperCase() === "EXPLAIN" && word(0) === "TABLE" && word(1) === "OVERRIDE";
  const isDescribe = verb !== undefined && ["DESC", "DESCRIBE"].includes(verb.text.toUpperCase());
  const name = isDescribe && word(0) === "TABLE" ? 1 : 0;
  const isFunction = isDescribe && rest[name]?.text !== "(" && word(name + 1) === "(";
  if (!isOverride && !isFunction) return;
  const hint = "Write DESCRIBE (SELECT …) instead.";
  throw refusal(sql, { start: rest[0]!.start, message: "Cannot describe a table function.", hint });
}

/** `file` is refused as a bare name too, because `arrayMap(file, …)` and `APPLY file` call it as well. */
function refuseFile(sql: string, tokens: readonly Token[]): void {
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== "word" && token.kind !== "quoted") continue;
    const name = token.kind === "quoted" ? token.text.slice(1, -1) : token.text;
    if (token.kind === "quoted" && name.includes("\\")) {
      const hint = "Write the name without backslashes.";
      throw refusal(sql, { start: token.start, message: "Cannot use a quoted name with a backslash.", hint });
    }
    if (!isFile(name)) continue;
    const before = tokens[index - 1]?.text.toUpperCase();
    const after = tokens[index + 1]?.text;
    const isColumn = after !== "(" && (before === "." || before === "AS" || after === ".");
    if (isColumn) continue;
    const hint = "A column of that name is written with its table: `t.file`.";
    throw refusal(sql, {
      start: token.start,
      message: "Cannot use the function `file`: it reads the machine's files.",
      hint,
    });
  }
}

function isFile(name: string): boolean {
  return name.trim().replaceAll(/[`"]/g, "").toLowerCase() === "file";
}

/** The FORMAT clause: at the end, or before SETTINGS. `SELECT format` and `x AS format` are names. */
function formatOf(tokens: readonly Token[]): Token | undefined {
  const end = tokens.at(-1)?.text === ";" ? tokens.length - 1 : tokens.length;
  return tokens.find(({ kind, text }, index) => {
    if (kind !== "word" || text.toUpperCase() !== "FORMAT" || index + 1 >= end) return false;
    const before = tokens[index - 1]?.text.toUpperCase() ?? "";
    if ([",", ".", "(", "SELECT", "DISTINCT", "AS", "BY"].includes(before)) return false;
    const isName = tokens[index + 1]!.kind === "word" || tokens[index + 1]!.kind === "quoted";
    return isName && (index + 2 === end || tokens[index + 2]!.text.toUpperCase() === "SETTINGS");
  });
}

/** Cuts ClickHouse SQL into tokens without white space and comments; throws a Refusal where that is not certain. */
function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < sql.length; ) {
    PATTERN.lastIndex = at;
    const match = PATTERN.exec(sql) as RegExpExecArray;
    const { space, open, heredoc, word, quote, number } = match.groups as Record<string, string | undefined>;
    const [found] = match;
    const start = at;
    at += found.length;
    if (space !== undefined) continue;
    if (open !== undefined) {
      at = commentEnd(sql, start);
    } else if (heredoc !== undefined) {
      at = sql.indexOf(heredoc, at) + heredoc.length;
      if (at < start + 2 * heredoc.length) throw unclear(sql, start, "a heredoc that is not closed");
      tokens.push({ kind: "string", text: "", start });
    } else if (quote !== undefined) {
      at = quoteEnd(sql, start);
      tokens.push({ kind: quote === "'" ? "string" : "quoted", text: sql.slice(start, at), start });
    } else {
      if (/[“”‘’]/.test(found)) throw unclear(sql, start, "a quote that is not straight");
      tokens.push({
        kind: word !== undefined ? "word" : number !== undefined ? "number" : "symbol",
        text: found,
        start,
      });
    }
  }
  return tokens;
}

/** The offset after a quoted name or string: closed by its mark, which doubled or after a backslash is part of it. */
function quoteEnd(sql: string, start: number): number {
  const mark = sql[start];
  for (let at = start + 1; at < sql.length; at++) {
    if (sql[at] === "\\") at += 1;
    else if (sql[at] === mark && sql[at + 1] === mark) at += 1;
    else if (sql[at] === mark) return at + 1;
  }
  throw unclear(sql, start, "a quote that is not closed");
}

/** The offset after a comment. Nested ones are refused: versions of ClickHouse differ in where they end. */
function commentEnd(sql: string, start: number): number {
  const end = sql.indexOf("*/", start + 2);
  if (end < 0) throw unclear(sql, start, "a comment that is not closed");
  if (sql.slice(start + 2, end).includes("/*")) throw unclear(sql, start, "a comment within a comment");
  return end + 2;
}

function unclear(sql: string, start: number, what: string): Refusal {
  return refusal(sql, {
    start,
    message: `Cannot run the statement: it has ${what}.`,
    hint: "Correct it at the place that `at` names.",
  });
}

function refusal(sql: string, { start, message, hint }: { start: number; message: string; hint: string }): Refusal {
  return new Refusal(400, "sql_refused", message, hint, placeAt(sql, start));
}

/** Line and column of an offset, counted from 1 in characters. */
function placeAt(sql: string, start: number): { line: number; column: number } {
  const before = sql.slice(0, start);
  return { line: before.split("\n").length, column: [...before.slice(before.lastIndexOf("\n") + 1)].length + 1 };
}
