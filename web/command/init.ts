/**
 * `weir init DIR`: a small project that works at once: a source, a model, an API, and their test.
 *
 *   init/ (the template) ──▶ DIR/ods · dwa · api · sales_test.ts · README.md
 *   definitionSchemas() ──▶ DIR/schemas         where this checkout lies ──▶ DIR/package.json · tsconfig.json
 *
 * Weir comes from no registry: the project names the checkout by a relative
 * path, so nothing is installed and both may move together. Nothing is
 * overwritten.
 *
 * @module
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { definitionSchemas } from "@weir/sql";
import { ConfigInvalid } from "../config.ts";

const TEMPLATE = fileURLToPath(new URL("./init/", import.meta.url));
const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));
/** Files of the template that would mean something where they lie. */
const RENAMED: Readonly<Record<string, string>> = { gitignore: ".gitignore" };
/** What a new folder may hold already. */
const HARMLESS: ReadonlySet<string> = new Set([".git"]);

/** Writes the project and says what to do next; throws ConfigInvalid when the folder is not empty. */
export function init({ dir }: { readonly dir: string }): number {
  const path = resolve(dir);
  refuseUsed(path, dir);
  mkdirSync(path, { recursive: true });
  const checkout = pathFrom(realpathSync(path), realpathSync(CHECKOUT));
  const files = new Map<string, string>([
    ...templateFiles(),
    ...Object.entries(definitionSchemas()).map(([kind, schema]): [string, string] => [
      `schemas/${kind}.json`,
      json(schema),
    ]),
    ["package.json", json(packageOf(basename(path), checkout))],
    ["tsconfig.json", json(tsconfigOf(checkout))],
  ]);
  for (const [name, text] of files) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    // Never over a file that came in between.
    writeFileSync(join(path, name), text, { flag: "wx" });
  }
  const shown = /^[\w./-]+$/.test(dir) ? dir : JSON.stringify(dir);
  const isInstalled = existsSync(join(CHECKOUT, "node_modules"));
  const next = [
    ...(isInstalled ? [] : [[`bun install --cwd ${checkout}`, "installs Weir's packages, once"] as const]),
    [`cd ${shown} && bun test`, "tests it, on a warehouse of its own"],
    ["bun run start", "opens its door, and applies what you save"],
    ["README.md", "says what there is"],
  ] as const;
  const width = Math.max(...next.map(([command]) => command.length));
  for (const [command, does] of next) console.log(`${command.padEnd(width)}   ${does}`);
  return 0;
}

function refuseUsed(path: string, dir: string): void {
  if (!existsSync(path)) return;
  const hint = "Name a new folder, or an empty one.";
  if (!statSync(path).isDirectory()) throw new ConfigInvalid(`Cannot make a project: '${dir}' is a file. ${hint}`);
  const [found] = readdirSync(path).filter((name) => !HARMLESS.has(name));
  if (found === undefined) return;
  throw new ConfigInvalid(`Cannot make a project: '${dir}' is not empty, it has '${found}'. ${hint}`);
}

function templateFiles(): readonly [string, string][] {
  return [...new Bun.Glob("**/*").scanSync({ cwd: TEMPLATE })].map((name) => [
    RENAMED[name] ?? name,
    readFileSync(join(TEMPLATE, name), "utf8"),
  ]);
}

/** The relative path from the project to the checkout, as TypeScript and Bun read it. */
function pathFrom(project: string, checkout: string): string {
  const path = relative(project, checkout).split(sep).join("/");
  return path.startsWith("..") ? path : `./${path}`;
}

function packageOf(name: string, checkout: string): object {
  const weir = `bun ${JSON.stringify(`${checkout}/web/main.ts`)}`;
  return {
    name:
      name
        .toLowerCase()
        .replaceAll(/[^a-z0-9._-]+/g, "-")
        .replace(/^[._-]+/, "") || "warehouse",
    private: true,
    type: "module",
    scripts: {
      start: `${weir} start --project . --watch`,
      test: "bun test",
      plan: `${weir} plan --project .`,
      weir,
    },
  };
}

function tsconfigOf(checkout: string): object {
  return {
    extends: `${checkout}/tsconfig.json`,
    compilerOptions: {
      types: [`${checkout}/node_modules/bun-types`],
      paths: { "weir/test": [`${checkout}/web/testing.ts`] },
    },
    include: ["**/*.ts", `${checkout}/sql/**/*.d.ts`, `${checkout}/connectors/**/*.d.ts`],
    exclude: ["**/node_modules"],
  };
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
