/**
 * Front matter: where the file is cut, and what every mistake is answered with.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { duration } from "./duration.ts";
import { DefinitionError, lineAndColumn } from "./error.ts";
import { cutFile, placeOf, readFrontMatter } from "./front_matter.ts";

const SCHEMA = z.strictObject({
  kind: z.literal("source").describe("What this file defines."),
  doc: z.string().min(1).describe("What it is about."),
  partitions: z.int().min(1).max(256).default(4).describe("How many."),
  unknown: z.enum(["reject", "keep"]).default("reject"),
  topic: z.string().regex(/^\w+$/, "A topic's name has letters").optional(),
  keep: z.strictObject({ age: duration.prefault("7 days") }).prefault({}),
});

const fileOf = (yaml: string, sql = "SELECT 1\n") => `/*---\n${yaml}\n---*/\n${sql}`;

/** What went wrong: `line:column problem → hint`. */
function wrong(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error;
    expect(error.message).toBe(`${error.file}:${error.line}:${error.column}: ${error.problem} ${error.hint}`);
    return `${error.line}:${error.column} ${error.problem} → ${error.hint}`;
  }
  return "nothing";
}

test("readFrontMatter() refuses aliases that unfold into too much", () => {
  const level = (n: number) =>
    `l${n}: &l${n} [${Array(10)
      .fill(`*l${n - 1}`)
      .join(",")}]`;
  const yaml = ["l0: &l0 [x]", ...Array.from({ length: 9 }, (_, index) => level(index + 1))].join("\n");
  const cut = cutFile("ods/a.sql", fileOf(yaml));
  expect(wrong(() => readFrontMatter(cut, z.strictObject({})))).toBe(
    "2:1 Cannot read the front matter: Excessive alias count indicates a resource exhaustion attack. → Write every value out instead of using aliases.",
  );
});

describe("cutFile()", () => {
  test.each<readonly [string, string, { yaml: string; sql: string }]>([
    ["a file", "/*---\nkind: a\n---*/\nSELECT 1\n", { yaml: "kind: a", sql: "SELECT 1\n" }],
    ["several lines", "/*---\na: 1\nb: 2\n---*/\nSELECT\n1", { yaml: "a: 1\nb: 2", sql: "SELECT\n1" }],
    ["no options", "/*---\n---*/\nSELECT 1", { yaml: "", sql: "SELECT 1" }],
    ["no SQL", "/*---\na: 1\n---*/", { yaml: "a: 1", sql: "" }],
    ["spaces behind the marks", "/*---  \na: 1\n---*/ \nSELECT 1", { yaml: "a: 1", sql: "SELECT 1" }],
    ["line ends of Windows", "/*---\r\na: 1\r\n---*/\r\nSELECT 1", { yaml: "a: 1", sql: "SELECT 1" }],
    ["a byte order mark", "\uFEFF/*---\na: 1\n---*/\nSELECT 1", { yaml: "a: 1", sql: "SELECT 1" }],
    ["marks inside of the SQL", "/*---\na: 1\n---*/\n/*---\n---*/", { yaml: "a: 1", sql: "/*---\n---*/" }],
    ["a mark that is not alone on its line", "/*---\na: ---*/ x\n---*/\nS", { yaml: "a: ---*/ x", sql: "S" }],
  ])("cuts %s", (_, text, expected) => {
    const cut = cutFile("ods/a.sql", text);
    expect({ yaml: cut.yaml, sql: cut.sql }).toEqual(expected);
    expect(text.slice(cut.sqlStart)).toBe(cut.sql);
  });

  const BEGIN = "→ Begin the file with a line `/*---`, then YAML, then a line `---*/`.";
  test.each([
    ["an empty file", "", `1:1 Cannot read the definition: its first line is ''. ${BEGIN}`],
    [
      "a file without front matter",
      "SELECT 1",
      `1:1 Cannot read the definition: its first line is 'SELECT 1'. ${BEGIN}`,
    ],
    [
      "a comment like front matter",
      "/* ---\na: 1\n--- */",
      `1:1 Cannot read the definition: its first line is '/* ---'. ${BEGIN}`,
    ],
    [
      "front matter on one line",
      "/*--- a: 1 ---*/",
      `1:1 Cannot read the definition: its first line is '/*--- a: 1 ---*/'. ${BEGIN}`,
    ],
    [
      "front matter beyond its bound",
      fileOf('"'.repeat(32_769)),
      "1:1 Cannot read the definition: its front matter has 32769 characters. → Write 32768 at most.",
    ],
    [
      "front matter that never ends",
      "/*---\na: 1\nSELECT 1",
      "1:1 Cannot read the definition: its front matter never ends. → Close it with a line `---*/`.",
    ],
  ])("refuses %s", (_, text, expected) => {
    expect(wrong(() => cutFile("ods/a.sql", text))).toBe(expected);
  });
});

describe("readFrontMatter()", () => {
  const read = (yaml: string) => readFrontMatter(cutFile("ods/a.sql", fileOf(yaml)), SCHEMA);

  test("reads options and fills in what is not said", () => {
    expect(read("kind: source\ndoc: 'A: b' # why\npartitions: 8")).toEqual({
      kind: "source",
      doc: "A: b",
      partitions: 8,
      unknown: "reject",
      keep: { age: 604_800_000 },
    });
    expect(read("kind: source\r\ndoc: a\r").doc).toBe("a");
    expect(read("kind: source\ndoc: >\n  two\n  lines\nkeep: { age: 1 h }").keep).toEqual({ age: 3_600_000 });
  });

  const OK = "kind: source\ndoc: a";
  test.each([
    [
      "nothing at all",
      "",
      "2:1 Cannot read the front matter: 'kind' is missing. → Add `kind`. What this file defines.",
    ],
    ["no value", "kind:\ndoc: a", "2:1 Cannot use 'kind': 'null' is unknown. → Write source."],
    [
      "something missing",
      "kind: source",
      "2:1 Cannot read the front matter: 'doc' is missing. → Add `doc`. What it is about.",
    ],
    ["another kind", "doc: a\nkind: model", "3:1 Cannot use 'kind': 'model' is unknown. → Write source."],
    ["an empty text", "kind: source\ndoc: ''", "3:1 Cannot use 'doc': it is empty. → What it is about."],
    ["a number for a text", "kind: source\ndoc: 12", "3:1 Cannot use 'doc': '12' is not text. → What it is about."],
    [
      "a text for a number",
      `${OK}\npartitions: four`,
      "4:1 Cannot use 'partitions': 'four' is not a number. → How many.",
    ],
    ["a fraction", `${OK}\npartitions: 1.5`, "4:1 Cannot use 'partitions': '1.5' is not a whole number. → How many."],
    ["too few", `${OK}\npartitions: 0`, "4:1 Cannot use 'partitions': '0' is too small. → Write 1 or more."],
    ["too many", `${OK}\npartitions: 257`, "4:1 Cannot use 'partitions': '257' is too large. → Write 256 or less."],
    [
      "one of several words",
      `${OK}\nunknown: maybe`,
      "4:1 Cannot use 'unknown': 'maybe' is unknown. → Write reject or keep.",
    ],
    [
      "the wrong form",
      `${OK}\ntopic: a b`,
      "4:1 Cannot use 'topic': 'a b' is not allowed. → A topic's name has letters.",
    ],
    [
      "a span of time",
      `${OK}\nkeep:\n  age: 3 moons`,
      "5:3 Cannot use 'keep.age': '3 moons' is not allowed. → Write a span of time, for example 10 s, 5 minutes, 7 days.",
    ],
    [
      "text for a group",
      `${OK}\nkeep: 7 days`,
      "4:1 Cannot use 'keep': '7 days' is not a group of options. → Write one `option: value` on each line.",
    ],
    [
      "an unknown option",
      `${OK}\n\n  # why\ntopics: a`,
      "6:1 Cannot use 'topics' here: there is no such option. → Use one of: kind, doc, partitions, unknown, topic, keep.",
    ],
    [
      "an unknown option of a group",
      `${OK}\nkeep: { age: 1 h, until: 3 }`,
      "4:19 Cannot use 'keep.until' here: there is no such option. → Use one of: age.",
    ],
    [
      "a list",
      "- kind: source",
      '2:1 Cannot use the front matter: \'[{"kind":"source"}]\' is not a group of options. → Write one `option: value` on each line.',
    ],
    [
      "an option twice",
      "kind: source\ndoc: a\ndoc: b",
      "4:1 Cannot read the front matter: Map keys must be unique. → Write it as YAML: one `option: value` on each line.",
    ],
    [
      "broken YAML",
      "kind: source\ndoc: 'a",
      "3:8 Cannot read the front matter: Missing closing 'quote. → Write it as YAML: one `option: value` on each line.",
    ],
    [
      "tabs",
      "kind: source\n\tdoc: a",
      "3:1 Cannot read the front matter: Tabs are not allowed as indentation. → Write it as YAML: one `option: value` on each line.",
    ],
  ])("answers %s with its place", (_, yaml, expected) => {
    expect(wrong(() => read(yaml))).toBe(expected);
  });
});

describe("placeOf()", () => {
  test.each([
    ["kind: source\nkey: a", ["key"], "3:1"],
    ['kind: source\n"key": a', ["key"], "3:1"],
    ["{ kind: source, key: a }", ["key"], "2:17"],
    ["doc: |\n  key: b\nkey: a", ["key"], "4:1"],
    ["keep:\n  age: 1 s", ["keep", "age"], "3:3"],
    ["kind: source", ["key"], "2:1"],
  ])("finds in %p the option %p", (yaml, path, expected) => {
    const { line, column } = placeOf(cutFile("ods/a.sql", fileOf(yaml)), path);
    expect(`${line}:${column}`).toBe(expected);
  });
});

describe("lineAndColumn()", () => {
  test.each([
    ["abc", 0, "1:1"],
    ["abc", 3, "1:4"],
    ["a\nbc", 2, "2:1"],
    ["a\nbc", 3, "2:2"],
    ["a\n\n", 3, "3:1"],
  ])("counts from 1 in %p at %p", (text, offset, expected) => {
    const { line, column } = lineAndColumn(text, offset);
    expect(`${line}:${column}`).toBe(expected);
  });
});
