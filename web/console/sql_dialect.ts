/**
 * ClickHouse's SQL for the editor: its words and types, and the tables that can be completed.
 *
 * @module
 */
import { SQLDialect, type SQLNamespace } from "@codemirror/lang-sql";
import type { SchemaDatabase } from "./sql_schema.ts";

const KEYWORDS = `
  all and anti any array as asc asof between by case cast cross cube desc describe dictionary distinct else end except
  exists explain false fill final first following format from full global group grouping having ilike in inner intersect
  interval into is join last left like limit materialized not null nulls offset on or order outer over paste partition
  preceding prewhere qualify range recursive right rollup row rows sample select semi sets settings step table then ties
  to totals true unbounded union using values when where window with
  second minute hour day week month quarter year`;

const FUNCTIONS = `
  abs any anyLast argMax argMin arrayConcat arrayDistinct arrayElement arrayFilter arrayJoin arrayMap arraySort arraySum
  avg avgIf ceil coalesce concat corr count countIf covarPop dateDiff dictGet dictGetOrDefault dictHas empty endsWith
  exp extract first_value floor formatDateTime fromUnixTimestamp generateUUIDv4 greatest groupArray groupUniqArray has
  histogram if ifNull isNaN isNull JSONExtract JSONExtractInt JSONExtractString last_value leadInFrame lagInFrame least
  length ln log log10 log2 lower match max maxIf median min minIf multiIf notEmpty now now64 nullIf numbers parseDateTime
  plus position pow quantile quantileExact quantiles quantileTDigest rank replaceAll replaceRegexpAll round row_number
  simpleLinearRegression sipHash64 splitByChar sqrt startsWith stddevPop stddevSamp substring sum sumIf sumMap
  toDate toDateTime toDateTime64 toDayOfWeek toDecimal64 toFloat64 toHour toInt32 toInt64 toIntervalDay toIntervalHour
  toIntervalMinute toMinute toMonday toMonth toStartOfDay toStartOfFiveMinutes toStartOfHour toStartOfInterval
  toStartOfMinute toStartOfMonth toStartOfWeek toStartOfYear toString toTimeZone today toTypeName toUInt32 toUInt64
  toUnixTimestamp toYear topK trim tuple uniq uniqCombined uniqExact upper varPop varSamp yesterday`;

const TYPES = `
  UInt8 UInt16 UInt32 UInt64 UInt128 UInt256 Int8 Int16 Int32 Int64 Int128 Int256 Float32 Float64 Decimal Bool String
  FixedString Date Date32 DateTime DateTime64 UUID IPv4 IPv6 Enum8 Enum16 Array Map Tuple Nullable LowCardinality`;

/** Words of the dialect; names in backquotes, comments with -- and #. */
export const CLICKHOUSE: SQLDialect = SQLDialect.define({
  keywords: KEYWORDS.trim(),
  types: TYPES.trim(),
  builtin: FUNCTIONS.trim(),
  identifierQuotes: "`",
  doubleQuotedStrings: false,
  backslashEscapes: true,
  hashComments: true,
  slashComments: false,
  spaceAfterDashes: false,
  caseInsensitiveIdentifiers: false,
  operatorChars: "*+-%<>!=&|/~^",
});

/** The tables and columns that a token may read, as completion takes them. */
export function namespaceOf(databases: readonly SchemaDatabase[]): SQLNamespace {
  return Object.fromEntries(
    databases.map(({ name, tables }) => [
      name,
      Object.fromEntries(
        tables.map((table) => [
          table.name,
          table.columns.map((column) => ({ label: column.name, detail: column.type, type: "property" })),
        ]),
      ),
    ]),
  );
}
