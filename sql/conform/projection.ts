/**
 * The projection: the engine's form of `conform(<source>)`.
 *
 *   companions + producer's bytes ──JSONEachRow──▶ input(wide, nullable) ──guards──▶ casts ──▶ table
 *
 * Every column is read as something wider than itself (or as text), so that the
 * engine's own parser has nothing to wrap, round or default; guards refuse the
 * rest, one by one, with the column's name. One bad record refuses the insert.
 *
 * Left over, because no raw type shows it. Inside a JSON text the engine takes
 * `""` as the integer or Decimal 0 and odd Decimals in quotes ("1e", "1.2.3"),
 * wraps integers and drops Decimal digits beyond the raw type, and in ignored
 * fields goes deeper than the judge. Of a source that evolves it drops fields
 * which no column declares. Outside JSON it takes unknown escapes, control
 * characters in strings and numbers like 007. Scanner and judge take none of it,
 * so records pass them first.
 *
 * @module
 */

import { identifier } from "../definition/tokens.ts";
import { hasOps } from "../format/format.ts";
import type { Source } from "../source.ts";
import type { ColumnType } from "./column_type.ts";
import { textPattern } from "./grammar.ts";
import { FUTURE_MS_MAX } from "./judge.ts";
import { dayRange, LOCAL_YEARS, OFFSET, type TimeType, timeRange } from "./time.ts";
import { UTC_NAMES } from "./zones.ts";

/** Names of the fields spliced in front of each record; `op` only where records say what happened to their row. */
export interface Companions {
  readonly partition: string;
  readonly offset: string;
  readonly time: string;
  readonly op: string;
}

/** What one insert is about; `deadlineMs` undefined: no deadline. */
export interface InsertAbout {
  readonly topic: string;
  readonly epoch: number;
  readonly salt: string;
  readonly deadlineMs: number | undefined;
}

/** One column in the engine: how it is read, what it becomes, when it is refused. */
interface Projected {
  readonly raw: string;
  readonly value: string;
  readonly bad: string | undefined;
  /** Values worked out once for several uses: each level may use the ones before it. */
  readonly steps?: readonly (readonly string[])[];
}

/** What every table of a source has beside its declared columns. */
export const INGEST_COLUMNS = [
  "_topic",
  "_partition",
  "_offset",
  "_epoch",
  "_event_time",
  "_ingest_time",
  "_op",
] as const;

/** Nothing a record can contain: the salt is random per process. Short, because they are in every record. */
export function companionsOf(salt: string): Companions {
  return { partition: `_p_${salt}`, offset: `_o_${salt}`, time: `_t_${salt}`, op: `_op_${salt}` };
}

/** Writes the strict insert of a source into `table` (as SQL spells it). */
export function insertText(source: Source, types: readonly ColumnType[], to: InsertAbout & { table: string }): string {
  const { values, from } = projected(source, types, to);
  const names = [...source.columns.map(({ name }) => name), ...INGEST_COLUMNS];
  if (source.unknown === "keep") names.push("_rest");
  return `INSERT INTO ${to.table} (${names.map(identifier).join(", ")})\nSELECT ${values.join(",\n  ")}\n${from}`;
}

/** Writes the same projection without an effect. */
export function probeText(source: Source, types: readonly ColumnType[], to: InsertAbout): string {
  const { values, from } = projected(source, types, to);
  return `INSERT INTO FUNCTION null('judged UInt8')\nSELECT ignore(${values.join(",\n  ")})\n${from}`;
}

function projected(source: Source, types: readonly ColumnType[], to: InsertAbout): { values: string[]; from: string } {
  const { op, ...companions } = companionsOf(to.salt);
  const isChange = hasOps(source.format);
  const time = identifier(companions.time);
  const ingested = `fromUnixTimestamp64Milli(assumeNotNull(${time}), 'UTC')`;
  const columns = source.columns.map(({ name }, index) => ({
    name,
    ...project(identifier(name), types[index], (part) => identifier(`_${part}_${index}_${to.salt}`)),
  }));
  const event = columns.find(({ name }) => name === source.eventTime);
  const eventMs = event === undefined ? undefined : `toDateTime64(${event.value}, 3, 'UTC')`;
  const structure = [
    `${identifier(companions.partition)} Nullable(UInt32)`,
    `${identifier(companions.offset)} Nullable(UInt64)`,
    `${time} Nullable(Int64)`,
    ...(isChange ? [`${identifier(op)} Nullable(String)`] : []),
    ...columns.map(({ name, raw }) => `${identifier(name)} ${raw}`),
  ];
  const guards = [
    guard(
      Object.values(isChange ? { ...companions, op } : companions)
        .map((name) => `isNull(${identifier(name)})`)
        .join(" OR "),
      "a record without its position",
    ),
    ...columns.flatMap(({ name, bad }) => (bad === undefined ? [] : [guard(bad, name)])),
  ];
  if (to.deadlineMs !== undefined) {
    // nowInBlock64() is read when the block is, now64() when the query begins.
    const deadline = `fromUnixTimestamp64Milli(toInt64(${to.deadlineMs}), 'UTC')`;
    guards.unshift(guard(`nowInBlock64(3, 'UTC') > ${deadline}`, "deadline"));
  }
  if (event !== undefined && eventMs !== undefined) {
    const late = `ifNull(toUnixTimestamp64Milli(${eventMs}) > assumeNotNull(${time}) + ${FUTURE_MS_MAX}, 0)`;
    guards.push(guard(late, `${event.name} in the future`));
  }
  const values = [
    ...columns.map(({ value }) => value),
    text(to.topic),
    `assumeNotNull(${identifier(companions.partition)})`,
    `assumeNotNull(${identifier(companions.offset)})`,
    `toUInt32(${to.epoch})`,
    eventMs === undefined ? ingested : `ifNull(${eventMs}, ${ingested})`,
    ingested,
    isChange ? `assumeNotNull(${identifier(op)})` : "'c'",
  ];
  if (source.unknown === "keep") {
    structure.push("`_rest` Nullable(String)");
    values.push("ifNull(`_rest`, '{}')");
  }
  const where = guards.join(",\n  ");
  let from = `input(${text(structure.join(", "))})`;
  for (let level = 0; columns.some(({ steps }) => steps !== undefined && level < steps.length); level++) {
    const worked = columns.flatMap(({ steps }) => steps?.[level] ?? []);
    from = `(SELECT *, ${worked.join(", ")} FROM ${from})`;
  }
  return { values, from: `FROM ${from}\nWHERE NOT ignore(${where})\nFORMAT JSONEachRow` };
}

function guard(condition: string, message: string): string {
  return `throwIf(${condition}, ${text(`Cannot conform: ${message}`)})`;
}

/** How the engine reads, judges and casts the column `x`; `alias` makes names that no column has. */
function project(x: string, type: ColumnType, alias: (part: string) => string): Projected {
  const there = `assumeNotNull(${x})`;
  const missing = `isNull(${x})`;
  const nullable = type.nullable;
  /** Refuses what `bad` says of a value that is there, and null where it is not allowed. */
  const unless = (bad: string) => (nullable ? `NOT ${missing} AND (${bad})` : `${missing} OR ${bad}`);
  const parsed = (value: string) => (nullable ? value : `assumeNotNull(${value})`);
  const cast = nullable ? `CAST(${x} AS Nullable(${type.plain}))` : `CAST(${there} AS ${type.plain})`;
  const asText = "Nullable(String)";
  switch (type.kind) {
    case "string":
      return { raw: asText, value: nullable ? x : there, bad: unless(`NOT isValidUTF8(${there})`) };
    case "fixed":
      return {
        raw: asText,
        value: cast,
        bad: unless(`length(${there}) != ${type.bytes} OR NOT isValidUTF8(${there})`),
      };
    case "enum":
      return { raw: asText, value: cast, bad: unless(`${there} NOT IN (${type.names.map(text).join(", ")})`) };
    case "bool":
      return { raw: "Nullable(Bool)", value: nullable ? x : there, bad: nullable ? undefined : missing };
    case "int":
      return projectInt(x, type);
    case "float": {
      const value = type.bits === 32 ? `toFloat32(${nullable ? x : there})` : nullable ? x : there;
      return { raw: "Nullable(Float64)", value, bad: unless(`NOT isFinite(assumeNotNull(${value}))`) };
    }
    case "decimal": {
      const raw = rawDecimal(type.precision, type.scale);
      return { raw: `Nullable(${raw})`, value: cast, bad: unless(`CAST(${there} AS ${type.plain}) != ${there}`) };
    }
    case "uuid":
    case "ipv4":
    case "ipv6": {
      const read = { uuid: "toUUIDOrNull", ipv4: "toIPv4OrNull", ipv6: "toIPv6OrNull" }[type.kind];
      return {
        raw: asText,
        value: parsed(`${read}(${x})`),
        bad: unless(`NOT match(${there}, ${text(textPattern(type) ?? "")})`),
      };
    }
    case "date": {
      const { first, last } = dayRange(type as never);
      const bad = `NOT match(${there}, ${text(textPattern(type) ?? "")}) OR ${there} < '${first}' OR ${there} > '${last}'`;
      return { raw: asText, value: parsed(`${type.wide ? "toDate32OrNull" : "toDateOrNull"}(${x})`), bad: unless(bad) };
    }
    case "time":
      return projectTime(x, type as TimeType, alias);
    default:
      return { raw: type.text, value: x, bad: undefined }; // judged in JavaScript
  }
}

function projectInt(x: string, type: ColumnType & { readonly kind: "int" }): Projected {
  const there = `assumeNotNull(${x})`;
  const bad = type.nullable ? undefined : `isNull(${x})`;
  if (type.bits === 256) return { raw: `Nullable(${type.plain})`, value: type.nullable ? x : there, bad };
  const value = type.nullable
    ? `accurateCast(${x}, 'Nullable(${type.plain})')`
    : `accurateCast(${there}, '${type.plain}')`;
  return { raw: type.bits > 64 ? "Nullable(Int256)" : "Nullable(Int128)", value, bad };
}

/** A Decimal with as many digits before the point and many more behind it. */
function rawDecimal(precision: number, scale: number): string {
  const whole = precision - scale;
  return 38 - whole >= scale + 8 ? `Decimal(38, ${38 - whole})` : `Decimal(76, ${76 - whole})`;
}

function projectTime(x: string, type: TimeType, alias: (part: string) => string): Projected {
  const there = `assumeNotNull(${x})`;
  const scale = Math.max(3, type.scale); // the engine's parser of scale 0 knows only DateTime's range
  const civil = `parseDateTime64BestEffortOrNull(${x}, ${scale}, 'UTC')`;
  const isUtc = UTC_NAMES.has(type.zone);
  const local = isUtc ? undefined : projectLocal(there, type.zone, alias);
  const steps = [[`${civil} AS ${alias("civil")}`], ...(local?.steps ?? [])];
  const instant = alias(isUtc ? "civil" : "instant");
  const { first, last } = timeRange(type);
  const at = (day: string) => `toDateTime64('${day}', ${scale}, 'UTC')`;
  const bad = [
    `NOT match(${there}, ${text(textPattern(type) ?? "")})`,
    `${there} < '1900' OR ${there} >= '2300'`,
    `isNull(${instant}) OR ${instant} < ${at(first)} OR ${instant} > ${at(last)}`,
    ...(local === undefined ? [] : [local.bad]),
  ].join(" OR ");
  const value = type.nullable ? instant : `assumeNotNull(${instant})`;
  const plain = type.nullable ? `Nullable(${type.plain})` : type.plain;
  return {
    raw: "Nullable(String)",
    value: scale === type.scale && isUtc && type.wide ? value : `CAST(${value} AS ${plain})`,
    bad: type.nullable ? `NOT isNull(${x}) AND (${bad})` : `isNull(${x}) OR ${bad}`,
    steps,
  };
}

/** Local times of a zone: see the picture in `time.ts`. */
function projectLocal(
  there: string,
  zone: string,
  alias: (part: string) => string,
): { steps: string[][]; bad: string } {
  const offsetAt = (instant: string) => `timezoneOffset(toTimeZone(assumeNotNull(${instant}), ${text(zone)}))`;
  const [civil, own, instant] = [alias("civil"), alias("own"), alias("instant")];
  const [before, after] = [alias("before"), alias("after")];
  const [beforeHolds, afterHolds] = [alias("before_holds"), alias("after_holds")];
  const years = `${there} < '${LOCAL_YEARS.first}' OR ${there} >= '${LOCAL_YEARS.end}'`;
  const repeated = `${before} != ${after} AND ${beforeHolds} AND ${afterHolds}`;
  return {
    steps: [
      [
        `match(${there}, ${text(`${OFFSET}$`)}) AS ${own}`,
        `${offsetAt(`${civil} - toIntervalSecond(86400)`)} AS ${before}`,
        `${offsetAt(`${civil} + toIntervalSecond(86400)`)} AS ${after}`,
      ],
      [
        `${offsetAt(`${civil} - toIntervalSecond(${before})`)} = ${before} AS ${beforeHolds}`,
        `${offsetAt(`${civil} - toIntervalSecond(${after})`)} = ${after} AS ${afterHolds}`,
      ],
      [`if(${own}, ${civil}, ${civil} - toIntervalSecond(if(${beforeHolds}, ${before}, ${after}))) AS ${instant}`],
    ],
    bad: `NOT ${own} AND (${years} OR NOT ${beforeHolds} AND NOT ${afterHolds} OR ${repeated})`,
  };
}

function text(value: string): string {
  return `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** Settings that make the engine's reader strict, all of them said. */
export function strictSettings(source: Source): Readonly<Record<string, string | number>> {
  return {
    // Where a source evolves, only what is null comes without a column: the judge sees to it.
    input_format_skip_unknown_fields: source.unknown === "ignore" || source.drift === "evolve" ? 1 : 0,
    input_format_column_name_matching_mode: "match_case",
    input_format_null_as_default: 0,
    input_format_defaults_for_omitted_fields: 0,
    input_format_force_null_for_omitted_fields: 0,
    input_format_allow_errors_num: 0,
    input_format_allow_errors_ratio: 0,
    input_format_import_nested_json: 0,
    input_format_json_read_bools_as_numbers: 0,
    input_format_json_read_bools_as_strings: 0,
    input_format_json_read_numbers_as_strings: 0,
    input_format_json_read_arrays_as_strings: 0,
    input_format_json_read_objects_as_strings: 0,
    input_format_json_empty_as_default: 0,
    input_format_json_ignore_unnecessary_fields: 0,
    input_format_json_throw_on_bad_escape_sequence: 1,
    input_format_json_named_tuples_as_objects: 1,
    input_format_json_ignore_unknown_keys_in_named_tuple: 0,
    input_format_json_defaults_for_missing_elements_in_named_tuple: 0,
    input_format_json_map_as_array_of_tuples: 0,
    input_format_ipv4_default_on_conversion_error: 0,
    input_format_ipv6_default_on_conversion_error: 0,
    cast_ipv4_ipv6_default_on_conversion_error: 0,
    date_time_input_format: "best_effort",
    session_timezone: "UTC",
    precise_float_parsing: 1,
    decimal_check_overflow: 1,
    cast_keep_nullable: 0,
    input_format_parallel_parsing: 0,
  };
}
