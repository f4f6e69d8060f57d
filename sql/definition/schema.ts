/**
 * The JSON Schemas of front matter, for editors: they complete the options and mark what is wrong while it is written.
 *
 *   sourceOptions, modelOptions, … (zod) ──▶ JSON Schema ──▶ GET /v1/admin/definitions/schemas ──▶ editor
 *
 * @module
 */
import { z } from "zod";
import { apiOptions } from "./api_definition.ts";
import { dimensionOptions } from "./dimension_definition.ts";
import { functionOptions } from "./function_definition.ts";
import { modelOptions } from "./model_definition.ts";
import { sourceOptions } from "./source_definition.ts";

const OPTIONS = {
  source: sourceOptions,
  dimension: dimensionOptions,
  model: modelOptions,
  function: functionOptions,
  api: apiOptions,
} as const;

/** The schemas of front matter as it is written, by kind (JSON Schema draft 7, which YAML editors know best). */
export function definitionSchemas(): Readonly<Record<keyof typeof OPTIONS, Readonly<Record<string, unknown>>>> {
  const schemas = Object.entries(OPTIONS).map(([kind, options]) => {
    const { $schema, ...schema } = z.toJSONSchema(options, { io: "input", target: "draft-7" });
    return [kind, { $schema, title: `Weir: front matter of kind ${kind}`, ...schema }];
  });
  return Object.fromEntries(schemas);
}
