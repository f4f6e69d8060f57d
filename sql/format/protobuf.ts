/**
 * Protobuf: one message of a known schema, as JSON text (protobuf.dev, "Encoding").
 *
 *   bytes ──tag, value · tag, value …──▶ by field number ──▶ {"flight_id":"a","at":"2024-01-31T10:20:30.000000001Z"}
 *
 * Fields have the names of the .proto file. 64-bit numbers keep every digit;
 * bytes are base64, enums their names, Timestamp a time, Duration its seconds,
 * wrappers what they wrap. A field without presence that is not there has its
 * default; every other one is null. Pure.
 *
 * @module
 */
import type { UnknownFields } from "../source.ts";
import { ByteReader } from "./byte_reader.ts";
import { bytesText, floatText, timeText } from "./exact_text.ts";
import type { Decode, Format } from "./format.ts";
import {
  absentText,
  type ProtoField,
  type ProtoMessage,
  type ProtoType,
  readProtoSchema,
  type Scalar,
} from "./proto_schema.ts";
import { Undecodable, utf8 } from "./undecodable.ts";

/** How a value lies in the bytes; 3 and 4 were groups. */
type Wire = 0 | 1 | 2 | 5;

/** One value as it came; a message's own bytes are not read yet. */
interface Raw {
  readonly wire: Wire;
  readonly reader: ByteReader;
}

/** The values of one message by their field's number, in the order in which they came. */
type Found = Map<number, Raw[]>;

const WIRES: Readonly<Partial<Record<Scalar, Wire>>> = {
  ...{ double: 1, fixed64: 1, sfixed64: 1, float: 5, fixed32: 5, sfixed32: 5, string: 2, bytes: 2 },
};
const GOOGLE = "google.protobuf.";
const WRAPPER = /^(Double|Float|U?Int64|U?Int32|Bool|String|Bytes)Value$/;
const NANOS = 1_000_000_000n;
const NOTHING = new Uint8Array(0);

/** Makes the decoder of a message. Throws `SchemaRefused`. */
export function protobufDecoder(format: Format & { readonly kind: "protobuf" }, unknown: UnknownFields): Decode {
  const message = readProtoSchema(format);
  return (value) => {
    const reader = ByteReader.of(value, format.schema.length);
    if (format.isFramed) skipHeader(reader);
    return { kind: "row", text: messageText(message, reader, { nesting: 0, unknown }), op: "c" };
  };
}

/** Confluent's wire format: a zero, the schema's id, and which of its messages it is, as a list of indexes. */
function skipHeader(reader: ByteReader): void {
  if (reader.left < 6 || reader.byte() !== 0) {
    throw new Undecodable("the record does not begin with a zero byte and the id of its schema");
  }
  reader.take(4);
  const count = reader.zigzag();
  // One index takes at least one byte; none means the first message.
  if (count < 0n || count > BigInt(reader.left)) throw new Undecodable("the list of the message's indexes is damaged");
  for (let left = count; left > 0n; left--) reader.zigzag();
}

interface About {
  readonly nesting: number;
  readonly unknown: UnknownFields;
}

function messageText(message: ProtoMessage, reader: ByteReader, about: About): string {
  reader.value(about.nesting);
  const found = findFields(reader);
  const known = wellKnownText(message, found, about);
  if (known !== undefined) return known;
  const { name, fields } = message;
  const texts: string[] = [];
  for (const [number, field] of fields) {
    try {
      texts.push(reader.text(`"${field.name}":`) + fieldText(field, found.get(number), about));
    } catch (error) {
      // The outermost message is the row, and its field the column.
      if (error instanceof Undecodable) throw new Undecodable(error.message, field.name);
      throw error;
    }
    found.delete(number);
  }
  // What a newer schema has added is for the source to refuse, keep or ignore.
  for (const [number, values] of found) {
    if (about.unknown === "ignore") continue;
    if (about.unknown === "reject" || about.nesting > 0)
      throw new Undecodable(`${name} has no field ${number} in the definition's schema`);
    texts.push(`"${number}":${JSON.stringify(values.map(({ reader: one }) => base64(one)))}`);
  }
  return `{${texts.join(",")}}`;
}

/** The text of a message that stands for a value of its own; undefined: it is as its fields are. */
function wellKnownText({ name, fields }: ProtoMessage, found: Found, about: About): string | undefined {
  if (!name.startsWith(GOOGLE)) return undefined;
  const own = name.slice(GOOGLE.length);
  const field = (number: number) => fieldText(fields.get(number)!, found.get(number), about);
  if (own === "Timestamp") return timeText(BigInt(field(1)) * NANOS + nanos(field(2), 0n), { digits: 9, zone: "Z" });
  if (own === "Duration") return secondsText(BigInt(field(1)) * NANOS + nanos(field(2), 1n - NANOS));
  return WRAPPER.test(own) ? field(1) : undefined;
}

/** Nanoseconds as the text of seconds, without zeros at the end. */
function secondsText(all: bigint): string {
  const size = all < 0n ? -all : all;
  const rest = size % NANOS;
  const fraction = rest === 0n ? "" : `.${rest.toString().padStart(9, "0").replace(/0+$/, "")}`;
  return `"${all < 0n ? "-" : ""}${size / NANOS}${fraction}"`;
}

function nanos(text: string, min: bigint): bigint {
  const value = BigInt(text);
  if (value < min || value >= NANOS) throw new Undecodable(`${value} is no count of nanoseconds in a second`);
  return value;
}

const base64 = ({ bytes }: ByteReader) => Buffer.from(bytes).toString("base64");

/** Cuts a message into its fields' values. */
function findFields(reader: ByteReader): Found {
  const found: Found = new Map();
  while (reader.left > 0) {
    const tag = reader.varint();
    const number = Number(tag >> 3n);
    const wire = Number(tag & 7n);
    if (number < 1 || number >= 2 ** 29) throw new Undecodable(`${number} is no field's number`);
    if (wire !== 0 && wire !== 1 && wire !== 2 && wire !== 5)
      throw new Undecodable(`field ${number} has wire type ${wire}, which is a group or nothing`);
    const values = found.get(number) ?? [];
    values.push({ wire, reader: reader.inside(valueBytes(reader, wire)) });
    found.set(number, values);
    reader.value(0);
  }
  return found;
}

function valueBytes(reader: ByteReader, wire: Wire): Uint8Array {
  if (wire === 1 || wire === 5) return reader.take(wire === 1 ? 8 : 4);
  const start = reader.at;
  const value = reader.varint();
  if (wire === 0) return reader.bytes.subarray(start, reader.at);
  if (value > BigInt(reader.left)) throw new Undecodable(`a length of ${value} goes beyond the record`);
  return reader.take(Number(value));
}

function fieldText(field: ProtoField, values: readonly Raw[] | undefined, about: About): string {
  const { type, key, isRepeated, isRequired, absent } = field;
  const inner = { ...about, nesting: about.nesting + 1 };
  if (values === undefined) {
    if (isRequired) throw new Undecodable("is required, and is missing");
    return absent;
  }
  if (key !== undefined) return mapText(values, { field, key, about: inner });
  if (isRepeated) {
    const items = values.flatMap(({ wire, reader }) => itemTexts(type, { wire, reader, about: inner }));
    return `[${items.join(",")}]`;
  }
  // A message that comes in pieces is the same as one of all their bytes; of other values the last one counts.
  const last = values[values.length - 1];
  if (type.kind !== "message" || values.length === 1) return valueText(type, { ...last, about: inner });
  if (values.some(({ wire }) => wire !== 2)) throw wrongWire();
  const whole = Buffer.concat(values.map(({ reader }) => reader.bytes));
  return valueText(type, { wire: 2, reader: last.reader.inside(whole), about: inner });
}

interface Value extends Raw {
  readonly about: About;
}

/** The items in one value of a repeated field: one, or a packed run of numbers. */
function itemTexts(type: ProtoType, { wire, reader, about }: Value): readonly string[] {
  const own = wireOf(type);
  if (wire !== 2 || own === 2) return [valueText(type, { wire, reader, about })];
  const items: string[] = [];
  while (reader.left > 0) {
    const one = reader.inside(valueBytes(reader, own));
    items.push(valueText(type, { wire: own, reader: one, about }));
  }
  return items;
}

function mapText(
  values: readonly Raw[],
  { field, key, about }: { field: ProtoField; key: Scalar; about: About },
): string {
  const entries = new Map<string, string>();
  const keyType: ProtoType = { kind: "scalar", name: key };
  for (const { wire, reader } of values) {
    if (wire !== 2) throw wrongWire();
    const found = findFields(reader);
    const entry = (type: ProtoType, number: number) => {
      const raw = found.get(number)?.at(-1);
      if (raw !== undefined) return valueText(type, { ...raw, about });
      return type.kind === "message" ? messageText(type.of, reader.inside(NOTHING), about) : absentText(type);
    };
    const name = entry(keyType, 1);
    // Of equal keys the last one counts.
    entries.set(name.startsWith('"') ? name : `"${name}"`, entry(field.type, 2));
  }
  return `{${[...entries].map(([name, text]) => `${name}:${text}`).join(",")}}`;
}

function wireOf(type: ProtoType): Wire {
  if (type.kind === "message") return 2;
  return type.kind === "enum" ? 0 : (WIRES[type.name] ?? 0);
}

function valueText(type: ProtoType, { wire, reader, about }: Value): string {
  if (wire !== wireOf(type)) throw wrongWire();
  if (type.kind === "message") return messageText(type.of, reader, about);
  reader.value(about.nesting);
  if (type.kind === "scalar") return reader.text(scalarText(type.name, reader));
  const number = BigInt.asIntN(32, reader.varint());
  const name = type.names.get(Number(number));
  return reader.text(name === undefined ? number.toString() : JSON.stringify(name));
}

function scalarText(name: Scalar, reader: ByteReader): string {
  switch (name) {
    case "double":
      return floatText(reader.double());
    case "float":
      return floatText(reader.float());
    case "int32":
      return BigInt.asIntN(32, reader.varint()).toString();
    case "int64":
      return BigInt.asIntN(64, reader.varint()).toString();
    case "uint32":
      return BigInt.asUintN(32, reader.varint()).toString();
    case "uint64":
      return reader.varint().toString();
    case "sint32":
      return BigInt.asIntN(32, reader.zigzag()).toString();
    case "sint64":
      return BigInt.asIntN(64, reader.zigzag()).toString();
    case "fixed32":
      return String(reader.fixed32());
    case "sfixed32":
      return String(reader.fixed32() | 0);
    case "fixed64":
      return reader.fixed64().toString();
    case "sfixed64":
      return BigInt.asIntN(64, reader.fixed64()).toString();
    case "bool":
      return reader.varint() === 0n ? "false" : "true";
    case "string":
      return JSON.stringify(utf8(reader.bytes, "a text"));
    case "bytes":
      return bytesText(reader.bytes);
  }
}

const wrongWire = () => new Undecodable("its bytes are of another type than the definition's schema says");
