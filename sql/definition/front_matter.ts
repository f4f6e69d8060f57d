/**
 * Front matter: the YAML between `/*---` and `---*​/` at the top of a definition.
 *
 *   file ──cut by lines──▶ YAML ──zod──▶ options      (every error with its line)
 *                    └───▶ SQL, at its own place in the file
 *
 * @module
 */
import { type Document, isMap, isScalar, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { DefinitionError } from "./error.ts";

/** A file cut in two. */
export interface CutFile {
  readonly file: string;
  readonly text: string;
  readonly yaml: string;
  /** Line of the file on which the YAML begins, counted from 1. */
  readonly yamlLine: number;
  readonly sql: string;
  /** Offset of the SQL in the file. */
  readonly sqlStart: number;
}

/** Characters of the YAML; its parser takes a second for so many quotes, and minutes for a mebibyte. */
const YAML_CHARS_MAX = 32_768;
/** What some editors put in front of a file. */
const BYTE_ORDER_MARK = "\uFEFF";

/** Cuts a definition into front matter and SQL. */
export function cutFile(file: string, text: string): CutFile {
  const lines = text.split("\n");
  const at = { file, line: 1, column: 1 };
  if (lines[0].replace(BYTE_ORDER_MARK, "").trimEnd() !== "/*---") {
    throw new DefinitionError(
      at,
      `Cannot read the definition: its first line is ${quoted(lines[0])}.`,
      "Begin the file with a line `/*---`, then YAML, then a line `---*/`.",
    );
  }
  const end = lines.findIndex((line, index) => index > 0 && line.trimEnd() === "---*/");
  if (end < 0)
    throw new DefinitionError(
      at,
      "Cannot read the definition: its front matter never ends.",
      "Close it with a line `---*/`.",
    );
  const yaml = lines.slice(1, end).join("\n").replace(/\r$/, "");
  if (yaml.length > YAML_CHARS_MAX)
    throw new DefinitionError(
      at,
      `Cannot read the definition: its front matter has ${yaml.length} characters.`,
      `Write ${YAML_CHARS_MAX} at most.`,
    );
  const sqlStart = Math.min(text.length, lines.slice(0, end + 1).join("\n").length + 1);
  return {
    file,
    text,
    yaml,
    yamlLine: 2,
    sql: text.slice(sqlStart),
    sqlStart,
  };
}

/** A place in a file, as errors name it. */
type At = ConstructorParameters<typeof DefinitionError>[0];

/** Parses and checks the front matter; every error names its line. */
export function readFrontMatter<Schema extends z.ZodType>(cut: CutFile, schema: Schema): z.output<Schema> {
  const { document, at } = parse(cut);
  const [broken] = document.errors;
  if (broken !== undefined) {
    const problem = `Cannot read the front matter: ${firstLine(broken.message)}.`;
    throw new DefinitionError(at(broken.pos[0]), problem, "Write it as YAML: one `option: value` on each line.");
  }
  const value: unknown = unfolded(document, at(0)) ?? {};
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = innermost(result.error.issues[0], value);
  const unknown = issue.code === "unrecognized_keys" ? [issue.keys[0]] : [];
  const { problem, hint } = explain(issue, { schema, value: valueAt(value, issue.path) });
  throw new DefinitionError(at(offsetOf(document.contents, [...issue.path, ...unknown])), problem, hint);
}

/** The document's value; what has no value, or unfolds into too much, is refused. */
function unfolded(document: Document, at: At): unknown {
  try {
    return document.toJS();
  } catch (error) {
    // The parser says so of aliases alone: unknown ones, and too many.
    const problem = `Cannot read the front matter: ${firstLine((error as Error).message)}.`;
    throw new DefinitionError(at, problem, "Write every value out instead of using aliases.");
  }
}

/** The issue inside an option that can be written in several ways: that of the way which was begun. */
function innermost(issue: z.core.$ZodIssue, value: unknown): z.core.$ZodIssue {
  // A schema that says itself what it wants to see has said it all.
  if (issue.code !== "invalid_union" || issue.message !== "Invalid input") return issue;
  const written = valueAt(value, issue.path);
  const isGroup = typeof written === "object" && written !== null && !Array.isArray(written);
  const ways = issue.errors.map(([first]) => first).filter((first) => first !== undefined);
  const begun = ways.find(({ code, path }) => isGroup === (path.length > 0 || code === "unrecognized_keys"));
  if (begun === undefined) return issue;
  return innermost({ ...begun, path: [...issue.path, ...begun.path] }, value);
}

/** Where an option stands in the file; the beginning of the front matter if it is not there. */
export function placeOf(cut: CutFile, path: readonly string[]): At {
  const { document, at } = parse(cut);
  return at(offsetOf(document.contents, path));
}

function parse(cut: CutFile): { document: Document; at: (offset: number) => At } {
  const counter = new LineCounter();
  const document = parseDocument(cut.yaml, { lineCounter: counter });
  const at = (offset: number) => {
    const { line, col } = counter.linePos(offset);
    // Nothing has lines only once something was read.
    return { file: cut.file, line: Math.max(1, line) + cut.yamlLine - 1, column: Math.max(1, col) };
  };
  return { document, at };
}

/** Offset of the deepest part of a path that is there: the key if there is one. */
function offsetOf(node: unknown, path: readonly PropertyKey[]): number {
  if (!isMap(node)) return (node as { range?: [number] } | null)?.range?.[0] ?? 0;
  for (const { key, value } of node.items) {
    if (!isScalar(key) || key.value !== path[0]) continue;
    return path.length > 1 && isMap(value) ? offsetOf(value, path.slice(1)) : (key.range?.[0] ?? 0);
  }
  return node.range?.[0] ?? 0;
}

/** Says what is wrong with one option and what to write instead. */
function explain(
  issue: z.core.$ZodIssue,
  { schema, value }: { schema: z.ZodType; value: unknown },
): { problem: string; hint: string } {
  const name = issue.path.join(".");
  const option = optionAt(schema, issue.path);
  const about = option?.description ?? "";
  const cannot = (state: string) => `Cannot use ${name === "" ? "the front matter" : quoted(name)}: ${state}.`;
  if (issue.code === "unrecognized_keys") {
    const problem = `Cannot use ${quoted([...issue.path, issue.keys[0]].join("."))} here: there is no such option.`;
    return { problem, hint: `Use one of: ${optionsOf(option).join(", ")}.` };
  }
  if (value === undefined) {
    return {
      problem: `Cannot read the front matter: ${quoted(name)} is missing.`,
      hint: `Add \`${name}\`. ${about}`.trim(),
    };
  }
  const written = quoted(typeof value === "string" ? value : JSON.stringify(value));
  switch (issue.code) {
    case "invalid_value":
      return { problem: cannot(`${written} is unknown`), hint: `Write ${issue.values.join(" or ")}.` };
    case "too_small":
      if (issue.origin === "string") return { problem: cannot("it is empty"), hint: about };
      return { problem: cannot(`${written} is too small`), hint: `Write ${issue.minimum} or more.` };
    case "too_big":
      return { problem: cannot(`${written} is too large`), hint: `Write ${issue.maximum} or less.` };
    case "invalid_type":
      return { problem: cannot(`${written} is not ${KINDS[issue.expected] ?? issue.expected}`), hint: about || FORM };
    case "invalid_key":
      return { problem: cannot("its name is not allowed"), hint: `${issue.issues[0].message}.` };
    default:
      // The schema's own words: what it wants to see.
      return { problem: cannot(`${written} is not allowed`), hint: `${issue.message}.` };
  }
}

const KINDS: Readonly<Record<string, string>> = {
  string: "text",
  int: "a whole number",
  number: "a number",
  boolean: "true or false",
  object: "a group of options",
  array: "a list",
};
const FORM = "Write one `option: value` on each line.";

/** The schema of an option, without what makes it optional. */
function optionAt(schema: z.core.$ZodType | undefined, path: readonly PropertyKey[]): z.ZodType | undefined {
  let inner = schema;
  if (path.length > 0) {
    const object = plain(schema);
    if (object instanceof z.ZodRecord) return optionAt(object.valueType, path.slice(1));
    if (object instanceof z.ZodUnion) return optionAt(groupOf(object), path);
    return object instanceof z.ZodObject ? optionAt(object.shape[path[0] as string], path.slice(1)) : undefined;
  }
  // The description may stand on any of the wrappers.
  for (; inner instanceof z.ZodType; inner = unwrapped(inner)) if (inner.description !== undefined) return inner;
  return schema as z.ZodType | undefined;
}

function plain(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  let inner = schema;
  for (let next = unwrapped(inner); next !== undefined; next = unwrapped(inner)) inner = next;
  return inner;
}

/** Of an option that can be written in several ways, the group. */
function groupOf({ options }: z.ZodUnion): z.core.$ZodType | undefined {
  return options.find((option) => option instanceof z.ZodObject);
}

function unwrapped(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  return (schema?._zod.def as { innerType?: z.core.$ZodType } | undefined)?.innerType;
}

function optionsOf(schema: z.core.$ZodType | undefined): string[] {
  const object = plain(schema);
  if (object instanceof z.ZodUnion) return optionsOf(groupOf(object));
  return object instanceof z.ZodObject ? Object.keys(object.shape) : [];
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const name of path) at = (at as Record<PropertyKey, unknown> | undefined)?.[name];
  return at;
}

const quoted = (text: string) => `'${text.slice(0, 100)}'`;
const firstLine = (text: string) =>
  text
    .split("\n")[0]
    .replace(/ at line \d+, column \d+:?$/, "")
    .replace(/\.$/, "");
