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
import { type NewColumn, nextColumns, qualifiedName, withColumns, withLeftOut } from "@weir/sql";
import { Clock, Effect } from "effect";
import type { OwnerNeeds } from "../owners.ts";
import { type Applied, type ApplyOptions, applyFiles } from "./apply.ts";
import { fileOf, held, type Kept } from "./in_force.ts";
import type { DefinitionFile } from "./read.ts";
import { BuildFailed, type BuildFailures, type Site } from "./site.ts";

/** Who changes a definition so, as its entry says. */
export const EVOLVER = "evolve";

/** What is asked for. */
export interface EvolveAsk {
  /** The source's name. */
  readonly name: string;
  readonly awaited: readonly NewColumn[];
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
  { name, awaited, refused }: EvolveAsk,
): Evolving<Evolved> {
  const found = held(site.kept, `ods.${name}`, "source");
  const columns = found === undefined ? [] : nextColumns(found.definition, awaited);
  if (found === undefined || columns.length === 0) return { added: [], leftOut: [] };
  const day = new Date(yield* Clock.currentTimeMillis).toISOString().slice(0, 10);
  const trying: Trying = { site, found, day };
  if (refused !== undefined) return yield* leaveOut(trying, { added: [], reasons: reasonsFor(columns, refused) });
  const whole = yield* applied(trying, { added: columns });
  if (whole.done) return { added: columns, leftOut: [] };
  const reasons = new Map<string, string>();
  for (const column of columns) {
    const own = problemOf(yield* applied(trying, { added: [column], dryRun: true }));
    if (own !== undefined) reasons.set(column.name, own);
  }
  // Each alone would do, and all together do not.
  if (reasons.size === 0) return yield* leaveOut(trying, { added: [], reasons: reasonsFor(columns, problemIn(whole)) });
  return yield* leaveOut(trying, { added: columns.filter((one) => !reasons.has(one.name)), reasons });
});

/** One source, tried with other texts. */
interface Trying {
  readonly site: Site;
  readonly found: Kept;
  readonly day: string;
}

interface Try {
  readonly added: readonly NewColumn[];
  readonly leftOut?: readonly string[];
  readonly dryRun?: boolean;
}

const applied = ({ site, found, day }: Trying, { added, leftOut = [], dryRun = false }: Try) => {
  const file = amended(found, { added, leftOut, day });
  const options: ApplyOptions = { author: EVOLVER, dryRun, allowDestructive: false };
  return applyFiles(site, { files: [file], again: new Set(), options });
};

function amended(
  { entry, definition }: Kept,
  { added, leftOut, day }: Required<Pick<Try, "added" | "leftOut">> & Pick<Trying, "day">,
): DefinitionFile {
  const { path, text } = fileOf(entry);
  const more = { file: path, text: withColumns({ file: path, text }, { columns: added, day }) };
  if (leftOut.length === 0) return { path, text: more.text };
  const before = definition.kind === "source" ? (definition.leaveOut ?? []) : [];
  return { path, text: withLeftOut(more, [...before, ...leftOut]) };
}

/** Leaves fields out, and says why; if even that cannot be applied, nothing has changed. */
const leaveOut = Effect.fnUntraced(function* (
  trying: Trying,
  { added, reasons }: { readonly added: readonly NewColumn[]; readonly reasons: ReadonlyMap<string, string> },
): Evolving<Evolved> {
  const { definition } = trying.found;
  const leftOut = [...reasons.keys()];
  const whole = yield* applied(trying, { added, leftOut });
  if (!whole.done) return yield* new BuildFailed({ name: qualifiedName(definition), message: problemIn(whole) });
  for (const [field, reason] of reasons)
    yield* Effect.logWarning(
      `${qualifiedName(definition)} leaves ${field} out, its records are quarantined: ${reason}`,
    );
  return { added, leftOut };
});

const reasonsFor = (columns: readonly NewColumn[], reason: string) =>
  new Map(columns.map(({ name }) => [name, reason] as const));

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
