/**
 * Apply: the plan of a set of files, carried out.
 *
 *   plan ──errors, refusals, losses?──▶ nothing is changed
 *     └─▶ sources ──▶ dimensions ──▶ one build of all models, with what changes below them ──▶ APIs
 *
 * @module
 */
import { Warehouse } from "@weir/connectors";
import {
  type Change,
  changesShape,
  createModelView,
  type Definition,
  type DefinitionError,
  publishDimension,
  qualifiedName,
} from "@weir/sql";
import { Effect } from "effect";
import { atRest, type OwnerNeeds } from "../owners.ts";
import { build, type Plot, type Rebuilt, type Replaced, type Reshaped } from "./build.ts";
import { retire } from "./build_end.ts";
import { loadDimension, showDimension } from "./dimension_change.ts";
import { catalogVersion, type Entry, enter, nameOf, newestEntries } from "./entries.ts";
import { dependentsOf, held, type Kept, readsOf } from "./in_force.ts";
import { type Planned, planFiles } from "./planning.ts";
import { type Reach, reachOf } from "./reach.ts";
import type { DefinitionFile } from "./read.ts";
import type { Reset, ResetTo } from "./reset.ts";
import { type BuildFailures, type Built, remember, type Site } from "./site.ts";
import { changeSource } from "./source_change.ts";

/** How files are applied. */
export interface ApplyOptions {
  readonly author: string;
  readonly dryRun: boolean;
  readonly allowDestructive: boolean;
  /** The catalog that the author has seen: what was changed after it is a conflict. Undefined: whatever there is. */
  readonly base?: number | undefined;
}

/** A change, and what hangs on it. */
export interface AppliedChange {
  readonly change: Change;
  /** Models and APIs that read it, directly or through others. */
  readonly dependents: readonly string[];
  /** What a new version of a model is filled with; undefined for what is not made anew. */
  readonly reach?: Reach | undefined;
}

/** What applying would do or did, definition by definition. */
export interface Applied {
  readonly changes: readonly AppliedChange[];
  readonly errors: readonly DefinitionError[];
  /** Definitions that somebody else changed since `base`. */
  readonly conflicts: readonly { readonly name: string; readonly author: string; readonly catalog: number }[];
  /** Version of the catalog afterwards. */
  readonly catalog: number;
  /** False when nothing was changed: dry run, an error, a refusal, a conflict, or a destructive change that was not allowed. */
  readonly done: boolean;
}

/** What is to be applied; `again` names models that are made anew whatever their text says, and sources that are reset. */
export interface Asked {
  readonly files: readonly DefinitionFile[];
  readonly again: ReadonlySet<string>;
  readonly options: ApplyOptions;
  /** Where the sources begin that `again` names. */
  readonly to?: ResetTo;
}

type Applying<A> = Effect.fn.Return<A, BuildFailures, OwnerNeeds>;

/** Plans files and, unless something is in the way, does what the plan says. */
export const applyFiles = Effect.fnUntraced(function* (
  site: Site,
  { files, again, options, to }: Asked,
): Applying<Applied> {
  const { planned, errors } = yield* planFiles(site, files, again);
  const before = yield* catalogVersion();
  const after = keptAfter(site, planned);
  const changes = yield* Effect.forEach(planned, ({ change }) => described(site, { after, change }));
  const conflicts = yield* conflictsIn(site, planned, options.base);
  const isBlocked = planned.some(({ change }) => isInTheWay(change, options));
  if (options.dryRun || errors.length > 0 || isBlocked || conflicts.length > 0)
    return { changes, errors, conflicts, catalog: before, done: false };
  const todo = planned.filter(({ change }) => change.kind !== "same");
  const catalog = todo.length === 0 ? before : before + 1;
  const reset = to && { to, author: options.author };
  yield* carryOut(site, todo, { entryFor: (of) => entryOf(of, { catalog, author: options.author }), reset });
  return { changes, errors, conflicts, catalog, done: true };
});

function isInTheWay(change: Change, { allowDestructive }: ApplyOptions): boolean {
  return change.kind === "refuse" || (change.kind === "rebuild" && change.isDestructive && !allowDestructive);
}

/** What would be in force after the plan. */
function keptAfter({ kept }: Site, planned: readonly Planned[]): ReadonlyMap<string, Kept> {
  const after = new Map<string, Kept>(kept);
  for (const { change } of planned) {
    const name = qualifiedName(change.definition);
    after.set(name, { ...(after.get(name) as Kept), definition: change.definition });
  }
  return after;
}

const described = Effect.fnUntraced(function* (
  { kept }: Site,
  { after, change }: { after: ReadonlyMap<string, Kept>; change: Change },
): Applying<AppliedChange> {
  const dependents = change.kind === "same" ? [] : dependentsOf(after, qualifiedName(change.definition));
  const isFilled = change.kind === "create" || change.kind === "rebuild";
  const { definition } = change;
  const reach = isFilled && definition.kind === "model" ? yield* reachOf(kept, definition) : undefined;
  return { change, dependents, reach };
});

/** What somebody else changed since `base`; text that is as it was then is no change, whatever became of its model. */
const conflictsIn = Effect.fnUntraced(function* (
  { kept }: Site,
  planned: readonly Planned[],
  base: number | undefined,
): Applying<Applied["conflicts"]> {
  if (base === undefined) return [];
  const newer = planned.flatMap(({ change }) => {
    const entry = kept.get(qualifiedName(change.definition))?.entry;
    return change.kind === "same" || entry === undefined || entry.catalog <= base ? [] : [entry];
  });
  if (newer.length === 0) return [];
  const then = new Map((yield* newestEntries({ catalog: base })).map((entry) => [nameOf(entry), entry]));
  return newer.flatMap((entry) => {
    const seen = then.get(nameOf(entry));
    if (seen !== undefined && seen.text === entry.text && seen.digest === entry.digest) return [];
    return [{ name: nameOf(entry), author: entry.author, catalog: entry.catalog }];
  });
});

type EntryOf = (planned: Planned) => Entry;

function entryOf({ change, file, digest }: Planned, by: { catalog: number; author: string }): Entry {
  const { definition } = change;
  const [layer, name] = qualifiedName(definition).split(".", 2);
  const version = change.kind === "refuse" ? 0 : change.version;
  return {
    ...by,
    kind: definition.kind,
    layer,
    name,
    version,
    state: "active",
    note: "",
    file: file.path,
    text: file.text,
    digest,
  };
}

const carryOut = Effect.fnUntraced(function* (
  site: Site,
  todo: readonly Planned[],
  { entryFor, reset }: { readonly entryFor: EntryOf; readonly reset: Reset | undefined },
): Applying<void> {
  const of = (kind: Definition["kind"]) => todo.filter(({ change }) => change.definition.kind === kind);
  for (const planned of of("source"))
    if (planned.change.kind !== "rebuild") yield* carryOutSource(site, planned, entryFor(planned));
  const models = builtIn(of("model"), entryFor);
  const dimensions: Reshaped[] = [];
  for (const planned of of("dimension")) {
    const reshaped = reshapedIn(site, { planned, models, entry: entryFor(planned) });
    if (reshaped !== undefined) dimensions.push(reshaped);
    yield* carryOutDimension(site, { planned, entry: entryFor(planned), isShown: reshaped === undefined });
  }
  const functions = functionsIn(site, of("function"), entryFor);
  const sources = rebuiltIn(site, of("source"), entryFor).map((one) => ({ ...one, reset }));
  const plot: Plot = { models, sources, functions, dimensions };
  if (Object.values(plot).some((part) => part.length > 0)) yield* build(site, plot);
  for (const planned of of("model"))
    if (planned.change.kind === "describe") yield* describeModel(site, planned, entryFor(planned));
  const apis = of("api").map((planned) => ({ planned, entry: entryFor(planned) }));
  yield* enter(apis.map(({ entry }) => entry));
  for (const { planned, entry } of apis) remember(site, planned.change.definition, entry);
});

function builtIn(models: readonly Planned[], entryFor: EntryOf): readonly Built[] {
  return models.flatMap((planned) => {
    const { kind, definition } = planned.change;
    if (definition.kind !== "model" || (kind !== "create" && kind !== "rebuild")) return [];
    return [{ model: definition, entry: entryFor(planned) }];
  });
}

function rebuiltIn({ kept }: Site, sources: readonly Planned[], entryFor: EntryOf): readonly Rebuilt[] {
  return sources.flatMap((planned) => {
    const { kind, definition } = planned.change;
    const before = held(kept, qualifiedName(definition), "source");
    if (definition.kind !== "source" || kind !== "rebuild" || before === undefined) return [];
    const { version } = before;
    return [{ source: definition, entry: entryFor(planned), before: { source: before.definition, version } }];
  });
}

function functionsIn({ kept }: Site, functions: readonly Planned[], entryFor: EntryOf): readonly Replaced[] {
  return functions.flatMap((planned) => {
    const { definition } = planned.change;
    if (definition.kind !== "function") return [];
    const before = held(kept, qualifiedName(definition), "function")?.definition;
    return [{ definition, entry: entryFor(planned), before }];
  });
}

/** A dimension with other columns, if models that are built look up in it: their old versions would not fit it. */
function reshapedIn(
  { kept }: Site,
  { planned, models, entry }: { planned: Planned; models: readonly Built[]; entry: Entry },
): Reshaped | undefined {
  const dimension = planned.change.definition;
  const name = qualifiedName(dimension);
  const before = held(kept, name, "dimension");
  if (dimension.kind !== "dimension" || before === undefined) return undefined;
  const reads = ({ model }: Built) => [model, kept.get(qualifiedName(model))?.definition ?? model].flatMap(readsOf);
  const isRead = models.some((built) => reads(built).includes(name));
  return isRead && changesShape(before.definition, dimension) ? { dimension, entry, before } : undefined;
}

/** A new source, or one whose table stays: its owner rests only as long as that takes. */
const carryOutSource = Effect.fnUntraced(function* (site: Site, { change }: Planned, entry: Entry): Applying<void> {
  const source = change.definition;
  if (source.kind !== "source") return;
  const before = held(site.kept, qualifiedName(source), "source")?.definition;
  const changing = Effect.andThen(
    changeSource(site.owners, { source, entry }, before),
    Effect.sync(() => remember(site, source, entry)),
  );
  yield* atRest(site.owners, [source.name], changing);
});

/** The rows are loaded while landing goes on; only the exchange of another dictionary is at the barrier, or part of a build. */
const carryOutDimension = Effect.fnUntraced(function* (
  site: Site,
  { planned, entry, isShown }: { planned: Planned; entry: Entry; isShown: boolean },
): Applying<void> {
  const { change, file } = planned;
  const dimension = change.definition;
  if (dimension.kind !== "dimension") return;
  const before = held(site.kept, qualifiedName(dimension), "dimension");
  const { version } = entry;
  yield* loadDimension({ dimension, version, file: file.path, data: file.data });
  if (!isShown) return;
  const show = showDimension({ dimension, version }, before?.definition);
  const isExchanged = publishDimension({ dimension, version }, before?.definition).some((one) => /^EXCHANGE/.test(one));
  yield* atRest(site.owners, isExchanged ? [...site.owners.serving.keys()] : [], show);
  yield* enter([entry]);
  remember(site, dimension, entry);
  if (before !== undefined)
    yield* retire(site, { models: [], sources: [], dimensions: [{ dimension, entry, before }] });
});

/** The same rows, described anew; a view that has fallen meanwhile stays so. */
const describeModel = Effect.fnUntraced(function* (site: Site, { change }: Planned, entry: Entry): Applying<void> {
  const warehouse = yield* Warehouse;
  const model = change.definition;
  if (model.kind !== "model") return;
  yield* warehouse.command("writer", createModelView(model, entry.version, warehouse.cluster?.name));
  yield* site.writing.withPermits(1)(
    Effect.gen(function* () {
      const { state, note } = site.kept.get(qualifiedName(model))?.entry ?? entry;
      yield* enter([{ ...entry, state, note }]);
      remember(site, model, { ...entry, state, note });
    }),
  );
});
