/**
 * Clauses: a SELECT cut at the words outside of all brackets, for the strategies that put it together anew.
 *
 *   WITH … SELECT item AS name, … FROM … WHERE … GROUP BY … HAVING …
 *
 * Everything else is refused where it stands, with what to write instead. The
 * engine's own tree of the query has the last word (`checkAgainstTree`).
 *
 * @module
 */
import { type ModelDraft, modelError } from "../definition/model_definition.ts";
import { meaning, type Token } from "../definition/tokens.ts";
import { sectionsOf, type TreeNode } from "./query_tree.ts";
import { depthChange, isName, isSymbol, isWord, splitAtCommas } from "./splice.ts";

/** One expression with its name. */
export interface Named {
  readonly name: string;
  /** The expression without its alias. */
  readonly expression: readonly Token[];
  /** Expression and alias, as written. */
  readonly tokens: readonly Token[];
}

/** A SELECT in parts; a clause that is not there has no tokens. */
export interface Clauses {
  readonly with: readonly Named[];
  readonly select: readonly Named[];
  readonly from: readonly Token[];
  readonly where: readonly Token[];
  readonly groupBy: readonly Token[];
  readonly having: readonly Token[];
}

const OTHERWISE = "or compute it on a schedule with refresh: { every: 1 hour }";
const IN_API = `Put it into the API that reads the model, ${OTHERWISE}.`;
/** Clauses that only a refreshed model may have, by their first word, and what to do instead. */
const REFUSED: Readonly<Record<string, string>> = {
  ORDER: IN_API,
  LIMIT: IN_API,
  OFFSET: IN_API,
  FETCH: IN_API,
  UNION: `Make a model of each part, ${OTHERWISE}.`,
  INTERSECT: `Write a condition, ${OTHERWISE}.`,
  EXCEPT: `Write a condition, ${OTHERWISE}.`,
  QUALIFY: `A view sees one insert at a time; put it into the API, ${OTHERWISE}.`,
  WINDOW: `A view sees one insert at a time; put it into the API, ${OTHERWISE}.`,
  SETTINGS: "Remove it: a model must mean the same under every setting.",
  FORMAT: "Remove it: whoever reads the model chooses the format.",
  INTO: "Remove it: a model's rows go into its own table.",
  SAMPLE: "Remove it: a model reads every row.",
  FINAL: "Remove it: a model reads every row once, as it arrives.",
  PREWHERE: "Write WHERE: a view filters what is inserted, and the engine chooses the order by itself.",
};
/** Words after which an operand begins, so that the next word is no clause. */
const EXPECTS_OPERAND =
  /^(AND|OR|NOT|IN|LIKE|ILIKE|BETWEEN|IS|DIV|MOD|AS|WHERE|PREWHERE|BY|HAVING|THEN|ELSE|WHEN|CASE|ON|USING|JOIN|FROM|SELECT|DISTINCT)$/;

/** Cuts the draft's SELECT; throws at what cannot be kept up to date by views. */
export function cutClauses(draft: ModelDraft): Clauses {
  const { tokens } = draft;
  if (isSymbol(tokens[0], "("))
    throw modelError(draft, tokens[0], "its SELECT stands in brackets", "Remove the brackets.");
  const select = indexAtTop(tokens, 0, (token) => isWord(token, "SELECT"));
  if (select === undefined) throw modelError(draft, tokens.at(-1), "it has no SELECT", "Write one.");
  const from = indexAtTop(tokens, select, (token, index) => isWord(token, "FROM") && startsClause(tokens, index));
  const into = indexAtTop(tokens, select + 1, (token, index) => isClause(tokens, index) && !isWord(token, "FROM"));
  if (from === undefined) {
    if (into !== undefined) refuseClause(draft, tokens[into]);
    throw modelError(draft, tokens[select], "it reads no table", "Write FROM <layer>.<name>.");
  }
  const items = tokens.slice(select + 1, from);
  if (isWord(items[0], "DISTINCT")) {
    const hint = "Write GROUP BY with the same columns.";
    throw modelError(draft, items[0], "SELECT DISTINCT cannot be kept up to date", hint);
  }
  return {
    with: select === 0 ? [] : splitAtCommas(tokens.slice(1, select)).map((one) => scalarOf(draft, one)),
    select: splitAtCommas(items).map((one) => itemOf(draft, one)),
    ...cutTail(draft, from),
  };
}

function cutTail(draft: ModelDraft, from: number): Omit<Clauses, "with" | "select"> {
  const parts: Record<string, Token[]> = { FROM: [], WHERE: [], GROUP: [], HAVING: [] };
  const { tokens } = draft;
  let current = parts.FROM;
  let depth = 0;
  for (let index = from + 1; index < tokens.length; index++) {
    const token = tokens[index];
    depth += depthChange(token);
    if (depth !== 0 || !isClause(tokens, index)) {
      current.push(token);
      continue;
    }
    const word = token.text.toUpperCase();
    if (parts[word] === undefined) refuseClause(draft, token);
    current = parts[word];
    if (word === "GROUP") index += 1;
  }
  const { FROM, WHERE, GROUP, HAVING } = parts;
  return { from: FROM, where: WHERE, groupBy: GROUP, having: HAVING };
}

/** Whether a word outside of all brackets begins a clause. */
function isClause(tokens: readonly Token[], index: number): boolean {
  const token = tokens[index];
  if (token.kind !== "word" || !startsClause(tokens, index)) return false;
  const word = token.text.toUpperCase();
  const next = tokens[index + 1];
  if (word === "GROUP" || word === "ORDER") return isWord(next, "BY");
  if (word === "INTO") return isWord(next, "OUTFILE");
  if (word === "FINAL") return true;
  if (REFUSED[word] !== undefined) return next !== undefined && (next.kind !== "symbol" || isSymbol(next, "("));
  return word === "WHERE" || word === "HAVING" || word === "FROM";
}

/** False where a name or an operand must follow what stands before. */
function startsClause(tokens: readonly Token[], index: number): boolean {
  const before = tokens[index - 1];
  if (before === undefined) return true;
  if (before.kind === "word") return !EXPECTS_OPERAND.test(before.text.toUpperCase()) || isWord(before, "ALL");
  return before.kind !== "symbol" || [")", "]", "}", "*", ","].includes(before.text);
}

function refuseClause(draft: ModelDraft, token: Token): never {
  const word = token.text.toUpperCase();
  const clause = word === "ORDER" ? "ORDER BY" : word;
  throw modelError(draft, token, `${clause} cannot be kept up to date by views`, REFUSED[word] ?? IN_API);
}

function scalarOf(draft: ModelDraft, tokens: readonly Token[]): Named {
  const [first, second, third] = tokens;
  if (isWord(first, "RECURSIVE") || (isName(first) && isWord(second, "AS") && isSymbol(third, "("))) {
    const hint = `Write it as a model of its own and read that, ${OTHERWISE}.`;
    throw modelError(draft, first, "WITH <name> AS (SELECT …) cannot be kept up to date by views", hint);
  }
  return named(draft, tokens);
}

function itemOf(draft: ModelDraft, tokens: readonly Token[]): Named {
  const item = named(draft, tokens);
  if (!item.name.startsWith("_")) return item;
  const hint = "Rename it: those names are Weir's own.";
  throw modelError(draft, tokens.at(-1), `column '${item.name}' begins with an underscore`, hint);
}

function named(draft: ModelDraft, tokens: readonly Token[]): Named {
  const [as, last] = tokens.slice(-2);
  if (tokens.length > 2 && isWord(as, "AS") && isName(last))
    return { name: meaning(last), expression: tokens.slice(0, -2), tokens };
  const isPath = tokens.every((token, index) => (index % 2 === 0 ? isName(token) : isSymbol(token, ".")));
  if (isPath && isName(last ?? as)) return { name: meaning(tokens.at(-1) as Token), expression: tokens, tokens };
  const at = tokens[0];
  if (tokens.at(-1)?.text === "*") {
    const hint = "Name the columns: a model's columns must not change by themselves.";
    throw modelError(draft, at, "it selects *", hint);
  }
  throw modelError(draft, at, "an expression has no name", "Write AS <name> behind it.");
}

function indexAtTop(
  tokens: readonly Token[],
  from: number,
  is: (token: Token, index: number) => boolean,
): number | undefined {
  let depth = 0;
  for (let index = from; index < tokens.length; index++) {
    depth += depthChange(tokens[index]);
    if (depth === 0 && is(tokens[index], index)) return index;
  }
  return undefined;
}

/** Throws when a name is given twice. */
export function checkNames(draft: ModelDraft, items: readonly Named[]): void {
  const seen = new Set<string>();
  for (const { name, tokens } of items) {
    if (seen.has(name))
      throw modelError(draft, tokens.at(-1), `two columns are named '${name}'`, "Give every column a name of its own.");
    seen.add(name);
  }
}

/** Throws when the engine reads other clauses than were cut: two readings of one text are a hole. */
export function checkAgainstTree(draft: ModelDraft, { clauses, tree }: { clauses: Clauses; tree: TreeNode }): void {
  const { sections, flags } = sectionsOf(tree);
  const group = clauses.groupBy;
  const isAll = group.length === 1 && isWord(group[0], "ALL");
  const cut: Record<string, number | undefined> = {
    WITH: clauses.with.length || undefined,
    PROJECTION: clauses.select.length,
    "JOIN TREE": 1,
    WHERE: clauses.where.length && 1,
    "GROUP BY": isAll ? undefined : splitAtCommas(group).length,
    HAVING: clauses.having.length && 1,
  };
  const names = new Set([...Object.keys(cut).filter((name) => cut[name]), ...Object.keys(sections)]);
  const other = [...names].find((name) => (cut[name] || undefined) !== sections[name]);
  const special = Object.keys(flags).find((flag) => flag !== "id" && !(flag === "is_group_by_all" && isAll));
  if (special !== undefined && /group/.test(special)) {
    const hint = `Write a model for each level, ${OTHERWISE}.`;
    throw modelError(
      draft,
      group[0],
      "TOTALS, ROLLUP, CUBE and GROUPING SETS cannot be kept up to date by views",
      hint,
    );
  }
  if (other === undefined && special === undefined) return;
  const what = other ?? special;
  throw modelError(
    draft,
    undefined,
    `its ${what} is written in a way that cannot be cut`,
    `Write it plainly, ${OTHERWISE}.`,
  );
}
