/**
 * Identities: when stored rows have to be remembered anew, and for how long. That engine and JavaScript make the same
 * hash is shown by `tests/dedupe_test.ts`.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { identityPrefix, keptMs, mustRecall, recallIdentities } from "./identity.ts";
import type { Source } from "./source.ts";

const SOURCE: Source = {
  ...{ kind: "source", layer: "ods", name: "flight", doc: "Flights.", topic: "flight", partitions: 4, key: "id" },
  ...{
    eventTime: undefined,
    unknown: "reject",
    format: { kind: "json" },
    drift: "quarantine",
    retention: { ageMsMax: 1_000 },
    partitionBy: "month",
  },
  columns: [{ name: "id", type: "String", comment: "", codec: "" }],
};
const HOUR_MS = 3_600_000;
const BY_ID = { by: "id", withinMs: HOUR_MS };

describe("mustRecall()", () => {
  test.each<readonly [string, Partial<Source> | undefined, Partial<Source>, boolean]>([
    ["not for a new source", undefined, { dedupe: BY_ID }, false],
    ["not without dedupe", { dedupe: BY_ID }, {}, false],
    ["when dedupe is new", {}, { dedupe: BY_ID }, true],
    ["for another column", { dedupe: { ...BY_ID, by: "n" } }, { dedupe: BY_ID }, true],
    ["for more partitions", { dedupe: BY_ID }, { dedupe: BY_ID, partitions: 5 }, true],
    ["not for another window", { dedupe: { ...BY_ID, withinMs: 1 } }, { dedupe: BY_ID }, false],
  ])("%s", (_, before, after, expected) => {
    expect(mustRecall(before && { ...SOURCE, ...before }, { ...SOURCE, ...after })).toBe(expected);
  });
});

const TOPIC = { partitions: 4, logAgeMsMax: 1_000 };

describe("recallIdentities()", () => {
  test("says nothing for a source without dedupe", () => {
    expect(recallIdentities({ source: SOURCE, from: "weir_state.ods__flight__v1", ...TOPIC })).toBeUndefined();
  });

  test("quotes the column's name, in SQL and in what is hashed", () => {
    const source = {
      ...SOURCE,
      dedupe: { by: "i`d'", withinMs: 1 },
      columns: [{ name: "i`d'", type: "FixedString(4)", comment: "", codec: "" }],
    };
    const statement = recallIdentities({ source, from: "weir_state.ods__flight__v3", ...TOPIC });
    expect(statement).toContain("concat('by\\n', 'i`d\\'', '\\n', toString(goes), '\\n', concat(`i\\`d'`, ''))");
    expect(statement).toContain("FROM weir_state.ods__flight__v3 AS stored");
  });
});

describe("keptMs()", () => {
  test("outlives the window of the last record that the log can hand out", () => {
    expect(keptMs({ withinMs: HOUR_MS, logAgeMsMax: 7 * 24 * HOUR_MS })).toBe((8 * 24 + 1) * HOUR_MS);
    expect(keptMs({ withinMs: HOUR_MS, logAgeMsMax: undefined })).toBe((366 * 24 + 1) * HOUR_MS);
  });
});

describe("identityPrefix()", () => {
  test("tells columns and partitions apart", () => {
    const all = [
      { by: "a", partition: 1 },
      { by: "a", partition: 11 },
      { by: "a1", partition: 1 },
    ];
    expect(new Set(all.map(identityPrefix)).size).toBe(3);
  });
});
