/**
 * Asking the engine: the questions of the planner, and its refusals as errors in the author's file.
 *
 *   yield { sql } ──▶ { rows } | { refused } ──▶ columns, tree · DefinitionError with line and column
 *
 * @module
 */

import type { DefinitionError } from "../definition/error.ts";
import { type ModelDraft, modelError } from "../definition/model_definition.ts";
import { meaning, type Token } from "../definition/tokens.ts";
import type { AggregateNames } from "./aggregates.ts";
import type { Answer, Question, TypedColumn } from "./model.ts";
import { readTree, type TreeNode } from "./query_tree.ts";
import { isName } from "./splice.ts";

/** A part of a plan that may ask. */
export type Asking<Result> = Generator<Question, Result, Answer>;

/** What the engine says of its functions. */
export interface EngineFunctions {
  readonly aggregates: AggregateNames;
  /** Names in lower case that it does not call deterministic. */
  readonly undetermined: ReadonlySet<string>;
}

/** Asks for the engine's aggregates and for what it does not call deterministic. */
export function* askFunctions(draft: ModelDraft): Asking<EngineFunctions> {
  const sql = `SELECT name, toBool(is_aggregate) AS is_aggregate, toBool(case_insensitive) AS case_insensitive
FROM system.functions
WHERE origin = 'System' AND (is_aggregate OR ifNull(deterministic, 0) = 0)`;
  const rows = yield* ask(draft, { sql });
  const all = rows.map((row) => ({
    name: String(row.name),
    isAggregate: isTrue(row.is_aggregate),
    isAnyCase: isTrue(row.case_insensitive),
  }));
  const aggregates = all.filter((one) => one.isAggregate);
  return {
    aggregates: {
      exact: new Set(aggregates.map((one) => one.name)),
      anyCase: new Set(aggregates.filter((one) => one.isAnyCase).map((one) => one.name.toLowerCase())),
    },
    undetermined: new Set(all.filter((one) => !one.isAggregate).map((one) => one.name.toLowerCase())),
  };
}

const isTrue = (value: unknown) => value === true || value === 1 || value === "1" || value === "true";

/** Asks for the columns of a query. */
export function* askColumns(draft: ModelDraft, query: string, why?: Why): Asking<readonly TypedColumn[]> {
  const rows = yield* ask(draft, { sql: `DESCRIBE TABLE (${query}\n)`, why });
  return rows.map((row) => ({ name: String(row.name), type: storable(String(row.type)) }));
}

/** A type that tables may have: the engine makes `LowCardinality(UInt8)` of a comparison and refuses to store it. */
function storable(type: string): string {
  return type.replace(/\bLowCardinality\((?!(?:Nullable\()?(?:String|FixedString))((?:[^()]|\([^()]*\))*)\)/g, "$1");
}

/** Asks for the tree of a query: as parsed, or as resolved. */
export function* askTree(draft: ModelDraft, query: string, is: { isResolved: boolean; why?: Why }): Asking<TreeNode> {
  const head = `SELECT explain FROM (EXPLAIN QUERY TREE run_passes = ${is.isResolved ? 1 : 0} `;
  const rows = yield* ask(draft, { sql: `${head}${query}\n)`, why: is.why, head: is.isResolved ? undefined : head });
  return readTree(rows.map((row) => String(row.explain)));
}

/** Turns the engine's message into an error; undefined leaves it to the message itself. */
export type Why = (
  message: string,
) => { readonly problem: string; readonly hint: string; readonly at?: Token } | undefined;

interface Asked extends Question {
  readonly why?: Why;
  /** What stands before the author's own text: positions of syntax errors count from behind it. */
  readonly head?: string;
}

function* ask(draft: ModelDraft, { sql, why, head }: Asked): Asking<readonly Record<string, unknown>[]> {
  const answer = yield { sql };
  if ("rows" in answer) return answer.rows;
  const message = plainMessage(answer.refused);
  const said = why?.(message.replace(/\. Maybe you meant.*$/s, ""));
  if (said !== undefined) throw modelError(draft, said.at ?? blamed(draft.tokens, message), said.problem, said.hint);
  throw refusal(draft, answer.refused, head);
}

function refusal(draft: ModelDraft, refused: string, head: string | undefined): DefinitionError {
  const position = Number(/failed at position (\d+)/.exec(refused)?.[1]);
  if (head !== undefined && position > 0) {
    const offset = offsetOf(head + draft.sql, position - 1) - head.length;
    const [, found = ""] = /failed at position \d+ \(([^)]*)\)/s.exec(refused) ?? [];
    const at = { start: Math.max(0, Math.min(offset, draft.sql.length)) };
    const what = at.start >= draft.sql.length ? "its end" : `'${found.slice(0, 60)}'`;
    return modelError(draft, at, `the engine cannot read it at ${what}`, "Write one SELECT in ClickHouse's SQL.");
  }
  const { problem, hint, at } = explained(draft.tokens, refused);
  return modelError(draft, at, problem, hint);
}

/** What a refusal of the engine says to an author, and the token that it is about. */
export function explained(
  tokens: readonly Token[],
  refused: string,
): { readonly problem: string; readonly hint: string; readonly at: Token | undefined } {
  const message = plainMessage(refused);
  const [, maybe] = /Maybe you meant: \[?(.+?)\]?\.?$/.exec(message) ?? [];
  const problem = message.replace(/\.? ?Maybe you meant:.*$/s, "");
  const hint = maybe === undefined ? "Write what the engine accepts." : `Maybe ${maybe} was meant.`;
  return { problem: `the engine says: ${problem}`, hint, at: blamed(tokens, message) };
}

/** The engine's positions count bytes. */
export function offsetOf(text: string, bytes: number): number {
  return new TextDecoder().decode(new TextEncoder().encode(text).slice(0, bytes)).length;
}

/** The message without code, scope and version. */
function plainMessage(refused: string): string {
  return refused
    .replace(/^(Code: \d+\. )?(DB::Exception: )?/, "")
    .replace(/\s*\([A-Z_]+\)( \(version .*\))?\s*$/s, "")
    .replace(/[:.]? *\b[Ii]n (?:query )?(?:scope |query )?(?:SELECT|WITH)\b.*?(?=\. Maybe you meant|$)/s, "")
    .split("\n")[0]
    .replace(/\.\s*$/, "")
    .slice(0, 400);
}

/** The first name in quotes in the message that the author's text contains too. */
function blamed(tokens: readonly Token[], message: string): Token | undefined {
  for (const [, name] of message.matchAll(/[`']([^`']+)[`']/g)) {
    const last = name.slice(name.lastIndexOf(".") + 1);
    const token = tokens.find((one) => isName(one) && (meaning(one) === name || meaning(one) === last));
    if (token !== undefined) return token;
  }
  const [, word] = /\b(?:function|identifier|Function) ([A-Za-z_]\w*)/.exec(message) ?? [];
  return word === undefined ? undefined : tokens.find((one) => isName(one) && meaning(one) === word);
}
