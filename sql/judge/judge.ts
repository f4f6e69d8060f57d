/**
 * The judge: whether a SELECT of somebody who is not trusted may run, by the engine's own reading of it. Pure.
 *
 *   EXPLAIN AST ──judgeAst──▶ refused · passed · passed as far as the AST shows ──judgeTree──▶ refused · passed
 *
 * What is not known is refused: a kind of node, a function, a database. What the
 * AST does not print is looked up in the tree before its names are resolved
 * (`EXPLAIN QUERY TREE run_passes = 0`): functions in `APPLY`, and the names that
 * WITH gives. Resolving would compute constants, that is, run what is being judged.
 *
 * @module
 */
import { type AstNode, above, readAst } from "./ast.ts";
import { type FunctionRule, KNOWN_FUNCTIONS } from "./known_functions.ts";

/** What a statement is judged by. */
export interface JudgeRules {
  readonly mayRead: (table: { readonly database: string; readonly name: string }) => boolean;
  /** Functions that definitions made, by name: trusted like the views. */
  readonly ownFunctions: ReadonlySet<string>;
}

/** Why a statement may not run. `isForbidden`: it is understood, but nobody may do that here. */
export interface Refused {
  readonly verdict: "refused";
  readonly isForbidden: boolean;
  readonly problem: string;
  readonly hint: string;
  /** A name in the text that the problem is about. */
  readonly name?: string;
}

/** What the judge says of a statement. */
export type Judgement =
  | Refused
  | { readonly verdict: "passed" }
  /** Passed but for what `judgeTree` has to see. */
  | { readonly verdict: "unseen"; readonly applies: number; readonly tables: number }
  /** Functions that no list has: they may be those of definitions. */
  | { readonly verdict: "unknown"; readonly functions: readonly string[] };

/** Says that a statement cannot be judged. */
export function unclear(what: string): Refused {
  const hint = "Write it in another way; GET /v1/sql/schema lists the tables that can be read.";
  return { verdict: "refused", isForbidden: false, problem: `it has ${what}, which cannot be judged`, hint };
}

/** Says that a name may not be used. */
export function forbidden(name: string, { problem, hint }: { problem: string; hint: string }): Refused {
  return { verdict: "refused", isForbidden: true, problem, hint, name };
}

/** Kinds of nodes that hold only other nodes, all of them printed. */
const PLAIN: ReadonlySet<string> = new Set([
  ...["SelectQuery", "SelectIntersectExceptQuery", "ExpressionList", "Subquery", "WithElement", "Literal"],
  ...["TablesInSelectQuery", "TablesInSelectQueryElement", "TableExpression", "TableJoin", "ArrayJoin", "SampleRatio"],
  ...["Asterisk", "QualifiedAsterisk", "ColumnsRegexpMatcher", "ColumnsListMatcher", "QualifiedColumnsRegexpMatcher"],
  ...["QualifiedColumnsListMatcher", "ColumnsTransformerList", "ColumnsExceptTransformer"],
  ...["ColumnsReplaceTransformer", "ColumnsReplaceTransformer::Replacement", "OrderByElement", "InterpolateElement"],
  ...["WindowDefinition", "WindowListElement"],
]);
const IN = /^(?:global)?(?:not)?(?:null)?in(?:ignoreset)?$/i;
const QUALIFIED = /^(\w+)\.(\w+)$/;
const TABLE_LITERAL = /^'(\w+)\.(\w+)'$/;
const AGGREGATE_LITERAL = /^'(\w+)(?:\([\d., ]*\))?'$/;

interface Judging extends JudgeRules {
  /** Names of lambdas that the statement gives: `WITH x -> x + 1 AS next`. */
  readonly lambdas: ReadonlySet<string>;
  /** By SelectQuery, the aliases that its own level gives. */
  readonly aliases: ReadonlyMap<AstNode | undefined, ReadonlySet<string>>;
  readonly unknown: Set<string>;
  applies: number;
  tables: number;
}

/** Judges the lines of `EXPLAIN AST`. */
export function judgeAst(lines: readonly string[], rules: JudgeRules): Judgement {
  const nodes = readAst(lines);
  if (nodes === undefined) return unclear("a name with a line break");
  const [root] = nodes;
  if (root?.kind !== "SelectWithUnionQuery") {
    const hint = "Send one SELECT; GET /v1/sql/schema lists databases, tables and columns.";
    return { verdict: "refused", isForbidden: false, problem: "it is no SELECT", hint };
  }
  const judging: Judging = { ...rules, ...namesGiven(nodes), unknown: new Set(), applies: 0, tables: 0 };
  for (const node of nodes) {
    const refused = judgeNode(node, judging);
    if (refused !== undefined) return refused;
  }
  const { unknown, applies, tables } = judging;
  if (unknown.size > 0) return { verdict: "unknown", functions: [...unknown] };
  return applies + tables > 0 ? { verdict: "unseen", applies, tables } : { verdict: "passed" };
}

function namesGiven(nodes: readonly AstNode[]): Pick<Judging, "lambdas" | "aliases"> {
  const lambdas = new Set<string>();
  const aliases = new Map<AstNode | undefined, Set<string>>();
  for (const node of nodes) {
    if (node.alias === undefined) continue;
    if (node.kind === "Function" && node.name === "lambda") lambdas.add(node.alias);
    const level = above(node, "SelectQuery");
    if (node.parent?.kind !== "TableExpression") aliases.set(level, (aliases.get(level) ?? new Set()).add(node.alias));
  }
  return { lambdas, aliases };
}

function judgeNode(node: AstNode, judging: Judging): Refused | undefined {
  switch (node.kind) {
    case "SelectWithUnionQuery": {
      const hint = "Leave FORMAT and INTO OUTFILE out; choose with ?format= or the Accept header.";
      const problem = "it names its own format or output";
      return node.children.length === 1 ? undefined : { verdict: "refused", isForbidden: false, problem, hint };
    }
    case "Set": {
      const hint = "Leave SETTINGS out: the door chooses them.";
      return forbidden("SETTINGS", { problem: "it has SETTINGS", hint });
    }
    case "TableIdentifier":
      return judgeTable(node, judging);
    case "Identifier":
      return judgeIdentifier(node, judging);
    case "Function":
      return node.parent?.kind === "TableExpression" ? judgeTableFunction(node) : judgeFunction(node, judging);
    case "ColumnsApplyTransformer":
      judging.applies += 1;
      return undefined;
    default:
      return PLAIN.has(node.kind) ? undefined : unclear(`a part of the kind ${node.kind.slice(0, 60)}`);
  }
}

function judgeTable({ name }: AstNode, judging: Judging): Refused | undefined {
  const [, database, table] = QUALIFIED.exec(name) ?? [];
  if (database !== undefined) return mayNotRead({ database, name: table! }, judging);
  // A name of WITH, or of the account's own database: the tree tells.
  if (!name.includes(".")) judging.tables += 1;
  return name.includes(".") ? mayNotRead({ database: "", name }, judging) : undefined;
}

function mayNotRead(table: { database: string; name: string }, { mayRead }: JudgeRules): Refused | undefined {
  if (table.database !== "" && mayRead(table)) return undefined;
  const name = table.database === "" ? table.name : `${table.database}.${table.name}`;
  const problem = `the token may not read ${quoted(name)}, if there is such a table`;
  return forbidden(name, { problem, hint: "GET /v1/sql/schema lists the tables that it may read." });
}

/** A bare name can be a column, but also a function; behind IN a table, and among the arguments of some functions any function. */
function judgeIdentifier(node: AstNode, judging: Judging): Refused | undefined {
  const called = KNOWN_FUNCTIONS.rule(node.name);
  if (called?.isBare && called.verdict !== "allow") return asColumn(node);
  const caller = node.parent?.kind === "ExpressionList" ? node.parent.parent : undefined;
  if (caller?.kind !== "Function" || caller.children[0] !== node.parent) return undefined;
  if (IN.test(caller.name) && caller.children[0]?.children[1] === node) return judgeSet(node, judging);
  const rule = KNOWN_FUNCTIONS.rule(caller.name);
  const takesFunctions = rule === undefined || rule.takesFunctions;
  return takesFunctions && KNOWN_FUNCTIONS.isSpecial(node.name) ? asColumn(node) : undefined;
}

function asColumn({ name }: AstNode): Refused {
  const hint = `If it is a column, write it with its table, as in FROM dws.example AS t: t.${name.slice(0, 60)}.`;
  return forbidden(name, { problem: `${quoted(name)} can mean a function, which may not be called`, hint });
}

function judgeSet(node: AstNode, judging: Judging): Refused | undefined {
  const [, database, table] = QUALIFIED.exec(node.name) ?? [];
  if (database !== undefined && judging.mayRead({ database, name: table! })) return undefined;
  if (!node.name.includes(".")) {
    if (judging.aliases.get(above(node, "SelectQuery"))?.has(node.name)) return undefined;
    judging.tables += 1;
    return undefined;
  }
  const problem = `${quoted(node.name)} behind IN can be a table that the token may not read`;
  return forbidden(node.name, { problem, hint: "Write IN (SELECT … FROM …), or has(array, value) for an array." });
}

function judgeTableFunction({ name }: AstNode): Refused | undefined {
  const rule = KNOWN_FUNCTIONS.tables.get(name);
  if (rule?.verdict === "allow") return undefined;
  const why = rule === undefined ? "" : `: ${rule.reason}`;
  const problem = `the table function ${quoted(name)} may not be used${why}`;
  return forbidden(name, { problem, hint: "Read the tables that GET /v1/sql/schema lists." });
}

function judgeFunction(node: AstNode, judging: Judging): Refused | undefined {
  const { name, parent } = node;
  const rule = KNOWN_FUNCTIONS.rule(name);
  if (rule === undefined) {
    if (!judging.lambdas.has(name) && !judging.ownFunctions.has(name)) judging.unknown.add(name);
    return undefined;
  }
  if (rule.verdict === "deny") return deniedFunction(name, rule);
  // Behind IN stands a table function, if there is one of that name.
  const isSet = parent?.parent !== undefined && IN.test(parent.parent.name) && parent.children[1] === node;
  if (isSet && KNOWN_FUNCTIONS.tables.has(name)) return judgeTableFunction(node);
  if (rule.verdict === "dictionary") return judgeDictionary(node, judging);
  return rule.verdict === "aggregate" ? judgeNamedAggregate(node) : undefined;
}

/** Says that a function may not be called. */
export function deniedFunction(name: string, rule: FunctionRule | undefined): Refused {
  const why = rule === undefined ? ": no list of allowed functions has it" : `: ${rule.reason}`;
  const hint = "Do without it; a function that is safe can be asked for, or defined by whoever runs Weir.";
  return forbidden(name, { problem: `the function ${quoted(name)} may not be called${why}`, hint });
}

function judgeDictionary({ name, children }: AstNode, judging: Judging): Refused | undefined {
  const first = children[0]?.children[0];
  const pattern = first?.kind === "Identifier" ? QUALIFIED : TABLE_LITERAL;
  const isName = first?.kind === "Identifier" || first?.kind === "Literal";
  const [, database, dictionary] = (isName ? pattern.exec(first.name) : null) ?? [];
  if (database !== undefined) return mayNotRead({ database, name: dictionary! }, judging);
  const problem = `the dictionary of ${quoted(name)} is not written as a plain name`;
  return forbidden(name, { problem, hint: `Write the name itself: ${name}('dim.name', …).` });
}

function judgeNamedAggregate({ name, children }: AstNode): Refused | undefined {
  const first = children[0]?.children[0];
  const aggregate = first?.kind === "Literal" ? AGGREGATE_LITERAL.exec(first.name)?.[1] : undefined;
  const rule = aggregate === undefined ? undefined : KNOWN_FUNCTIONS.rule(aggregate);
  if (rule?.isAggregate && rule.verdict === "allow") return undefined;
  if (aggregate !== undefined) return deniedFunction(aggregate, rule);
  const problem = `the aggregate function of ${quoted(name)} is not written as a plain name`;
  return forbidden(name, { problem, hint: `Write the name itself: ${name}('sum', …).` });
}

/** A name of the statement, to be shown. */
export const quoted = (name: string) => `'${name.slice(0, 100)}'`;
