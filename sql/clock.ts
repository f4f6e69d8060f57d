/**
 * The clock in a SELECT: which words ask for the time, and the same text with a time of one's own in their place.
 *
 *   SELECT now() - 1 ──atTime(2026-03-01T10:00Z)──▶ SELECT (toDateTime(…) AS `now()`) - 1
 *
 * For tests alone: what is served asks the engine's own clock. Each call becomes
 * an expression of the same type, called as before, so that the names of columns
 * stay. The engine also takes some names without brackets; of these the words of
 * standard SQL are read as the clock (`CURRENT_DATE`), the others as columns
 * (`today`). Pure.
 *
 * @module
 */
import { identifier, meaning, type Token, tokenize } from "./definition/tokens.ts";

/** Writes what a function of the clock answers at `at` (a DateTime64 of milliseconds), with its own arguments. */
type Answer = (at: string, args: string) => string;

const seconds: Answer = (at, zone) => `toDateTime(${at}${zone && `, ${zone}`})`;
const fraction: Answer = (at, args) => `toDateTime64(${at}, ${args || "3"})`;
const day: Answer = (at) => `toDate(${at})`;

const ANSWERS: Readonly<Record<string, Answer>> = {
  now: seconds,
  current_timestamp: seconds,
  localtimestamp: seconds,
  nowinblock: seconds,
  now64: fraction,
  nowinblock64: fraction,
  utctimestamp: (at) => `toDateTime(${at}, 'UTC')`,
  utc_timestamp: (at) => `toDateTime(${at}, 'UTC')`,
  today: day,
  curdate: day,
  current_date: day,
  yesterday: (at) => `(toDate(${at}) - 1)`,
  localtime: (at) => `CAST(formatDateTime(${at}, '%H:%i:%S') AS Time)`,
};

/** Names of the functions that ask for the time, in lower case. */
export const CLOCK_FUNCTIONS: ReadonlySet<string> = new Set(Object.keys(ANSWERS));

/** Words of standard SQL that need no brackets. */
const BARE: ReadonlySet<string> = new Set(["current_timestamp", "current_date", "localtimestamp", "localtime"]);

/** A place where the text asks for the time. */
interface Asked {
  readonly answer: Answer;
  /** What the engine calls the column. */
  readonly name: string;
  readonly args: string;
  readonly start: number;
  readonly end: number;
}

/** Whether a SELECT asks for the time, so that it answers differently though no row has changed. */
export function asksClock(sql: string): boolean {
  return clockCalls(sql).length > 0;
}

/** The same SELECT at a fixed time, in milliseconds since 1970. */
export function atTime(sql: string, nowMs: number): string {
  const at = `fromUnixTimestamp64Milli(${Math.trunc(nowMs)})`;
  let text = "";
  let from = 0;
  for (const { answer, name, args, start, end } of clockCalls(sql)) {
    text += `${sql.slice(from, start)}(${answer(at, args)} AS ${identifier(name)})`;
    from = end;
  }
  return text + sql.slice(from);
}

function clockCalls(sql: string): readonly Asked[] {
  const tokens = tokenize(sql);
  return tokens.flatMap((token, index) => {
    if (token.kind !== "word" && token.kind !== "quoted") return [];
    const word = meaning(token);
    const answer = Object.hasOwn(ANSWERS, word.toLowerCase()) ? ANSWERS[word.toLowerCase()] : undefined;
    const before = tokens[index - 1];
    if (answer === undefined || before?.text === ".") return [];
    const { start, end } = token;
    if (tokens[index + 1]?.text === "(") {
      const args = argumentsAt(tokens, index + 2);
      return args === undefined
        ? []
        : [{ answer, name: `${word}(${args.text})`, args: args.text, start, end: args.end }];
    }
    const isName = token.kind === "quoted" || tokens[index + 1]?.text === "." || before?.text.toUpperCase() === "AS";
    return isName || !BARE.has(word.toLowerCase()) ? [] : [{ answer, name: word, args: "", start, end }];
  });
}

/** What stands between the brackets, as the engine writes it, and where they end; undefined if they do not. */
function argumentsAt(tokens: readonly Token[], from: number): { text: string; end: number } | undefined {
  let text = "";
  let depth = 1;
  for (const token of tokens.slice(from)) {
    if (token.text === "(") depth += 1;
    if (token.text === ")") depth -= 1;
    if (depth === 0) return { text, end: token.end };
    text += token.text === "," ? ", " : token.text;
  }
  return undefined;
}
