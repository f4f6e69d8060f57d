/**
 * Definitions of kind `function`: from a file to a checked `SqlFunction`.
 *
 *   file ──readFunction──▶ draft ──treeQuestion, namesQuestion──▶ the engine parses it ──finishFunction──▶ SqlFunction
 *                                    └─refuses──▶ blameFunction ──▶ error with line and column
 *
 * Pure: the caller asks the engine, whose own parser says which names and functions the
 * expression uses. It may use its parameters and built-in functions that always answer
 * the same: no tables, no dictionaries, no aggregates, no clock.
 *
 * @module
 */
import { z } from "zod";
import { createFunction, type SqlFunction } from "../function.ts";
import { DefinitionError, lineAndColumn } from "./error.ts";
import { type CutFile, cutFile, readFrontMatter } from "./front_matter.ts";
import { literal, meaning, type Token, tokenize } from "./tokens.ts";

/** What a function's front matter may say. */
export const functionOptions = z.strictObject({
  kind: z.literal("function").describe("What this file defines."),
  doc: z.string().min(1).describe("What the function answers."),
});

const NAME = /^[a-z][a-z0-9_]{0,63}$/;
const FORM = "Write CREATE FUNCTION <name> AS (<parameter>, …) -> <expression>.";

/** A function as read from its file, before the engine has judged it. */
export interface FunctionDraft {
  readonly cut: CutFile;
  readonly name: string;
  readonly doc: string;
  readonly parameters: readonly string[];
  readonly body: string;
  /** Offset of the expression in the file. */
  readonly bodyAt: number;
}

/** Reads a definition's file; `file` is its path inside the project, for example `functions/per_km.sql`. */
export function readFunction(file: string, text: string): FunctionDraft {
  const cut = cutFile(file, text);
  const { doc } = readFrontMatter(cut, functionOptions);
  const [folder, name] = /([^/]+)\/([^/]+)\.sql$/.exec(file)?.slice(1) ?? ["", file];
  const tokens = tokenize(cut.sql);
  if (folder !== "functions")
    fail(cut, tokens[0], "its file is not in the folder functions/", "Put functions into the folder functions/.");
  if (!NAME.test(name)) {
    const hint = "Use lower-case letters, digits and underscores, beginning with a letter, 64 at most.";
    fail(cut, tokens[0], `${quoted(name)} is not a usable name`, hint);
  }
  if (tokens.at(-1)?.text === ";") tokens.pop();
  const lambda = /^CREATE$/i.test(tokens[0]?.text ?? "") ? afterHeader(cut, tokens, name) : 0;
  const arrow = tokens.findIndex(({ text, end }, at) => text === "-" && isNext(tokens[at + 1], { text: ">", end }));
  if (arrow < lambda) fail(cut, tokens[lambda], "it has no `->`", FORM);
  const parameters = parametersIn(cut, tokens.slice(lambda, arrow));
  const body = tokens.slice(arrow + 2);
  const [first] = body;
  if (first === undefined) fail(cut, undefined, "it has no expression", FORM);
  const written = cut.sql.slice(first.start, body.at(-1)?.end);
  return { cut, name, doc, parameters, body: written, bodyAt: cut.sqlStart + first.start };
}

/** Asks the engine's parser: rows `{explain}`, one line of the tree each. */
export function treeQuestion(draft: FunctionDraft): string {
  return `EXPLAIN AST ${createFunction(draft)}`;
}

/** A line of the parser's tree. */
export interface TreeLine {
  readonly explain: string;
}

/** Asks what the engine knows of the function's own name and of those in its tree: rows as `KnownFunction`. */
export function namesQuestion(draft: FunctionDraft, tree: readonly TreeLine[]): string {
  const names = new Set([draft.name, ...calledIn(tree)].map((name) => name.toLowerCase()));
  return `SELECT * FROM system.functions WHERE lower(name) IN (${[...names].sort().map(literal).join(", ")})`;
}

/** Functions that the parser sees: called, written as operators, or by a keyword alone. */
function calledIn(tree: readonly TreeLine[]): readonly string[] {
  const names = tree.flatMap(({ explain }) => /^\s*Function (\S+)/.exec(explain)?.[1] ?? []);
  return [...new Set(names)].filter((name) => name !== "lambda");
}

/** A row of `system.functions`, as far as it matters; the engine's versions differ in one name. */
export interface KnownFunction {
  readonly name: string;
  readonly origin: string;
  readonly is_aggregate: number;
  readonly deterministic?: number | null;
  readonly is_deterministic?: number | null;
}

/** The error for a question that the engine refused. */
export function blameFunction({ cut, bodyAt }: FunctionDraft, message: string): DefinitionError {
  const at = { file: cut.file, ...lineAndColumn(cut.text, bodyAt) };
  return new DefinitionError(at, `Cannot use this function: ${message.replace(/\.$/, "")}.`, "Correct the expression.");
}

/** Makes the function from what the engine answered to `treeQuestion` and `namesQuestion`. */
export function finishFunction(
  draft: FunctionDraft,
  answers: { readonly tree: readonly TreeLine[]; readonly known: readonly KnownFunction[] },
): SqlFunction {
  const { name, doc, parameters, body, cut } = draft;
  const own = answers.known.find((one) => one.name.toLowerCase() === name);
  if (own !== undefined && own.origin !== "SQLUserDefined")
    fail(cut, tokenize(cut.sql)[0], `${quoted(name)} is a function of the engine`, "Give it another name.");
  const tree = answers.tree.map(({ explain }) => explain.trim());
  if (tree.some((line) => /^(Subquery|SelectWithUnionQuery|SelectQuery|TableIdentifier|TableExpression)\b/.test(line)))
    failIn(
      draft,
      (word) => /^SELECT$/i.test(word),
      "it reads a table",
      "Read tables in a model, and hand the values over.",
    );
  checkNames(draft, tree);
  for (const name of calledIn(answers.tree)) checkCalled(draft, name, answers.known);
  return { kind: "function", name, doc, parameters, body };
}

/** Every name must be a parameter, its own or that of a lambda inside. */
function checkNames(draft: FunctionDraft, tree: readonly string[]): void {
  const words = tokenize(draft.body);
  const inner = words.flatMap((token, at) => lambdaParameters(words, { token, at }));
  const known = new Set([...draft.parameters, ...inner]);
  // The first identifier is the function's own name.
  for (const line of tree.filter((one) => one.startsWith("Identifier ")).slice(1)) {
    const name = line.slice("Identifier ".length).replace(/ \(.*$/, "");
    if (known.has(name)) continue;
    const hint = `Name one of its parameters: ${draft.parameters.join(", ") || "it has none"}.`;
    failIn(draft, (word) => word === name.split(".")[0], `${quoted(name)} is not a parameter`, hint);
  }
}

/** The names in front of an arrow that begins at `at`. */
function lambdaParameters(words: readonly Token[], { token, at }: { token: Token; at: number }): readonly string[] {
  if (token.text !== "-" || !isNext(words[at + 1], { text: ">", end: token.end })) return [];
  if (words[at - 1]?.text !== ")") return words[at - 1] === undefined ? [] : [meaning(words[at - 1])];
  const open = words.findLastIndex((one, index) => index < at && one.text === "(");
  return words.slice(open + 1, at - 1).flatMap((one) => (one.text === "," ? [] : [meaning(one)]));
}

/** Whatever is called must be one of the engine's functions that always answer the same. */
function checkCalled(draft: FunctionDraft, name: string, known: readonly KnownFunction[]): void {
  const isIt = (other: string) => other.toLowerCase() === name.toLowerCase();
  const refuse: (state: string, hint: string) => never = (state, hint) =>
    failIn(draft, isIt, `it calls ${name}, ${state}`, hint);
  const rows = known.filter((one) => isIt(one.name));
  // A name in the engine's exact letters comes first: the others may be of functions that do not care.
  const called = rows.find((one) => one.name === name) ?? rows[0];
  if (called === undefined) refuse("which the engine does not list as a function", "Use one that it has.");
  if (called.origin !== "System") refuse("which is no function of the engine", "Write its expression out.");
  if (called.is_aggregate) refuse("an aggregate", "Aggregate in a model, and hand the value over.");
  const always = called.deterministic === undefined ? called.is_deterministic : called.deterministic;
  if (always === 0 || always === null)
    refuse("which can answer differently each time", "Hand the value over as a parameter.");
}

/** Behind `CREATE [OR REPLACE] FUNCTION <name> AS`. */
function afterHeader(cut: CutFile, tokens: readonly Token[], name: string): number {
  const words = tokens.map((token) => token.text.toUpperCase());
  let at = 1;
  if (words[at] === "OR" && words[at + 1] === "REPLACE") at += 2;
  if (words[at] !== "FUNCTION") fail(cut, tokens[at], "it does not create a function", FORM);
  const named = tokens[at + 1];
  if (named === undefined) fail(cut, undefined, "it has no name", FORM);
  if (meaning(named) !== name) {
    const problem = `its file is named ${quoted(`${name}.sql`)} and its function ${quoted(meaning(named))}`;
    fail(cut, named, problem, "Give both the same name.");
  }
  if (words[at + 2] !== "AS") fail(cut, tokens[at + 2], "AS does not follow its name", FORM);
  return at + 3;
}

function parametersIn(cut: CutFile, tokens: readonly Token[]): readonly string[] {
  const hasBrackets = tokens[0]?.text === "(" && tokens.at(-1)?.text === ")";
  const inside = hasBrackets ? tokens.slice(1, -1) : tokens;
  const names = inside.map((token, index) => {
    const isName = token.kind === "word" || token.kind === "quoted";
    if (index % 2 === 0 ? !isName : token.text !== ",")
      fail(cut, token, "its parameters are not a list of names", FORM);
    return meaning(token);
  });
  const parameters = names.filter((_, index) => index % 2 === 0);
  if (!hasBrackets && parameters.length !== 1) fail(cut, tokens[0], "its parameters are not a list of names", FORM);
  const again = inside.find((token, index) => names.indexOf(meaning(token)) < index && token.text !== ",");
  if (again !== undefined) fail(cut, again, `parameter ${quoted(meaning(again))} is there twice`, "Name each once.");
  return parameters;
}

function isNext(token: Token | undefined, { text, end }: { text: string; end: number }): boolean {
  return token?.text === text && token.start === end;
}

/** Fails at the first token of the expression that `isIt` says it is; at the expression if none is. */
function failIn(draft: FunctionDraft, isIt: (word: string) => boolean, problem: string, hint: string): never {
  const start = tokenize(draft.body).find((token) => isIt(meaning(token)))?.start ?? 0;
  const at = { file: draft.cut.file, ...lineAndColumn(draft.cut.text, draft.bodyAt + start) };
  throw new DefinitionError(at, `Cannot use this function: ${problem}.`, hint);
}

function fail(cut: CutFile, token: Token | undefined, problem: string, hint: string): never {
  const at = lineAndColumn(cut.text, cut.sqlStart + (token?.start ?? cut.sql.trimEnd().length));
  throw new DefinitionError({ file: cut.file, ...at }, `Cannot use this function: ${problem}.`, hint);
}

const quoted = (text: string) => `'${text.slice(0, 100)}'`;
