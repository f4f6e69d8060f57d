/**
 * The JSON Schema of a source's events, and an event that the source takes.
 *
 *   Source ─┬─eventSchema──▶ what editors and clients check before they send
 *           └─eventExample─▶ an event that the judge accepts, made of the columns' types alone; eventLine: as CSV
 *
 * The judge says more than a schema can (`1.0` is no integer, a local time may be
 * skipped by daylight saving): what it accepts is valid here, not always the
 * other way round. Pure.
 *
 * @module
 */
import { type ColumnType, readType } from "./conform/column_type.ts";
import { QUOTED_INTEGER, QUOTED_NUMBER } from "./conform/grammar.ts";
import { csvLine } from "./format/csv.ts";
import { integerSchema, type JsonSchema, schemaOf, textOrNested } from "./json_schema.ts";
import type { Column, Source } from "./source.ts";

/** Larger integers are no exact JSON numbers in many languages; digits in quotes always are. */
const NUMBER_BITS_MAX = 32;

/** The schema of one event, as `POST /v1/ingest/<source>` takes it. */
export function eventSchema({ columns, doc, unknown, drift }: Source): JsonSchema {
  return {
    type: "object",
    description: doc,
    properties: Object.fromEntries(columns.map((column) => [column.name, columnSchema(column)])),
    required: columns.filter(({ type }) => !readType(type).nullable).map(({ name }) => name),
    minProperties: 1,
    additionalProperties: unknown !== "reject" || drift === "evolve",
  };
}

function columnSchema({ type, comment }: Column): JsonSchema {
  const schema = schemaOf(readType(type), eventShape);
  return { ...schema, ...(comment === "" ? {} : { description: comment }), "x-clickhouse-type": type };
}

/** The schema of a type's values without null, as events have them. */
function eventShape(type: ColumnType): JsonSchema {
  switch (type.kind) {
    case "int": {
      const { type: integer, ...bounds } = integerSchema(type);
      const exact = type.bits > NUMBER_BITS_MAX ? {} : bounds;
      return { type: [integer, "string"], ...exact, pattern: QUOTED_INTEGER.source };
    }
    case "float":
    case "decimal":
      return { type: ["number", "string"], pattern: QUOTED_NUMBER.source };
    case "bool":
      return { enum: [true, false, 0, 1] };
    case "fixed":
      return { type: "string", maxLength: type.bytes };
    default:
      return textOrNested(type, eventShape);
  }
}

/** An event with a value in every column, accepted at `nowMs`. */
export function eventExample({ columns }: Source, nowMs: number): Readonly<Record<string, unknown>> {
  return Object.fromEntries(columns.map(({ name, type }) => [name, exampleOf(readType(type), { name, nowMs })]));
}

/** The same event as a source of CSV takes it; other formats are not sent as text. */
export function eventLine(source: Source, nowMs: number): string | undefined {
  const { format } = source;
  return format.kind === "csv" ? csvLine(format, eventExample(source, nowMs)) : undefined;
}

function exampleOf(type: ColumnType, of: { readonly name: string; readonly nowMs: number }): unknown {
  switch (type.kind) {
    case "int":
      return type.bits > NUMBER_BITS_MAX ? "1" : 1;
    case "float":
      return 0.5;
    case "decimal":
      return type.scale === 0 ? "1" : "0.5";
    case "bool":
      return true;
    case "string":
      return of.name;
    case "fixed":
      return "x".repeat(type.bytes);
    case "enum":
      return type.names[0];
    case "date":
      return new Date(of.nowMs).toISOString().slice(0, 10);
    case "time":
      return timeText(type.scale, of.nowMs);
    case "array":
      return [exampleOf(type.of, of)];
    case "map":
      return { [type.key.kind === "int" ? "1" : "key"]: exampleOf(type.value, of) };
    case "tuple": {
      const items = type.items.map((item) => exampleOf(item, of));
      return type.names === undefined
        ? items
        : Object.fromEntries(type.names.map((name, index) => [name, items[index]]));
    }
    default:
      return PLAIN[type.kind];
  }
}

/** Addresses and names that are kept free for documents (RFC 5737, RFC 3849). */
const PLAIN: Readonly<Record<string, string>> = {
  uuid: "61f0c404-5cb3-11e7-907b-a6006ad3dba0",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
};

/** RFC 3339 in UTC, with no more digits of a second than the column keeps. */
function timeText(scale: number, nowMs: number): string {
  const text = new Date(nowMs).toISOString();
  return scale >= 3 ? text : text.replace(/\.\d{3}Z$/, "Z");
}
