/**
 * Table references of a SELECT: where the text names a table, at any depth, and what to put there instead.
 *
 *   FROM dwf.flight AS f ──▶ FROM weir_state.dwf__flight__v1 AS f        (the view that fills)
 *                        ──▶ FROM (SELECT * FROM null('…')) AS f         (a question to the engine)
 *
 * Found by tokens; what they might miss shows as a table in the engine's query
 * tree, where the planner looks again.
 *
 * @module
 */
import { identifier, literal, meaning, type Token } from "../definition/tokens.ts";
import { type Edit, isName, isSymbol, isWord } from "./splice.ts";

/** One place that names a table. */
export interface TableReference {
  /** The name as written, for example `dwf.flight`; without a dot if it is not qualified. */
  readonly name: string;
  /** Whether it is called like a function. */
  readonly isFunction: boolean;
  /** What stands before it. */
  readonly after: "from" | "join" | "in";
  /** Index of the first of its tokens. */
  readonly index: number;
  readonly start: number;
  readonly end: number;
  /** Whether an alias follows. */
  readonly isAliased: boolean;
}

/** Words which follow a table and are no alias. */
const FOLLOWS = new Set(
  `ALL ANTI ANY ARRAY ASOF CROSS EXCEPT FETCH FINAL FORMAT FULL GLOBAL GROUP HAVING INNER INTERSECT INTO JOIN LEFT LIMIT
  NATURAL OFFSET ON ORDER PASTE PREWHERE QUALIFY RIGHT SAMPLE SELECT SEMI SETTINGS STRAIGHT UNION USING WHERE WINDOW WITH`.split(
    /\s+/,
  ),
);

/** Finds every table reference, in the order of the text; names of common table expressions are left out. */
export function findTables(tokens: readonly Token[]): TableReference[] {
  const common = commonNames(tokens);
  const found: TableReference[] = [];
  // One entry for each open bracket: whether a SELECT stands in it, and whether its FROM is being read.
  const open = [{ isSelect: false, isFrom: false }];
  const add = (index: number, after: TableReference["after"]) => {
    const table = tableAt(tokens, index, after);
    if (table !== undefined && !common.has(table.name)) found.push(table);
  };
  for (const [index, token] of tokens.entries()) {
    const scope = open.at(-1) ?? open[0];
    if (isSymbol(token, "(")) open.push({ isSelect: false, isFrom: false });
    else if (isSymbol(token, ")") && open.length > 1) open.pop();
    else if (isSymbol(token, ",") && scope.isFrom) add(index + 1, "from");
    else if (token.kind !== "word" || isSymbol(tokens[index - 1], ".")) continue;
    else if (isWord(token, "SELECT")) Object.assign(scope, { isSelect: true, isFrom: false });
    else if (isWord(token, "FROM") && scope.isSelect && !isWord(tokens[index - 1], "DISTINCT")) {
      scope.isFrom = true;
      add(index + 1, "from");
    } else if (isWord(token, "JOIN") && !isWord(tokens[index - 1], "ARRAY")) add(index + 1, "join");
    else if (isWord(token, "IN") && isSymbol(tokens[index + 2], ".")) add(index + 1, "in");
    else if (isWord(token, "WHERE", "PREWHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "ARRAY", "ON", "USING"))
      scope.isFrom = false;
  }
  return found;
}

function tableAt(tokens: readonly Token[], index: number, after: TableReference["after"]): TableReference | undefined {
  const [first, dot, second] = tokens.slice(index, index + 3);
  if (!isName(first)) return undefined;
  const isQualified = isSymbol(dot, ".") && isName(second);
  const last = isQualified ? index + 2 : index;
  const next = tokens[last + 1];
  const isAliased =
    isWord(next, "AS") || (isName(next) && !(next.kind === "word" && FOLLOWS.has(next.text.toUpperCase())));
  return {
    name: isQualified ? `${meaning(first)}.${meaning(second)}` : meaning(first),
    isFunction: isSymbol(next, "("),
    after,
    index,
    start: first.start,
    end: tokens[last].end,
    isAliased: after !== "in" && isAliased,
  };
}

/** Names of `WITH name AS (SELECT …)`. */
function commonNames(tokens: readonly Token[]): Set<string> {
  const names = tokens.flatMap((token, index) => {
    const [as, bracket, select] = tokens.slice(index + 1, index + 4);
    const isCommon = isName(token) && isWord(as, "AS") && isSymbol(bracket, "(") && isWord(select, "SELECT", "WITH");
    return isCommon ? [meaning(token)] : [];
  });
  return new Set(names);
}

/**
 * Edits that put something else in the place of every table: the table keeps its name as alias, so that what
 * the text says of its columns goes on to hold.
 */
export function tableEdits(
  tokens: readonly Token[],
  tables: readonly TableReference[],
  replacement: (table: TableReference) => string,
): Edit[] {
  const edits = tables.map((table): Edit => {
    const alias = table.isAliased || table.after === "in" ? "" : ` AS ${identifier(lastName(table.name))}`;
    return { start: table.start, end: table.end, text: replacement(table) + alias };
  });
  const names = new Set(tables.map((table) => table.name));
  for (const [index, token] of tokens.entries()) {
    const [dot, name, next] = tokens.slice(index + 1, index + 4);
    const isPath = isName(token) && isSymbol(dot, ".") && isName(name) && isSymbol(next, ".");
    // A column written with database and table: the database goes.
    if (isPath && names.has(`${meaning(token)}.${meaning(name)}`) && !isSymbol(tokens[index - 1], "."))
      edits.push({ start: token.start, end: name.start, text: "" });
  }
  return edits;
}

/** What stands for a table in a question: its columns, without the table. */
export function nullSource(columns: readonly { readonly name: string; readonly type: string }[]): string {
  const structure = columns.map(({ name, type }) => `${identifier(name)} ${type}`).join(", ");
  return `(SELECT * FROM null(${literal(structure)}))`;
}

const lastName = (name: string) => name.slice(name.indexOf(".") + 1);
