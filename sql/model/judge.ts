/**
 * Judging a SELECT: what no model may do, seen in the engine's own trees.
 *
 *   as parsed    ──▶ functions and table functions by name, before anything is resolved or run
 *   as resolved  ──▶ the same through user-defined functions; tables, dictionaries, divisions
 *
 * @module
 */
import { type ModelDraft, modelError } from "../definition/model_definition.ts";
import { meaning, type Token } from "../definition/tokens.ts";
import type { EngineFunctions } from "./ask.ts";
import type { Clauses } from "./clauses.ts";
import { forbiddenFunction, isPureTable } from "./functions.ts";
import { decimalDivisions, dictionaryNames, functionNames, type TreeNode, tableNames } from "./query_tree.ts";
import { checkLayer } from "./reads.ts";
import { isSymbol, isWord } from "./splice.ts";

interface Judged {
  readonly tree: TreeNode;
  readonly functions: EngineFunctions;
  /** Whether everything is computed anew each time, so that the clock may be asked. */
  readonly isRefresh: boolean;
}

/** Judges a SELECT as it was parsed; nothing of it has run. */
export function checkLanguage(draft: ModelDraft, { tree, functions, isRefresh }: Judged): void {
  checkFunctions(draft, { tree, functions, isRefresh });
  const { functions: tables } = tableNames(tree);
  for (const name of tables) {
    if (isRefresh && isPureTable(name)) continue;
    const hint = "Define a source, a dimension or a capture, and read that.";
    throw modelError(draft, called(draft, name), `it reads the table function ${name}`, hint);
  }
}

/** Judges a SELECT as it was resolved over the columns of its tables; answers the dictionaries that it reads. */
export function checkResolved(draft: ModelDraft, is: Judged & { readonly clauses: Clauses | undefined }): string[] {
  checkFunctions(draft, is);
  const { tables, functions } = tableNames(is.tree);
  // A SELECT without FROM reads `system.one`.
  const table = [...tables].find((name) => name !== "system.one");
  if (table !== undefined) {
    const hint = "Name tables after FROM or JOIN alone.";
    throw modelError(draft, undefined, `it reads ${table} in a way that the planner does not see`, hint);
  }
  const outside = [...functions].find((name) => !isPureTable(name));
  if (outside !== undefined)
    throw modelError(
      draft,
      undefined,
      `a function hides the table function ${outside}`,
      "Read a source or a dimension.",
    );
  const dictionaries = [...dictionaryNames(is.tree)];
  for (const name of dictionaries) {
    const at = draft.tokens.find((token) => token.kind === "string" && meaning(token) === name);
    checkLayer(draft, { name, at });
    if (name.startsWith("dim.")) continue;
    throw modelError(draft, at, `it looks values up in ${name}`, "Look values up in dimensions: dim.<name>.");
  }
  checkDivisions(draft, is);
  return dictionaries;
}

function checkFunctions(draft: ModelDraft, { tree, functions, isRefresh }: Judged): void {
  const names = functionNames(tree);
  const name = forbiddenFunction(names, { undetermined: functions.undetermined, hasClock: isRefresh });
  if (name === undefined) return;
  const at = called(draft, name);
  const what = at === undefined ? `a function hides ${name}, which` : name;
  const hint = "Use what the rows say, for example their time; a filter on the present belongs into the API.";
  throw modelError(draft, at, `${what} answers differently for the same rows`, hint);
}

/** Division of Decimals cuts digits off, so that the same SELECT would lose them everywhere. */
function checkDivisions(draft: ModelDraft, { tree, clauses }: { tree: TreeNode; clauses: Clauses | undefined }): void {
  const [first] = decimalDivisions(tree);
  if (first === undefined) return;
  const item = first.clause === "PROJECTION" ? clauses?.select[first.item]?.expression : undefined;
  const parts: Record<string, readonly Token[] | undefined> = { WHERE: clauses?.where, HAVING: clauses?.having };
  const slash = divisionIn(item ?? parts[first.clause] ?? draft.tokens) ?? divisionIn(draft.tokens);
  const hint = "Write toFloat64(a) / b, or divideDecimal(a, b, <digits>).";
  throw modelError(draft, slash, "a division of Decimals cuts digits off", hint);
}

const divisionIn = (tokens: readonly Token[]) =>
  tokens.find((token) => isSymbol(token, "/") || isWord(token, "DIVIDE"));

function called(draft: ModelDraft, name: string): Token | undefined {
  return draft.tokens.find((token) => token.kind === "word" && token.text.toLowerCase() === name.toLowerCase());
}
