/**
 * Values of Kafka Connect's JSON, by the schema that comes with them.
 *
 *   {"type":"int64","name":"io.debezium.time.MicroTimestamp"}  1706696430000001     ──▶ "2024-01-31T10:20:30.000001"
 *   {"type":"bytes","name":"…connect.data.Decimal","parameters":{"scale":"2"}} "BNI=" ──▶ "12.34"
 *
 * Times of a database without a zone are local times: they have no offset, and
 * are read in the zone of their column. Times of a day stay numbers, as no column
 * holds them. Everything else is taken as it stands. Pure.
 *
 * @module
 */
import type { Node } from "../conform/exact.ts";
import { INTEGER } from "../conform/grammar.ts";
import { dayText, decimalText, type SecondDigits, timeText } from "./exact_text.ts";
import { Undecodable } from "./undecodable.ts";

/** A schema as Connect's JsonConverter writes it; nothing of it is certain to be there. */
export interface ConnectSchema {
  readonly type?: unknown;
  readonly name?: unknown;
  readonly field?: unknown;
  readonly fields?: unknown;
  readonly items?: unknown;
  readonly values?: unknown;
  readonly parameters?: { readonly scale?: unknown } | null;
}

/** Names of days, and of times in units of so many digits of a second: Avro's schemas have them, too. */
export const DAYS: ReadonlySet<unknown> = new Set(["io.debezium.time.Date", "org.apache.kafka.connect.data.Date"]);
export const TIMES: ReadonlyMap<unknown, SecondDigits> = new Map<unknown, SecondDigits>([
  ["io.debezium.time.Timestamp", 3],
  ["org.apache.kafka.connect.data.Timestamp", 3],
  ["io.debezium.time.MicroTimestamp", 6],
  ["io.debezium.time.NanoTimestamp", 9],
]);
const DECIMAL = "org.apache.kafka.connect.data.Decimal";
const VARIABLE_DECIMAL = "io.debezium.data.VariableScaleDecimal";
/** Characters of a 64-bit number. */
const UNITS_CHARS_MAX = 20;

interface Typed {
  readonly text: string;
  readonly schema: ConnectSchema;
}

/** The schemas of a struct's fields, by name. */
export function fieldsOf({ fields }: ConnectSchema): ReadonlyMap<unknown, ConnectSchema> {
  const list = Array.isArray(fields) ? (fields as readonly unknown[]) : [];
  const known = list.filter((one): one is ConnectSchema => typeof one === "object" && one !== null);
  return new Map(known.map((one) => [one.field, one]));
}

/** The JSON text of a value; throws `Undecodable` if it is not what its schema says. */
export function connectText(node: Node, { text, schema }: Typed): string {
  const { name, type } = schema;
  if (node.kind === "null") return "null";
  if (DAYS.has(name)) return dayText(unitsOf(node, name));
  const digits = TIMES.get(name);
  if (digits !== undefined) return timeText(unitsOf(node, name), { digits, zone: "" });
  if (name === DECIMAL) return decimalText(base64Of(node, name), Number(schema.parameters?.scale ?? 0));
  if (name === VARIABLE_DECIMAL) {
    const [scale, value] = ["scale", "value"].map((field) => node.fields.find((one) => one.name === field)?.node);
    if (scale === undefined || value === undefined) throw new Undecodable(`a value is no ${VARIABLE_DECIMAL}`);
    return decimalText(base64Of(value, name), Number(scale.value));
  }
  if (type === "struct" && node.kind === "object") return structText(node, { text, schema });
  if (type === "array" && node.kind === "array") {
    const of = { text, schema: inner(schema.items) };
    return `[${node.items.map((item) => connectText(item, of)).join(",")}]`;
  }
  if (type === "map" && node.kind === "object") {
    const of = { text, schema: inner(schema.values) };
    const fields = node.fields.map((field) => `${JSON.stringify(field.name)}:${connectText(field.node, of)}`);
    return `{${fields.join(",")}}`;
  }
  return text.slice(node.start, node.end);
}

function structText(node: Node, { text, schema }: Typed): string {
  const known = fieldsOf(schema);
  const fields = node.fields.map((field) => {
    try {
      return `${JSON.stringify(field.name)}:${connectText(field.node, { text, schema: known.get(field.name) ?? {} })}`;
    } catch (error) {
      // The outermost struct is the row, and its field the column.
      if (error instanceof Undecodable) throw new Undecodable(error.message, field.name);
      throw error;
    }
  });
  return `{${fields.join(",")}}`;
}

function inner(schema: unknown): ConnectSchema {
  return typeof schema === "object" && schema !== null ? schema : {};
}

function unitsOf(node: Node, name: unknown): bigint {
  if (node.kind !== "number" || !INTEGER.test(node.value) || node.value.length > UNITS_CHARS_MAX) {
    throw new Undecodable(`a value is no whole number, which ${name} is`);
  }
  return BigInt(node.value);
}

function base64Of(node: Node, name: unknown): Uint8Array {
  if (node.kind === "string" && /^[A-Za-z0-9+/]*={0,2}$/.test(node.value)) return Buffer.from(node.value, "base64");
  throw new Undecodable(`a value is not base64, as which ${name} is written`);
}
