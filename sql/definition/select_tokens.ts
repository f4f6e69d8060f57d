/**
 * The SELECT of an API as tokens: that it is one statement that reads, and which tables it names.
 *
 *   SQL ──tokens──▶ refused: unclear text, other statements, FORMAT, INTO, SETTINGS, `file`
 *              └──▶ FROM, JOIN, IN, dictGet … ──▶ qualified names
 *
 * Nothing here judges SQL: the engine does. What is refused is what the engine
 * would take and the door must not.
 *
 * @module
 */
import { LAYERS } from "../ddl.ts";
import { isPureTable } from "../model/functions.ts";
import { DefinitionError, lineAndColumn } from "./error.ts";
import type { CutFile } from "./front_matter.ts";
import { meaning, type Token, tokenize } from "./tokens.ts";

/** A SELECT and its tokens; offsets count from its own beginning. */
export interface SelectTokens {
  /** Without white space around it and without its semicolon. */
  readonly sql: string;
  /** Offset in the SQL part of the file. */
  readonly start: number;
  readonly tokens: readonly Token[];
}

/** Reads the SQL of a definition that is one SELECT; throws DefinitionError. */
export function selectTokens(cut: CutFile): SelectTokens {
  const start = cut.sql.length - cut.sql.trimStart().length;
  const all = tokenize(cut.sql);
  const fail = failure(cut, 0);
  const first = all.find(({ text }) => text !== "(");
  if (first === undefined || !["SELECT", "WITH", "FROM"].includes(upper(first))) {
    throw fail(first?.start ?? start, "it is no SELECT", "Write one SELECT behind the front matter.");
  }
  refuseUnclear(cut, all);
  const semicolon = all.findIndex(({ text }) => text === ";");
  const rest = semicolon < 0 ? undefined : all.slice(semicolon).find(({ text }) => text !== ";");
  if (rest !== undefined) {
    throw fail(rest.start, "a second statement follows", "Write one SELECT; another API is another file.");
  }
  const last = semicolon < 0 ? all.at(-1)! : (all[semicolon - 1] ?? first);
  const tokens = all
    .filter((token) => token.start <= last.start)
    .map((token) => ({ ...token, start: token.start - start, end: token.end - start }));
  const select = { sql: cut.sql.slice(start, last.end), start, tokens };
  refuseClauses(cut, select);
  refuseFile(cut, select);
  return select;
}

/** What ClickHouse's lexer reads and ours does not: heredocs, `#` comments, nested comments, quotes that stay open. */
function refuseUnclear(cut: CutFile, tokens: readonly Token[]): void {
  const fail = failure(cut, 0);
  const hint = "Write it in plain SQL: strings in straight quotes, comments with -- or /* */.";
  for (const [index, { kind, text, start, end }] of tokens.entries()) {
    if (kind === "symbol" && /['"`“”‘’]/.test(text)) throw fail(start, "a quote is not straight or not closed", hint);
    if (kind === "symbol" && /[#$\\]/.test(text)) throw fail(start, `${quoted(text)} cannot stand there`, hint);
    const next = tokens[index + 1];
    const isPair = kind === "symbol" && next?.start === end;
    if (isPair && ["//", "/*"].includes(text + next.text)) throw fail(start, "a comment is unclear", hint);
    const between = cut.sql.slice(tokens[index - 1]?.end ?? 0, start);
    if (/\/\*[\s\S]*?\/\*[\s\S]*?\*\//.test(between)) throw fail(start, "a comment stands within a comment", hint);
  }
}

/** Clauses that would change how the door is answered. Names are told from clauses by what stands around them. */
function refuseClauses(cut: CutFile, { tokens, start }: SelectTokens): void {
  const fail = failure(cut, start);
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== "word") continue;
    const before = tokens[index - 1] === undefined ? "" : upper(tokens[index - 1]!);
    const after = tokens[index + 1];
    if ([".", "AS", ",", "SELECT", "DISTINCT", "BY"].includes(before)) continue;
    const isBeforeName = after?.kind === "word" || after?.kind === "quoted";
    const behind = tokens[index + 2];
    const isLast = behind === undefined || upper(behind) === "SETTINGS";
    switch (upper(token)) {
      case "FORMAT":
        if (isBeforeName && isLast)
          throw fail(token.start, "it names its own FORMAT", "Leave FORMAT out: an API answers JSON.");
        break;
      case "INTO":
        if (after !== undefined && upper(after) === "OUTFILE")
          throw fail(token.start, "it writes INTO OUTFILE", "Leave INTO OUTFILE out: an API answers its client.");
        break;
      case "SETTINGS":
        if (isBeforeName && behind?.text === "=")
          throw fail(token.start, "it has SETTINGS", "Leave SETTINGS out: the door chooses them.");
    }
  }
}

/** The scalar function `file` reads any file of the machine, as any user; it can be called by a bare name too. */
function refuseFile(cut: CutFile, { tokens, start }: SelectTokens): void {
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== "word" && token.kind !== "quoted") continue;
    if (meaning(token).trim().toLowerCase() !== "file") continue;
    const before = tokens[index - 1];
    const after = tokens[index + 1]?.text;
    const isColumn = after !== "(" && (before?.text === "." || (before && upper(before) === "AS") || after === ".");
    if (isColumn) continue;
    const hint = "A column of that name is written with its table: `t.file`.";
    throw failure(cut, start)(token.start, "the function `file` reads the machine's files", hint);
  }
}

/** A bracket's content: whether it is a SELECT, and whether its FROM is being read. */
interface Level {
  readonly isSelect: boolean;
  isFrom: boolean;
}

const ENDS_FROM: ReadonlySet<string> = new Set([
  ...["WHERE", "PREWHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "WINDOW", "QUALIFY", "UNION", "SELECT", "EXCEPT"],
  ...["INTERSECT", "OFFSET", "ON", "USING"],
]);
const OPENS_SELECT: ReadonlySet<string> = new Set(["SELECT", "WITH", "FROM", "("]);
const DICTIONARY = /^(?:dict[A-Z]\w*|dictionary|joinGet\w*)$/i;

/** Qualified names of what the SELECT reads, sorted: behind FROM, JOIN and IN, and in dictGet's first argument. */
export function tablesRead(cut: CutFile, { tokens, start }: SelectTokens): readonly string[] {
  const named = withNames(tokens);
  const found = new Set<string>();
  const levels: Level[] = [{ isSelect: true, isFrom: false }];
  for (const [index, token] of tokens.entries()) {
    const level = levels.at(-1)!;
    const next = tokens[index + 1];
    if (token.text === "(") {
      levels.push({ isSelect: next !== undefined && OPENS_SELECT.has(upper(next)), isFrom: false });
      if (next?.kind === "string" && DICTIONARY.test(tokens[index - 1]?.text ?? "")) found.add(meaning(next));
      continue;
    }
    if (token.text === ")" && levels.length > 1) levels.pop();
    if (!level.isSelect) continue;
    const word = token.kind === "word" ? upper(token) : token.text;
    if (word === "FROM" || word === "JOIN") level.isFrom = true;
    else if (ENDS_FROM.has(word)) level.isFrom = false;
    if (word === "JOIN" || word === "FROM" || (word === "," && level.isFrom)) {
      const table = nameAt(tokens, index + 1);
      if (table === undefined) {
        refuseOutside(next, { behind: tokens[index + 2], fail: failure(cut, start) });
        continue;
      }
      if (table.database !== undefined) found.add(`${table.database}.${table.name}`);
      else if (!named.has(table.name)) {
        const hint = `Write it with its layer: ${LAYERS.map((layer) => `${layer}.${table.name}`).join(", ")}.`;
        throw failure(cut, start)(table.start, `the table ${quoted(table.name)} has no layer`, hint);
      }
    }
    if (word === "IN") {
      const table = nameAt(tokens, index + 1);
      const isLayer = LAYERS.some((layer) => layer === table?.database);
      if (table !== undefined && isLayer) found.add(`${table.database}.${table.name}`);
    }
  }
  return [...found].sort();
}

/** A table function that reads from elsewhere: the engine's rights may refuse it, but are not ours everywhere. */
function refuseOutside(
  token: Token | undefined,
  { behind, fail }: { readonly behind: Token | undefined; readonly fail: ReturnType<typeof failure> },
): void {
  if (behind?.text !== "(" || (token?.kind !== "word" && token?.kind !== "quoted")) return;
  const name = meaning(token);
  if (!isPureTable(name))
    throw fail(
      token.start,
      `it reads the table function ${quoted(name)}`,
      "Define a source or a dimension, and read that.",
    );
}

/** Names that the statement itself gives to a SELECT: `WITH x AS (SELECT …)`. */
function withNames(tokens: readonly Token[]): ReadonlySet<string> {
  return new Set(
    tokens.flatMap((token, index) => {
      const [as, open] = [tokens[index + 1], tokens[index + 2]];
      const isNamed = as !== undefined && upper(as) === "AS" && open?.text === "(";
      return isNamed && (token.kind === "word" || token.kind === "quoted") ? [meaning(token)] : [];
    }),
  );
}

/** The table's name at a token; undefined where a bracket, an array or a function stands. */
function nameAt(tokens: readonly Token[], index: number) {
  const isName = (token: Token | undefined) => token?.kind === "word" || token?.kind === "quoted";
  const [first, dot, second] = [tokens[index], tokens[index + 1], tokens[index + 2]];
  if (first === undefined || !isName(first)) return undefined;
  if (dot?.text === "(" || tokens[index + 3]?.text === "(") return undefined;
  if (dot?.text !== ".") return { database: undefined, name: meaning(first), start: first.start };
  if (second === undefined || !isName(second)) return undefined;
  return { database: meaning(first), name: meaning(second), start: first.start };
}

function upper({ kind, text }: Token): string {
  return kind === "word" ? text.toUpperCase() : text;
}

function failure(cut: CutFile, start: number) {
  return (offset: number, problem: string, hint: string): DefinitionError => {
    const at = lineAndColumn(cut.text, cut.sqlStart + start + offset);
    return new DefinitionError({ file: cut.file, ...at }, `Cannot use this API: ${problem}.`, hint);
  };
}

const quoted = (text: string) => `'${text.slice(0, 100)}'`;
