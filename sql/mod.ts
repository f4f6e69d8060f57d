/**
 * sql: the shapes. Definitions in, statements out; no IO, no clock, no vendor's client.
 *
 *   file ──▶ Source ──▶ conform (judge, scan, insert) · ddl · plan
 *
 * @module
 */
export { type Conform, conform, type Verdict } from "./conform/conform.ts";
export * from "./ddl.ts";
export { DefinitionError } from "./definition/error.ts";
export { sourceJsonSchema } from "./definition/schema.ts";
export * from "./definition/source_definition.ts";
export { identifier, literal } from "./definition/tokens.ts";
export * from "./plan.ts";
export * from "./source.ts";
