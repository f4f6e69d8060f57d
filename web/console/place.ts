/**
 * Places in a statement: from what the door says of an error to the editor's offsets.
 *
 *   `at`: line, column ──▶ the word there        no `at`, but a name in the message ──▶ that name, if it stands there once
 *
 * The door counts characters from 1; JavaScript's strings count UTF-16 units from 0.
 *
 * @module
 */

/** A line and a column, counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** The part of a text to mark. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The word at a place, or the nearest character; undefined in an empty text. */
export function spanAt(text: string, { line, column }: Place): Span | undefined {
  if (text === "") return undefined;
  const lines = text.split("\n");
  const before = lines.slice(0, line - 1).reduce((sum, { length }) => sum + length + 1, 0);
  const inLine = [...(lines[line - 1] ?? "")].slice(0, column - 1).join("").length;
  const from = Math.min(before + inLine, text.length - 1);
  const word = /^(?:\w+|`[^`\n]*`|'[^'\n]*'|"[^"\n]*")/.exec(text.slice(from))?.[0] ?? "";
  return { from, to: from + Math.max(1, word.length) };
}

/** The one place of a name that the message quotes; undefined where there is none, or there are several. */
export function spanNamed(text: string, message: string): Span | undefined {
  for (const [, backquoted, quoted] of message.slice(0, MESSAGE_CHARS_MAX).matchAll(/`([^`]+)`|'([^']+)'/g)) {
    const name = backquoted ?? quoted!;
    const found = [...text.matchAll(new RegExp(`(?<![\\w.])${name.replaceAll(SIGNS, "\\$&")}(?!\\w)`, "g"))];
    if (found.length === 1) return { from: found[0]!.index, to: found[0]!.index + name.length };
  }
  return undefined;
}

const MESSAGE_CHARS_MAX = 1_000;
/** What means something in a regular expression. */
const SIGNS = /[.*+?^${}()|[\]\\]/g;
