/**
 * Confluent's wire format: a zero, the id of a schema, the record. And what an id means, where a registry says it.
 *
 *   0 · id (4 bytes, big endian) · bytes ──schemaId──▶ id ──SchemaOf──▶ schema, or why its records are refused
 *
 * The registry is never asked from here: whoever decodes brings the answers
 * along, which are kept before they are used. Pure.
 *
 * @module
 */
import type { AvroSchema } from "./avro_schema.ts";
import { Undecodable } from "./undecodable.ts";

/** Bytes in front of the record. */
export const HEADER_BYTES = 5;
/** The largest id that a registry gives: Confluent's are 32 bits with a sign. */
const ID_MAX = 2 ** 31 - 1;

/** What a registry's id means. */
export type Registered =
  | { readonly kind: "schema"; readonly schema: AvroSchema }
  | { readonly kind: "refused"; readonly reason: string };

/** What the ids of one record mean. */
export type SchemaOf = (id: number) => Registered;

/** The id in front of a record; throws `Undecodable` if there is none. */
export function schemaId(value: Uint8Array): number {
  if (value.length < HEADER_BYTES || value[0] !== 0) {
    throw new Undecodable("the record does not begin with a zero byte and the id of its schema");
  }
  return new DataView(value.buffer, value.byteOffset).getUint32(1);
}

/** The id for which a registry is asked because of a record; undefined if the record is refused without asking. */
export function registryId(value: Uint8Array | null): number | undefined {
  if (value === null || value.length < HEADER_BYTES || value[0] !== 0) return undefined;
  const id = schemaId(value);
  return id > ID_MAX ? undefined : id;
}

/** The schema of a record by its id; throws `Undecodable` with the reason if there is none. */
export function registeredSchema(value: Uint8Array, schemaOf: SchemaOf | undefined): AvroSchema {
  const id = schemaId(value);
  if (id > ID_MAX) throw new Undecodable(`no schema registry gives the id ${id}; the largest is ${ID_MAX}`);
  const found = schemaOf?.(id) ?? { kind: "refused", reason: `no schema registry was asked for schema ${id}` };
  if (found.kind === "refused") throw new Undecodable(found.reason);
  return found.schema;
}
