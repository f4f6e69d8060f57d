/**
 * Debezium's JSON: a change of a row, with or without the schema of its values.
 *
 *   {"before":…,"after":{…},"op":"u"}                     ──▶  u  {…}    the row as it is now
 *   {"before":{…},"after":null,"op":"d"}                  ──▶  d  {…}    the row as it was
 *   {"schema":{…},"payload":{"before":…,"after":…,"op":…}}──▶  values as the schema means them
 *
 * With a schema days, times and decimals come as numbers or bytes that mean
 * nothing without it; without one values are taken as they stand. Formats:
 * debezium.io, "Data change events" and "Data type mappings". Pure.
 *
 * @module
 */
import type { Node } from "../conform/exact.ts";
import { type ConnectSchema, connectText, fieldsOf } from "./connect_value.ts";
import { fieldOf, objectOf } from "./envelope.ts";
import type { Decode, Op } from "./format.ts";
import { Undecodable, utf8 } from "./undecodable.ts";

const OPS: ReadonlySet<string> = new Set<Op>(["c", "u", "d", "r"]);
/** Schemas that are kept as they were read: a topic has one for each version of its table. */
const SCHEMAS_MAX = 16;

/** Makes a decoder of change events. */
export function debeziumDecoder(): Decode {
  const schemas = new Map<string, ConnectSchema>();
  const schemaOf = (text: string): ConnectSchema => {
    const known = schemas.get(text);
    if (known !== undefined) return known;
    const schema = JSON.parse(text) as ConnectSchema;
    if (schemas.size >= SCHEMAS_MAX) schemas.delete(schemas.keys().next().value!);
    schemas.set(text, schema);
    return schema;
  };
  return (value) => {
    const text = utf8(value);
    const root = objectOf(text);
    const payload = fieldOf(root, "payload");
    if (payload === undefined) return rowOf(root, { text, schema: undefined });
    // The wrapper of a tombstone, where the converter writes one.
    if (payload.kind === "null") return { kind: "nothing", reason: "a tombstone repeats the delete before it" };
    const schema = fieldOf(root, "schema");
    const isTyped = schema !== undefined && schema.kind === "object";
    return rowOf(payload, { text, schema: isTyped ? schemaOf(text.slice(schema.start, schema.end)) : undefined });
  };
}

/** The row of one change. */
function rowOf(
  change: Node,
  { text, schema }: { text: string; schema: ConnectSchema | undefined },
): ReturnType<Decode> {
  const op = fieldOf(change, "op")?.value ?? "";
  if (!OPS.has(op)) {
    const which = op === "" ? "it has no `op`" : `its op is '${op.slice(0, 20)}'`;
    throw new Undecodable(`it is no change of a row (c, u, d or r): ${which}`);
  }
  const side = op === "d" ? "before" : "after";
  const row = fieldOf(change, side);
  if (row?.kind !== "object") {
    const hint = op === "d" ? "; the table must log whole rows (PostgreSQL: REPLICA IDENTITY FULL)" : "";
    throw new Undecodable(`the change has no \`${side}\`${hint}`);
  }
  if (schema === undefined) return { kind: "row", text: text.slice(row.start, row.end), op: op as Op };
  const typed = fieldsOf(schema).get(side);
  if (typed === undefined) throw new Undecodable(`the schema of the change does not describe \`${side}\``);
  return { kind: "row", text: connectText(row, { text, schema: typed }), op: op as Op };
}
