/**
 * Tests of `sql.ts`: the place of a mistake.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { withPlace } from "./sql.ts";

describe("withPlace()", () => {
  test.each([
    ["nothing without a place", "SELECT 1", null, "No."],
    ["nothing for a parameter's name", "SELECT 1", "param_a", "No."],
    ["nothing beyond the query", "SELECT 1", { line: 2, column: 1 }, "No."],
    ["a caret below the place", "SELEC 1", { line: 1, column: 1 }, "No.\n\n1 | SELEC 1\n    ^"],
    ["the line that is meant", "SELECT\n  a,, b", { line: 2, column: 5 }, "No.\n\n2 |   a,, b\n        ^"],
    [
      "a place behind wide characters",
      "SELECT '東京' x y",
      { line: 1, column: 15 },
      "No.\n\n1 | SELECT '東京' x y\n                    ^",
    ],
    ["the end", "SELECT", { line: 1, column: 7 }, "No.\n\n1 | SELECT\n          ^"],
    ["no control character", "SELECT \x1b[2J", { line: 1, column: 8 }, "No.\n\n1 | SELECT \\u001b[2J\n           ^"],
  ] as const)("shows %s", (_, query, at, expected) => {
    expect(withPlace("No.", query, at)).toBe(expected);
  });

  test("cuts a long line around the place", () => {
    const [, , line, caret] = withPlace("No.", `${"a".repeat(500)}!${"b".repeat(500)}`, { line: 1, column: 501 }).split(
      "\n",
    );
    expect(line).toBe(`1 | ${"a".repeat(50)}!${"b".repeat(49)}`);
    expect(line![caret!.length - 1]).toBe("!");
  });
});
