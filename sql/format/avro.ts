/**
 * Avro: one binary record of a known schema, as JSON text (Apache Avro 1.12, "Binary Encoding").
 *
 *   bytes ──ByteReader──▶ AvroType by AvroType ──▶ {"id":"a","at":"2024-01-31T10:20:30.123Z","price":"12.34"}
 *   0 · id · bytes: Confluent's wire format (wire_format.ts), the schema by its id
 *
 * The text is written while the bytes are read, so no value passes through a
 * double that cannot hold it. Bytes and fixed are base64, as in Protobuf's JSON;
 * times of a day stay numbers. Pure.
 *
 * @module
 */
import { type AvroSchema, type AvroType, readAvroSchema } from "./avro_schema.ts";
import { ByteReader } from "./byte_reader.ts";
import { bytesText, dayText, decimalText, floatText, timeText } from "./exact_text.ts";
import type { Decode } from "./format.ts";
import { Undecodable, utf8 } from "./undecodable.ts";
import { HEADER_BYTES, registeredSchema, schemaId } from "./wire_format.ts";

const INT = { min: -(2n ** 31n), max: 2n ** 31n - 1n } as const;

/**
 * Makes the decoder for one schema, or for several by the id in front of each record: those that are given, or, without
 * any, those of a registry. Throws `SchemaRefused`.
 */
export function avroDecoder(schemas: string | ReadonlyMap<number, string> | undefined): Decode {
  if (schemas === undefined)
    return (value, schemaOf) => rowOf(registeredSchema(value, schemaOf), value.subarray(HEADER_BYTES));
  if (typeof schemas === "string") {
    const schema = readAvroSchema(schemas);
    return (value) => rowOf(schema, value);
  }
  const known = new Map([...schemas].map(([id, text]) => [id, readAvroSchema(text)]));
  return (value) => {
    const id = schemaId(value);
    const schema = known.get(id);
    if (schema === undefined) {
      throw new Undecodable(`schema ${id} is not among the definition's (${[...known.keys()].join(", ")}): add it`);
    }
    return rowOf(schema, value.subarray(HEADER_BYTES));
  };
}

function rowOf({ type, chars }: AvroSchema, bytes: Uint8Array): ReturnType<Decode> {
  return { kind: "row", text: recordText(type, ByteReader.of(bytes, chars)), op: "c" };
}

/** The row: everything is read, nothing is left over, and what fails is the column's fault. */
function recordText(type: AvroSchema["type"], reader: ByteReader): string {
  const fields: string[] = [];
  for (const { name, type: of } of type.fields) {
    try {
      fields.push(reader.text(`"${name}":`) + valueText(of, reader, 1));
    } catch (error) {
      if (error instanceof Undecodable) throw new Undecodable(error.message, name);
      throw error;
    }
  }
  if (reader.left > 0) throw new Undecodable(`the record has ${reader.left} bytes more than its schema says`);
  return `{${fields.join(",")}}`;
}

function valueText(type: AvroType, reader: ByteReader, nesting: number): string {
  reader.value(nesting);
  switch (type.kind) {
    case "union":
      return valueText(chosen(type.branches, reader, "union's types"), reader, nesting);
    case "record":
    case "array":
    case "map":
      return nestedText(type, reader, nesting + 1);
    default:
      return reader.text(plainText(type, reader));
  }
}

type Nested = AvroType & { readonly kind: "union" | "record" | "array" | "map" };

function plainText(type: Exclude<AvroType, Nested>, reader: ByteReader): string {
  switch (type.kind) {
    case "null":
      return "null";
    case "boolean":
      return booleanText(reader.byte());
    case "int":
      return int(reader).toString();
    case "long":
      return reader.zigzag().toString();
    case "float":
      return floatText(reader.float());
    case "double":
      return floatText(reader.double());
    case "string":
      return JSON.stringify(utf8(plainBytes(type, reader), "a text"));
    case "bytes":
    case "fixed":
      return bytesText(plainBytes(type, reader));
    case "date":
      return dayText(int(reader));
    case "time":
      return timeText(reader.zigzag(), type);
    case "decimal":
      return decimalText(plainBytes(type.plain, reader), type.scale);
    case "uuid":
      return uuidText(plainBytes(type.plain, reader));
    case "enum":
      return JSON.stringify(chosen(type.symbols, reader, "enum's symbols"));
  }
}

function nestedText(type: Exclude<Nested, { readonly kind: "union" }>, reader: ByteReader, nesting: number): string {
  if (type.kind === "record") {
    const fields = type.fields.map(({ name, type: of }) => reader.text(`"${name}":`) + valueText(of, reader, nesting));
    return `{${fields.join(",")}}`;
  }
  const items: string[] = [];
  for (let left = blockCount(reader); left > 0n; left = blockCount(reader)) {
    for (; left > 0n; left--) {
      const key = type.kind === "map" ? `${JSON.stringify(utf8(plainBytes(STRING, reader), "a key"))}:` : "";
      items.push(reader.text(key) + valueText(type.of, reader, nesting));
    }
  }
  return type.kind === "map" ? `{${items.join(",")}}` : `[${items.join(",")}]`;
}

const STRING: AvroType = { kind: "string" };

/** Items of the block that follows; a negative count is followed by the block's bytes, which nobody needs. */
function blockCount(reader: ByteReader): bigint {
  const said = reader.zigzag();
  const count = said < 0n ? -said : said;
  if (said < 0n) reader.zigzag();
  // Also items without bytes must not come in milliards.
  if (count > BigInt(reader.left)) throw new Undecodable(`the record has ${count} items, more than bytes`);
  return count;
}

/** The bytes of a text, of bytes or of a fixed. */
function plainBytes(type: AvroType, reader: ByteReader): Uint8Array {
  if (type.kind === "fixed") return reader.take(type.size);
  const length = reader.zigzag();
  // Compared before it becomes a number: a length may be anything.
  if (length < 0n || length > BigInt(reader.left))
    throw new Undecodable(`a length of ${length} goes beyond the record`);
  return reader.take(Number(length));
}

function int(reader: ByteReader): bigint {
  const value = reader.zigzag();
  if (value < INT.min || value > INT.max) throw new Undecodable(`${value} is no int, which has 32 bits`);
  return value;
}

function chosen<A>(from: readonly A[], reader: ByteReader, what: string): A {
  const index = reader.zigzag();
  const found = index < 0n || index >= BigInt(from.length) ? undefined : from[Number(index)];
  if (found === undefined) throw new Undecodable(`${index} is none of the ${from.length} ${what}`);
  return found;
}

function booleanText(byte: number): string {
  if (byte > 1) throw new Undecodable(`${byte} is no boolean, which is 0 or 1`);
  return byte === 1 ? "true" : "false";
}

function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString("hex");
  return `"${hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")}"`;
}
