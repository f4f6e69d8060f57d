/**
 * `weir init` as a new user meets it: what is written works at once, elsewhere than in the checkout.
 *
 * @module
 */
import { afterAll, describe, expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { definitionSchemas, readApi, readModel } from "@weir/sql";
import { readProject } from "../project.ts";
import { init } from "./init.ts";

const folder = mkdtempSync(join(tmpdir(), "weir-init-"));
const shop = join(folder, "my shop");
setDefaultTimeout(60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What `init` says on its way. */
function made(dir: string): string {
  const log = spyOn(console, "log").mockImplementation(() => undefined);
  try {
    expect(init({ dir })).toBe(0);
    return log.mock.calls.flat().join("\n");
  } finally {
    log.mockRestore();
  }
}

async function ran(command: readonly string[], cwd: string) {
  const child = Bun.spawn([...command], { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { status, text: stdout + stderr };
}

describe("init()", () => {
  test("writes a project whose own tests pass and whose types are known, without an installation", async () => {
    expect(made(shop).split("\n")).toHaveLength(3);
    expect(readdirSync(shop).sort()).toEqual([
      ...[".gitignore", "README.md", "api", "dwa", "ods"],
      ...["package.json", "sales_test.ts", "schemas", "tsconfig.json"],
    ]);
    const tsc = new URL("../../node_modules/.bin/tsc", import.meta.url).pathname;
    const [tests, types] = await Promise.all([
      ran([process.execPath, "test"], shop),
      ran([process.execPath, tsc, "--noEmit", "-p", "."], shop),
    ]);
    expect(tests).toMatchObject({ status: 0, text: expect.stringContaining(" 4 pass") });
    expect(types).toEqual({ status: 0, text: "" });
    expect(existsSync(join(shop, "node_modules"))).toBe(false);
  });

  test("names the commands of this checkout", async () => {
    const { status, text } = await ran([process.execPath, "run", "weir", "--help"], shop);
    expect({ status, knows: /\bapply\b/.test(text) }).toEqual({ status: 0, knows: true });
  });

  test("writes schemas that the definitions name", () => {
    for (const [kind, schema] of Object.entries(definitionSchemas()))
      expect(JSON.parse(readFileSync(join(shop, "schemas", `${kind}.json`), "utf8"))).toEqual(schema);
    for (const { path, text } of readProject(shop)) {
      const schema = /^# yaml-language-server: \$schema=(.*)$/m.exec(text)?.[1];
      expect(existsSync(join(shop, path, "..", schema ?? ""))).toBe(true);
    }
    const [api, model] = readProject(shop);
    expect([readApi(api!.path, api!.text).id, readModel(model!.path, model!.text).name]).toEqual([
      "recent_sales",
      "sales_day",
    ]);
  });

  test("takes a new repository, and refuses what holds anything else", () => {
    const empty = join(folder, "empty");
    mkdirSync(join(empty, ".git"), { recursive: true });
    made(empty);
    expect(existsSync(join(empty, "ods/sale.sql"))).toBe(true);
    writeFileSync(join(folder, "file"), "");
    mkdirSync(join(folder, "used"));
    writeFileSync(join(folder, "used/notes.txt"), "mine");
    expect(() => init({ dir: join(folder, "used") })).toThrow(
      /'.*used' is not empty, it has 'notes\.txt'\. Name a new/,
    );
    expect(() => init({ dir: join(folder, "file") })).toThrow(/'.*file' is a file\. Name a new/);
    expect(readdirSync(join(folder, "used"))).toEqual(["notes.txt"]);
  });
});
