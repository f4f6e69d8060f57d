/**
 * The engine's query tree: what it resolved every name of a query to (`EXPLAIN QUERY TREE`).
 *
 *   indented lines ──readTree──▶ nodes ──▶ functions · tables · dictionaries · clauses
 *
 * @module
 */
import { meaning } from "../definition/tokens.ts";

/** One line of the tree with what is indented below it. */
export interface TreeNode {
  /** For example `FUNCTION`, `LIST`, `GROUP BY`. */
  readonly kind: string;
  /** What follows, for example `function_name`. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly TreeNode[];
}

/** Reads the lines of `EXPLAIN QUERY TREE`; the first is the root. */
export function readTree(lines: readonly string[]): TreeNode {
  const root: TreeNode & { children: TreeNode[] } = { kind: "", attributes: {}, children: [] };
  const path: { indent: number; node: TreeNode & { children: TreeNode[] } }[] = [{ indent: -1, node: root }];
  for (const line of lines) {
    const text = line.trimStart();
    const indent = line.length - text.length;
    const [, kind, rest = ""] = /^([A-Z_ ]*[A-Z_])(?: (.*))?$/s.exec(text) ?? [undefined, text];
    const node = { kind, attributes: attributesOf(rest), children: [] };
    while ((path.at(-1)?.indent ?? -1) >= indent) path.pop();
    path.at(-1)?.node.children.push(node);
    path.push({ indent, node });
  }
  return root.children[0] ?? root;
}

const ATTRIBUTE = /([a-z_]+): ('(?:[^'\\]|\\.)*'|.*?)(?:, (?=[a-z_]+: )|$)/gs;

/** `id: 2, function_name: plus, result_type: Decimal(38, 2)`: a comma separates only before a name and a colon. */
function attributesOf(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(ATTRIBUTE)].map(([, name, value]) => [name, value]));
}

/** Every node, parents before children. */
export function* nodesOf(tree: TreeNode): Generator<TreeNode> {
  yield tree;
  for (const child of tree.children) yield* nodesOf(child);
}

/** Aggregate functions of the outermost query, those of subqueries left out. */
export function aggregatesOf(tree: TreeNode): TreeNode[] {
  return tree.children.flatMap((child): TreeNode[] => {
    if (child.kind === "QUERY" || child.kind === "UNION") return [];
    return child.attributes.function_type === "aggregate" ? [child] : aggregatesOf(child);
  });
}

/** Clauses of the outermost query with the number of their expressions, and what its line says of it. */
export function sectionsOf(tree: TreeNode): {
  readonly sections: Readonly<Record<string, number>>;
  readonly flags: Readonly<Record<string, string>>;
} {
  const sections: Record<string, number> = {};
  for (const { kind, children } of tree.children)
    sections[kind] = Number(children[0]?.kind === "LIST" ? children[0].attributes.nodes : 1);
  return { sections, flags: tree.attributes };
}

/** Names of all functions in the tree. */
export function functionNames(tree: TreeNode): Set<string> {
  const names = [...nodesOf(tree)].flatMap(({ attributes }) => attributes.function_name ?? []);
  return new Set(names);
}

/** Names of dictionaries that functions look values up in. */
export function dictionaryNames(tree: TreeNode): Set<string> {
  const names = [...nodesOf(tree)].flatMap(({ attributes, children }) => {
    if (!/^dict[A-Z]/.test(attributes.function_name ?? "")) return [];
    const value = children[0]?.children[0]?.children[0]?.attributes.constant_value;
    return value?.startsWith("'") ? [meaning({ kind: "string", text: value, start: 0, end: 0 })] : [];
  });
  return new Set(names);
}

/** Tables that the tree names, and table functions. */
export function tableNames(tree: TreeNode): { readonly tables: Set<string>; readonly functions: Set<string> } {
  const [tables, functions] = [new Set<string>(), new Set<string>()];
  for (const { kind, attributes } of nodesOf(tree)) {
    if (kind === "TABLE") tables.add(attributes.table_name ?? "");
    if (kind === "TABLE_FUNCTION") functions.add(attributes.table_function_name ?? "");
  }
  return { tables, functions };
}

/** Divisions whose result is a Decimal, with the clause and, in the SELECT list, the item that each stands in. */
export function decimalDivisions(tree: TreeNode): readonly { readonly clause: string; readonly item: number }[] {
  return tree.children.flatMap((section) => {
    const items = section.children[0]?.kind === "LIST" ? section.children[0].children : section.children;
    return items.flatMap((item, index) =>
      [...nodesOf(item)].some(isDecimalDivision) ? [{ clause: section.kind, item: index }] : [],
    );
  });
}

function isDecimalDivision({ attributes }: TreeNode): boolean {
  const { function_name: name, result_type: type = "" } = attributes;
  return name === "divide" && /^(Nullable\()?Decimal/.test(type);
}
