import { describe, expect, test } from "bun:test";
import { readType } from "./column_type.ts";

describe("readType()", () => {
  test.each([
    ["UInt8", { kind: "int", bits: 8, min: 0n, max: 255n, nullable: false, plain: "UInt8" }],
    ["Int256", { kind: "int", min: -(1n << 255n), max: (1n << 255n) - 1n }],
    ["LowCardinality(Nullable(String))", { kind: "string", nullable: true, plain: "String" }],
    ["Decimal(18, 4)", { kind: "decimal", precision: 18, scale: 4 }],
    ["Decimal64(4)", { kind: "decimal", precision: 18, scale: 4 }],
    ["DateTime", { kind: "time", wide: false, scale: 0, zone: "UTC" }],
    ["DateTime('Europe/Berlin')", { kind: "time", zone: "Europe/Berlin" }],
    ["DateTime64(6, 'UTC')", { kind: "time", wide: true, scale: 6, zone: "UTC" }],
    ["Date32", { kind: "date", wide: true }],
    ["FixedString(16)", { kind: "fixed", bytes: 16 }],
    ["Enum8('a' = 1, 'it\\'s' = -2, 'b,c' = 3)", { kind: "enum", names: ["a", "it's", "b,c"] }],
    ["Array(Nullable(UInt8))", { kind: "array", of: { nullable: true } }],
    ["Map(LowCardinality(String), Float64)", { kind: "map", key: { kind: "string" }, value: { bits: 64 } }],
    ["Tuple(a UInt8, `b c` String)", { kind: "tuple", names: ["a", "b c"] }],
    ["Tuple(UInt8, String)", { kind: "tuple", names: undefined }],
  ])("reads %s", (text, expected) => {
    expect(readType(text)).toMatchObject({ text, ...expected } as object);
  });

  test.each([
    ["JSON", "String, or declare its fields"],
    ["Dynamic", "the one type"],
    ["Nested(a UInt8)", "Array(Tuple(...))"],
    ["BFloat16", "Float32"],
    ["Time", "UInt32 (seconds)"],
    ["IntervalDay", "an integer, Float"],
    ["Map(Float64, String)", "a Map with String or integer keys"],
    ["DateTime('Mars/Base')", "the zone UTC or one that exists"],
    ["DateTime('Pacific/Apia')", "never dropped a day"],
    ["UInt8 UInt8", "an integer, Float"],
    [`${"Array(".repeat(20)}UInt8${")".repeat(20)}`, "at most"],
  ])("says what to use instead of %s", (text, message) => {
    expect(() => readType(text)).toThrow(message);
  });
});
