/**
 * sql: the shapes. Definitions in, statements out; no IO, no clock, no vendor's client.
 *
 *   file ──▶ Source ──▶ conform (judge, scan, insert) · ddl · plan
 *
 * @module
 */
export * from "./api.ts";
export * from "./api_probe.ts";
export * from "./backup.ts";
export { atTime } from "./clock.ts";
export { type Conform, conform, type Verdict } from "./conform/conform.ts";
export * from "./ddl.ts";
export { apiOptions, readApi } from "./definition/api_definition.ts";
export * from "./definition/dimension_definition.ts";
export { DURATION_FORM, durationMs } from "./definition/duration.ts";
export { DefinitionError } from "./definition/error.ts";
export * from "./definition/function_definition.ts";
export * from "./definition/model_definition.ts";
export { definitionSchemas } from "./definition/schema.ts";
export { attach, closesEarly, detach, SCHEMA_FILE } from "./definition/schema_files.ts";
export * from "./definition/source_definition.ts";
export { identifier, literal, namesIn } from "./definition/tokens.ts";
export * from "./definitions.ts";
export * from "./dimension.ts";
export { type LoadStatement, loadProblem, loadStatements } from "./dimension_load.ts";
export { eventExample, eventLine, eventSchema } from "./event_schema.ts";
export * from "./evolve/mod.ts";
export * from "./format/mod.ts";
export * from "./function.ts";
export * from "./identity.ts";
export { answerSchema, type JsonSchema, paramJsonSchema, paramValue } from "./json_schema.ts";
export * from "./judge/mod.ts";
export * from "./model/mod.ts";
export { checkParam, PARAM_LIMITS, type ParamTexts, type ParamType, readParamType } from "./param.ts";
export * from "./plan.ts";
export * from "./plan_others.ts";
export * from "./source.ts";
