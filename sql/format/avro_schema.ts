/**
 * Avro schemas: the JSON of a schema, read into a tree (Apache Avro 1.12, "Schema Declaration").
 *
 *   {"type":"record","name":"Flight","fields":[…]}  ──readAvroSchema──▶  AvroSchema, a tree of AvroTypes
 *
 * Only what decoding needs is kept: defaults, aliases and docs are for readers
 * whose schema is another one. A name stands for its type, also inside the type
 * itself. Logical types that are not known mean their plain type, as the
 * specification wants it. Pure.
 *
 * @module
 */
import { DAYS, TIMES } from "./connect_value.ts";
import type { SecondDigits } from "./exact_text.ts";
import { SchemaRefused } from "./undecodable.ts";

/** One type of a schema. */
export type AvroType =
  | { readonly kind: "null" | "boolean" | "int" | "long" | "float" | "double" | "bytes" | "string" }
  | { readonly kind: "fixed"; readonly size: number }
  | { readonly kind: "enum"; readonly symbols: readonly string[] }
  | { readonly kind: "array" | "map"; readonly of: AvroType }
  | { readonly kind: "union"; readonly branches: readonly AvroType[] }
  | { readonly kind: "record"; readonly name: string; readonly fields: readonly AvroField[] }
  | { readonly kind: "date" | "uuid"; readonly plain: AvroType }
  | { readonly kind: "time"; readonly digits: SecondDigits; readonly zone: "Z" | "" }
  | { readonly kind: "decimal"; readonly scale: number; readonly plain: AvroType };

/** One field of a record. */
export interface AvroField {
  readonly name: string;
  readonly type: AvroType;
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
type JsonObject = { readonly [name: string]: Json };

const PRIMITIVES: ReadonlySet<string> = new Set([
  ...["null", "boolean", "int", "long", "float", "double", "bytes", "string"],
]);
/** `timestamp-micros`, `local-timestamp-nanos`, … of a long. */
const TIMESTAMP = /^(local-)?timestamp-(millis|micros|nanos)$/;
const DIGITS = { millis: 3, micros: 6, nanos: 9 } as const;
const NESTING_MAX = 64;
const FIXED_BYTES_MAX = 2 ** 20;
const HINT = "Write the schema with which the producer writes, as Avro's JSON.";

/** A schema whose records are rows. */
export interface AvroSchema {
  readonly type: AvroType & { readonly kind: "record" };
  /** Characters of its text, whose names a record repeats as JSON. */
  readonly chars: number;
}

/**
 * Reads a schema whose records are rows: its outermost type is a record. It may name types of `references`, texts of
 * schemas that stand before it, each of which may name types of those before. Throws `SchemaRefused`.
 */
export function readAvroSchema(text: string, references: readonly string[] = []): AvroSchema {
  const reader = new SchemaReader();
  const read = (one: string) => reader.type(jsonOf(one), { namespace: "", nesting: 0 });
  for (const reference of references) read(reference);
  const type = read(text);
  if (type.kind !== "record") throw refused(`its outermost type is ${type.kind}, and rows are records`);
  return { type, chars: [text, ...references].reduce((sum, { length }) => sum + length, 0) };
}

function jsonOf(text: string): Json {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw refused(`it is not JSON (${(error as Error).message})`);
  }
}

interface Place {
  readonly namespace: string;
  readonly nesting: number;
}

class SchemaReader {
  readonly #named = new Map<string, AvroType>();

  type(json: Json, at: Place): AvroType {
    if (at.nesting > NESTING_MAX) throw refused(`it has more than ${NESTING_MAX} types inside each other`);
    const inner = { ...at, nesting: at.nesting + 1 };
    if (typeof json === "string") return this.#byName(json, at);
    if (Array.isArray(json)) return { kind: "union", branches: json.map((branch) => this.type(branch, inner)) };
    if (!isObject(json)) throw refused(`${JSON.stringify(json)} is no type`);
    const { type } = json;
    if (type === "record" || type === "error") return this.#record(json, inner);
    if (type === "enum") return this.#define(json, { namespace: at.namespace, type: enumOf(json) });
    if (type === "fixed") return this.#fixed(json, at);
    if (type === "array") return { kind: "array", of: this.type(json.items ?? null, inner) };
    if (type === "map") return { kind: "map", of: this.type(json.values ?? null, inner) };
    return logical(this.type(type ?? null, inner), json);
  }

  #byName(name: string, { namespace }: Place): AvroType {
    if (PRIMITIVES.has(name)) return { kind: name } as AvroType;
    const found = this.#named.get(fullName(name, namespace)) ?? this.#named.get(name);
    if (found === undefined) throw refused(`there is no type '${name.slice(0, 100)}' in it`);
    return found;
  }

  #record(json: JsonObject, at: Place): AvroType {
    const name = nameOf(json);
    const fields: AvroField[] = [];
    // Known before its fields are read: they may name it.
    const record = this.#define(json, { namespace: at.namespace, type: { kind: "record", name, fields } });
    const namespace = namespaceOf(json, at.namespace);
    if (!Array.isArray(json.fields)) throw refused(`the record '${name}' has no list of fields`);
    for (const field of json.fields as readonly Json[]) {
      if (!isObject(field)) throw refused(`a field of '${name}' is no object`);
      const own = nameOf(field);
      if (fields.some((one) => one.name === own)) throw refused(`the record '${name}' has two fields '${own}'`);
      fields.push({ name: own, type: this.type(field.type ?? null, { namespace, nesting: at.nesting }) });
    }
    return record;
  }

  #fixed(json: JsonObject, { namespace }: Place): AvroType {
    const { size } = json;
    if (typeof size !== "number" || !Number.isInteger(size) || size < 0 || size > FIXED_BYTES_MAX)
      throw refused(`the size of '${nameOf(json)}' is not a whole number up to ${FIXED_BYTES_MAX}`);
    return this.#define(json, { namespace, type: logical({ kind: "fixed", size }, json) });
  }

  #define(json: JsonObject, { namespace, type }: { namespace: string; type: AvroType }): AvroType {
    const full = fullName(nameOf(json), namespaceOf(json, namespace));
    if (this.#named.has(full)) throw refused(`it defines '${full}' twice`);
    this.#named.set(full, type);
    return type;
  }
}

/** What a plain type means by its `logicalType`; where it has none, by the name that Kafka Connect gives it. */
function logical(plain: AvroType, json: JsonObject): AvroType {
  const name = json.logicalType;
  if (name === undefined) return connectType(plain, json["connect.name"]);
  if (typeof name !== "string") return plain;
  const [, local, unit] = TIMESTAMP.exec(name) ?? [];
  if (unit !== undefined && plain.kind === "long")
    return { kind: "time", digits: DIGITS[unit as keyof typeof DIGITS], zone: local === undefined ? "Z" : "" };
  if (name === "date" && plain.kind === "int") return { kind: "date", plain };
  if (name === "uuid" && plain.kind === "fixed" && plain.size === 16) return { kind: "uuid", plain };
  if (name !== "decimal" || (plain.kind !== "bytes" && plain.kind !== "fixed")) return plain;
  const scale = json.scale ?? 0;
  if (typeof scale !== "number" || !Number.isInteger(scale) || scale < 0 || scale > 76)
    throw refused(`a decimal has the scale ${JSON.stringify(scale)}, not 0 to 76`);
  return { kind: "decimal", scale, plain };
}

/** Debezium's days and times, which Avro has no name for: a database's time without a zone has no offset. */
function connectType(plain: AvroType, name: Json | undefined): AvroType {
  if (plain.kind === "int" && DAYS.has(name)) return { kind: "date", plain };
  const digits = plain.kind === "long" ? TIMES.get(name) : undefined;
  return digits === undefined ? plain : { kind: "time", digits, zone: "" };
}

function enumOf(json: JsonObject): AvroType {
  const { symbols } = json;
  if (!Array.isArray(symbols) || !symbols.every((one) => typeof one === "string"))
    throw refused(`the enum '${nameOf(json)}' has no list of symbols`);
  return { kind: "enum", symbols: symbols as readonly string[] };
}

function nameOf({ name }: JsonObject): string {
  if (typeof name === "string" && /^[A-Za-z_][A-Za-z0-9_.]*$/.test(name)) return name;
  throw refused(`${JSON.stringify(name ?? null)?.slice(0, 100)} is no name`);
}

function namespaceOf(json: JsonObject, outer: string): string {
  const name = nameOf(json);
  const dot = name.lastIndexOf(".");
  if (dot >= 0) return name.slice(0, dot);
  return typeof json.namespace === "string" ? json.namespace : outer;
}

function fullName(name: string, namespace: string): string {
  return name.includes(".") || namespace === "" ? name : `${namespace}.${name}`;
}

function isObject(json: Json | undefined): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

const refused = (problem: string) => new SchemaRefused(`it is no schema of Avro: ${problem}`, HINT);
