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

const LINE = /^( *)([A-Z][A-Za-z:]*)(?: (.*?))??( \(alias .*\))?(?: \(children (\d{1,7})\))?$/s;

interface Reading {
  readonly node: AstNode & { readonly children: AstNode[] };
  readonly childrenCount: number;
}

/** Reads the lines of `EXPLAIN AST`; gives every node, parents before children, or undefined if a line is not the engine's. */
export function readAst(lines: readonly string[]): readonly AstNode[] | undefined {
  const path: Reading[] = [];
  const nodes: AstNode[] = [];
  for (const line of lines) {
    const match = LINE.exec(line);
    if (match === null) return undefined;
    const [, indent = "", kind = "", name = "", alias, count = "0"] = match;
    const depth = indent.length;
    if (depth > path.length || (depth === 0 && nodes.length > 0)) return undefined;
    while (path.length > depth) if (!isWhole(path.pop()!)) return undefined;
    const parent = path.at(-1)?.node;
    const node = { kind, name, alias: alias?.slice(" (alias ".length, -1), parent, children: [] };
    parent?.children.push(node);
    nodes.push(node);
    path.push({ node, childrenCount: Number(count) });
  }
  return nodes.length > 0 && path.every(isWhole) ? nodes : undefined;
}

function isWhole({ node, childrenCount }: Reading): boolean {
  return node.children.length === childrenCount;
}

/** The nearest node of a kind above this one. */
export function above({ parent }: AstNode, kind: string): AstNode | undefined {
  let at = parent;
  while (at !== undefined && at.kind !== kind) at = at.parent;
  return at;
}
