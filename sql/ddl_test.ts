/**
 * DDL: the statements as they are sent.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { createSourceView, createStateTable, createWeirTables, LAYERS, stateTable } from "./ddl.ts";
import { DEDUPLICATION_WINDOW_PARTS, type Source } from "./source.ts";

const SOURCE: Source = {
  kind: "source",
  layer: "ods",
  name: "flight",
  doc: "It's flights.",
  topic: "flight",
  partitions: 4,
  key: "id",
  eventTime: "at",
  unknown: "reject",
  format: { kind: "json" },
  drift: "quarantine",
  retention: {},
  partitionBy: "month",
  columns: [
    { name: "id", type: "String", comment: "", codec: "" },
    { name: "at", type: "DateTime64(3, 'UTC')", comment: "when 'it' left", codec: "(Delta, LZ4)" },
    { name: "a`b", type: "Int32", comment: "", codec: "" },
  ],
};

const TABLE = `CREATE TABLE IF NOT EXISTS weir_state.ods__flight__v2
(
  \`id\` String COMMENT '',
  \`at\` DateTime64(3, 'UTC') COMMENT 'when \\'it\\' left' CODEC(Delta, LZ4),
  \`a\\\`b\` Int32 COMMENT '',
  _topic LowCardinality(String) COMMENT 'topic of the log',
  _partition UInt32 COMMENT 'partition of the topic' CODEC(T64, LZ4),
  _offset UInt64 COMMENT 'offset in the partition' CODEC(Delta, LZ4),
  _epoch UInt32 COMMENT 'counts how often the topic was created anew or replayed' CODEC(T64, LZ4),
  _event_time DateTime64(3, 'UTC') COMMENT 'when it happened' CODEC(Delta, LZ4),
  _ingest_time DateTime64(3, 'UTC') COMMENT 'when the log took it' CODEC(Delta, LZ4),
  _op LowCardinality(String) COMMENT 'c created, u updated, d deleted, r read by a snapshot'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(_event_time)
ORDER BY (_event_time, _partition, _offset)
SETTINGS non_replicated_deduplication_window = ${DEDUPLICATION_WINDOW_PARTS}
COMMENT 'It\\'s flights.'`;

describe("stateTable()", () => {
  test("names layer, name and version", () => {
    expect(stateTable(SOURCE, 12)).toBe("weir_state.ods__flight__v12");
  });
});

describe("createStateTable()", () => {
  test("says columns, companions, order and window", () => {
    expect(createStateTable(SOURCE, 2)).toBe(TABLE);
  });

  test("partitions by day when that is declared", () => {
    expect(createStateTable({ ...SOURCE, partitionBy: "day" }, 2)).toBe(TABLE.replace("toYYYYMM(", "toYYYYMMDD("));
  });

  test("has a place for fields which are kept", () => {
    const kept = createStateTable({ ...SOURCE, unknown: "keep" }, 2);
    expect(kept).toContain(
      "a snapshot',\n  _rest String COMMENT 'fields which no column declares, as a JSON object'\n)",
    );
  });
});

describe("createSourceView()", () => {
  test("reads the table with the rights of who made it", () => {
    expect(createSourceView(SOURCE, 2)).toBe(`CREATE OR REPLACE VIEW ods.\`flight\`
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT * FROM weir_state.ods__flight__v2
COMMENT 'It\\'s flights.'`);
  });

  test("reads the tables of all shards of a cluster", () => {
    expect(createSourceView(SOURCE, 2, "it's")).toContain(
      "\nAS SELECT * FROM (SELECT * FROM cluster('it\\'s', weir_state.ods__flight__v2))\n",
    );
  });
});

describe("createWeirTables()", () => {
  const statements = createWeirTables();

  test("creates every database first, as Atomic", () => {
    expect(statements.slice(0, LAYERS.length + 2)).toEqual(
      [...LAYERS, "weir", "weir_state"].map((name) => `CREATE DATABASE IF NOT EXISTS ${name} ENGINE = Atomic`),
    );
  });

  test("creates Weir's own tables", () => {
    const names = statements
      .slice(LAYERS.length + 2)
      .flatMap((text) => [/^CREATE (.+?) IF NOT EXISTS ([\w.]+)/.exec(text)?.slice(1) ?? []])
      .filter((name) => name.length > 0);
    expect(names).toEqual([
      ["TABLE", "weir.definition"],
      ["TABLE", "weir.backfill"],
      ["TABLE", "weir.batch"],
      ["TABLE", "weir.seen"],
      ["TABLE", "weir.position"],
      ["TABLE", "weir.gap"],
      ["TABLE", "weir.reset"],
      ["TABLE", "weir.schema"],
      ["TABLE", "weir.quarantine"],
      ["TABLE", "weir.quarantine_action"],
      ["TABLE", "weir.token"],
    ]);
  });

  test("can be repeated: every statement creates only what is missing", () => {
    for (const statement of statements)
      expect(statement).toMatch(
        /^CREATE \S.* IF NOT EXISTS |^ALTER TABLE \S+ ADD COLUMN IF NOT EXISTS |^DROP VIEW IF EXISTS /,
      );
  });

  test("sends whole statements, without comments and places to fill in", () => {
    for (const statement of statements) {
      expect(statement).not.toMatch(/^--|;|\{\w+\}/m);
      expect(statement).toBe(statement.trim());
    }
  });
});

describe("every table", () => {
  test("names its deduplication window: a token is remembered nowhere by default", () => {
    const tables = [...createWeirTables(), createStateTable(SOURCE, 1)].filter((text) =>
      /ENGINE = \w*MergeTree/.test(text),
    );
    expect(tables.length).toBe(12);
    for (const table of tables)
      expect(table).toMatch(
        new RegExp(`SETTINGS .*non_replicated_deduplication_window = ${DEDUPLICATION_WINDOW_PARTS}\\b`),
      );
  });

  test("remembers more tokens than a quarter of an hour brings", () => {
    const batchesPerSecondMax = 50;
    expect(DEDUPLICATION_WINDOW_PARTS).toBeGreaterThanOrEqual(batchesPerSecondMax * 900);
  });
});
