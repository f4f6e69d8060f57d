/**
 * Tests of `project.ts`: what a folder may hold, and what of the machine it may not make a command read.
 *
 * @module
 */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { detach } from "@weir/sql";
import { readProject } from "./project.ts";

const folder = mkdtempSync(join(tmpdir(), "weir-project-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const dimension = (file: string) =>
  `/*---\nkind: dimension\ndoc: One.\nkey: a\nfrom: { file: ${file} }\n---*/\nCREATE TABLE dim.one ( a String )\n`;

/** A project of one dimension that names `file`; what lies in its folder is made by `make`. */
function projectOf(name: string, { file, make }: { file: string; make: (dir: string) => void }): string {
  const dir = join(folder, name);
  mkdirSync(join(dir, "dim"), { recursive: true });
  writeFileSync(join(dir, "dim/one.sql"), dimension(file));
  make(dir);
  return dir;
}

describe("readProject()", () => {
  const nothing = () => undefined;

  test("8: reads what a dimension names beside it, through links too", () => {
    const make = (dir: string) => {
      mkdirSync(join(dir, "data"));
      writeFileSync(join(dir, "data/one.csv"), "a\n1\n");
      symlinkSync("../data/one.csv", join(dir, "dim/link.csv"));
    };
    for (const file of ["../data/one.csv", "link.csv"]) {
      const [one] = readProject(projectOf(`beside ${file.length}`, { file, make }));
      expect(new TextDecoder().decode(one!.data)).toBe("a\n1\n");
    }
  });

  test.each([
    ["a path out of the folder", "../../secret.csv", nothing, "lies outside of the project's folder"],
    ["a link out of it", "x.csv", (dir: string) => symlinkSync("../../secret.csv", join(dir, "dim/x.csv")), "outside"],
    ["a device", "x.csv", (dir: string) => symlinkSync("/dev/null", join(dir, "dim/x.csv")), "outside"],
    ["a folder", "x.csv", (dir: string) => mkdirSync(join(dir, "dim/x.csv")), "'x.csv' is no file"],
    ["what is not there", "x.csv", nothing, "there is no file 'x.csv' beside it"],
  ] as const)("8, 16: does not read %s", (name, file, make, said) => {
    writeFileSync(join(folder, "secret.csv"), "a\nsecret\n");
    expect(() => readProject(projectOf(name, { file, make }))).toThrow(said);
  });

  describe("schema files", () => {
    const SOURCE = `/*---\nkind: source\ndoc: One.\nformat: { kind: avro, schemas: { 7: one.avsc, 8: avro/two.avsc } }\n---*/\nCREATE TABLE ods.one (a String)\n`;
    /** A project of one source that names two schemas; what lies in its folder is made by `make`. */
    const sourceOf = (name: string, make: (dir: string) => void) => {
      const dir = join(folder, `schema ${name}`);
      mkdirSync(join(dir, "ods/avro"), { recursive: true });
      writeFileSync(join(dir, "ods/one.sql"), SOURCE);
      writeFileSync(join(dir, "ods/one.avsc"), "{}\n");
      make(join(dir, "ods/avro/two.avsc"));
      return dir;
    };

    test("travel behind their definition", () => {
      const [one] = readProject(sourceOf("both", (path) => writeFileSync(path, "[]")));
      const files = new Map([
        ["one.avsc", "{}\n"],
        ["avro/two.avsc", "[]"],
      ]);
      expect(detach(one!.text)).toEqual({ text: SOURCE, files });
    });

    test.each([
      ["what is not there", nothing, "there is no file 'avro/two.avsc' beside it"],
      ["a link out of the folder", (path: string) => symlinkSync("../../../secret.csv", path), "outside"],
      ["a folder", (path: string) => mkdirSync(path), "'avro/two.avsc' is no file"],
      ["bytes that are no text", (path: string) => writeFileSync(path, new Uint8Array([255])), "is not valid UTF-8"],
      ["the end of a comment", (path: string) => writeFileSync(path, "a\n---*/\n"), "has a line `---*/`"],
      ["what is too large", (path: string) => writeFileSync(path, " ".repeat(2 ** 18 + 1)), "has 262145 bytes"],
      [
        "what is too large together",
        (path: string) => writeFileSync(path, " ".repeat(2 ** 18)),
        "with its schema files",
      ],
    ] as const)("are not read: %s", (name, make, said) => {
      writeFileSync(join(folder, "secret.csv"), "secret");
      const dir = sourceOf(name, make);
      expect(() => readProject(dir)).toThrow(said);
      expect(() => readProject(dir)).toThrow("Cannot read 'ods/one.sql': ");
    });
  });

  test("8, 16: leaves links, and what is too large, alone", () => {
    const dir = projectOf("links", { file: "x.csv", make: (dir) => writeFileSync(join(dir, "dim/x.csv"), "a\n1\n") });
    mkdirSync(join(dir, "ods"));
    symlinkSync("/etc/passwd", join(dir, "ods/passwd.sql"));
    expect(readProject(dir).map(({ path }) => path)).toEqual(["dim/one.sql"]);
    writeFileSync(join(dir, "ods/large.sql"), " ".repeat(256 * 1_024 + 1));
    expect(() => readProject(dir)).toThrow("it has 262145 bytes");
  });
});
