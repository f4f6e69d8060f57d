/**
 * Evolve: the change of one source that says `drift: evolve`, as its author would apply it.
 *
 *   columns that records await ──▶ author's text with them ──apply──▶ in force
 *                                       └─refused──▶ columns one by one: those that would be refused are left out
 *
 * What is left out stands in the text (`leave_out`), so the verdict on a record
 * goes on to depend on its catalog version alone: such records are quarantined
 * from then on, and nothing waits for what cannot be had.
 *
 * @module
 */
import {
  bareNames,
  type NewColumn,
  nextColumns,
  qualifiedName,
  type Source,
  withColumns,
  withLeftOut,
} from "@weir/sql";
import { Clock, Effect } from "effect";
import type { OwnerNeeds } from "../owners.ts";
import { type Applied, type ApplyOptions, applyFiles } from "./apply.ts";
import { fileOf, held, type Kept, readsOf } from "./in_force.ts";
import { BuildFailed, type BuildFailures, type Site } from "./site.ts";

/** Who changes a definition so, as its entry says. */
export const EVOLVER = "evolve";

/** What is asked for. */
export interface EvolveAsk {
  /** The source's name. */
  readonly name: string;
  /** Takes what is awaited by now; asked once the catalog is held. */
  readonly take: () => readonly NewColumn[];
  /** Why all of it is to be left out: what was tried before, in vain. */
  readonly refused: string | undefined;
}

/** What was changed; nothing, where somebody else has seen to it. */
export interface Evolved {
  readonly added: readonly NewColumn[];
  readonly leftOut: readonly string[];
}

type Evolving<A> = Effect.fn.Return<A, BuildFailures, OwnerNeeds>;

/** Adds columns to a source, or leaves fields out for good; at most one change of the catalog. */
export const evolveSource = Effect.fn("evolveSource")(function* (
  site: Site,
  { name, take, refused }: EvolveAsk,
): Evolving<Evolved> {
  const found = held(site.kept, `ods.${name}`, "source");
  const columns = found === undefined ? [] : nextColumns(found.definition, take());
  if (found === undefined || columns.length === 0) return { added: [], leftOut: [] };
  const day = new Date(yield* Clock.currentTimeMillis).toISOString().slice(0, 10);
  const trying: Trying = { site, found, day };
  const reasons = refused === undefined ? namesakesIn(site, found, columns) : reasonsFor(columns, refused);
  const first = yield* applied(trying, outcomeOf(columns, reasons));
  if (first.done) return yield* told(found, outcomeOf(columns, reasons), reasons);
  const rest = outcomeOf(columns, reasons).added;
  const alone = yield* refusedAlone(trying, rest);
  // Each alone may do, and all together not.
  for (const [field, reason] of alone.size > 0 ? alone : reasonsFor(rest, problemIn(first))) reasons.set(field, reason);
  const outcome = outcomeOf(columns, reasons);
  const second = yield* applied(trying, outcome);
  if (second.done) return yield* told(found, outcome, reasons);
  return yield* new BuildFailed({ name: qualifiedName(found.definition), message: problemIn(second) });
});

/** Why fields are left out, by their names. */
type Reasons = ReadonlyMap<string, string>;

const reasonsFor = (columns: readonly NewColumn[], reason: string) =>
  new Map(columns.map(({ name }) => [name, reason] as const));

const outcomeOf = (columns: readonly NewColumn[], reasons: Reasons): Evolved => ({
  added: columns.filter(({ name }) => !reasons.has(name)),
  leftOut: [...reasons.keys()],
});

/** Columns that something above could take for what it names already. */
function namesakesIn({ kept }: Site, { definition }: Kept, columns: readonly NewColumn[]): Map<string, string> {
  const reasons = new Map<string, string>();
  for (const [reader, one] of kept) {
    if (!readsOf(one.definition).includes(qualifiedName(definition))) continue;
    const names = bareNames(one.entry.text);
    for (const { name } of columns)
      if (names.has(name)) reasons.set(name, `${reader} says ${name}, which could come to mean this column`);
  }
  return reasons;
}

/** Columns that would be refused even alone. */
const refusedAlone = Effect.fnUntraced(function* (
  trying: Trying,
  columns: readonly NewColumn[],
): Evolving<Map<string, string>> {
  const reasons = new Map<string, string>();
  for (const column of columns) {
    const problem = problemOf(yield* applied(trying, { added: [column], leftOut: [] }, { dryRun: true }));
    if (problem !== undefined) reasons.set(column.name, problem);
  }
  return reasons;
});

/** One source, tried with other texts. */
interface Trying {
  readonly site: Site;
  readonly found: Kept<Source>;
  readonly day: string;
}

/** Applies the source's text with other columns and fields to leave out. */
const applied = ({ site, found, day }: Trying, { added, leftOut }: Evolved, { dryRun = false } = {}) => {
  const { path, text } = fileOf(found.entry);
  const wide = withColumns({ file: path, text }, { columns: added, day });
  const before = found.definition.leaveOut ?? [];
  const amended = leftOut.length === 0 ? wide : withLeftOut({ file: path, text: wide }, [...before, ...leftOut]);
  const options: ApplyOptions = { author: EVOLVER, dryRun, allowDestructive: false };
  return applyFiles(site, { files: [{ path, text: amended }], again: new Set(), options });
};

/** Says what was done. */
const told = Effect.fnUntraced(function* ({ definition }: Kept<Source>, evolved: Evolved, reasons: Reasons) {
  const name = qualifiedName(definition);
  const added = evolved.added.map((column) => `${column.name} ${column.type}`).join(", ");
  if (added !== "") yield* Effect.logInfo(`${name} evolved: ${added}.`);
  for (const [field, reason] of reasons)
    yield* Effect.logWarning(`${name} leaves ${field} out, its records are quarantined: ${reason}`);
  return evolved;
});

const problemIn = (planned: Applied) => problemOf(planned) ?? "it was not applied";

/** What is in the way of a plan. */
function problemOf({ errors, changes }: Applied): string | undefined {
  const [error] = errors;
  if (error !== undefined) return error.message;
  for (const { change } of changes) {
    if (change.kind === "refuse") return `${qualifiedName(change.definition)}: ${change.reason}`;
    if (change.kind === "rebuild" && change.isDestructive)
      return `${qualifiedName(change.definition)} would lose stored values: it ${change.notes.join(", ")}`;
  }
  return undefined;
}
