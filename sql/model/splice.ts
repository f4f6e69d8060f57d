/**
 * Splicing: the author's own text, cut at tokens and put together with replacements. Nothing is written anew.
 *
 * @module
 */
import { meaning, type Token } from "../definition/tokens.ts";

/** A replacement of the text from `start` to `end` (exclusive). */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The text from the first token to the last with the edits that lie inside; an edit inside another one is dropped. */
export function splice(sql: string, tokens: readonly Token[], edits: readonly Edit[] = []): string {
  const [from, to] = [tokens[0]?.start ?? 0, tokens.at(-1)?.end ?? 0];
  const inside = edits.filter((edit) => edit.start >= from && edit.end <= to);
  inside.sort((a, b) => a.start - b.start || b.end - a.end);
  let text = "";
  let at = from;
  for (const edit of inside) {
    if (edit.start < at) continue;
    text += sql.slice(at, edit.start) + edit.text;
    at = edit.end;
  }
  return text + sql.slice(at, to);
}

/** The tokens as one comparable text: equal when only white space, comments and quotes differ. */
export function canonical(tokens: readonly Token[]): string {
  return tokens.map((token) => (token.kind === "quoted" ? meaning(token) : token.text)).join(" ");
}

/** Cuts tokens at the commas outside of all brackets; an empty last part is dropped. */
export function splitAtCommas(tokens: readonly Token[]): Token[][] {
  const parts: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    depth += depthChange(token);
    if (depth === 0 && isSymbol(token, ",")) parts.push([]);
    else parts.at(-1)?.push(token);
  }
  if (parts.at(-1)?.length === 0) parts.pop();
  return parts;
}

/** Index of the bracket that closes the one at `open`; the last token if none does. */
export function closing(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    depth += depthChange(tokens[at]);
    if (depth === 0) return at;
  }
  return tokens.length - 1;
}

/** How a token changes the bracket depth. */
export function depthChange(token: Token): number {
  if (token.kind !== "symbol") return 0;
  if (token.text === "(" || token.text === "[" || token.text === "{") return 1;
  return token.text === ")" || token.text === "]" || token.text === "}" ? -1 : 0;
}

/** True for an unquoted word, whatever its case. */
export function isWord(token: Token | undefined, ...words: readonly string[]): boolean {
  return token?.kind === "word" && words.includes(token.text.toUpperCase());
}

/** True for a symbol. */
export function isSymbol(token: Token | undefined, text: string): boolean {
  return token?.kind === "symbol" && token.text === text;
}

/** True for a word or a quoted name. */
export function isName(token: Token | undefined): token is Token {
  return token?.kind === "word" || token?.kind === "quoted";
}

/** Indexes of the tokens that use a name by itself: not a part of a dotted path, not a function. */
export function usesOf(tokens: readonly Token[], name: string): number[] {
  return tokens.flatMap((token, index) => {
    const isUse = isName(token) && meaning(token) === name && !isSymbol(tokens[index - 1], ".");
    return isUse && !isSymbol(tokens[index + 1], "(") ? [index] : [];
  });
}
