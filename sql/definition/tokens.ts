/**
 * Tokens of ClickHouse SQL, as far as a column list needs them: words, quoted names, strings, brackets.
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
  /(?<space>\s+|--[^\n]*|\/\*[\s\S]*?\*\/)|(?<word>[\p{L}_][\p{L}\p{N}_]*)|(?<quoted>`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*")|(?<string>'(?:[^'\\]|\\.|'')*')|(?<number>\d[\w.]*)|(?<symbol>[\s\S])/uy;

/** Cuts a text into tokens, without white space and comments. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
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

/** The name or text that a token stands for, without its quotes and escapes. */
export function meaning({ kind, text }: Token): string {
  if (kind !== "quoted" && kind !== "string") return text;
  const quote = text[0];
  return text
    .slice(1, -1)
    .replaceAll(quote + quote, quote)
    .replaceAll(/\\(.)/gs, (_, char: string) => ESCAPES[char] ?? char);
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "0": "\0", b: "\b", f: "\f" };

/** Writes a string literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("\n", "\\n")}'`;
}

/** Writes an identifier. */
export function identifier(name: string): string {
  return `\`${name.replaceAll("\\", "\\\\").replaceAll("`", "\\`")}\``;
}
