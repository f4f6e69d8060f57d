import { describe, expect, test } from "bun:test";
import { unfitness } from "./external.ts";

const ALL = [
  ...["async_insert", "insert_deduplicate", "insert_deduplication_token", "materialized_views_ignore_errors"],
  ...["deduplicate_blocks_in_dependent_materialized_views", "non_replicated_deduplication_window"],
];

describe("unfitness()", () => {
  test.each([
    ["takes the embedded one's version", "26.7.2.1", ALL, undefined],
    ["takes the oldest line", "25.8.1.1", ALL, undefined],
    ["refuses an older line", "25.7.9.9", ALL, "Cannot use ClickHouse 25.7.9.9: Weir needs 25.8 or newer"],
    ["names a hole that its line has not closed", "25.1.5.4", ALL, "it has the hole CVE-2025-1385"],
    ["names a hole of a line without a correction", "24.9.1.1", ALL, "it has the hole CVE-2025-1385"],
    ["knows the correction of a line", "24.8.14.27", ALL, "Weir needs 25.8 or newer"],
    ["names what is missing", "26.7.2.1", ALL.slice(0, 5), "it has no setting 'non_replicated_deduplication_window'"],
  ] as const)("%s", (_, version, settings, expected) => {
    const message = unfitness({ version, settings: new Set(settings) });
    if (expected === undefined) expect(message).toBeUndefined();
    else expect(message).toContain(expected);
  });
});
