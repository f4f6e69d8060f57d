/**
 * A source that evolves, in tests.
 *
 * @module
 */
import type { Source } from "../source.ts";

/** A source with a column `id` and a column `n`, and with text columns that were added since. */
export function sourceWith({
  evolved = [],
  leaveOut,
}: {
  readonly evolved?: readonly string[];
  readonly leaveOut?: readonly string[];
}): Source {
  const added = evolved.map((name) => ({ name, type: "Nullable(String)", comment: "added by evolve on 2026-11-23" }));
  const own = [
    { name: "id", type: "String", comment: "" },
    { name: "n", type: "Nullable(UInt8)", comment: "" },
  ];
  return {
    ...{ kind: "source", layer: "ods", name: "sale", doc: "Sales.", topic: "sale", partitions: 1, key: "id" },
    ...{ eventTime: undefined, unknown: "reject", format: { kind: "json" }, drift: "evolve", leaveOut },
    ...{ retention: {}, partitionBy: "month" },
    columns: [...own, ...added].map((column) => ({ ...column, codec: "" })),
  };
}
