/**
 * Tests of how a check compares; `tests/models_test.ts` runs it.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { differencesQuery } from "./check.ts";

const column = (name: string, type: string) => ({ name, type, comment: "" });

describe("differencesQuery()", () => {
  const sql = differencesQuery(
    {
      columns: [
        column("k", "String"),
        column("mean", "Float64"),
        column("top", "Array(String)"),
        column("latest", "String"),
      ],
      classes: { k: "exact", mean: "approximate", top: "approximate", latest: "ordered" },
    },
    { batch: "SELECT 1", live: "SELECT 2" },
  );

  test("matches rows by what is exact, and counts them", () => {
    expect(sql).toContain("GROUP BY toString(`k`)\n");
    expect(sql).toContain("HAVING countIf(_side = 0) != countIf(_side = 1)");
  });

  test("compares numbers within a tolerance, and nothing else that is not exact", () => {
    expect(new Set(sql.match(/toFloat64\(.*?\)/g))).toEqual(new Set(["toFloat64(`mean`)"]));
  });

  test("shows whole rows of both sides", () => {
    expect(sql).toContain(
      "Tuple(`k` Nullable(String), `mean` Nullable(String), `top` Nullable(String), `latest` Nullable(String))",
    );
  });

  test("compares counts alone where nothing is exact", () => {
    const only = { columns: [column("mean", "Float64")], classes: { mean: "approximate" } as const };
    expect(differencesQuery(only, { batch: "SELECT 1", live: "SELECT 2" })).toContain("GROUP BY tuple()");
  });
});
