/**
 * Loading a dimension from a file: one strict insert whose body is the file's bytes.
 *
 *   bytes ──CSVWithNames · JSONEachRow · Parquet──▶ input(every column as text) ──guards──▶ casts ──▶ table
 *
 * Every column is read as its text, whatever the format, so that the engine's readers
 * have nothing to wrap, round or default; a guard for each column refuses what its type
 * cannot hold and names row, column and value. Rows count from 1, without a header.
 *
 * An empty cell of a CSV is `''` for String and NULL for a Nullable column, else it is
 * refused. Numbers are written plainly (`-12.50`; no exponent but in Floats, no leading
 * zero), times in UTC or with an offset, Bool as true, false, 1 or 0. Parquet's integers,
 * floats, decimals, dates and timestamps count as the texts they stand for.
 *
 * @module
 */
import { type ColumnType, readType } from "./conform/column_type.ts";
import { textPattern } from "./conform/grammar.ts";
import { dayRange, type TimeType, timeRange } from "./conform/time.ts";
import { identifier, literal } from "./definition/tokens.ts";
import { type Dimension, type FileFormat, onePerKey } from "./dimension.ts";

/** One insert that reads the file's bytes. */
export interface LoadStatement {
  readonly statement: string;
  readonly settings: Readonly<Record<string, string | number>>;
}

/** Characters of a value that an error quotes. */
const QUOTE_CHARS_MAX = 100;
/** Digits of an integer: all that 256 bits hold for certain. */
const INTEGER_DIGITS_MAX = 76;
/** The row's number in its file; no declared column begins with an underscore. */
const ROW = "_row";
/** Marks the end of our words inside the engine's message. */
const END = " (end)";

/**
 * The inserts that load a file into a version's table, in order, each with the whole file as its body. Parquet takes
 * two: the first stores nothing and refuses columns that are not declared. Throws if the rows come from a query.
 */
export function loadStatements(dimension: Dimension, table: string): readonly LoadStatement[] {
  const { from, columns } = dimension;
  if (from.kind === "query") throw new Error(`Cannot load dim.${dimension.name} from a file: it is a query.`);
  const { format } = from;
  // Names of their own: a column's name in SELECT would stand for its value in WHERE as well.
  const read = columns.map((column, index) => readingOf(column, { format, x: `_text_${index}` }));
  const structure = read.map(({ name, raw }) => `${identifier(name)} ${raw}`);
  // The reader of JSON looks for repeated fields only until it has seen every column: here it never has.
  if (format === "ndjson") structure.push("_never Nullable(String)");
  const names = columns.map(({ name }) => identifier(name)).join(", ");
  const values = read.map(({ name, value }) => `${value} AS ${identifier(name)}`);
  const texts = read.map(({ x, text }) => `${text} AS ${x}`);
  const guards = read.map(guard);
  const statement = `INSERT INTO ${table} (${names})
SELECT ${names} FROM (SELECT ${[...values, ROW].join(",\n  ")}
FROM (SELECT ${texts.join(", ")}, rowNumberInAllBlocks() + 1 AS ${ROW} FROM input(${literal(structure.join(", "))}))
WHERE NOT ignore(${guards.join(",\n  ")}))${onePerKey(dimension, ROW)}
FORMAT ${FORMATS[format]}`;
  const load = { statement, settings: { ...STRICT, ...unknownSettings(dimension) } };
  return format === "parquet" && dimension.unknown === "reject" ? [parquetColumns(dimension), load] : [load];
}

/** What a failed load says to people, cut out of the engine's message; the message itself if it is the engine's own. */
export function loadProblem(message: string): string {
  const [, problem] = OURS.exec(message) ?? [];
  return problem === undefined ? message : `${problem}.`;
}

/** Our words with a row's number: without one they are the statement's text, which the engine quotes too. */
const OURS = /(Cannot load row \d+: column .*?) \(end\)/s;

const FORMATS: Readonly<Record<FileFormat, string>> = {
  csv: "CSVWithNames",
  ndjson: "JSONEachRow",
  parquet: "Parquet",
};

/** One column on its way: read as `raw`, taken as `text` under the name `x`, refused when `bad`, stored as `value`. */
interface Reading {
  readonly name: string;
  readonly x: string;
  readonly raw: string;
  readonly text: string;
  readonly bad: string;
  readonly value: string;
  readonly reason: string;
}

function readingOf(
  { name, type }: { readonly name: string; readonly type: string },
  { format, x }: { readonly format: FileFormat; readonly x: string },
): Reading {
  const column = readType(type);
  const { isBad, value } = cellOf(`assumeNotNull(${x})`, column);
  // Text in JSON is what stands in quotes: Dynamic shows it, where String would take numbers as well.
  const isQuoted = format === "ndjson" && column.kind === "string";
  const cell = isQuoted ? quotedText(identifier(name)) : identifier(name);
  return {
    name,
    x,
    raw: isQuoted ? "Dynamic" : "Nullable(String)",
    text: format === "csv" && column.nullable ? `nullIf(${cell}, '')` : cell,
    bad: column.nullable ? `NOT isNull(${x}) AND (${isBad})` : `isNull(${x}) OR (${isBad})`,
    value: `CAST(${column.nullable ? `if(isNull(${x}), NULL, ${value})` : value} AS ${type})`,
    reason: `which ${type} cannot hold`,
  };
}

/** The text of a JSON string; anything else becomes bytes that are no text, which the guard refuses. */
function quotedText(x: string): string {
  const other = `concat(unhex('FF'), toString(${x}))`;
  return `multiIf(dynamicType(${x}) = 'None', NULL, dynamicType(${x}) = 'String', dynamicElement(${x}, 'String'), ${other})`;
}

/** When the text `x` is not exactly one value of the type, and that value. */
function cellOf(x: string, type: ColumnType): { readonly isBad: string; readonly value: string } {
  const unlike = (pattern: string) => `NOT match(${x}, ${literal(pattern)})`;
  const pattern = textPattern(type) ?? "";
  switch (type.kind) {
    case "string":
      return { isBad: `NOT isValidUTF8(${x})`, value: x };
    case "bool":
      return { isBad: `${x} NOT IN ('true', 'false', '1', '0')`, value: `${x} IN ('true', '1')` };
    case "int":
      return integerOf(x, type);
    case "float": {
      const value = `${type.bits === 32 ? "toFloat32OrNull" : "toFloat64OrNull"}(${x})`;
      const isBad = `${unlike("^-?(?:[0-9]+(?:\\.[0-9]+)?|\\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?$")} OR NOT ifNull(isFinite(${value}), 0)`;
      return { isBad, value };
    }
    case "decimal": {
      const whole = type.precision - type.scale;
      const digits = whole === 0 ? "0?" : `(?:0|[1-9][0-9]{0,${whole - 1}})`;
      const fraction = type.scale === 0 ? "0+" : `[0-9]{1,${type.scale}}0*`;
      return {
        isBad: `${unlike(`^-?${digits}(?:\\.${fraction})?$`)} OR ${x} IN ('', '-')`,
        value: `toDecimal${type.precision > 38 ? 256 : 128}OrNull(${x}, ${type.scale})`,
      };
    }
    case "uuid":
      return { isBad: unlike(pattern), value: `toUUIDOrNull(${x})` };
    case "ipv4":
      return { isBad: unlike(pattern), value: `toIPv4OrNull(${x})` };
    case "ipv6":
      return { isBad: unlike(pattern), value: `toIPv6OrNull(${x})` };
    case "date": {
      const { first, last } = dayRange(type as never);
      const isBad = `${unlike(pattern)} OR ${x} < '${first}' OR ${x} > '${last}'`;
      return { isBad, value: `${type.wide ? "toDate32OrNull" : "toDateOrNull"}(${x})` };
    }
    case "time":
      return timeOf(x, type as TimeType);
    default:
      throw new Error(`Cannot read ${type.text} from a file`); // refused with the definition
  }
}

function integerOf(x: string, type: ColumnType & { readonly kind: "int" }): { isBad: string; value: string } {
  const wide = type.min < 0n ? "toInt256OrNull" : "toUInt256OrNull";
  const cast = `accurateCastOrNull(${wide}(${x}), ${literal(type.plain)})`;
  const form = `NOT match(${x}, '^(?:0|-?[1-9][0-9]{0,${INTEGER_DIGITS_MAX - 1}})$')`;
  // What is wider than the type itself has no wider type to be read as; its digits are bounded instead.
  return type.bits === 256
    ? { isBad: `${form} OR isNull(${wide}(${x}))`, value: `${wide}(${x})` }
    : { isBad: `${form} OR isNull(${cast})`, value: cast };
}

function timeOf(x: string, type: TimeType): { isBad: string; value: string } {
  const scale = Math.max(3, type.scale); // the engine's parser of scale 0 knows only DateTime's range
  const instant = `parseDateTime64BestEffortOrNull(${x}, ${scale}, 'UTC')`;
  const { first, last } = timeRange(type);
  const at = (day: string) => `toDateTime64('${day}', ${scale}, 'UTC')`;
  const isBad = [
    `NOT match(${x}, ${literal(textPattern(type) ?? "")})`,
    `${x} < '1900' OR ${x} >= '2300'`,
    `ifNull(${instant} < ${at(first)} OR ${instant} > ${at(last)}, 1)`,
  ].join(" OR ");
  return { isBad, value: instant };
}

/** Fails with row, column and value: `throwIf` says only constants, a text that is no number says itself. */
function guard({ name, x, bad, reason }: Reading): string {
  const shown = `replaceRegexpAll(toValidUTF8(substringUTF8(${x}, 1, ${QUOTE_CHARS_MAX})), '[\\\\x00-\\\\x1f]', ' ')`;
  const value = `if(isNull(${x}), 'missing or null', concat('"', assumeNotNull(${shown}), '"'))`;
  const words = [literal("Cannot load row "), `toString(${ROW})`, literal(`: column ${name} is `), value];
  return `if(${bad}, toUInt8(concat(${words.join(", ")}, ${literal(`, ${reason}${END}`)})), 0)`;
}

/** Refuses a Parquet file with other than the declared number of columns; that each is there, the load itself sees. */
function parquetColumns(dimension: Dimension): LoadStatement {
  const declared = dimension.columns.length;
  const message = `Cannot load dim.${dimension.name}: the file does not have exactly the ${declared} columns that are declared`;
  return {
    statement: `INSERT INTO FUNCTION null('checked UInt8')
SELECT throwIf(num_columns != ${declared}, ${literal(message)}) FROM input('num_columns UInt64') FORMAT ParquetMetadata`,
    settings: STRICT,
  };
}

function unknownSettings({ unknown }: Dimension): LoadStatement["settings"] {
  return { input_format_skip_unknown_fields: unknown === "ignore" ? 1 : 0 };
}

/** Settings that make the engine's readers strict and keep the rows in the order of the file, all of them said. */
const STRICT: LoadStatement["settings"] = {
  input_format_column_name_matching_mode: "match_case",
  input_format_defaults_for_omitted_fields: 0,
  input_format_null_as_default: 1, // null in Dynamic; everything else is Nullable
  input_format_allow_errors_num: 0,
  input_format_allow_errors_ratio: 0,
  input_format_parallel_parsing: 0,
  input_format_with_names_use_header: 1,
  input_format_csv_detect_header: 0,
  input_format_csv_empty_as_default: 0,
  input_format_csv_trim_whitespaces: 0,
  input_format_csv_use_default_on_bad_values: 0,
  input_format_csv_allow_variable_number_of_columns: 0,
  input_format_csv_allow_whitespace_or_tab_as_delimiter: 0,
  input_format_csv_skip_first_lines: 0,
  format_csv_delimiter: ",",
  format_csv_allow_single_quotes: 0,
  format_csv_allow_double_quotes: 1,
  format_csv_null_representation: "\u0001no cell says this\u0001", // so NULL is a column that the header lacks
  input_format_json_read_numbers_as_strings: 1,
  input_format_json_read_bools_as_strings: 1,
  input_format_json_read_arrays_as_strings: 0,
  input_format_json_read_objects_as_strings: 0,
  input_format_json_empty_as_default: 0,
  input_format_json_throw_on_bad_escape_sequence: 1,
  input_format_json_try_infer_numbers_from_strings: 0,
  input_format_import_nested_json: 0,
  input_format_try_infer_dates: 0,
  input_format_try_infer_datetimes: 0,
  input_format_parquet_preserve_order: 1,
  input_format_parquet_allow_missing_columns: 0,
  input_format_parquet_case_insensitive_column_matching: 0,
  precise_float_parsing: 1,
  session_timezone: "UTC",
  short_circuit_function_evaluation: "enable",
  max_threads: 1,
  max_insert_threads: 1,
};
