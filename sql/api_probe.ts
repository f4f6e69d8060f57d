/**
 * The probe of an API: its SELECT over the columns of its tables, so that the engine can judge it before they are there.
 *
 *   SELECT … FROM dwa.state_minute ──▶ DESCRIBE (SELECT … FROM (SELECT * FROM null('…')) AS state_minute)
 *                                        └─refused──▶ blameApi ──▶ error with line and column
 *
 * @module
 */
import { type Api, type BoundQuery, probeQuery } from "./api.ts";
import { DefinitionError, lineAndColumn } from "./definition/error.ts";
import { cutFile } from "./definition/front_matter.ts";
import { selectTokens } from "./definition/select_tokens.ts";
import { meaning, tokenize } from "./definition/tokens.ts";
import { explained, offsetOf } from "./model/ask.ts";
import type { TypedColumn } from "./model/model.ts";
import { splice } from "./model/splice.ts";
import { findTables, nullSource, tableEdits } from "./model/tables.ts";

/** Columns of a table by its qualified name; undefined for what is not known. */
export type ColumnsOf = (name: string) => readonly TypedColumn[] | undefined;

/** A query whose tables are their columns without the tables; what is not known stays as it is. */
export function overColumns(sql: string, columnsOf: ColumnsOf): string {
  const tokens = tokenize(sql);
  const known = findTables(tokens).flatMap((table) => {
    const columns = table.isFunction ? undefined : columnsOf(table.name);
    return columns === undefined ? [] : [{ table, columns }];
  });
  const tables = known.map(({ table }) => table);
  const sourceOf = (table: (typeof tables)[number]) =>
    nullSource(known.find((one) => one.table === table)?.columns ?? []);
  return splice(sql, tokens, tableEdits(tokens, tables, sourceOf));
}

/** A statement that makes the engine judge the SELECT, without its tables. */
export function probeOver(api: Api, columnsOf: ColumnsOf): BoundQuery {
  const { sql, params } = probeQuery(api);
  return { sql: overColumns(sql, columnsOf), params };
}

/** What an API's file is read from. */
interface ApiFile {
  readonly path: string;
  readonly text: string;
}

/** The error for an API that reads what is not there. */
export function missingRead(file: ApiFile, name: string): DefinitionError {
  const { tokens, fail } = apiText(file);
  const table = findTables(tokens).find((one) => one.name === name);
  const at = table ?? tokens.find((token) => token.kind === "string" && meaning(token) === name);
  return fail(at?.start, `it reads ${name}, which is not defined`, "Define it, or correct the name.");
}

/** The error for an API whose SELECT the engine refuses. */
export function blameApi(file: ApiFile, refused: string): DefinitionError {
  const { tokens, fail } = apiText(file);
  const { problem, hint, at } = explained(tokens, refused);
  return fail(at?.start, plainProbe(problem), hint);
}

/** A question that only the author's own text is in, so that places in its answer are places in the file. */
export function syntaxQuestion({ sql }: Api): string {
  return SYNTAX + sql;
}

/** The error for an API whose `syntaxQuestion` the engine refuses; undefined if that names no place. */
export function blameSyntax(file: ApiFile, refused: string): DefinitionError | undefined {
  const [, position, found = ""] = /failed at position (\d{1,9})(?: \(([^)]*)\))?/s.exec(refused) ?? [];
  if (position === undefined) return undefined;
  const { sql, fail } = apiText(file);
  const start = Math.max(0, Math.min(offsetOf(SYNTAX + sql, Number(position) - 1) - SYNTAX.length, sql.length));
  const what = start >= sql.length ? "its end" : `'${found.slice(0, 60)}'`;
  return fail(start, `the engine cannot read it at ${what}`, "Write one SELECT in ClickHouse's SQL.");
}

const SYNTAX = "EXPLAIN AST ";

/** Values and tables that stand in for the author's are nothing to tell. */
function plainProbe(problem: string): string {
  return problem
    .replaceAll(/_CAST\(([^()]*), '[^']*'(?:_\w+)?\)/g, "$1")
    .replaceAll(/\(?\bSELECT \* FROM null\('(?:[^'\\]|\\.)*'\)\)?/g, "(…)")
    .replaceAll(/\bnull\('(?:[^'\\]|\\.)*'\)/g, "(…)");
}

function apiText({ path, text }: ApiFile) {
  const cut = cutFile(path, text);
  const { sql, start, tokens } = selectTokens(cut);
  const fail = (offset: number | undefined, problem: string, hint: string) => {
    const at = lineAndColumn(cut.text, cut.sqlStart + start + (offset ?? 0));
    return new DefinitionError({ file: path, ...at }, `Cannot use this API: ${problem}.`, hint);
  };
  return { sql, tokens, fail };
}
