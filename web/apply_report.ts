/**
 * What became of an apply, in lines for people: what is in its way, with the place in the author's file, and what it changed.
 *
 *   Applied ──applyReport──▶ dwa/day.sql:7:3: Cannot … <hint>     dwa.day: rebuilt, 12,000 rows
 *
 * Pure.
 *
 * @module
 */
import { join, relative } from "node:path";
import { type Applied, type AppliedChange, BuildFailed } from "@weir/actors";
import { DefinitionError, qualifiedName } from "@weir/sql";
import { ProjectUnreadable } from "./project.ts";

/** The lines about one apply. */
export interface ApplyReport {
  /** One line for each thing in the way; empty when everything was applied. */
  readonly problems: readonly string[];
  /** One line for each definition that was changed. */
  readonly changes: readonly string[];
}

/** Where lines say that files lie. */
export interface Place {
  /** The project's folder; empty: the files have none. */
  readonly dir: string;
  /** The folder that paths are relative to, for a terminal to open them. */
  readonly from: string;
}

const WORDS = { create: "created", rebuild: "rebuilt", describe: "described anew" } as const;

/** Says what an apply changed, or why it changed nothing. */
export function applyReport({ changes, errors, conflicts, done }: Applied, place: Place): ApplyReport {
  if (done) return { problems: [], changes: changes.flatMap(changeLine) };
  const problems = [
    ...errors.map((error) => problemLine(error, place)),
    ...conflicts.map(({ name, author, catalog }) => {
      const problem = `'${author}' changed it since (catalog ${catalog})`;
      return inWay(name, place, `${problem}. Run weir pull and merge, or weir apply --force`);
    }),
    ...changes.flatMap(({ change }) => {
      const name = qualifiedName(change.definition);
      if (change.kind === "refuse") return [inWay(name, place, `${change.reason}. ${change.hint.replace(/\.$/, "")}`)];
      if (change.kind !== "rebuild" || !change.isDestructive) return [];
      const lost = `stored values would be lost: it ${change.notes.join(", ")}`;
      return [inWay(name, place, `${lost}. Run weir apply --allow-destructive if that is meant`)];
    }),
  ];
  return { problems, changes: [] };
}

/** Says what kept a project from being read or applied. */
export function problemLine(error: unknown, place: Place): string {
  if (error instanceof DefinitionError)
    return `${pathTo(error.file, place)}:${error.line}:${error.column}: ${error.problem} ${error.hint}`;
  const message = error instanceof Error ? error.message : String(error);
  const file =
    error instanceof BuildFailed ? fileOf(error.name) : error instanceof ProjectUnreadable ? error.file : undefined;
  return file === undefined ? message : `${pathTo(file, place)}:1:1: ${message}`;
}

function changeLine({ change, reach }: AppliedChange): readonly string[] {
  if (change.kind === "same" || change.kind === "refuse") return [];
  const rows = reach?.rows ?? 0;
  const filled = rows === 0 ? "" : `, ${rows.toLocaleString("en")} ${rows === 1 ? "row" : "rows"}`;
  return [`${qualifiedName(change.definition)}: ${WORDS[change.kind]}${filled}`];
}

const inWay = (name: string, place: Place, problem: string) =>
  `${pathTo(fileOf(name), place)}:1:1: Cannot apply ${name}: ${problem}.`;

/** The file of a definition below its project's folder. */
const fileOf = (name: string) => `${name.replace(".", "/")}.sql`;

const pathTo = (file: string, { dir, from }: Place) => (dir === "" ? file : relative(from, join(dir, file)));
