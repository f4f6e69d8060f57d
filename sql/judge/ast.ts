/**
 * The engine's syntax tree: what it read in a text, before any name means anything (`EXPLAIN AST`).
 *
 *   indented lines with numbers of children ──readAst──▶ nodes, or undefined
 *
 * Names are printed raw, so a name with a line break looks like nodes of its
 * own. What must hold: every node has as many children as its line says, and
 * there is one root. Then no line is forged: one at the least depth of all that
 * are would give a node of the engine's a child too many.
 *
 * @module
 */

/** One node. The root has no parent. */
export interface AstNode {
  /** For example `Function`, `TableIdentifier`. */
  readonly kind: string;
  /** What follows: a name, a literal; empty for most kinds. */
  readonly name: string;
  readonly alias: string | undefined;
  readonly parent: AstNode | undefined;
  readonly children: readonly AstNode[];
}

interface Reading {
  readonly node: AstNode & { readonly children: AstNode[] };
  readonly childrenCount: number;
}

/** Reads the lines of `EXPLAIN AST`; gives every node, parents before children, or undefined if a line is not the engine's. */
export function readAst(lines: readonly string[]): readonly AstNode[] | undefined {
  const path: Reading[] = [];
  const nodes: AstNode[] = [];
  for (const line of lines) {
    const read = readLine(line);
    if (read === undefined) return undefined;
    const { depth, childrenCount, ...said } = read;
    if (depth > path.length || (depth === 0 && nodes.length > 0)) return undefined;
    while (path.length > depth) if (!isWhole(path.pop()!)) return undefined;
    const parent = path.at(-1)?.node;
    const node = { ...said, parent, children: [] };
    parent?.children.push(node);
    nodes.push(node);
    path.push({ node, childrenCount });
  }
  return nodes.length > 0 && path.every(isWhole) ? nodes : undefined;
}

/** `  Function count (alias n) (children 1)`, read from its ends: a literal may be long and hold anything. */
function readLine(line: string) {
  const [start = "", kind = ""] = /^ *([A-Z][A-Za-z:]*)/.exec(line) ?? [];
  if (kind === "" || (line.length > start.length && line[start.length] !== " ")) return undefined;
  let rest = line.slice(start.length);
  const childrenAt = rest.lastIndexOf(" (children ");
  const count = childrenAt < 0 ? undefined : /^ \(children (\d{1,7})\)$/.exec(rest.slice(childrenAt))?.[1];
  if (count !== undefined) rest = rest.slice(0, childrenAt);
  const aliasAt = kind === "Literal" ? rest.lastIndexOf(ALIAS) : rest.indexOf(ALIAS);
  const hasAlias = aliasAt >= 0 && rest.endsWith(")");
  const alias = hasAlias ? rest.slice(aliasAt + ALIAS.length, -1) : undefined;
  const name = (hasAlias ? rest.slice(0, aliasAt) : rest).slice(1);
  return { kind, name, alias, depth: start.length - kind.length, childrenCount: Number(count ?? 0) };
}

const ALIAS = " (alias ";

function isWhole({ node, childrenCount }: Reading): boolean {
  return node.children.length === childrenCount;
}

/** The nearest node of a kind above this one. */
export function above({ parent }: AstNode, kind: string): AstNode | undefined {
  let at = parent;
  while (at !== undefined && at.kind !== kind) at = at.parent;
  return at;
}
