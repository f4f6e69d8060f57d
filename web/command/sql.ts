/**
 * `weir sql`: asks a running door, and shows the answer as it comes.
 *
 *   arguments or stdin ──▶ POST /v1/sql ──┬─▶ terminal: a table, cut to its width, with rows and time
 *                                         └─▶ pipe or file: json, ndjson, csv, parquet, arrow, byte for byte
 *
 * @module
 */
import { Argument, Command, Flag } from "effect/cli";
import type { Config } from "../config.ts";
import { safeText } from "../safe_text.ts";
import { ask, ClientFailed, linesOf, type Refused, refused } from "./client.ts";
import { answering, textsFlag } from "./root.ts";
import { type Cell, fitsTable, headLines, recordText, rowLine, tableColumns } from "./table_text.ts";

const FORMATS = ["table", "json", "ndjson", "csv", "parquet", "arrow"] as const;
type Format = (typeof FORMATS)[number];

/** Rows by which the widths of a table's columns are chosen; what comes later is cut to them. */
const SAMPLE_ROWS_MAX = 500;
const WIDTH_ELSE = 120;
/** Of a line with a mistake in it, characters around the mistake. */
const EXCERPT_CHARS_MAX = 100;

const flags = {
  query: Argument.String("query").pipe(
    Argument.withDescription("one SELECT; read from stdin if it is left out"),
    Argument.variadic(),
  ),
  format: Flag.Literals("format", FORMATS).pipe(
    Flag.withDescription("how rows are written (a table on a terminal, json elsewhere)"),
    Flag.withDefault(undefined),
  ),
  param: textsFlag("param", { metavar: "NAME=VALUE", doc: "the value of {name:Type} in the query" }),
};

/** `weir sql`. */
export const sqlCommand = Command.make("sql", flags, ({ query, format, param }) =>
  answering({}, async (config) => {
    const text = query.length === 0 ? await Bun.stdin.text() : query.join(" ");
    return sql(config, { text, format: format ?? (process.stdout.isTTY ? "table" : "json"), params: param });
  }),
).pipe(
  Command.withDescription("Ask a running door in SQL"),
  Command.withExamples([
    { command: 'weir sql "SELECT * FROM dwa.sales_day"' },
    { command: 'weir sql "SELECT * FROM ods.sale WHERE order_id = {id:String}" --param id=a-1' },
    { command: "weir sql --format parquet < report.sql > report.parquet" },
  ]),
);

/** A query and how its answer is shown. */
interface Asked {
  readonly text: string;
  readonly format: Format;
  /** `name=value`. */
  readonly params: readonly string[];
}

async function sql(config: Config, { text, format, params }: Asked): Promise<number> {
  const startedMs = performance.now();
  const search = new URLSearchParams({ format: format === "table" ? "ndjson" : format });
  for (const param of params) {
    const at = param.indexOf("=");
    if (at < 1) throw new ClientFailed(`Cannot use --param '${param}'. Say --param name=value.`);
    search.append(`param_${param.slice(0, at)}`, param.slice(at + 1));
  }
  const response = await ask(config, `/v1/sql?${search}`, { method: "POST", body: text });
  if (!response.ok) {
    const failed = refused((await response.json()) as Refused);
    throw new ClientFailed(withPlace(failed.message, text, failed.at));
  }
  try {
    if (format !== "table") {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>)
        await Bun.write(Bun.stdout, chunk);
      return 0;
    }
    const rows = await printTable(response);
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(2);
    console.log(`${rows === 0 ? "" : "\n"}${rows.toLocaleString("en")} ${rows === 1 ? "row" : "rows"} in ${seconds} s`);
    return 0;
  } catch (error) {
    if (error instanceof ClientFailed) throw error;
    // The door cuts an answer that it cannot finish, so that half of one never looks whole.
    throw new ClientFailed("The answer was cut off before its end: the query failed or was stopped. Ask for less.");
  }
}

/** Prints rows as they come, in columns that fit the first of them, or as lists; answers how many there were. */
async function printTable(response: Response): Promise<number> {
  const width = process.stdout.columns ?? WIDTH_ELSE;
  let first: Record<string, Cell>[] = [];
  let print: ((row: Record<string, Cell>, number: number) => void) | undefined;
  let count = 0;
  const begin = () => {
    const columns = tableColumns(first, width);
    const isTable = fitsTable(first, width);
    if (isTable && first.length > 0) console.log(headLines(columns, width));
    print = (row, number) =>
      console.log(isTable ? rowLine(Object.values(row), { columns, width }) : recordText(row, { number, width }));
    for (const [index, row] of first.entries()) print(row, index + 1);
    first = [];
  };
  for await (const line of linesOf(response)) {
    if (line === "") continue;
    count += 1;
    const row = JSON.parse(line) as Record<string, Cell>;
    if (print !== undefined) print(row, count);
    else if (first.push(row) >= SAMPLE_ROWS_MAX) begin();
  }
  if (print === undefined) begin();
  return count;
}

/** A message with the line of the query that it speaks of, and a caret below the place. */
export function withPlace(message: string, query: string, at: unknown): string {
  const { line, column } = (typeof at === "object" && at !== null ? at : {}) as { line?: number; column?: number };
  if (line === undefined || column === undefined) return message;
  const text = query.split("\n")[line - 1];
  if (text === undefined || column < 1 || column > text.length + 1) return message;
  const from = Math.max(0, column - 1 - EXCERPT_CHARS_MAX / 2);
  const before = safeText(text.slice(from, column - 1).replaceAll("\t", " "));
  const after = safeText(text.slice(column - 1, from + EXCERPT_CHARS_MAX).replaceAll("\t", " "));
  const number = `${line} | `;
  return `${message}\n\n${number}${before}${after}\n${" ".repeat(number.length + Bun.stringWidth(before))}^`;
}
