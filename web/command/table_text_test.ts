/**
 * Tests of `table_text.ts`.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { CliOutput } from "effect/cli";
import { safeLines } from "../safe_text.ts";
import { cellText, fitsTable, fitted, recordText, tableText } from "./table_text.ts";

describe("cellText()", () => {
  test.each([
    ["null", null, "NULL"],
    ["a number", -1.5, "-1.5"],
    ["an array", [1, "a"], '[1,"a"]'],
    ["line breaks and tabs", "a\r\n\tb", "a\\r\\n\\tb"],
    ["escape sequences of a terminal", "\x1b[2Jgone\x9b0m", "\\u001b[2Jgone\\u009b0m"],
    ["overrides of the direction of writing", "a\u202eb", "a\\u202eb"],
    ["wide characters as they are", "東京 😀", "東京 😀"],
  ])("shows %s", (_, value, text) => {
    expect(cellText(value)).toBe(text);
  });
});

describe("safeLines()", () => {
  test("keeps the ends of lines, and nothing else that moves the cursor", () => {
    expect(safeLines("a\x1b[2J\n\tb\r\n\x9b1A")).toBe("a\\u001b[2J\n\\tb\\r\n\\u009b1A");
  });
});

describe("fitted()", () => {
  test.each([
    ["what fits", "abc", 3, "abc"],
    ["a cut text", "abcdef", 4, "abc…"],
    ["no half of a wide character", "東京都", 4, "東…"],
    ["a whole family", "👨‍👩‍👧x", 2, "…"],
  ] as const)("%s", (_, text, width, expected) => {
    expect(fitted(text, width)).toBe(expected);
    expect(CliOutput.displayWidth(fitted(text, width))).toBeLessThanOrEqual(width);
  });
});

describe("tableText()", () => {
  test("lines numbers up on the right and texts on the left", () => {
    const rows = [
      { city: "東京", people: "13960000", share: 0.5 },
      { city: "Ulm", people: "128928", share: null },
    ];
    expect(tableText(rows, 80).split("\n")).toEqual([
      "city    people  share",
      "────  ────────  ─────",
      "東京  13960000    0.5",
      "Ulm     128928   NULL",
    ]);
  });

  test("narrows the widest columns until a line fits", () => {
    const rows = [{ id: 7, note: "x".repeat(100), more: "y".repeat(30) }];
    const lines = tableText(rows, 40).split("\n");
    expect(lines.map((line) => CliOutput.displayWidth(line))).toEqual([27, 40, 40]);
    expect(lines[2]).toMatch(/^ 7 {2}x{16}… {2}y{16}…$/);
  });

  test("cuts lines where no column can be narrower", () => {
    const rows = [Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`column_${index}`, index]))];
    for (const line of tableText(rows, 50).split("\n")) expect(CliOutput.displayWidth(line)).toBe(50);
  });

  test("is no table where nothing could be read: then rows are lists", () => {
    const row = { order_id: "a-1", note: "x".repeat(30), price: "1.50" };
    expect([fitsTable([row], 25), fitsTable([row], 24)]).toEqual([true, false]);
    expect(recordText(row, { number: 3, width: 20 }).split("\n")).toEqual([
      "── row 3",
      "order_id  a-1",
      "note      xxxxxxxxx…",
      "price     1.50",
    ]);
  });

  test("is empty for no rows", () => expect(tableText([], 80)).toBe(""));
});
