/**
 * The JSON Schema for editors says what the reader holds.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { definitionSchemas } from "./schema.ts";
import { sourceOptions } from "./source_definition.ts";

interface Option {
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly string[];
  readonly properties?: Readonly<Record<string, Option>>;
}

const schemas = definitionSchemas();
const schema = schemas.source;
const properties = schema.properties as Readonly<Record<string, Option>>;

describe("definitionSchemas()", () => {
  test("is a schema of draft 7 with a title", () => {
    expect(schema).toMatchObject({ $schema: "http://json-schema.org/draft-07/schema#", type: "object" });
    expect(schema.title).toContain("source");
  });

  test("knows every option and no other", () => {
    expect(Object.keys(properties)).toEqual(Object.keys(sourceOptions.shape));
    expect(schema).toMatchObject({ additionalProperties: false, required: ["kind", "doc"] });
    expect(properties.retention).toMatchObject({ additionalProperties: false });
  });

  test("describes every option", () => {
    const options = [...Object.entries(properties), ...Object.entries(properties.retention.properties ?? {})];
    expect(options.filter(([, { description }]) => description === undefined)).toEqual([]);
  });

  test("names values, bounds and defaults as they are written", () => {
    expect(properties).toMatchObject({
      kind: { const: "source" },
      partitions: { type: "integer", minimum: 1, maximum: 256 },
      unknown: { enum: ["reject", "keep", "ignore"], default: "reject" },
      retention: {
        properties: { age: { type: "string" }, size: { type: "string" } },
      },
    });
  });

  test("gives only defaults and examples that the reader takes", () => {
    const { age, size } = properties.retention.properties as Record<string, Option>;
    for (const value of age.examples ?? [])
      expect(() => sourceOptions.shape.retention.parse({ age: value })).not.toThrow();
    for (const value of size.examples ?? [])
      expect(() => sourceOptions.shape.retention.parse({ size: value })).not.toThrow();
  });

  test("is plain JSON", () => {
    expect(JSON.parse(JSON.stringify(schemas))).toEqual(schemas);
  });

  test.each(["source", "dimension", "model", "function", "api"] as const)("describes kind %s, strictly", (kind) => {
    expect(schemas[kind]).toMatchObject({ additionalProperties: false, properties: { kind: { const: kind } } });
    const options = Object.values(schemas[kind].properties as Readonly<Record<string, Option>>);
    expect(options.filter(({ description }) => description === undefined)).toEqual([]);
  });
});
