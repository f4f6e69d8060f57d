/**
 * What `EXPLAIN AST` does not print, judged from the tree before its names are resolved.
 *
 *   EXPLAIN QUERY TREE run_passes = 0 ──judgeTree──▶ functions in APPLY · table names that WITH gives
 *
 * Only asked for what `judgeAst` has passed. The engine numbers what it prints,
 * so a name with a line break cannot pretend to be a node.
 *
 * @module
 */
import { readTree, type TreeNode } from "../model/query_tree.ts";
import { deniedFunction, forbidden, type Judgement, quoted, type Refused, unclear } from "./judge.ts";
import { KNOWN_FUNCTIONS } from "./known_functions.ts";

interface Seen {
  readonly ownFunctions: ReadonlySet<string>;
  /** Aliases of each query around the place, the nearest one last. */
  aliases: readonly ReadonlySet<string>[];
  applies: number;
  tables: number;
}

/** Judges the lines of `EXPLAIN QUERY TREE run_passes = 0` of a statement whose AST has left something unseen. */
export function judgeTree(
  lines: readonly string[],
  { unseen, ownFunctions }: { unseen: Judgement & { verdict: "unseen" }; ownFunctions: ReadonlySet<string> },
): Judgement {
  const plain = plainLines(lines);
  if (plain === undefined) return unclear("a name that is not plain");
  const seen: Seen = { ownFunctions, aliases: [], applies: 0, tables: 0 };
  const refused = judgeScope(readTree(plain), new Set(), seen);
  if (refused !== undefined) return refused;
  const isAll = seen.applies >= unseen.applies && seen.tables >= unseen.tables;
  return isAll ? { verdict: "passed" } : unclear("a name in a place of its own");
}

const CTE = /^ *(?:QUERY|UNION) id: \d+(?:, (?:alias: \w+|is_\w+: 1))*, cte_name: \w+(?:, union_mode: \w+)?$/;

const NODE = /^( *)[A-Z_ ]*[A-Z_] id: (\d{1,9})(?:,|$)/;
const HEADING = /^ +(?:[A-Z][A-Z_ ]*|REPLACEMENTS \d{1,9}|REPLACEMENT NAME \w+ EXPRESSION)$/;
const NAMED = /^( +EXPRESSION) (\S.*?) ?$/;

/**
 * The lines that the tree is read from, if all are the engine's own: every node has the next number,
 * every other line is a heading, names of WITH are plain, and no name looks like an alias.
 */
function plainLines(lines: readonly string[]): readonly string[] | undefined {
  const plain: string[] = [];
  let next = 0;
  for (const [index, line] of lines.entries()) {
    const [, indent = "", id] = NODE.exec(line) ?? [];
    if ((index === 0) !== (id !== undefined && indent === "")) return undefined;
    const around = { before: lines[index - 1] ?? "", after: lines[index + 1] ?? "" };
    const kept =
      id === undefined ? headingOf(line, around) : Number(id) === next && isPlainNode(line) ? line : undefined;
    if (kept === undefined) return undefined;
    if (id !== undefined) next += 1;
    if (kept !== "") plain.push(kept);
  }
  return plain;
}

/** Names of WITH are plain, and what gives an alias says so once, directly behind the number. */
function isPlainNode(line: string): boolean {
  if (/^ *(?:QUERY|UNION) .*cte_name: /.test(line) && !CTE.test(line)) return false;
  const at = line.lastIndexOf(", alias: ");
  return at < 0 || /^ *[A-Z_ ]+ id: \d+$/.test(line.slice(0, at));
}

/** A line without a number as the tree needs it; empty for what an empty list prints, undefined for what nothing prints. */
function headingOf(line: string, { before, after }: { before: string; after: string }): string | undefined {
  if (line === "") return /^ *LIST id: \d+, nodes: 0$/.test(before) ? "" : undefined;
  if (HEADING.test(line)) return line;
  // ORDER BY and INTERPOLATE print a name twice: here, and as the node that follows.
  const [, heading, name] = NAMED.exec(line) ?? [];
  if (heading === undefined || !/^ *(?:SORT|INTERPOLATE) id: /.test(before)) return undefined;
  const [, said, alias] = /^ +IDENTIFIER id: \d+(, alias: (.*))?, identifier: /.exec(after) ?? [];
  const isSame = after.endsWith(`, identifier: ${name}`) || (said !== undefined && alias === name);
  return isSame ? heading : undefined;
}

/** Judges one node with what is below it; `names` are those that WITH gives here. */
function judgeScope(node: TreeNode, names: ReadonlySet<string>, seen: Seen): Refused | undefined {
  const own = node.kind === "QUERY" || node.kind === "UNION" ? withSection(node) : undefined;
  const ctes = own?.children[0]?.children ?? [];
  const given = ctes.flatMap(({ attributes }) => attributes.cte_name ?? []);
  const inner = given.length === 0 ? names : new Set([...names, ...given]);
  if (node.kind === "QUERY") seen.aliases = [...seen.aliases, new Set(aliasesOf(node))];
  for (const child of node.children) {
    const refused = child === own ? judgeWith(ctes, inner, seen) : judgeChild(child, inner, seen);
    if (refused !== undefined) return refused;
  }
  if (node.kind === "QUERY") seen.aliases = seen.aliases.slice(0, -1);
  return undefined;
}

/** Aliases that a query's own level gives to expressions. */
function aliasesOf({ children }: TreeNode): readonly string[] {
  return children.flatMap((node): readonly string[] => {
    if (node.kind === "JOIN TREE") return [];
    const alias = node.attributes.alias ?? [];
    return node.kind === "QUERY" || node.kind === "UNION" ? [alias].flat() : [alias, aliasesOf(node)].flat();
  });
}

const withSection = ({ children }: TreeNode) => children.find(({ kind }) => kind === "WITH");

/** The query of a WITH sees all the names but its own, unless it is recursive: there it would be a table's. */
function judgeWith(ctes: readonly TreeNode[], names: ReadonlySet<string>, seen: Seen): Refused | undefined {
  for (const cte of ctes) {
    const { cte_name: name, is_recursive_cte: isRecursive } = cte.attributes;
    const visible =
      name === undefined || isRecursive === "1" ? names : new Set([...names].filter((one) => one !== name));
    const refused = judgeChild(cte, visible, seen);
    if (refused !== undefined) return refused;
  }
  return undefined;
}

function judgeChild(node: TreeNode, names: ReadonlySet<string>, seen: Seen): Refused | undefined {
  if (node.kind === "APPLY COLUMN TRANSFORMER") return judgeApply(node, seen);
  const tables = tablesOf(node);
  for (const { attributes } of tables) {
    const name = attributes.identifier ?? "";
    if (name.includes(".")) continue;
    seen.tables += 1;
    if (names.has(name) || (node.kind === "FUNCTION" && seen.aliases.at(-1)?.has(name))) continue;
    const problem = `the table ${quoted(name)} has no layer, and no WITH before it gives the name`;
    return forbidden(name, { problem, hint: `Write it with its layer: dws.${name.slice(0, 60)}, for example.` });
  }
  return judgeScope(node, names, seen);
}

const TABLE_PLACES: ReadonlySet<string> = new Set([
  ...["JOIN TREE", "TABLE EXPRESSION", "LEFT TABLE EXPRESSION", "RIGHT TABLE EXPRESSION"],
]);
const IN = /^(?:global)?(?:not)?(?:null)?in(?:ignoreset)?$/i;

/** Identifiers directly below a node that stand where tables are named. */
function tablesOf({ kind, attributes, children }: TreeNode): readonly TreeNode[] {
  const isName = (node: TreeNode | undefined) => node?.kind === "IDENTIFIER";
  if (TABLE_PLACES.has(kind)) return children.filter(isName);
  if (kind !== "FUNCTION" || !IN.test(attributes.function_name ?? "")) return [];
  const set = children.find((section) => section.kind === "ARGUMENTS")?.children[0]?.children[1];
  return set !== undefined && isName(set) ? [set] : [];
}

/** `APPLY f` or `APPLY f(0.5)`: a function's name and constants, nothing else. */
function judgeApply(node: TreeNode, seen: Seen): Refused | undefined {
  seen.applies += 1;
  const called = node.children[0]?.children[0];
  const name = called?.attributes.function_name;
  if (node.attributes.apply_transformer_type !== "FUNCTION" || called?.kind !== "FUNCTION" || name === undefined) {
    const hint = "Write the columns out, or APPLY a function by its name.";
    return forbidden("APPLY", { problem: "it has APPLY with an expression", hint });
  }
  const rule = KNOWN_FUNCTIONS.rule(name);
  if (rule?.verdict !== "allow" && !seen.ownFunctions.has(name)) return deniedFunction(name, rule);
  const parameters = called.children.flatMap((section) => section.children[0]?.children ?? []);
  const isConstant = parameters.every(({ kind }) => kind === "CONSTANT");
  return isConstant ? undefined : unclear("APPLY with parameters that are no constants");
}
