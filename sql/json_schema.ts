/**
 * JSON Schemas (draft 2020-12, as OpenAPI 3.1 uses it) of what answers hold and of what a request's parameter may be.
 *
 *   column's type ──answerSchema──▶ {"type":"string","pattern":…}      ApiParam ──paramJsonSchema──▶ {"type":"integer","maximum":…}
 *
 * What must hold: every value that the door sends is valid. So 64-bit and wider
 * integers and Decimals are strings, times have an offset, a Float may be null
 * (infinite ones are), and a type that is not known here may be anything. Pure.
 *
 * @module
 */
import type { ApiParam } from "./api.ts";
import { type ColumnType, readType, TypeRefused } from "./conform/column_type.ts";
import { type ParamTexts, readParamType } from "./param.ts";

/** A JSON Schema; `x-clickhouse-type` says which column type it comes from. */
export type JsonSchema = Readonly<Record<string, unknown>>;

const WHOLE = "^-?[0-9]+$";
const DIGITS = "^-?[0-9]+(?:\\.[0-9]+)?$";
/** Wider integers are written as strings. */
const NUMBER_BITS_MAX = 32;

/** The schema of a value as JSON answers have it, by the engine's spelling of its type. */
export function answerSchema(type: string): JsonSchema {
  const read = readable(type.replace(/^SimpleAggregateFunction\(\w+, (.+)\)$/, "$1"));
  return { ...(read === undefined ? {} : schemaOf(read, answerShape)), "x-clickhouse-type": type };
}

/** The type as a tree; undefined if its JSON has no one form. */
function readable(type: string): ColumnType | undefined {
  try {
    return readType(type);
  } catch (error) {
    if (error instanceof TypeRefused) return undefined;
    throw error;
  }
}

/** A schema with null where the type has it; `shape` says what else there is. */
export function schemaOf(type: ColumnType, shape: (type: ColumnType) => JsonSchema): JsonSchema {
  const schema = shape(type);
  if (!type.nullable) return schema;
  if (Array.isArray(schema.enum)) return { ...schema, enum: [...schema.enum, null] };
  return { ...schema, type: [...new Set([schema.type, "null"].flat())] };
}

/** The schema of a type's values without null, as answers have them. */
function answerShape(type: ColumnType): JsonSchema {
  switch (type.kind) {
    case "int":
      return type.bits > NUMBER_BITS_MAX ? { type: "string", pattern: WHOLE } : integerSchema(type);
    case "float":
      return { type: ["number", "null"] };
    case "decimal":
      return { type: "string", pattern: DIGITS };
    case "bool":
      return { type: "boolean" };
    case "time":
      return { type: "string", format: "date-time" };
    default:
      return textOrNested(type, answerShape);
  }
}

/** The bounds of an integer that a double keeps. */
export function integerSchema({ min, max }: ColumnType & { readonly kind: "int" }): JsonSchema {
  return { type: "integer", minimum: Number(min), maximum: Number(max) };
}

/** The schemas that events and answers share: texts, and what is made of other types by `shape`. */
export function textOrNested(type: ColumnType, shape: (type: ColumnType) => JsonSchema): JsonSchema {
  const inner = (of: ColumnType) => schemaOf(of, shape);
  switch (type.kind) {
    case "uuid":
    case "ipv4":
    case "ipv6":
    case "date":
      return { type: "string", format: type.kind };
    case "enum":
      return { enum: type.names };
    case "array":
      return { type: "array", items: inner(type.of) };
    case "map":
      return { type: "object", additionalProperties: inner(type.value) };
    case "tuple": {
      const items = type.items.map(inner);
      const { names } = type;
      if (names === undefined) {
        return { type: "array", prefixItems: items, minItems: items.length, maxItems: items.length };
      }
      const properties = Object.fromEntries(names.map((name, index) => [name, items[index]!]));
      return { type: "object", properties, required: names };
    }
    default:
      return { type: "string" };
  }
}

/** The schema of one parameter in the query string; its bounds and default are in it. */
export function paramJsonSchema(param: ApiParam): JsonSchema {
  const type = readParamType(param.type);
  const item = type.kind === "array" ? type.of : type;
  const schema = paramShape(item, param);
  const value = param.default === undefined ? {} : { default: paramValue(param, param.default) };
  return {
    ...(type.kind === "array" ? { type: "array", items: schema } : schema),
    ...value,
    "x-clickhouse-type": param.type,
  };
}

function paramShape(item: ColumnType, param: ApiParam): JsonSchema {
  const typed = (text: string) => plainValue(item, text);
  const { min, max, values } = param;
  if (values !== undefined) return { enum: values.map(typed) };
  const bounds = {
    ...(min === undefined ? {} : { minimum: typed(min) }),
    ...(max === undefined ? {} : { maximum: typed(max) }),
  };
  switch (item.kind) {
    case "int":
      return isNumber(item) ? { ...integerSchema(item), ...bounds } : { type: "string", pattern: WHOLE };
    case "float":
      return { type: "number", ...bounds };
    case "decimal":
      return { type: "string", pattern: DIGITS };
    case "bool":
      return { type: "boolean" };
    // The declared zone's local time is taken too, so the format would say too much.
    case "time":
      return { type: "string" };
    case "fixed":
      return { type: "string", maxLength: item.bytes };
    default:
      return textOrNested(item, answerShape);
  }
}

/** What texts mean, as JSON: the form that `paramJsonSchema` describes. */
export function paramValue({ type }: Pick<ApiParam, "type">, texts: ParamTexts): unknown {
  const read = readParamType(type);
  if (read.kind !== "array") return plainValue(read, texts[0]!);
  const { of } = read;
  const isJson = texts.length === 1 && texts[0]!.trimStart().startsWith("[");
  const elements = isJson ? (JSON.parse(texts[0]!) as readonly unknown[]).map(String) : texts;
  return elements.map((text) => plainValue(of, text));
}

function plainValue(type: ColumnType, text: string): unknown {
  if (isNumber(type)) return Number(text);
  return type.kind === "bool" ? text === "true" || text === "1" : text;
}

function isNumber(type: ColumnType): boolean {
  return type.kind === "float" || (type.kind === "int" && type.bits <= NUMBER_BITS_MAX);
}
