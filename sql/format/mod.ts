/**
 * Formats: how the records of a source are written, and what reads them.
 *
 * @module
 */
export { type AvroSchema, readAvroSchema } from "./avro_schema.ts";
export {
  type Decoded,
  type Decoder,
  type Format,
  hasOps,
  jsonDecoder,
  type Op,
  usesRegistry,
} from "./format.ts";
export { SchemaRefused } from "./undecodable.ts";
export { type Registered, registryId, type SchemaOf } from "./wire_format.ts";
