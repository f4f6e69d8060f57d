/**
 * Tidy: what the tree itself must hold, beside what compiler and linter see.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = new URL("..", import.meta.url).pathname;
/** Rooms in the order of the one direction: each may import those before it. */
const ROOMS = ["sql", "connectors", "actors", "web", "tests"] as const;
const TOP_LEVEL = [
  ".ci",
  ".gitignore",
  "LICENSE",
  "README.md",
  "bun.lock",
  "bunfig.toml",
  "package.json",
  "tsconfig.json",
  ...ROOMS,
];
const LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
const DOOR_LINES_MAX = 40;
const WIRING_LINES_MAX = 80;

const files = [...new Bun.Glob("{sql,connectors,actors,web,tests}/**/*.{ts,tsx,css,html}").scanSync({ cwd: ROOT })]
  .filter((path) => !path.includes("node_modules"))
  .sort();
const text = (path: string) => readFileSync(join(ROOT, path), "utf8");
const lines = (path: string) => text(path).trimEnd().split("\n");

/** Calls `broken` for every file and lists what it says. */
function problems(paths: readonly string[], broken: (path: string) => string | undefined): string[] {
  return paths.flatMap((path) => {
    const problem = broken(path);
    return problem === undefined ? [] : [`${path}: ${problem}`];
  });
}

describe("the tree", () => {
  test("has only what belongs at the top", () => {
    const ignored = new Set([".git", ".weir", "node_modules"]);
    expect(
      readdirSync(ROOT)
        .filter((name) => !ignored.has(name))
        .sort(),
    ).toEqual([...TOP_LEVEL].sort());
  });

  test("imports in one direction, through doors", () => {
    const broken = problems(files, (path) => {
      const room = ROOMS.findIndex((name) => path.startsWith(`${name}/`));
      for (const [, specifier] of text(path).matchAll(/(?:from|import\()\s*"([^"]+)"/g)) {
        const other = ROOMS.findIndex((name) => specifier === `@weir/${name}`);
        if (other >= room) return `imports ${specifier}, which is not below it`;
        const isForTests = path.startsWith("tests/") && specifier.endsWith("/testing");
        if (/^@weir\/[^/]+\//.test(specifier) && !isForTests) return `reaches past a door: ${specifier}`;
        if (specifier.startsWith("..") && !join(path, "..", specifier).startsWith(`${ROOMS[room]}/`))
          return `leaves its room: ${specifier}`;
      }
      return undefined;
    });
    expect(broken).toEqual([]);
  });

  test("names in each room's package.json only rooms below it", () => {
    for (const [index, room] of ROOMS.entries()) {
      const { dependencies = {} } = JSON.parse(text(`${room}/package.json`)) as {
        dependencies?: Record<string, string>;
      };
      const rooms = Object.keys(dependencies).flatMap((name) => ROOMS.filter((other) => name === `@weir/${other}`));
      expect(rooms.every((other) => ROOMS.indexOf(other) < index)).toBe(true);
    }
  });

  test("keeps vendors and the environment in their places", () => {
    const broken = problems(files, (path) => {
      const code = text(path);
      const isTest = path.startsWith("tests/") || path.endsWith("_test.ts");
      if (
        // A bundle's own NODE_ENV is none of the process's.
        /process\.env(?!\.NODE_ENV": )/.test(code) &&
        path !== "web/config.ts" &&
        !isTest &&
        !/^connectors\/.*(contract|fixture|child)/.test(path)
      )
        return "reads the environment";
      if (/^sql\//.test(path) && !isTest && /from "(node:fs|node:http|effect|bun)"|Bun\.(file|spawn|serve)/.test(code))
        return "does IO or uses Effect";
      if (/^actors\//.test(path) && !isTest && /from "(hono|kafkajs|bun:sqlite|node:http)"/.test(code))
        return "knows a vendor";
      if (!path.startsWith("web/console/") && /from "(react|react-dom|uplot|@codemirror|@lezer)/.test(code))
        return "knows the browser";
      if (path.startsWith("web/console/") && /from "(\.\.|@weir|effect|hono|node:)/.test(code) && !isTest)
        return "leaves the browser";
      return undefined;
    });
    expect(broken).toEqual([]);
  });
});

describe("every file", () => {
  test("is snake_case, named after its subject, and not too long", () => {
    const broken = problems(files, (path) => {
      const name = path.split("/").at(-1) as string;
      if (!/^[a-z0-9_]+(\.d)?\.(tsx?|css|html)$/.test(name)) return "is not snake_case";
      if (/^(utils?|helpers?|types|common|index)\.\w+$/.test(name)) return "is named after no subject";
      const count = lines(path).length;
      if (count > LINES_MAX) return `has ${count} lines`;
      if (name === "mod.ts" && path.split("/").length === 2 && path !== "web/mod.ts" && count > DOOR_LINES_MAX)
        return `is a door of ${count} lines`;
      if (path === "web/main.ts" && count > WIRING_LINES_MAX) return `wires in ${count} lines`;
      return undefined;
    });
    expect(broken).toEqual([]);
  });

  test("begins with a header that says what it is; a test beside its subject needs none", () => {
    const subjects = files.filter((path) => !/_test\.tsx?$/.test(path));
    const header = (path: string) => {
      if (path.endsWith(".html")) return /^<!doctype html>\n<!--/;
      return path.endsWith(".css") ? /^\/\*/ : /^(#!.*\n)?\/\*\*/;
    };
    expect(problems(subjects, (path) => (header(path).test(text(path)) ? undefined : "has no header"))).toEqual([]);
  });

  test("has no function that is too long", () => {
    // A contract is a list of tests in the form of a function.
    const measured = files.filter((path) => !path.includes("_contract"));
    const broken = problems(measured, (path) => {
      const all = lines(path);
      for (const [start, line] of all.entries()) {
        const indent = /^(\s*)(?:export )?(?:async )?(?:function\*? \w+|static \w+|#?\w+\([^{]*\).*\{$)/.exec(
          line,
        )?.[1];
        if (indent === undefined || /^\s*(describe|test|it|expect|(before|after)(All|Each)|use[A-Z]\w*)\b/.test(line))
          continue;
        const end = all.findIndex((other, index) => index > start && other === `${indent}}`);
        if (end - start > FUNCTION_LINES_MAX) return `line ${start + 1} begins ${end - start} lines of function`;
      }
      return undefined;
    });
    expect(broken).toEqual([]);
  });

  test("leaves nothing for later and no path of a machine", () => {
    const broken = problems(
      files.filter((path) => path !== "tests/tidy_test.ts"),
      (path) => {
        const code = text(path);
        if (/(\/\/|\*).*\b(TODO|FIXME|XXX|HACK)\b/.test(code)) return "leaves something for later";
        if (/\b(test|describe|it)\.(only|todo)\(/.test(code)) return "has a test that does not run";
        if (/["'`]\/(work|root|home)\//.test(code)) return "names a path of a machine";
        return undefined;
      },
    );
    expect(broken).toEqual([]);
  });
});
