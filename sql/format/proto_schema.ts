/**
 * Protobuf schemas: the text of a `.proto` file, read into a tree.
 *
 *   message Flight { string id = 1; … }  ──protobufjs' parser──▶ reflection ──readProtoSchema──▶ ProtoMessage
 *
 * Only the parser of protobufjs is used: its decoders compile the schema into
 * JavaScript, and round what a double cannot hold. The well-known files of
 * Google may be imported; anything else is written into the same text. Pure.
 *
 * @module
 */
import { common, Enum, type Field, MapField, parse, Root, Type } from "protobufjs";
import { SchemaRefused } from "./undecodable.ts";

/** What a field's bytes are. */
export type ProtoType =
  | { readonly kind: "scalar"; readonly name: Scalar }
  | { readonly kind: "enum"; readonly names: ReadonlyMap<number, string> }
  | { readonly kind: "message"; readonly of: ProtoMessage };

/** The names of Protobuf's own types. */
export type Scalar = (typeof SCALARS)[number];

/** One field. */
export interface ProtoField {
  readonly name: string;
  readonly type: ProtoType;
  readonly isRepeated: boolean;
  /** A map's key; its entries are messages with the fields 1 and 2. */
  readonly key: Scalar | undefined;
  readonly isRequired: boolean;
  /** The JSON text of a field that is not there: null, or its default if it has no presence. */
  readonly absent: string;
}

/** One message; `fields` by number, filled after it is known, as messages may name themselves. */
export interface ProtoMessage {
  readonly name: string;
  readonly fields: Map<number, ProtoField>;
}

const SCALARS = [
  ...(["double", "float", "int32", "uint32", "sint32", "fixed32", "sfixed32"] as const),
  ...(["int64", "uint64", "sint64", "fixed64", "sfixed64", "bool", "string", "bytes"] as const),
] as const;
/** Messages whose JSON has no one form. */
const REFUSED: ReadonlySet<string> = new Set([
  ...["google.protobuf.Any", "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"],
]);

/** Reads the message of that name. Throws `SchemaRefused`. */
export function readProtoSchema({ schema, message }: { schema: string; message: string }): ProtoMessage {
  const root = rootOf(schema);
  const type = root.lookup(message, [Type]);
  if (!(type instanceof Type)) {
    throw new SchemaRefused(
      `it has no message '${message.slice(0, 100)}'`,
      `Name one of: ${namesIn(root).join(", ")}.`,
    );
  }
  return messageOf(type, new Map());
}

function rootOf(schema: string): Root {
  const root = new Root();
  try {
    const { imports } = parse(schema, root, { keepCase: true });
    // What is in there means values of its own, by its name.
    if (root.get("google") !== null)
      throw new SchemaRefused("it defines something in the package google", "Import the files of google.protobuf.");
    for (const file of imports ?? []) {
      const known = common.get(file)?.nested;
      if (known === undefined) {
        throw new SchemaRefused(
          `it imports '${file.slice(0, 100)}'`,
          "Write the imported messages into the same text.",
        );
      }
      root.addJSON(known);
    }
    root.resolveAll();
  } catch (error) {
    if (error instanceof SchemaRefused) throw error;
    throw new SchemaRefused(
      `it is no .proto file: ${(error as Error).message.split("\n")[0]}`,
      "Write it as protoc takes it.",
    );
  }
  return root;
}

function messageOf(type: Type, known: Map<Type, ProtoMessage>): ProtoMessage {
  const found = known.get(type);
  if (found !== undefined) return found;
  const name = type.fullName.replace(/^\./, "");
  if (REFUSED.has(name))
    throw new SchemaRefused(`it has a field of type ${name}`, "Use a message whose fields are declared.");
  const message: ProtoMessage = { name, fields: new Map() };
  known.set(type, message);
  for (const field of type.fieldsArray) {
    if (field.delimited) throw new SchemaRefused(`'${name}.${field.name}' is a group`, "Use a message instead.");
    message.fields.set(field.id, fieldOf(field, known));
  }
  return message;
}

function fieldOf(field: Field, known: Map<Type, ProtoMessage>): ProtoField {
  const { resolvedType, repeated, name, required, hasPresence } = field;
  const key = field instanceof MapField ? (field.keyType as Scalar) : undefined;
  let type: ProtoType;
  if (resolvedType instanceof Type) type = { kind: "message", of: messageOf(resolvedType, known) };
  else if (resolvedType instanceof Enum) {
    type = { kind: "enum", names: new Map(Object.entries(resolvedType.values).map(([text, id]) => [id, text])) };
  } else type = { kind: "scalar", name: field.type as Scalar };
  const absent = key !== undefined ? "{}" : repeated ? "[]" : hasPresence ? "null" : absentText(type);
  return { name, type, isRepeated: repeated, key, isRequired: required, absent };
}

/** What a field without presence means when it is not there: zero, empty, false, the first name. */
export function absentText(type: ProtoType): string {
  if (type.kind === "enum") return JSON.stringify(type.names.get(0) ?? 0);
  if (type.kind === "message") return "null";
  if (type.name === "string" || type.name === "bytes") return '""';
  return type.name === "bool" ? "false" : "0";
}

const NAMES_MAX = 20;

/** The messages that could be meant. */
function namesIn(root: Root): readonly string[] {
  const names: string[] = [];
  const walk = (node: { readonly nestedArray: readonly unknown[] }): void => {
    for (const inner of node.nestedArray) {
      if (inner instanceof Type && names.length < NAMES_MAX) names.push(inner.fullName.replace(/^\./, ""));
      if (isFolder(inner)) walk(inner);
    }
  };
  walk(root);
  return names;
}

const isFolder = (node: unknown): node is { readonly nestedArray: readonly unknown[] } =>
  typeof node === "object" && node !== null && Array.isArray((node as { nestedArray?: unknown }).nestedArray);
