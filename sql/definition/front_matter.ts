/**
 * Front matter: the YAML between `/*---` and `---*​/` at the top of a definition.
 *
 *   file ──cut by lines──▶ YAML ──zod──▶ options      (every error with its line)
 *                    └───▶ SQL, at its own place in the file
 *
 * @module
 */
import { isMap, isScalar, LineCounter, parseDocument } from "yaml";
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

/** Cuts a definition into front matter and SQL. */
export function cutFile(file: string, text: string): CutFile {
  const lines = text.split("\n");
  const at = { file, line: 1, column: 1 };
  if (lines[0].trimEnd() !== "/*---") {
    throw new DefinitionError(at, `Cannot read the definition: its first line is ${quoted(lines[0])}.`, "Begin the file with a line `/*---`, then YAML, then a line `---*/`.");
  }
  const end = lines.findIndex((line, index) => index > 0 && line.trimEnd() === "---*/");
  if (end < 0) throw new DefinitionError(at, "Cannot read the definition: its front matter never ends.", "Close it with a line `---*/`.");
  const sqlStart = lines.slice(0, end + 1).join("\n").length + 1;
  return { file, text, yaml: lines.slice(1, end).join("\n"), yamlLine: 2, sql: text.slice(sqlStart), sqlStart };
}

/** Parses and checks the front matter; every error names its line. */
export function readFrontMatter<Schema extends z.ZodType>(cut: CutFile, schema: Schema): z.output<Schema> {
  const counter = new LineCounter();
  const document = parseDocument(cut.yaml, { lineCounter: counter });
  const place = (offset: number) => {
    const { line, col } = counter.linePos(offset);
    return { file: cut.file, line: line + cut.yamlLine - 1, column: col };
  };
  const [broken] = document.errors;
  if (broken !== undefined) throw new DefinitionError(place(broken.pos[0]), `Cannot read the front matter: ${firstLine(broken.message)}.`, "Write it as YAML.");
  const result = schema.safeParse(document.toJS() ?? {});
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const [path, unknown] = issue.code === "unrecognized_keys" ? [[...issue.path, issue.keys[0]], issue.keys[0]] : [issue.path, undefined];
  const offset = offsetOf(document.contents, path);
  const name = path.join(".");
  if (unknown !== undefined) throw new DefinitionError(place(offset), `Cannot use ${quoted(name)} here: there is no such option.`, `Use one of: ${optionsOf(schema).join(", ")}.`);
  throw new DefinitionError(place(offset), `Cannot use ${name === "" ? "the front matter" : quoted(name)}: ${issue.message}.`, "Correct it.");
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

function optionsOf(schema: z.ZodType): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

const quoted = (text: string) => `'${text.slice(0, 100)}'`;
const firstLine = (text: string) => text.split("\n")[0].replace(/ at line \d+, column \d+:?$/, "").replace(/\.$/, "");
