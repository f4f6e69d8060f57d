/**
 * The JSON Schema of front matter, for editors: they complete the options and mark what is wrong while it is written.
 *
 *   sourceOptions (zod) ──▶ JSON Schema ──▶ editor
 *
 * @module
 */
import { z } from "zod";
import { sourceOptions } from "./source_definition.ts";

/** The schema of a source's front matter as it is written (JSON Schema draft 7, which YAML editors know best). */
export function sourceJsonSchema(): Readonly<Record<string, unknown>> {
  const { $schema, ...schema } = z.toJSONSchema(sourceOptions, { io: "input", target: "draft-7" });
  return { $schema, title: "Weir: front matter of a source", ...schema };
}
