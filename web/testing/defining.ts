/**
 * Definitions in a test: a project's folder, and texts over it.
 *
 *   project ──readProject──┐
 *   { path: text } ────────┴──▶ catalog ──▶ what changed, or WarehouseRefused with file:line:column
 *
 * @module
 */
import type { DefinitionFile } from "@weir/actors";
import { qualifiedName } from "@weir/sql";
import { Cause, Exit } from "effect";
import { applyReport, type Place, problemLine } from "../apply_report.ts";
import { ProjectUnreadable, readProject, withFiles } from "../project.ts";
import { untilRefusalsAreKept, WarehouseRefused } from "./asking.ts";
import type { Platform } from "./platform.ts";

/** Texts of definitions by path, for example `{ "dwa/day.sql": "…" }`. */
export type Definitions = Readonly<Record<string, string>>;

/** What an apply did to one definition. */
export interface Changed {
  readonly name: string;
  readonly kind: "create" | "describe" | "rebuild";
}

/** What is to be applied. */
export interface Applying {
  /** The folder that is read first, and in which the files are looked for that definitions name. */
  readonly project: string | undefined;
  readonly isWhole: boolean;
  readonly definitions: Definitions;
  readonly allowDestructive: boolean;
}

/** Applies definitions; those of the folder too if it is to be applied as a whole. */
export async function define(
  { door }: Platform,
  { project, isWhole, definitions, allowDestructive }: Applying,
): Promise<readonly Changed[]> {
  const place: Place = { dir: project ?? "", from: process.cwd() };
  const files = filesOf({ project, isWhole, definitions }, place);
  if (files.length === 0) return [];
  const exit = await door.run(door.catalog.apply(files, { author: "test", dryRun: false, allowDestructive }));
  if (!Exit.isSuccess(exit)) throw new WarehouseRefused(problemLine(Cause.squash(exit.cause), place));
  const { problems } = applyReport(exit.value, place);
  if (problems.length > 0) throw new WarehouseRefused(problems.join("\n"));
  // A set time would let rows expire by the machine's clock; what stops it holds for tables that are there.
  await door.run(door.warehouse.command("admin", "SYSTEM STOP TTL MERGES"));
  return exit.value.changes.flatMap(({ change }) => {
    if (change.kind === "same" || change.kind === "refuse") return [];
    return [{ name: qualifiedName(change.definition), kind: change.kind }];
  });
}

/** The files of the folder, and over them the definitions, with what the files hold that they name. */
function filesOf(
  { project, isWhole, definitions }: Pick<Applying, "project" | "isWhole" | "definitions">,
  place: Place,
): readonly DefinitionFile[] {
  try {
    const own = Object.entries(definitions).map(([path, text]) => withFiles(project ?? process.cwd(), { path, text }));
    const read = isWhole && project !== undefined ? readProject(project) : [];
    return [...read.filter(({ path }) => !Object.hasOwn(definitions, path)), ...own];
  } catch (error) {
    if (!(error instanceof ProjectUnreadable)) throw error;
    throw new WarehouseRefused(problemLine(error, place));
  }
}

const MERGE_TREES = `SELECT name FROM system.tables
WHERE database = 'weir_state' AND match(name, '^(ods|dwf|dws|dwa)__') AND engine LIKE '%MergeTree'`;

/** Removes all rows of sources and models, and the quarantine's; no event is known any more. Definitions and dimensions stay. */
export async function clear(platform: Platform): Promise<void> {
  const { run, warehouse } = platform.door;
  const done = <A, E>(exit: Exit.Exit<A, E>): A => {
    if (Exit.isSuccess(exit)) return exit.value;
    throw new WarehouseRefused(problemLine(Cause.squash(exit.cause), { dir: "", from: "" }));
  };
  await untilRefusalsAreKept(platform);
  const tables = done(await run(warehouse.rows<{ name: string }>("admin", MERGE_TREES)));
  const names = ["weir.quarantine", "weir.seen", ...tables.map(({ name }) => `weir_state.${name}`)];
  await Promise.all(names.map(async (name) => done(await run(warehouse.command("admin", `TRUNCATE TABLE ${name}`)))));
  platform.forget();
}
