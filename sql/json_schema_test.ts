import { describe, expect, test } from "bun:test";
import { readApi } from "./definition/api_definition.ts";
import { answerSchema, paramJsonSchema, paramValue } from "./json_schema.ts";

describe("answerSchema()", () => {
  test.each([
    ["UInt8", { type: "integer", minimum: 0, maximum: 255 }],
    ["UInt64", { type: "string", pattern: "^-?[0-9]+$" }],
    ["Nullable(Int256)", { type: ["string", "null"], pattern: "^-?[0-9]+$" }],
    ["SimpleAggregateFunction(sum, UInt64)", { type: "string", pattern: "^-?[0-9]+$" }],
    ["Float64", { type: ["number", "null"] }],
    ["Nullable(Float32)", { type: ["number", "null"] }],
    ["Decimal(10, 2)", { type: "string", pattern: "^-?[0-9]+(?:\\.[0-9]+)?$" }],
    ["Bool", { type: "boolean" }],
    ["LowCardinality(Nullable(String))", { type: ["string", "null"] }],
    ["DateTime64(3, 'UTC')", { type: "string", format: "date-time" }],
    ["Nullable(Enum8('a' = 1))", { enum: ["a", null] }],
    ["Array(Nullable(Bool))", { type: "array", items: { type: ["boolean", "null"] } }],
    ["Map(String, UUID)", { type: "object", additionalProperties: { type: "string", format: "uuid" } }],
    [
      "Tuple(a Bool, b Date)",
      {
        type: "object",
        properties: { a: { type: "boolean" }, b: { type: "string", format: "date" } },
        required: ["a", "b"],
      },
    ],
    ["Tuple(Bool)", { type: "array", prefixItems: [{ type: "boolean" }], minItems: 1, maxItems: 1 }],
    ["JSON", {}],
    ["AggregateFunction(uniq, String)", {}],
  ])("of %s", (type, expected) => {
    expect(answerSchema(type)).toEqual({ ...expected, "x-clickhouse-type": type });
  });
});

describe("paramJsonSchema() and paramValue()", () => {
  test.each([
    ["UInt32", "{ default: 60, min: 1, max: 1440 }", { type: "integer", minimum: 1, maximum: 1440, default: 60 }],
    ["UInt64", "{ default: 7, max: 9 }", { type: "string", pattern: "^-?[0-9]+$", default: "7" }],
    ["Float32", "{ min: 0.5 }", { type: "number", minimum: 0.5 }],
    ["Bool", "{ default: true }", { type: "boolean", default: true }],
    ["UInt8", "{ values: [1, 2] }", { enum: [1, 2] }],
    ["Date", "{ default: 2026-01-31, min: 2026-01-01 }", { type: "string", format: "date", default: "2026-01-31" }],
    ["DateTime", "{ default: 2026-01-31 10:00:00 }", { type: "string", default: "2026-01-31 10:00:00" }],
    [
      "Array(UInt8)",
      "{ default: [1] }",
      { type: "array", items: { type: "integer", minimum: 0, maximum: 255 }, default: [1] },
    ],
    ["Array(String)", "{ default: ['[a', b] }", { type: "array", items: { type: "string" }, default: ["[a", "b"] }],
    ["Nullable(FixedString(2))", "{}", { type: "string", maxLength: 2 }],
  ])("of %s with %s", (type, options, expected) => {
    const text = `/*---\nkind: api\ndoc: a\nparams: { x: ${options} }\n---*/\nSELECT {x:${type}}`;
    const [param] = readApi("api/a.sql", text).params;
    expect(paramJsonSchema(param!)).toEqual({ ...expected, "x-clickhouse-type": type });
  });

  test("keeps a text that begins like JSON within an array", () => {
    expect(paramValue({ type: "Array(String)" }, ['["[a"]'])).toEqual(["[a"]);
  });
});
