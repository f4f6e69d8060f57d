import { describe, expect, test } from "bun:test";
import { conform } from "./conform/conform.ts";
import { eventExample, eventLine, eventSchema } from "./event_schema.ts";
import type { Source } from "./source.ts";

const NOW_MS = Date.UTC(2026, 0, 31, 10, 20, 30, 123);

const sourceOf = (type: string, more: Partial<Source> = {}): Source => ({
  ...{ kind: "source", layer: "ods", name: "event", doc: "Events.", topic: "event", partitions: 1, key: undefined },
  ...{
    eventTime: undefined,
    unknown: "reject",
    format: { kind: "json" },
    drift: "quarantine",
    retention: {},
    partitionBy: "month",
  },
  columns: [{ name: "x", type, comment: "what it is", codec: "" }],
  ...more,
});

const TYPES = [
  ...["Int8", "UInt32", "Int64", "UInt256", "Float32", "Float64", "Decimal(10, 2)", "Decimal(3, 3)", "Decimal(38, 0)"],
  ...["Bool", "String", "LowCardinality(Nullable(String))", "FixedString(3)", "UUID", "IPv4", "IPv6", "Date", "Date32"],
  ...["DateTime", "DateTime('Europe/Berlin')", "DateTime64(0, 'UTC')", "DateTime64(2, 'UTC')", "DateTime64(9, 'UTC')"],
  ...["Enum8('a b' = 1, 'it\\'s' = 2)", "Array(Array(DateTime64(3, 'UTC')))", "Array(Nullable(UUID))"],
  ...[
    "Map(String, UInt64)",
    "Map(UInt8, Array(Bool))",
    "Tuple(a UInt8, b Decimal(9, 1))",
    "Tuple(IPv4, Enum8('x' = 1))",
  ],
];

describe("eventExample()", () => {
  test.each(TYPES)("of %s is what the judge takes", (type) => {
    const source = sourceOf(type);
    const event = JSON.stringify(eventExample(source, NOW_MS));
    expect(conform(source).judge(event, NOW_MS)).toMatchObject({ ok: true });
  });

  test.each(TYPES)("of %s is what the judge takes as a line of CSV, too", (type) => {
    const source = sourceOf(type, { format: { kind: "csv", delimiter: ";", columns: ["x"] } });
    const { decoder, judge } = conform(source);
    const decoded = decoder!(Buffer.from(eventLine(source, NOW_MS)!));
    expect(judge((decoded as { text: string }).text, NOW_MS)).toMatchObject({ ok: true });
  });

  test("is taken as the event's own time", () => {
    const source = sourceOf("DateTime64(1, 'UTC')", { eventTime: "x" });
    const event = eventExample(source, NOW_MS);
    expect(event).toEqual({ x: "2026-01-31T10:20:30Z" });
    expect(conform(source).judge(JSON.stringify(event), NOW_MS)).toMatchObject({ ok: true });
  });
});

describe("eventSchema()", () => {
  test("says what is required, what it means and that nothing else is taken", () => {
    expect(eventSchema(sourceOf("UInt8"))).toEqual({
      ...{ type: "object", description: "Events.", required: ["x"], minProperties: 1, additionalProperties: false },
      properties: {
        x: {
          ...{ type: ["integer", "string"], minimum: 0, maximum: 255, pattern: "^[+-]?[0-9]+$" },
          ...{ description: "what it is", "x-clickhouse-type": "UInt8" },
        },
      },
    });
    expect(eventSchema(sourceOf("Nullable(UInt8)", { unknown: "keep" }))).toMatchObject({
      ...{ required: [], additionalProperties: true, properties: { x: { type: ["integer", "string", "null"] } } },
    });
    expect(eventSchema(sourceOf("UInt8", { drift: "evolve" }))).toMatchObject({ additionalProperties: true });
  });
});
