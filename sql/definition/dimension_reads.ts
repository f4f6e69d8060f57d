/**
 * What a dimension's SELECT reads: the tables that it names, each with its layer.
 *
 *   SELECT … FROM ods.flight JOIN dim.airport … dictGet('dim.carrier', …) ──▶ dim.airport, dim.carrier, ods.flight
 *
 * Cut from tokens, and strict where tokens do not show enough: every table is written
 * with its layer, and there are no table functions. The engine judges the rest.
 *
 * @module
 */
import { findTables } from "../model/tables.ts";
import { meaning, type Token, tokenize } from "./tokens.ts";

/** How a problem is told: the offset into the SQL, what is wrong, what to do about it. */
type Refused = (offset: number, problem: string, hint: string) => never;

const READABLE = /^(ods|dim)\.\w+$/;
const LOOKS_UP = /^(dict[A-Z]\w*|dictionary|joinGet\w*)$/i;
const HINT = "A dimension reads ods and dim only: write ods.<name> or dim.<name>.";

/** The SELECT without what surrounds it, and the tables it reads, sorted; `name` is the dimension's own. */
export function readsOf(
  sql: string,
  { name, refused }: { readonly name: string; readonly refused: Refused },
): { readonly sql: string; readonly reads: readonly string[] } {
  const all = tokenize(sql);
  const tokens = all.at(-1)?.text === ";" ? all.slice(0, -1) : all;
  const [first] = tokens;
  if (first === undefined || !/^(SELECT|WITH)$/i.test(first.text))
    return refused(first?.start ?? 0, "its SQL is not a SELECT", "Write a SELECT, or say `from` and declare columns.");
  const semicolon = tokens.find((token) => token.text === ";");
  if (semicolon !== undefined) refused(semicolon.start, "it has several statements", "Write one SELECT.");
  const reads = new Set<string>();
  for (const read of [...tablesIn(tokens), ...lookUpsIn(tokens)]) {
    if (read.isFunction) refused(read.start, `it calls the table function ${read.name}`, HINT);
    if (!READABLE.test(read.name)) refused(read.start, `it reads ${read.name}`, HINT);
    if (read.name === `dim.${name}`) refused(read.start, "it reads itself", "Read other tables.");
    reads.add(read.name);
  }
  if (reads.size === 0) refused(first.start, "it reads no table", HINT);
  return { sql: sql.slice(first.start, tokens.at(-1)?.end), reads: [...reads].sort() };
}

interface Read {
  readonly name: string;
  readonly start: number;
  readonly isFunction: boolean;
}

function tablesIn(tokens: readonly Token[]): readonly Read[] {
  return findTables(tokens);
}

/** The first arguments of dictGet and its kin. */
function lookUpsIn(tokens: readonly Token[]): readonly Read[] {
  return tokens.flatMap((token, index) => {
    if (!LOOKS_UP.test(token.text) || tokens[index + 1]?.text !== "(") return [];
    const argument = tokens[index + 2];
    if (argument === undefined) return [];
    const isText = argument.kind === "string";
    return [{ name: isText ? meaning(argument) : argument.text, start: argument.start, isFunction: false }];
  });
}
