/**
 * Amended: the text of a source's definition with columns, or fields to leave out, that nobody but Weir has written.
 *
 *   author's text ──withColumns──▶ the same text, columns behind its last one
 *              └────withLeftOut──▶ the same text, `leave_out` in its front matter
 *
 * What the author wrote stays as it is, comments and line breaks too. Pure.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import { type Document, isMap, isScalar, parseDocument, type Scalar } from "yaml";
import { readColumnList } from "../definition/column_list.ts";
import { cutFile } from "../definition/front_matter.ts";
import { identifier, literal } from "../definition/tokens.ts";
import { EVOLVED, type NewColumn } from "./strangers.ts";

/** A definition as it is. */
interface Written {
  readonly file: string;
  readonly text: string;
}

/** The definition with columns behind its last one; `day`, as in `2026-11-23`, stands in their comments. */
export function withColumns(
  { file, text }: Written,
  { columns, day }: { readonly columns: readonly NewColumn[]; readonly day: string },
): string {
  if (columns.length === 0) return text;
  const table = readColumnList(cutFile(file, text));
  const last = table.columns.at(-1)!;
  const newline = newlineOf(text);
  const behind = text.slice(table.lastEnd, table.closeAt);
  const kept = behind.trimEnd();
  const indent = /^[ \t]*$/.exec(lineBefore(text, last.nameAt))?.[0] ?? "  ";
  const lines = columns.map(
    ({ name, type }) => `${newline}${indent}${identifier(name)} ${type} COMMENT ${literal(`${EVOLVED} on ${day}`)}`,
  );
  return `${text.slice(0, table.lastEnd)},${kept}${lines.join(",")}${behind.slice(kept.length)}${text.slice(table.closeAt)}`;
}

/** The definition that leaves fields out: all of `names`, and no others. */
export function withLeftOut({ file, text }: Written, names: readonly string[]): string {
  const { yaml } = cutFile(file, text);
  const start = text.indexOf("\n") + 1;
  const amended = withOption(yaml, names, newlineOf(text));
  return `${text.slice(0, start)}${amended}${text.slice(start + yaml.length)}`;
}

/** Front matter with `leave_out`: in the place of the one that is there, or behind everything. */
function withOption(yaml: string, names: readonly string[], newline: string): string {
  const edited = edit(yaml, `leave_out: [${names.map((name) => JSON.stringify(name)).join(", ")}]`, newline);
  const document = parseDocument(edited);
  if (document.errors.length === 0 && isDeepStrictEqual(leaveOutOf(document), names)) return edited;
  // Written in a way that cannot be edited as text: it is written anew, its comments stay.
  const anew = parseDocument(yaml);
  anew.set("leave_out", anew.createNode(names, { flow: true }));
  return anew.toString({ lineWidth: 0 }).trimEnd();
}

function edit(yaml: string, option: string, newline: string): string {
  const { contents } = parseDocument(yaml);
  const pair = isMap(contents) && contents.items.find(({ key }) => isScalar(key) && key.value === "leave_out");
  if (!pair) return `${yaml}${yaml.endsWith("\n") ? "" : newline}${option}`;
  const [from] = (pair.key as Scalar).range ?? [0];
  const [, to] = (pair.value as Scalar | null)?.range ?? [0, from];
  // A list in lines ends behind its line break.
  const end = from + yaml.slice(from, to).trimEnd().length;
  return `${yaml.slice(0, from)}${option}${yaml.slice(end)}`;
}

function leaveOutOf(document: Document): unknown {
  return (document.toJS() as { readonly leave_out?: unknown } | null)?.leave_out;
}

function lineBefore(text: string, at: number): string {
  return text.slice(text.lastIndexOf("\n", at - 1) + 1, at);
}

const newlineOf = (text: string) => (text.includes("\r\n") ? "\r\n" : "\n");
