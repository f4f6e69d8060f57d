/**
 * Tokens of ClickHouse SQL, as far as cutting needs them: words, quoted names, strings, numbers, single symbols.
 *
 * Positions are kept, so that every error can name line and column of the
 * author's file. Nothing here judges SQL: the engine does.
 *
 * @module
 */

/** One token with its place in the text (`start` inclusive, `end` exclusive). */
export interface Token {
  readonly kind: "word" | "quoted" | "string" | "number" | "symbol";
  /** The text as written. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const PATTERN =
  /(?<space>\s+|--[^\n]*|#[ !][^\n]*)|(?<word>[\p{L}_][\p{L}\p{N}_]*)|(?<quoted>`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*")|(?<string>'(?:[^'\\]|\\.|'')*')|(?<number>\d[\w.]*)|(?<symbol>[\s\S])/uy;

/** Cuts a text into tokens, without white space and comments. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  // A comment that never ends makes the text unreadable for the engine; looking for each one's end would take for ever.
  let mayEnd = true;
  for (let at = 0; at < text.length; ) {
    const after = mayEnd ? commentEnd(text, at) : at;
    if (after > at) {
      at = after;
      continue;
    }
    mayEnd &&= !text.startsWith("/*", at);
    const heredoc = heredocEnd(text, at);
    if (heredoc > at) {
      tokens.push({ kind: "string", text: text.slice(at, heredoc), start: at, end: heredoc });
      at = heredoc;
      continue;
    }
    PATTERN.lastIndex = at;
    const match = PATTERN.exec(text) as RegExpExecArray;
    const groups = match.groups as Record<Token["kind"] | "space", string | undefined>;
    const end = at + match[0].length;
    for (const kind of ["word", "quoted", "string", "number", "symbol"] as const) {
      if (groups[kind] !== undefined) tokens.push({ kind, text: match[0], start: at, end });
    }
    at = end;
  }
  return tokens;
}

/** Where the comment that begins here ends; the same place if none does or it never ends. Comments nest, as in the engine. */
function commentEnd(text: string, start: number): number {
  if (!text.startsWith("/*", start)) return start;
  let depth = 0;
  for (const { 0: mark, index } of text.slice(start).matchAll(/\/\*|\*\//g)) {
    depth += mark === "/*" ? 1 : -1;
    if (depth === 0) return start + index + 2;
  }
  return start;
}

/** Where the `$tag$ … $tag$` that begins here ends; the same place if none does. */
function heredocEnd(text: string, start: number): number {
  if (text[start] !== "$") return start;
  HEREDOC_TAG.lastIndex = start;
  const tag = HEREDOC_TAG.exec(text)?.[0];
  const end = tag === undefined ? -1 : text.indexOf(tag, start + tag.length);
  return tag === undefined || end < 0 ? start : end + tag.length;
}

const HEREDOC_TAG = /\$\w{0,64}\$/y;

/** The name or text that a token stands for, without its quotes and escapes. */
export function meaning({ kind, text }: Token): string {
  if (kind !== "quoted" && kind !== "string") return text;
  if (text[0] === "$") return text.slice(text.indexOf("$", 1) + 1, text.lastIndexOf("$", text.length - 2));
  const quote = text[0];
  return text
    .slice(1, -1)
    .replaceAll(quote + quote, quote)
    .replaceAll(/\\(.)/gs, (_, char: string) => ESCAPES[char] ?? char);
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "0": "\0", b: "\b", f: "\f" };

/** Names that a definition could read by its text: `a.b`, a string that says so, and `functions.f` for each `f(`. */
export function namesIn(text: string): ReadonlySet<string> {
  const tokens = tokenize(text);
  return new Set(
    tokens.flatMap((token, index): readonly string[] => {
      if (token.kind === "string") return [meaning(token)];
      if (token.kind !== "word" && token.kind !== "quoted") return [];
      const [next, behind] = [tokens[index + 1], tokens[index + 2]];
      if (next?.text === "(") return [`functions.${meaning(token)}`];
      return next?.text === "." && behind !== undefined ? [`${meaning(token)}.${meaning(behind)}`] : [];
    }),
  );
}

/** Writes a string literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("\n", "\\n")}'`;
}

/** Writes an identifier. */
export function identifier(name: string): string {
  return `\`${name.replaceAll("\\", "\\\\").replaceAll("`", "\\`")}\``;
}
