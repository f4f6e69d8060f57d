/**
 * `weir start --watch`: a project's changed files are applied as soon as they are saved.
 *
 *   look ──other files than applied?──▶ unsettled ──same at the next look?──▶ apply ──▶ what changed, or file:line:column
 *     ▲                                     └──changed again──▶ unsettled                                    │
 *     └──────────────────────────────────────────── 0.2 s ◀──────────────────────────────────────────────────┘
 *
 * It looks instead of listening: what editors rename into place, new folders, network drives and mounts of containers
 * lose or double the events of a file system. What would lose stored values is not applied but said, and a definition
 * that is taken out of the folder stays in force.
 *
 * @module
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { DefinitionFile } from "@weir/actors";
import { qualifiedName } from "@weir/sql";
import { Cause, Exit } from "effect";
import { applyReport, type Place, problemLine } from "../apply_report.ts";
import type { Door } from "../door.ts";
import { definitionPaths, filesNamed, ProjectUnreadable, readBase, readProject, writeBase } from "../project.ts";

/** A change is seen after one look and applied after two: within half a second. */
const LOOK_EVERY_MS = 200;

/** How a project is watched. */
export interface WatchOptions {
  readonly projectDir: string;
  /** Hears what was changed, line by line. */
  readonly say: (line: string) => void;
  /** Hears what is in the way, line by line. */
  readonly warn: (line: string) => void;
}

/** What one look at the folder saw: each file's size and time, by path; those that definitions name too. */
export type Sight = ReadonlyMap<string, string>;

/** What is known between looks. */
export interface Watched {
  /** The files as they were when last applied, with or without success. */
  readonly applied: Sight;
  readonly last: Sight;
}

/** Decides what a look leads to; a file that is still being written is waited for. Pure. */
export function afterLook({ applied, last }: Watched, sight: Sight): { watched: Watched; isDue: boolean } {
  const isDue = isEqual(sight, last) && !isEqual(sight, applied);
  return { watched: { applied: isDue ? sight : applied, last: sight }, isDue };
}

function isEqual(one: Sight, other: Sight): boolean {
  return one.size === other.size && [...one].every(([path, stamp]) => other.get(path) === stamp);
}

/**
 * Applies the project, then goes on applying what changes until the door closes. Resolves after the first time, whatever
 * came of it; throws ProjectUnreadable when there is no such folder.
 */
export async function watchProject({ door }: { readonly door: Door }, options: WatchOptions): Promise<void> {
  const { projectDir, warn } = options;
  const data = new Map<string, NamedBy>();
  const sight = look(projectDir, data);
  await applyFolder(door, { ...options, before: sight, sight });
  let watched: Watched = { applied: sight, last: sight };
  let said = "";
  const once = async () => {
    const seen = look(projectDir, data);
    const before = watched.applied;
    const next = afterLook(watched, seen);
    watched = next.watched;
    if (next.isDue) await applyFolder(door, { ...options, before, sight: seen });
    said = "";
  };
  const goOn = () => {
    if (door.closing?.aborted === true) return;
    const failed = (error: unknown) => {
      // Said once: a folder that is away is away at the next look too.
      const line = problemLine(error, { dir: projectDir, from: process.cwd() });
      if (line !== said) warn(line);
      said = line;
    };
    setTimeout(() => void once().catch(failed).then(goOn), LOOK_EVERY_MS).unref();
  };
  goOn();
}

/** The files that a definition names, and the state of the definition. */
interface NamedBy {
  readonly stamp: string;
  readonly paths: readonly string[];
}

function look(dir: string, data: Map<string, NamedBy>): Sight {
  const sight = new Map<string, string>();
  for (const path of definitionPaths(dir)) {
    const stamp = stampOf(join(dir, path));
    sight.set(path, stamp);
    if (!/^(dim|ods)\//.test(path)) continue;
    let known = data.get(path);
    if (known?.stamp !== stamp) {
      known = { stamp, paths: filesNamed(dir, { path, text: textOf(join(dir, path)) }).map((named) => named.path) };
      data.set(path, known);
    }
    for (const named of known.paths) sight.set(named, stampOf(named));
  }
  return sight;
}

/** Changes whenever a file does: a save in place moves its time, one that renames has another number too. */
function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? "away" : `${stat.ino} ${stat.size} ${stat.mtimeMs}`;
}

/** A file's text; empty for one that went away between two looks. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

interface Applying extends WatchOptions {
  readonly before: Sight;
  readonly sight: Sight;
}

/** Applies the whole folder: what has not changed costs nothing. */
async function applyFolder(door: Door, { projectDir, say, warn, before, sight }: Applying): Promise<void> {
  const place: Place = { dir: projectDir, from: process.cwd() };
  const startedMs = performance.now();
  const removed = removedLines(door, { before, sight });
  for (const line of removed) say(line);
  let files: readonly DefinitionFile[];
  let base: number | undefined;
  try {
    files = readProject(projectDir);
    base = readBase(projectDir);
  } catch (error) {
    if (!(error instanceof ProjectUnreadable)) throw error;
    return warn(problemLine(error, place));
  }
  const how = { author: "watch", dryRun: false, allowDestructive: false, base };
  const exit = await door.run(door.catalog.apply(files, how));
  if (!Exit.isSuccess(exit)) return warn(problemLine(Cause.squash(exit.cause), place));
  const { problems, changes } = applyReport(exit.value, place);
  for (const problem of problems) warn(problem);
  if (problems.length > 0) return;
  writeBase(projectDir, exit.value.catalog);
  const took = `in ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`;
  const [only, ...others] = changes;
  if (only === undefined) {
    if (removed.length === 0) say("The project is in force as it is.");
  } else if (others.length === 0) say(`${only} ${took}`);
  else for (const line of [...changes, `${changes.length} definitions ${took}`]) say(line);
}

/** What is said of definitions in force whose files are no longer there. */
function removedLines({ catalog }: Door, { before, sight }: Pick<Applying, "before" | "sight">): readonly string[] {
  return catalog.all().flatMap(({ definition }) => {
    const name = qualifiedName(definition);
    const path = `${name.replace(".", "/")}.sql`;
    return before.has(path) && !sight.has(path) ? [`${name}: its file is gone; the definition stays in force`] : [];
  });
}
