/**
 * Definitions of kind `dimension`: from a file to a checked `Dimension`.
 *
 *   file ──readDimension──▶ draft ──typesQuestion──▶ the engine describes it ──finishDimension──▶ Dimension
 *                                                        └─refuses──▶ blameDimension ──▶ error with line and column
 *
 * Pure: the caller asks the engine. With `from` the SQL is a column list, the shape of a
 * file; without it the SQL is a SELECT over `ods` and `dim`, and its items are the columns.
 *
 * @module
 */
import { z } from "zod";
import { readType, TypeRefused } from "../conform/column_type.ts";
import type { Dimension, DimensionFrom, FileFormat } from "../dimension.ts";
import type { Column } from "../source.ts";
import { readColumnList, type WrittenTable } from "./column_list.ts";
import { readsOf } from "./dimension_reads.ts";
import { duration } from "./duration.ts";
import { DefinitionError, lineAndColumn } from "./error.ts";
import { type CutFile, cutFile, placeOf, readFrontMatter } from "./front_matter.ts";
import { structureOf } from "./source_definition.ts";
import { literal, tokenize } from "./tokens.ts";

const FILE_HINT = "Write `{ file: airports.csv }`, or `{ package: vega-datasets/data/airports.csv }`";

/** What a dimension's front matter may say. */
export const dimensionOptions = z.strictObject({
  kind: z.literal("dimension").describe("What this file defines."),
  doc: z.string().min(1).describe("What the rows are; shown wherever the table is."),
  key: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1).max(8)], {
      error: "Name the column, or a list of up to 8, whose values are there once",
    })
    .describe("The column, or columns, by which a row is looked up."),
  from: z
    .strictObject({
      file: z.string().min(1).optional().describe("A file, its path relative to this definition."),
      package: z.string().min(1).optional().describe("A file inside an npm package: the package's name and the path."),
    })
    .optional()
    .describe("The file that holds the rows; without it the SQL is a SELECT."),
  format: z.enum(["csv", "parquet", "ndjson"]).optional().describe("How the file is written; by its name by default."),
  refresh: z
    .strictObject({ every: duration.describe("How often the SELECT is asked again.") })
    .optional()
    .describe("When the rows of a SELECT are renewed; only when applied by default."),
  repeated: z
    .union(
      [
        z.enum(["error", "first", "last"]),
        z.strictObject({ largest: z.string().min(1).describe("The column whose largest value stays.") }),
      ],
      { error: "Write error, first, last or { largest: <column> }" },
    )
    .default("error")
    .describe("Which row stays when a key comes more than once."),
  unknown: z
    .enum(["reject", "ignore"])
    .default("reject")
    .describe("Columns of the file which are not declared: refuse the file, or leave them out."),
});

const NAME = /^[a-z][a-z0-9_]{0,63}$/;
const EXTENSIONS: Readonly<Record<string, FileFormat>> = {
  csv: "csv",
  parquet: "parquet",
  ndjson: "ndjson",
  jsonl: "ndjson",
};

/** A dimension as read from its file, before the engine has judged its types. */
export interface DimensionDraft {
  readonly cut: CutFile;
  readonly options: z.output<typeof dimensionOptions>;
  readonly name: string;
  readonly key: readonly string[];
  readonly from: DimensionFrom;
  /** The declared columns; undefined for a SELECT. */
  readonly table: WrittenTable | undefined;
}

/** Reads a definition's file; `file` is its path inside the project, for example `dim/airport.sql`. */
export function readDimension(file: string, text: string): DimensionDraft {
  const cut = cutFile(file, text);
  const options = readFrontMatter(cut, dimensionOptions);
  const [layer, name] = /([^/]+)\/([^/]+)\.sql$/.exec(file)?.slice(1) ?? ["", file];
  const about = { cut, options, name };
  const start = sqlStart(cut);
  if (layer !== "dim") fail(cut, start, "its file is not in the folder dim/", "Put dimensions into the folder dim/.");
  if (!NAME.test(name)) {
    const hint = "Use lower-case letters, digits and underscores, beginning with a letter, 64 at most.";
    fail(cut, start, `${quoted(name)} is not a usable name`, hint);
  }
  const key = typeof options.key === "string" ? [options.key] : options.key;
  if (new Set(key).size < key.length) failAt(cut, ["key"], "its key names a column twice", "Name each column once.");
  if (options.from === undefined) return { ...about, key, from: fromQuery(about), table: undefined };
  const from = fromFile(cut, options.from, options.format);
  if (options.refresh !== undefined)
    failAt(cut, ["refresh"], "a file is read when it is applied", "Leave `refresh` out, or write a SELECT.");
  if (/^(SELECT|WITH)$/i.test(tokenize(cut.sql)[0]?.text ?? ""))
    fail(cut, start, "it has `from` and a SELECT", "Declare the file's columns, or leave `from` out.");
  const table = readColumnList(cut);
  checkTable(cut, table, name);
  return { ...about, key, from, table };
}

/** The query whose rows `{name, type}` `finishDimension` takes; asked as the writer. */
export function typesQuestion(draft: DimensionDraft): string {
  if (draft.table !== undefined) return columnsQuestion(draft.table.columns);
  return `DESCRIBE TABLE (\n${(draft.from as { sql: string }).sql}\n)`;
}

/** The same question about some of the declared columns, to find the one that the engine refuses. */
export function columnsQuestion(columns: readonly { readonly name: string; readonly type: string }[]): string {
  return `DESCRIBE TABLE null(${literal(structureOf(columns))})`;
}

/** The error for a question that the engine refused; `name` is the column, if one is to blame. */
export function blameDimension(draft: DimensionDraft, message: string, name?: string): DefinitionError {
  const { cut, table } = draft;
  const column = table?.columns.find((one) => one.name === name);
  const state = message.replace(/\.$/, "");
  if (column === undefined) {
    const at = { file: cut.file, ...lineAndColumn(cut.text, sqlStart(cut)) };
    return new DefinitionError(at, `Cannot use this dimension: ${state}.`, "Correct the SQL.");
  }
  const at = { file: cut.file, ...lineAndColumn(cut.text, column.at) };
  const problem = `Cannot use type ${quoted(column.type)} for column ${quoted(column.name)}: ${state}.`;
  return new DefinitionError(at, problem, "Write a type of ClickHouse.");
}

/** Makes the dimension, with the types as the engine described them, LowCardinality taken off. */
export function finishDimension(
  draft: DimensionDraft,
  described: readonly { readonly name: string; readonly type: string }[],
): Dimension {
  const { options, table, cut } = draft;
  if (table === undefined) checkItems(draft, described);
  const columns = (table?.columns ?? described).map((written): Column => {
    const { name } = written;
    const type = described.find((one) => one.name === name)?.type;
    if (type === undefined) throw blameDimension(draft, "the engine does not describe it", name);
    const { comment = "", codec = "" } = written as Partial<Column>;
    const column = { name, type: withoutLowCardinality(type), comment, codec };
    checkType(draft, column);
    return column;
  });
  for (const name of draft.key) checkKey(draft, columns, name);
  if (columns.length === draft.key.length)
    failAt(cut, ["key"], "it has no column beside its key", "Add what is known of each key.");
  const { repeated } = options;
  if (typeof repeated === "object") checkLargest(draft, columns, repeated.largest);
  return {
    kind: "dimension",
    layer: "dim",
    name: draft.name,
    doc: options.doc,
    key: draft.key,
    from: draft.from,
    repeated,
    unknown: options.unknown,
    columns,
  };
}

function fromFile(
  cut: CutFile,
  from: NonNullable<DimensionDraft["options"]["from"]>,
  declared: FileFormat | undefined,
): DimensionFrom {
  if ((from.file === undefined) === (from.package === undefined))
    failAt(cut, ["from"], "it must name a file or a package", `${FILE_HINT}.`);
  const whole = from.file ?? from.package ?? "";
  const option = ["from", from.file === undefined ? "package" : "file"];
  const [, name, inside] = /^((?:@[\w.-]+\/)?[\w.-]+)\/(.+)$/.exec(whole) ?? [];
  if (from.file !== undefined) {
    if (/^([/\\~]|[A-Za-z]:|\w+:\/\/)/.test(whole))
      failAt(cut, option, `${quoted(whole)} is not a path relative to the definition`, `${FILE_HINT}.`);
  } else if (name === undefined || inside.split("/").some((part) => part === ".." || part === "." || part === ""))
    failAt(cut, option, `${quoted(whole)} does not name a package and a file inside it`, `${FILE_HINT}.`);
  const format = declared ?? EXTENSIONS[/\.(\w+)$/.exec(whole)?.[1].toLowerCase() ?? ""];
  if (format === undefined)
    failAt(cut, option, `the name ${quoted(whole)} does not say how the file is written`, "Say `format`.");
  return from.file === undefined
    ? { kind: "package", package: name, path: inside, format }
    : { kind: "file", path: whole, format };
}

function fromQuery({ cut, options, name }: Pick<DimensionDraft, "cut" | "options" | "name">): DimensionFrom {
  const { format, unknown, repeated, refresh } = options;
  if (format !== undefined) failAt(cut, ["format"], "a SELECT has no format", "Leave it out, or say `from`.");
  if (unknown !== "reject") failAt(cut, ["unknown"], "a SELECT has no other columns", "Leave it out, or say `from`.");
  if (repeated === "first" || repeated === "last")
    failAt(cut, ["repeated"], "rows of a SELECT have no order", "Write error or { largest: <column> }.");
  const refused = (offset: number, problem: string, hint: string) => fail(cut, cut.sqlStart + offset, problem, hint);
  const { sql, reads } = readsOf(cut.sql, { name, refused });
  return { kind: "query", sql, reads, everyMs: refresh?.every };
}

function checkTable(cut: CutFile, table: WrittenTable, name: string): void {
  if (table.database !== undefined && table.database !== "dim")
    fail(
      cut,
      table.at,
      `its database is ${quoted(table.database)}`,
      `Write dim.${table.name}: dimensions live in dim.`,
    );
  if (table.name !== name) {
    const problem = `its file is named ${quoted(`${name}.sql`)} and its table ${quoted(table.name)}`;
    fail(cut, table.nameAt, problem, "Give both the same name.");
  }
  const seen = new Set<string>();
  for (const { name: column, nameAt } of table.columns) {
    if (seen.has(column))
      fail(cut, nameAt, `column ${quoted(column)} is declared twice`, "Give every column a name of its own.");
    checkName(cut, nameAt, column);
    seen.add(column);
  }
}

/** The items of a SELECT become columns, so each needs a name that a column can have. */
function checkItems({ cut }: DimensionDraft, described: readonly { readonly name: string }[]): void {
  const seen = new Set<string>();
  for (const { name } of described) {
    if (!/^[A-Za-z_]\w*$/.test(name))
      fail(cut, sqlStart(cut), `item ${quoted(name)} of the SELECT has no name`, "Write `… AS <name>`.");
    if (seen.has(name)) fail(cut, sqlStart(cut), `two items are named ${quoted(name)}`, "Give each its own name.");
    checkName(cut, sqlStart(cut), name);
    seen.add(name);
  }
}

function checkName(cut: CutFile, at: number, name: string): void {
  if (name === "") fail(cut, at, "a column has no name", "Name it.");
  if (name.startsWith("_"))
    fail(cut, at, `column ${quoted(name)} begins with an underscore`, "Rename it: those names are Weir's own.");
}

/** What a dictionary can hold, and a file's cell can say. */
function checkType({ cut, table }: DimensionDraft, { name, type }: Column): void {
  const written = table?.columns.find((one) => one.name === name);
  const refuse = (state: string, hint: string): never => {
    const at = { file: cut.file, ...lineAndColumn(cut.text, written?.at ?? sqlStart(cut)) };
    throw new DefinitionError(at, `Cannot use type ${quoted(type)} for column ${quoted(name)}: ${state}.`, hint);
  };
  try {
    const { kind, ...column } = readType(type);
    if (kind === "enum" || kind === "fixed") refuse("a dictionary cannot hold it", "Write String.");
    if (kind === "tuple") refuse("a dictionary cannot hold it", "Write a column for each of its values.");
    if (kind === "array" && /Enum|FixedString|Tuple/.test(type))
      refuse("a dictionary cannot hold it", "Write an Array of plain types.");
    if (written === undefined) return;
    if (kind === "array" || kind === "map")
      refuse("a file's cell holds one plain value", "Write String, and take it apart in a model.");
    if (kind === "time" && "zone" in column && column.zone !== "UTC")
      refuse("times of a file are in UTC or have an offset", "Write the zone 'UTC'.");
  } catch (error) {
    if (error instanceof TypeRefused) refuse("a dictionary cannot hold it exactly", `Use ${error.message}.`);
    throw error;
  }
}

function checkKey({ cut }: DimensionDraft, columns: readonly Column[], name: string): void {
  const column = columns.find((one) => one.name === name);
  const hint = `Name one of: ${columns.map((one) => one.name).join(", ")}.`;
  if (column === undefined) failAt(cut, ["key"], `its key ${quoted(name)} is no column`, hint);
  if (/^(Nullable|Float|Array|Map)/.test(column.type)) {
    const problem = `its key ${quoted(name)} has type ${column.type}`;
    failAt(cut, ["key"], problem, "Name a column that is neither Nullable, Float, Array nor Map.");
  }
}

function checkLargest({ cut, key }: DimensionDraft, columns: readonly Column[], name: string): void {
  const column = columns.find((one) => one.name === name);
  const hint = "Name a column beside the key whose values have an order.";
  if (column === undefined) failAt(cut, ["repeated"], `${quoted(name)} is no column`, hint);
  if (key.includes(name)) failAt(cut, ["repeated"], `${quoted(name)} belongs to the key`, hint);
  if (/^(Array|Map)/.test(column.type)) failAt(cut, ["repeated"], `${quoted(name)} has type ${column.type}`, hint);
}

/** LowCardinality changes how values are stored, not which: dictionaries do without. */
function withoutLowCardinality(type: string): string {
  return type.replaceAll(/LowCardinality\(((?:[^()]|\([^()]*\))*)\)/g, "$1");
}

/** Where the first word of the SQL stands. */
function sqlStart(cut: CutFile): number {
  return cut.sqlStart + (tokenize(cut.sql)[0]?.start ?? 0);
}

function failAt(cut: CutFile, path: readonly string[], problem: string, hint: string): never {
  throw new DefinitionError(placeOf(cut, path), `Cannot use this dimension: ${problem}.`, hint);
}

function fail(cut: CutFile, offset: number, problem: string, hint: string): never {
  const at = { file: cut.file, ...lineAndColumn(cut.text, offset) };
  throw new DefinitionError(at, `Cannot use this dimension: ${problem}.`, hint);
}

const quoted = (text: string) => `'${text.slice(0, 100)}'`;
