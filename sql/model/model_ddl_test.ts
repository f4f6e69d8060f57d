import { describe, expect, test } from "bun:test";
import type { Model } from "./model.ts";
import { createFillView, createModelTable, createModelView, createRefreshView } from "./model_ddl.ts";

const MODEL: Model = {
  kind: "model",
  layer: "dwa",
  name: "hour",
  doc: "It's hourly.",
  owner: undefined,
  strategy: "fold",
  reads: ["dwf.flight"],
  feeds: "dwf.flight",
  functions: [],
  columns: [
    { name: "hour", type: "DateTime", comment: "When." },
    { name: "s", type: "Nullable(String)", comment: "" },
    { name: "n", type: "UInt64", comment: "" },
  ],
  stateColumns: [
    { name: "hour", type: "DateTime", comment: "When." },
    { name: "s", type: "Nullable(String)", comment: "" },
    { name: "_state_1", type: "SimpleAggregateFunction(sum, UInt64)", comment: "" },
  ],
  orderBy: ["s", "hour"],
  partitionBy: { column: "hour", by: "month" },
  ttl: { column: "hour", ageMs: 60_500 },
  lookup: ["s"],
  refreshMs: undefined,
  keys: ["hour", "s"],
  classes: {},
  explanation: [],
  fold: undefined,
  fillSelect: (upstream) => `SELECT 1 FROM ${upstream}`,
  readSelect: (state) => `SELECT 2 FROM ${state}`,
  batchSelect: (tableOf) => `SELECT 3 FROM ${tableOf("dwf.flight")}`,
};

describe("a model's DDL", () => {
  test("creates the table with everything that matters said", () => {
    expect(createModelTable(MODEL, 3)).toBe(`CREATE TABLE IF NOT EXISTS weir_state.dwa__hour__v3
(
  \`hour\` DateTime COMMENT 'When.',
  \`s\` Nullable(String),
  \`_state_1\` SimpleAggregateFunction(sum, UInt64),
  INDEX lookup_1 \`s\` TYPE bloom_filter GRANULARITY 1
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(\`hour\`)
ORDER BY (\`s\`, \`hour\`)
TTL toDateTime(\`hour\`) + INTERVAL 61 SECOND
SETTINGS non_replicated_deduplication_window = 100000, allow_nullable_key = 1
COMMENT 'It\\'s hourly.'`);
  });

  test("leaves out what a model has not", () => {
    const plain = {
      ...MODEL,
      strategy: "append",
      orderBy: [],
      partitionBy: undefined,
      ttl: undefined,
      lookup: [],
    } as const;
    const text = createModelTable(plain, 1);
    expect(text).toContain(
      "ENGINE = MergeTree\nORDER BY tuple()\nSETTINGS non_replicated_deduplication_window = 100000\n",
    );
  });

  test("creates the views", () => {
    expect(createFillView(MODEL, { version: 3, upstreamTable: "weir_state.dwf__flight__v1" })).toBe(
      `CREATE MATERIALIZED VIEW IF NOT EXISTS weir_state.dwa__hour__v3__fill TO weir_state.dwa__hour__v3
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT 1 FROM weir_state.dwf__flight__v1`,
    );
    expect(createModelView(MODEL, 3)).toBe(`CREATE OR REPLACE VIEW dwa.\`hour\`
(
  \`hour\` DateTime COMMENT 'When.',
  \`s\` Nullable(String),
  \`n\` UInt64
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT 2 FROM weir_state.dwa__hour__v3
COMMENT 'It\\'s hourly.'`);
  });

  test.each([
    [1_000, "1 SECOND"],
    [90_000, "90 SECOND"],
    [300_000, "5 MINUTE"],
    [7_200_000, "2 HOUR"],
    [172_800_000, "2 DAY"],
  ])("refreshes every %i ms: %s", (refreshMs, every) => {
    expect(createRefreshView({ ...MODEL, refreshMs }, 1)).toContain(
      `REFRESH EVERY ${every} TO weir_state.dwa__hour__v1\n`,
    );
  });
});
