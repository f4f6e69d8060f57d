/**
 * Exact JSON: a tokenizer that loses nothing.
 *
 *   text ──parseExact()──▶ Node ──▶ judge
 *
 * JSON.parse rounds numbers, hides repeated keys and takes lone surrogates.
 * Here a number keeps its text, an object keeps every field in order, and a
 * string says whether it is well-formed. RFC 8259, nothing more. Pure.
 *
 * @module
 */

/** One JSON value and where it stands in the text. */
export interface Node {
  readonly kind: "string" | "number" | "true" | "false" | "null" | "array" | "object";
  readonly start: number;
  readonly end: number;
  /** The string's value; the number's text; otherwise empty. */
  readonly value: string;
  /** A string written with escapes. */
  readonly isEscaped: boolean;
  /** A string with half of a surrogate pair in it. */
  readonly isBroken: boolean;
  readonly items: readonly Node[];
  readonly fields: readonly Field[];
}

/** One field of an object, repeated ones included. */
export interface Field {
  readonly name: string;
  /** Where the name's opening quote stands. */
  readonly start: number;
  readonly node: Node;
}

/** The text is not JSON. */
export class NotJson extends Error {}

/** Values inside each other that are read; more is refused. */
export const DEPTH_MAX = 64;

const NO_ITEMS: readonly Node[] = [];
const NO_FIELDS: readonly Field[] = [];
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

/** Reads one JSON text; throws NotJson with the position. */
export function parseExact(text: string): Node {
  const reader = new Reader(text);
  reader.space();
  const node = reader.value(0);
  reader.space();
  if (reader.at < text.length) reader.fail("nothing may follow the value");
  return node;
}

class Reader {
  at = 0;
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  fail(what: string): never {
    throw new NotJson(`it is not JSON: ${what} at ${this.at}`);
  }

  space(): void {
    let code = this.text.charCodeAt(this.at);
    while (code === 32 || code === 10 || code === 13 || code === 9) code = this.text.charCodeAt(++this.at);
  }

  value(depth: number): Node {
    if (depth > DEPTH_MAX) this.fail(`more than ${DEPTH_MAX} values inside each other`);
    const start = this.at;
    switch (this.text[start]) {
      case "{":
        return this.object(depth);
      case "[":
        return this.array(depth);
      case '"':
        return this.string();
      case "t":
        return this.word("true");
      case "f":
        return this.word("false");
      case "n":
        return this.word("null");
    }
    NUMBER.lastIndex = start;
    const number = NUMBER.exec(this.text);
    if (number === null) this.fail(start < this.text.length ? "an unexpected character" : "an unexpected end");
    this.at = NUMBER.lastIndex;
    return leaf("number", { start, end: this.at, value: number[0] });
  }

  word(word: "true" | "false" | "null"): Node {
    const start = this.at;
    if (!this.text.startsWith(word, start)) this.fail("an unexpected character");
    this.at += word.length;
    return leaf(word, { start, end: this.at, value: "" });
  }

  object(depth: number): Node {
    const start = this.at++;
    const fields: Field[] = [];
    this.space();
    if (this.text[this.at] === "}") this.at++;
    else {
      do {
        this.space();
        const name = this.text[this.at] === '"' ? this.string() : this.fail("a field name is missing");
        this.space();
        if (this.text[this.at++] !== ":") this.fail("a colon is missing before");
        this.space();
        fields.push({ name: name.value, start: name.start, node: this.value(depth + 1) });
        this.space();
      } while (this.more("}"));
    }
    return inner("object", { start, end: this.at, items: NO_ITEMS, fields });
  }

  array(depth: number): Node {
    const start = this.at++;
    const items: Node[] = [];
    this.space();
    if (this.text[this.at] === "]") this.at++;
    else {
      do {
        this.space();
        items.push(this.value(depth + 1));
        this.space();
      } while (this.more("]"));
    }
    return inner("array", { start, end: this.at, items, fields: NO_FIELDS });
  }

  /** Steps over a comma (true) or the closing bracket (false). */
  more(close: string): boolean {
    const char = this.text[this.at];
    if (char !== "," && char !== close) this.fail(`a comma or ${close} is missing`);
    this.at++;
    return char === ",";
  }

  string(): Node {
    const start = this.at++;
    let value = this.plain();
    let isEscaped = false;
    while (this.text[this.at] === "\\") {
      isEscaped = true;
      value += this.escape() + this.plain();
    }
    if (this.text[this.at] !== '"') this.fail("a control character or the end stands in a string");
    this.at++;
    const isBroken = !value.isWellFormed();
    return { kind: "string", start, end: this.at, value, isEscaped, isBroken, items: NO_ITEMS, fields: NO_FIELDS };
  }

  plain(): string {
    const start = this.at;
    let code = this.text.charCodeAt(start);
    while (code >= 32 && code !== 34 && code !== 92) code = this.text.charCodeAt(++this.at);
    return this.text.slice(start, this.at);
  }

  escape(): string {
    const char = this.text[this.at + 1];
    if (char === "u") {
      const digits = this.text.slice(this.at + 2, this.at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.fail("a bad escape");
      this.at += 6;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const value = char === undefined ? undefined : ESCAPES[char];
    if (value === undefined) this.fail("a bad escape");
    this.at += 2;
    return value;
  }
}

function leaf(kind: Node["kind"], { start, end, value }: { start: number; end: number; value: string }): Node {
  return { kind, start, end, value, isEscaped: false, isBroken: false, items: NO_ITEMS, fields: NO_FIELDS };
}

function inner(
  kind: "array" | "object",
  { start, end, items, fields }: Pick<Node, "start" | "end" | "items" | "fields">,
): Node {
  return { kind, start, end, value: "", isEscaped: false, isBroken: false, items, fields };
}
