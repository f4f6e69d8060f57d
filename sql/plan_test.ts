/**
 * The plan: what every change of a source means for what is stored.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { type AppliedSource, type Change, copyColumns, misfits, planReset, planSource } from "./plan.ts";
import type { Column, Source } from "./source.ts";

const column = (name: string, type: string, more: Partial<Column> = {}): Column => ({
  name,
  type,
  comment: "",
  codec: "",
  ...more,
});

const ID = column("id", "String");
const AT = column("at", "DateTime");
const N = column("n", "Int32");
const SOURCE: Source = {
  kind: "source",
  layer: "ods",
  name: "flight",
  doc: "Flights.",
  topic: "flight",
  partitions: 4,
  key: "id",
  eventTime: "at",
  unknown: "reject",
  format: { kind: "json" },
  drift: "quarantine",
  retention: { ageMsMax: 1_000, bytesMax: 1_000 },
  partitionBy: "month",
  columns: [ID, AT, N],
};
const APPLIED: AppliedSource = { source: SOURCE, text: "before", version: 3, catalog: 7 };

const plan = (change: Partial<Source>, text = "after"): Change =>
  planSource(APPLIED, { source: { ...SOURCE, ...change }, text, nextVersion: 4 });

describe("planSource()", () => {
  test("creates what is not there", () => {
    expect(planSource(undefined, { source: SOURCE, text: "text", nextVersion: 1 })).toEqual({
      kind: "create",
      definition: SOURCE,
      version: 1,
      notes: ["creates ods.flight; topic flight, unless it is there, with 4 partitions"],
    });
  });

  test("leaves alone what has the same text", () => {
    expect(plan({}, "before")).toEqual({ kind: "same", definition: SOURCE, version: 3, notes: [] });
  });

  test.each<readonly [string, Partial<Source>]>([
    ["a comment in the file", {}],
    ["the description", { doc: "Flights, all of them." }],
    ["more partitions", { partitions: 8 }],
    ["the retention", { retention: { ageMsMax: 5 } }],
    ["the key", { key: "n" }],
    ["no key", { key: undefined }],
    ["unknown fields that are not kept either way", { unknown: "ignore" }],
    ["the order of the columns", { columns: [N, ID, AT] }],
  ])("keeps the table for %s", (_, change) => {
    expect(plan(change)).toEqual({
      kind: "describe",
      definition: { ...SOURCE, ...change },
      version: 3,
      notes: ["changes the description, topic settings, key or format"],
    });
  });

  const hour = { by: "id", withinMs: 3_600_000 };
  const drops = "drops events whose id was stored within 1 hour before them";
  test.each<readonly [string, Partial<Source>, Partial<Source>, string]>([
    ["repeats that are dropped", {}, { dedupe: hour }, drops],
    ["another window", { dedupe: { ...hour, withinMs: 5_000 } }, { dedupe: hour }, drops],
    ["another column", { dedupe: { ...hour, by: "n" } }, { dedupe: hour }, drops],
    ["repeats that are stored again", { dedupe: hour }, { dedupe: undefined }, "stores events that are sent again"],
    [
      "more partitions",
      { dedupe: hour },
      { dedupe: hour, partitions: 8 },
      "moves keys to other partitions; what is stored is still known there",
    ],
  ])("says what becomes of events that are sent again for %s", (_, before, after, note) => {
    const applied = { ...APPLIED, source: { ...SOURCE, ...before } };
    const change = planSource(applied, { source: { ...SOURCE, ...after }, text: "after", nextVersion: 4 });
    expect(change).toMatchObject({ kind: "describe", notes: [note] });
    const wider = { ...SOURCE, ...after, columns: [ID, AT, column("n", "Int64")] };
    expect(planSource(applied, { source: wider, text: "after", nextVersion: 4 })).toMatchObject({
      kind: "rebuild",
      notes: ["changes n from Int32 to Int64; fails if a value does not fit", note],
    });
  });

  const moved = "changes event time, partitioning or unknown fields";
  test.each<readonly [string, Partial<Source>, boolean, readonly string[]]>([
    [
      "a new Nullable column",
      { columns: [...SOURCE.columns, column("x", "Nullable(UInt8)")] },
      false,
      ["adds x Nullable(UInt8)"],
    ],
    [
      "a new Nullable column in a dictionary",
      { columns: [...SOURCE.columns, column("x", "LowCardinality(Nullable(String))")] },
      false,
      ["adds x LowCardinality(Nullable(String))"],
    ],
    [
      "another type",
      { columns: [ID, AT, column("n", "Int64")] },
      false,
      ["changes n from Int32 to Int64; fails if a value does not fit"],
    ],
    [
      "a comment",
      { columns: [ID, AT, column("n", "Int32", { comment: "how many" })] },
      false,
      ["changes comments or codecs"],
    ],
    ["a codec", { columns: [ID, AT, column("n", "Int32", { codec: "(LZ4)" })] }, false, ["changes comments or codecs"]],
    ["another event time", { eventTime: undefined }, false, [moved]],
    ["another partitioning", { partitionBy: "day" }, false, [moved]],
    ["unknown fields kept from now on", { unknown: "keep" }, false, [moved]],
    ["a column less", { columns: [ID, AT] }, true, ["drops n and its values"]],
    [
      "a column renamed",
      { columns: [ID, AT, column("m", "Nullable(Int32)")] },
      true,
      ["adds m Nullable(Int32)", "drops n and its values"],
    ],
  ])("makes a new table for %s", (_, change, isDestructive, notes) => {
    expect(plan(change)).toEqual({
      kind: "rebuild",
      definition: { ...SOURCE, ...change },
      version: 4,
      isDestructive,
      notes,
    });
  });

  test("loses something when unknown fields are no longer kept", () => {
    const before: AppliedSource = { ...APPLIED, source: { ...SOURCE, unknown: "keep" } };
    for (const unknown of ["reject", "ignore"] as const)
      expect(planSource(before, { source: { ...SOURCE, unknown }, text: "after", nextVersion: 4 })).toMatchObject({
        kind: "rebuild",
        isDestructive: true,
      });
  });

  test("says of a column that evolve added where it went", () => {
    const seen = column("seen", "Nullable(Bool)", { comment: "added by evolve on 2026-01-31" });
    const before: AppliedSource = { ...APPLIED, source: { ...SOURCE, columns: [...SOURCE.columns, seen] } };
    expect(planSource(before, { source: SOURCE, text: "after", nextVersion: 4 })).toMatchObject({
      isDestructive: true,
      notes: ["drops seen and its values (evolve added it: weir pull writes it down)"],
    });
  });

  test.each<readonly [string, Partial<Source>, string, string]>([
    [
      "another topic",
      { topic: "flights" },
      "its topic would change from flight to flights",
      "Define a new source for another topic.",
    ],
    [
      "fewer partitions",
      { partitions: 3 },
      "its topic has 4 partitions and would have 3",
      "Partitions can only become more.",
    ],
    [
      "a new column without a value",
      { columns: [...SOURCE.columns, column("x", "UInt8")] },
      "new column x UInt8 has no value for the rows that are there",
      "Make it Nullable.",
    ],
    [
      "a new composite column",
      { columns: [...SOURCE.columns, column("x", "Array(Nullable(UInt8))")] },
      "new column x Array(Nullable(UInt8)) has no value for the rows that are there",
      "Make it Nullable.",
    ],
  ])("refuses %s", (_, change, reason, hint) => {
    expect(plan(change)).toEqual({ kind: "refuse", definition: { ...SOURCE, ...change }, reason, hint });
  });
});

describe("copyColumns()", () => {
  const copy = (change: Partial<Source>, before: Partial<Source> = {}) =>
    copyColumns({ ...SOURCE, ...before }, { ...SOURCE, ...change }).map(
      ({ name, expression }) => `${name} = ${expression}`,
    );
  const COMPANIONS = ["_topic = _topic", "_partition = _partition", "_offset = _offset", "_epoch = _epoch"];
  const TIMES = ["_event_time = _event_time", "_ingest_time = _ingest_time", "_op = _op"];

  test("copies every column and every companion", () => {
    expect(copy({})).toEqual(["id = `id`", "at = `at`", "n = `n`", ...COMPANIONS, ...TIMES]);
  });

  test.each<readonly [string, Partial<Source>, Partial<Source>, string]>([
    ["a new column is null", { columns: [column("x", "Nullable(UInt8)")] }, {}, "x = NULL"],
    ["another type is cast, or fails", { columns: [column("n", "Int8")] }, {}, "n = accurateCast(`n`, 'Int8')"],
    [
      "a type with a zone",
      { columns: [column("at", "DateTime('UTC')")] },
      {},
      "at = accurateCast(`at`, 'DateTime(\\'UTC\\')')",
    ],
    [
      "a type with quotes in quotes",
      { columns: [column("n", "Enum8('it\\'s' = 1)")] },
      {},
      "n = accurateCast(`n`, 'Enum8(\\'it\\\\\\'s\\' = 1)')",
    ],
    [
      "a name with a backquote",
      { columns: [column("a`b", "Int32")] },
      { columns: [column("a`b", "Int32")] },
      "a`b = `a\\`b`",
    ],
    [
      "another event time is taken from its column",
      { eventTime: "n" },
      {},
      "_event_time = toDateTime64(`n`, 3, 'UTC')",
    ],
    ["no event time is the time of arrival", { eventTime: undefined }, {}, "_event_time = _ingest_time"],
    [
      "a first event time is taken from its column",
      {},
      { eventTime: undefined },
      "_event_time = toDateTime64(`at`, 3, 'UTC')",
    ],
    ["unknown fields are kept on", { unknown: "keep" }, { unknown: "keep" }, "_rest = _rest"],
    ["unknown fields that were not kept are none", { unknown: "keep" }, {}, "_rest = '{}'"],
  ])("%s", (_, change, before, expected) => {
    expect(copy(change, before)).toContain(expected);
  });

  test("leaves out what is no longer there", () => {
    expect(copy({ columns: [ID] }, { unknown: "keep" })).toEqual(["id = `id`", ...COMPANIONS, ...TIMES]);
  });
});

describe("misfits()", () => {
  test.each([
    ["Int32", "Int32", []],
    ["Nullable(Int32)", "Int8", ["ifNull(accurateCastOrNull(accurateCastOrNull(`n`, 'Int8'), 'Int32') != `n`, 1)"]],
    [
      "Int32",
      "Nullable(Int8)",
      ["ifNull(accurateCastOrNull(accurateCastOrNull(`n`, 'Int8'), 'Int32') != `n`, NOT isNull(`n`))"],
    ],
  ] as const)("from %s to %s", (from, to, conditions) => {
    const of = (type: string) => ({ ...SOURCE, columns: [ID, AT, column("n", type)] });
    expect(misfits(of(from), of(to)).map(({ condition }) => condition)).toEqual([...conditions]);
  });
});

describe("planReset()", () => {
  test("is a table of its own again, whose rows go", () => {
    expect(planReset(APPLIED, 6)).toEqual({
      kind: "rebuild",
      definition: SOURCE,
      version: 6,
      isDestructive: true,
      notes: ["begins anew without rows, and so do the models above it"],
    });
  });
});
