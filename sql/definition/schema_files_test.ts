/**
 * Schema files behind a definition: what is attached comes back character by character, and nothing else is taken apart.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { attach, closesEarly, detach, SCHEMA_FILE } from "./schema_files.ts";

const TEXT = "/*---\nkind: source\n---*/\nCREATE TABLE ods.a (id String) -- ---*/\n";

describe("detach()", () => {
  test.each<readonly [string, string, readonly (readonly [string, string])[]]>([
    ["no file", TEXT, []],
    ["one file", TEXT, [["a.avsc", '{"type":"record"}\n']]],
    [
      "files with every end of line, and none",
      TEXT,
      [
        ["x/a.avsc", "a\r\nb\r\n"],
        ["b.proto", ""],
        ["c.proto", "\n\n"],
      ],
    ],
    ["a definition without a last line", TEXT.trimEnd(), [["a.proto", "/* a comment */"]]],
    ["a file that looks like a definition", TEXT, [["a.proto", "/*---\nkind: source"]]],
  ])("takes apart %s", (_, text, files) => {
    expect(detach(attach(text, new Map(files)))).toEqual({ text, files: new Map(files) });
  });

  test("takes an empty line that an editor puts at the end", () => {
    const files = new Map([["a.avsc", "x"]]);
    expect(detach(`${attach(TEXT, files)}\n\n`)).toEqual({ text: TEXT, files });
  });

  test.each([
    ["a block that never ends", `${TEXT}/*--- a.avsc\n{}`],
    ["SQL behind a block", `${TEXT}/*--- a.avsc\n{}\n---*/\nSELECT 1`],
    ["another comment", `${TEXT}/*--- a note ---*/`],
    ["a way out of the folder", `${TEXT}/*--- ../a.avsc\n{}\n---*/`],
  ])("leaves %s as it is", (_, text) => {
    expect(detach(text)).toEqual({ text, files: new Map() });
  });
});

test("closesEarly() finds the line that would end a block", () => {
  expect(["a\n---*/ \nb", "// ---*/", "---*/"].map(closesEarly)).toEqual([true, false, true]);
});

test.each([
  ["flight.avsc", true],
  ["schemas/v1.2/flight-1.proto", true],
  ["../flight.avsc", false],
  ["a/../flight.avsc", false],
  ["/etc/flight.avsc", false],
  [".hidden.avsc", false],
  ["a//b.avsc", false],
  ["a\\b.avsc", false],
  ["flight.json", false],
  ['{"type":"record"}', false],
  ["a.avsc\n", false],
])("SCHEMA_FILE knows %p", (name, isFile) => {
  expect(SCHEMA_FILE.test(name)).toBe(isFile);
});
