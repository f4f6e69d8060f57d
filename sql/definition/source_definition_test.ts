/**
 * Sources: what a file becomes, and what every mistake is answered with.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import type { Source } from "../source.ts";
import { DefinitionError } from "./error.ts";
import { blameColumn, finishSource, readSource, structureOf } from "./source_definition.ts";

const FLIGHT = await Bun.file(new URL("../examples/flights/ods/flight.sql", import.meta.url)).text();

interface Written {
  readonly options?: string;
  readonly table?: string;
}

const COLUMNS = "id String, at DateTime64(3, 'UTC'), n Int32";
const textOf = ({ options = "", table = `CREATE TABLE ods.flight (${COLUMNS})` }: Written) =>
  `/*---\nkind: source\ndoc: Flights.\n${options}\n---*/\n${table}`;

/** Reads a file with the types as they are written, as if the engine had said so. */
function sourceOf(written: Written, file = "ods/flight.sql"): Source {
  const draft = readSource(file, textOf(written));
  return finishSource(draft, draft.table.columns);
}

/** What went wrong: `line:column problem → hint`. */
function wrong(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error;
    return `${error.line}:${error.column} ${error.problem} → ${error.hint}`;
  }
  return "nothing";
}

describe("readSource() and finishSource()", () => {
  test("read the flights of the examples", () => {
    const draft = readSource("ods/flight.sql", FLIGHT);
    const source = finishSource(draft, draft.table.columns);
    expect(source).toMatchObject({
      kind: "source",
      layer: "ods",
      name: "flight",
      doc: "Flights as they leave, with their delay on arrival.",
      topic: "flight",
      partitions: 4,
      key: "flight_id",
      eventTime: "departed_at",
      unknown: "reject",
      partitionBy: "month",
    });
    expect(source.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
      "flight_id String",
      "departed_at DateTime64(3, 'UTC')",
      "origin LowCardinality(String)",
      "destination LowCardinality(String)",
      "distance UInt32",
      "delay Int32",
    ]);
    expect(source.columns.every(({ comment }) => comment !== "")).toBe(true);
  });

  test("fill in what is not said", () => {
    expect(sourceOf({})).toMatchObject({
      topic: "flight",
      partitions: undefined,
      key: undefined,
      eventTime: undefined,
      unknown: "reject",
      retention: {},
      partitionBy: "month",
    });
  });

  test("take what is said", () => {
    const options =
      "topic: weird.flight-2__a\npartitions: 256\nkey: id\nevent_time: at\nunknown: keep\npartition_by: day\nretention: { age: 1 hour, size: 2 MiB }";
    expect(sourceOf({ options })).toMatchObject({
      topic: "weird.flight-2__a",
      partitions: 256,
      key: "id",
      eventTime: "at",
      unknown: "keep",
      partitionBy: "day",
      retention: { ageMsMax: 3_600_000, bytesMax: 2 * 2 ** 20 },
    });
    expect(sourceOf({ options: "retention: { age: 1 hour }" }).retention.bytesMax).toBeUndefined();
  });

  test("take the engine's spelling of a type, the author's comment and codec", () => {
    const table = "CREATE TABLE flight (n INT COMMENT 'c' CODEC(LZ4))";
    const draft = readSource("warehouse/ods/flight.sql", textOf({ table }));
    expect(finishSource(draft, [{ name: "n", type: "Int32" }]).columns).toEqual([
      { name: "n", type: "Int32", comment: "c", codec: "(LZ4)" },
    ]);
  });

  test.each<readonly [string, Written, string, string]>([
    [
      "another folder",
      {},
      "dwf/flight.sql",
      "6:14 Cannot use this source: its file is not in the folder ods/. → Put sources into the folder ods/.",
    ],
    [
      "no folder",
      {},
      "flight.sql",
      "6:14 Cannot use this source: its file is not in the folder ods/. → Put sources into the folder ods/.",
    ],
    [
      "another file name",
      {},
      "ods/flights.sql",
      "6:18 Cannot use this source: its file is named 'flights.sql' and its table 'flight'. → Give both the same name.",
    ],
    [
      "another database",
      { table: "CREATE TABLE dwf.flight (id String)" },
      "ods/flight.sql",
      "6:14 Cannot use this source: its database is 'dwf'. → Write ods.flight: sources live in ods.",
    ],
    [
      "capitals",
      { table: "CREATE TABLE ods.Flight (id String)" },
      "ods/Flight.sql",
      "6:18 Cannot use this source: 'Flight' is not a usable name. → Use lower-case letters, digits and underscores, beginning with a letter, 64 at most.",
    ],
    [
      "a digit in front",
      { table: "CREATE TABLE\n ods.`1st` (id String)" },
      "ods/1st.sql",
      "7:6 Cannot use this source: '1st' is not a usable name. → Use lower-case letters, digits and underscores, beginning with a letter, 64 at most.",
    ],
    [
      "a column twice",
      { table: "CREATE TABLE ods.flight (id String,\n  id UInt8)" },
      "ods/flight.sql",
      "7:3 Cannot use this source: column 'id' is declared twice. → Give every column a name of its own.",
    ],
    [
      "a companion's name",
      { table: "CREATE TABLE ods.flight (id String, _offset UInt8)" },
      "ods/flight.sql",
      "6:37 Cannot use this source: column '_offset' begins with an underscore. → Rename it: those names are Weir's own.",
    ],
    [
      "a name with an underscore in front",
      { table: "CREATE TABLE ods.flight (_id String)" },
      "ods/flight.sql",
      "6:26 Cannot use this source: column '_id' begins with an underscore. → Rename it: those names are Weir's own.",
    ],
    [
      "a column without a name",
      { table: "CREATE TABLE ods.flight (`` String)" },
      "ods/flight.sql",
      "6:26 Cannot use this source: a column has no name. → Name it.",
    ],
    [
      "an option that is unknown",
      { options: "keys: id" },
      "ods/flight.sql",
      "4:1 Cannot use 'keys' here: there is no such option. → Use one of: kind, doc, topic, partitions, key, event_time, unknown, format, drift, leave_out, dedupe, retention, partition_by.",
    ],
    [
      "a topic's name",
      { options: "topic: a/b" },
      "ods/flight.sql",
      "4:1 Cannot use 'topic': 'a/b' is not allowed. → A topic's name has 1 to 200 letters, digits, dots, dashes or underscores.",
    ],
    [
      "a topic of Weir's own",
      { options: "topic: weir.control" },
      "ods/flight.sql",
      "4:1 Cannot use 'topic': 'weir.control' is not allowed. → Topics named weir.… are Weir's own, those named __… are Kafka's: name another one.",
    ],
    [
      "a topic of Kafka's own",
      { options: "topic: __consumer_offsets" },
      "ods/flight.sql",
      "4:1 Cannot use 'topic': '__consumer_offsets' is not allowed. → Topics named weir.… are Weir's own, those named __… are Kafka's: name another one.",
    ],
    [
      "a broken retention",
      { options: "retention:\n  size: large" },
      "ods/flight.sql",
      "5:3 Cannot use 'retention.size': 'large' is not allowed. → Write a size, for example 500 MiB, 2 GiB.",
    ],
    [
      "a broken table",
      { table: "CREATE TABLE ods.flight" },
      "ods/flight.sql",
      "6:24 Cannot read the column list: the end of the file stands where '(' is expected. → Write CREATE TABLE ods.<name> ( <column> <Type>, … ).",
    ],
  ])("refuse %s", (_, written, file, expected) => {
    expect(wrong(() => sourceOf(written, file))).toBe(expected);
  });

  const TABLE = (type: string) => `CREATE TABLE ods.flight (id String, x ${type})`;
  const KEY = "→ Name a column that is neither Float, Nullable nor composite.";
  const TIME = "→ Name a Date or DateTime column that is not Nullable.";
  test.each<readonly [string, Written, string]>([
    [
      "key: gone",
      { options: "key: gone" },
      "4:1 Cannot use 'gone' as key: there is no such column. → Name one of: id, at, n.",
    ],
    [
      "key: Float",
      { options: "partitions: 2\nkey: x", table: TABLE("Float64") },
      `5:1 Cannot use 'x' as key: its type is Float64. ${KEY}`,
    ],
    [
      "key: Nullable",
      { options: "key: x", table: TABLE("Nullable(String)") },
      `4:1 Cannot use 'x' as key: its type is Nullable(String). ${KEY}`,
    ],
    [
      "key: Array",
      { options: "key: x", table: TABLE("Array(String)") },
      `4:1 Cannot use 'x' as key: its type is Array(String). ${KEY}`,
    ],
    [
      "key: Nullable inside",
      { options: "key: x", table: TABLE("LowCardinality(Nullable(String))") },
      `4:1 Cannot use 'x' as key: its type is LowCardinality(Nullable(String)). ${KEY}`,
    ],
    [
      "event_time: gone",
      { options: "event_time: gone" },
      "4:1 Cannot use 'gone' as event_time: there is no such column. → Name one of: id, at, n.",
    ],
    [
      "event_time: String",
      { options: "event_time: id" },
      `4:1 Cannot use 'id' as event_time: its type is String. ${TIME}`,
    ],
    [
      "event_time: Nullable",
      { options: "event_time: x", table: TABLE("Nullable(DateTime)") },
      `4:1 Cannot use 'x' as event_time: its type is Nullable(DateTime). ${TIME}`,
    ],
    [
      "event_time: DateTimes",
      { options: "event_time: x", table: TABLE("Array(DateTime)") },
      `4:1 Cannot use 'x' as event_time: its type is Array(DateTime). ${TIME}`,
    ],
  ])("refuse %s", (_, written, expected) => {
    expect(wrong(() => sourceOf(written))).toBe(expected);
  });

  test.each([
    ["key", "String"],
    ["key", "LowCardinality(String)"],
    ["key", "UInt64"],
    ["key", "Decimal(18, 4)"],
    ["key", "UUID"],
    ["key", "Enum8('Map' = 1, 'it\\'s Nullable' = 2)"],
    ["event_time", "Date"],
    ["event_time", "Date32"],
    ["event_time", "DateTime"],
    ["event_time", "DateTime('Europe/Berlin')"],
    ["event_time", "DateTime64(9, 'UTC')"],
  ])("take %s: %s", (role, type) => {
    const source = sourceOf({ options: `${role}: x`, table: TABLE(type) });
    expect(role === "key" ? source.key : source.eventTime).toBe("x");
  });

  const DEDUPE_TYPE = "Name a String, integer, UUID, Decimal or Enum column that is not Nullable.";
  test.each<readonly [string, Written, string]>([
    [
      "by a column that is not there",
      { options: "dedupe: { by: gone }" },
      "4:11 Cannot use 'gone' as dedupe.by: there is no such column. → Name one of: id, at, n.",
    ],
    [
      "by another column than the key",
      { options: "key: n\ndedupe:\n  within: 1 hour\n  by: id" },
      "7:3 Cannot use 'id' as dedupe.by: the key is 'n', so its repeats may lie in any partition. → Write `key: id`, or leave `key` out: it is then the same column.",
    ],
    [
      "by a time, which can be written in many ways",
      { options: "dedupe: { by: at }" },
      `4:11 Cannot use 'at' as dedupe.by: its type is DateTime64(3, 'UTC'). → ${DEDUPE_TYPE}`,
    ],
    [
      "by a Nullable column",
      { options: "dedupe: { by: x }", table: TABLE("LowCardinality(Nullable(String))") },
      `4:11 Cannot use 'x' as dedupe.by: its type is LowCardinality(Nullable(String)). → ${DEDUPE_TYPE}`,
    ],
    [
      "within what is too long",
      { options: "dedupe: { by: id, within: 8 days }" },
      "4:19 Cannot use 'dedupe.within': '8 days' is not allowed. → Write a span from 1 s to 7 days.",
    ],
    [
      "within what is too short",
      { options: "dedupe: { by: id, within: 999 ms }" },
      "4:19 Cannot use 'dedupe.within': '999 ms' is not allowed. → Write a span from 1 s to 7 days.",
    ],
    [
      "without a column",
      { options: "dedupe: { within: 1 hour }" },
      "4:9 Cannot read the front matter: 'dedupe.by' is missing. → Add `dedupe.by`. The column that is the same when a producer sends an event again; it becomes the key.",
    ],
  ])("refuse dedupe %s", (_, written, expected) => {
    expect(wrong(() => sourceOf(written))).toBe(expected);
  });

  test("take dedupe, whose column is the key, for a day by default", () => {
    const day = { by: "id", withinMs: 86_400_000 };
    expect(sourceOf({ options: "dedupe: { by: id }" })).toMatchObject({ key: "id", dedupe: day });
    expect(sourceOf({ options: "key: id\ndedupe: { by: id, within: 1 s }" }).dedupe).toEqual({
      ...day,
      withinMs: 1_000,
    });
    expect(sourceOf({ options: "dedupe: { by: id, within: 1 week }" }).dedupe).toEqual({
      by: "id",
      withinMs: 7 * 86_400_000,
    });
    expect(sourceOf({}).dedupe).toBeUndefined();
  });

  test.each([
    "String",
    "LowCardinality(String)",
    "FixedString(8)",
    "UInt64",
    "Int128",
    "UUID",
    "Decimal(9, 2)",
    "Enum8('a' = 1)",
  ])("take dedupe by %s", (type) => {
    expect(sourceOf({ options: "dedupe: { by: x }", table: TABLE(type) }).key).toBe("x");
  });

  test("find the place of a key that is written in YAML's other ways", () => {
    const text = `/*---\n{ kind: source, doc: a, key: gone }\n---*/\nCREATE TABLE ods.flight (${COLUMNS})`;
    const draft = readSource("ods/flight.sql", text);
    expect(wrong(() => finishSource(draft, draft.table.columns))).toStartWith("2:25 Cannot use 'gone' as key");
  });
});

describe("structureOf()", () => {
  test("quotes names, keeps types", () => {
    const columns = [
      { name: "a", type: "Enum8('x' = 1)" },
      { name: "b`c", type: "UInt8" },
    ];
    expect(structureOf(columns)).toBe("`a` Enum8('x' = 1), `b\\`c` UInt8");
  });
});

describe("blameColumn()", () => {
  const draft = readSource("ods/flight.sql", textOf({ table: "CREATE TABLE ods.flight (id String,\n  n Strin)" }));
  test.each([
    [
      "the engine's words",
      "n",
      "Unknown data type family: Strin",
      "7:5 Cannot use type 'Strin' for column 'n': Unknown data type family: Strin. → Write a type of ClickHouse.",
    ],
    [
      "no second full stop",
      "n",
      "It is unknown.",
      "7:5 Cannot use type 'Strin' for column 'n': It is unknown. → Write a type of ClickHouse.",
    ],
    [
      "what conform() says to use instead",
      "n",
      "Cannot use type JSON for column n: use String",
      "7:5 Cannot use type JSON for column n. → Use String.",
    ],
    [
      "the table, where no column is to blame",
      "gone",
      "It is unknown",
      "6:14 Cannot use type '' for column 'gone': It is unknown. → Write a type of ClickHouse.",
    ],
  ])("says %s", (_, name, message, expected) => {
    const { line, column, problem, hint } = blameColumn(draft, name, message);
    expect(`${line}:${column} ${problem} → ${hint}`).toBe(expected);
  });

  test("is raised for a column which the engine did not describe", () => {
    expect(wrong(() => finishSource(draft, [{ name: "id", type: "String" }]))).toBe(
      "7:5 Cannot use type 'Strin' for column 'n': the engine does not describe it. → Write a type of ClickHouse.",
    );
  });
});
