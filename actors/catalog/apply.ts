/**
 * Apply: the plan of a set of files, carried out.
 *
 *   plan ──errors, refusals, losses?──▶ nothing is changed
 *     └─▶ functions ──▶ sources ──▶ dimensions ──▶ one build of all models ──▶ APIs
 *
 * @module
 */
import { type LogFailed, Warehouse, type WarehouseFailed } from "@weir/connectors";
import {
  type Change,
  createFunction,
  createModelView,
  type Definition,
  type DefinitionError,
  qualifiedName,
} from "@weir/sql";
import { Effect } from "effect";
import { atRest, type OwnerNeeds } from "../owners.ts";
import { type BuildFailed, build, type Rebuilt, type Site } from "./build.ts";
import { loadDimension, showDimension } from "./dimension_change.ts";
import { catalogVersion, type Entry, enter } from "./entries.ts";
import { dependentsOf, held, type Kept, keep } from "./in_force.ts";
import { type Planned, type Planning, planFiles } from "./planning.ts";
import type { DefinitionFile } from "./read.ts";
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

/** What is to be applied; `again` names models that are made anew whatever their text says. */
export interface Asked {
  readonly files: readonly DefinitionFile[];
  readonly again: ReadonlySet<string>;
  readonly options: ApplyOptions;
}

type Applying<A> = Effect.fn.Return<A, WarehouseFailed | LogFailed | DefinitionError | BuildFailed, OwnerNeeds>;

/** Plans files and, unless something is in the way, does what the plan says. */
export const applyFiles = Effect.fnUntraced(function* (
  site: Site,
  { files, again, options }: Asked,
): Applying<Applied> {
  const { planned, errors } = yield* planFiles(site.kept, files, again);
  const before = yield* catalogVersion();
  const changes = planned.map(({ change }) => described(site, { planned, change }));
  const conflicts = conflictsIn(site, { planned, errors }, options.base);
  const isBlocked = planned.some(({ change }) => isInTheWay(change, options));
  if (options.dryRun || errors.length > 0 || isBlocked || conflicts.length > 0)
    return { changes, errors, conflicts, catalog: before, done: false };
  const todo = planned.filter(({ change }) => change.kind !== "same");
  const catalog = todo.length === 0 ? before : before + 1;
  yield* carryOut(site, todo, (of) => entryOf(of, { catalog, author: options.author }));
  return { changes, errors, conflicts, catalog, done: true };
});

function isInTheWay(change: Change, { allowDestructive }: ApplyOptions): boolean {
  return change.kind === "refuse" || (change.kind === "rebuild" && change.isDestructive && !allowDestructive);
}

function described(
  { kept }: Site,
  { planned, change }: { planned: readonly Planned[]; change: Change },
): AppliedChange {
  const after = new Map<string, Kept>(kept);
  for (const { change: other } of planned) {
    const name = qualifiedName(other.definition);
    after.set(name, { ...(after.get(name) as Kept), definition: other.definition });
  }
  const dependents = change.kind === "same" ? [] : dependentsOf(after, qualifiedName(change.definition));
  return { change, dependents };
}

function conflictsIn({ kept }: Site, { planned }: Planning, base: number | undefined): Applied["conflicts"] {
  if (base === undefined) return [];
  return planned.flatMap(({ change }) => {
    const entry = kept.get(qualifiedName(change.definition))?.entry;
    if (change.kind === "same" || entry === undefined || entry.catalog <= base) return [];
    return [{ name: qualifiedName(change.definition), author: entry.author, catalog: entry.catalog }];
  });
}

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

const carryOut = Effect.fnUntraced(function* (site: Site, todo: readonly Planned[], entryFor: EntryOf): Applying<void> {
  const of = (kind: Definition["kind"]) => todo.filter(({ change }) => change.definition.kind === kind);
  for (const planned of of("function")) yield* carryOutFunction(site, planned, entryFor(planned));
  for (const planned of of("source"))
    if (planned.change.kind !== "rebuild") yield* carryOutSource(site, planned, entryFor(planned));
  for (const planned of of("dimension")) yield* carryOutDimension(site, planned, entryFor(planned));
  yield* carryOutModels(site, { models: of("model"), sources: of("source"), entryFor });
  const apis = of("api").map((planned) => ({ planned, entry: entryFor(planned) }));
  yield* enter(apis.map(({ entry }) => entry));
  for (const { planned, entry } of apis) remember(site, planned.change.definition, entry);
});

function remember({ kept }: Site, definition: Definition, entry: Entry): void {
  const name = qualifiedName(definition);
  kept.set(name, keep(definition, { ...entry, applied_at: new Date().toISOString() }));
}

const carryOutFunction = Effect.fnUntraced(function* (site: Site, { change }: Planned, entry: Entry): Applying<void> {
  const warehouse = yield* Warehouse;
  if (change.definition.kind !== "function") return;
  yield* warehouse.command("writer", createFunction(change.definition));
  yield* enter([entry]);
  remember(site, change.definition, entry);
});

/** A new source, or one whose table stays: its owner rests only as long as that takes. */
const carryOutSource = Effect.fnUntraced(function* (site: Site, { change }: Planned, entry: Entry): Applying<void> {
  const source = change.definition;
  if (source.kind !== "source") return;
  const changing = Effect.andThen(
    changeSource(site.owners, { source, entry }),
    Effect.sync(() => remember(site, source, entry)),
  );
  yield* atRest(site.owners, [source.name], changing);
});

/** The rows are loaded while landing goes on; only the exchange of another dictionary is at the barrier. */
const carryOutDimension = Effect.fnUntraced(function* (
  site: Site,
  { change, file }: Planned,
  entry: Entry,
): Applying<void> {
  const dimension = change.definition;
  if (dimension.kind !== "dimension") return;
  const before = held(site.kept, qualifiedName(dimension), "dimension");
  const { version } = entry;
  yield* loadDimension({ dimension, version, file: file.path, data: file.data });
  const show = showDimension({ dimension, version }, before?.definition);
  const sources = before === undefined ? [] : [...site.owners.running.keys()];
  yield* atRest(site.owners, sources, show);
  yield* enter([entry]);
  remember(site, dimension, entry);
});

const carryOutModels = Effect.fnUntraced(function* (
  site: Site,
  { models, sources, entryFor }: { models: readonly Planned[]; sources: readonly Planned[]; entryFor: EntryOf },
): Applying<void> {
  const made = models.flatMap((planned) => {
    const { kind, definition } = planned.change;
    if (definition.kind !== "model" || (kind !== "create" && kind !== "rebuild")) return [];
    return [{ model: definition, entry: entryFor(planned) }];
  });
  const rebuilt = sources.flatMap((planned): Rebuilt[] => {
    const { kind, definition } = planned.change;
    const before = held(site.kept, qualifiedName(definition), "source");
    if (definition.kind !== "source" || kind !== "rebuild" || before === undefined) return [];
    const { version } = before;
    return [{ source: definition, entry: entryFor(planned), before: { source: before.definition, version } }];
  });
  if (made.length > 0 || rebuilt.length > 0) yield* build(site, { models: made, sources: rebuilt });
  for (const planned of models) {
    const { kind, definition } = planned.change;
    if (definition.kind === "model" && kind === "describe") yield* describeModel(site, planned, entryFor(planned));
  }
});

/** The same rows, described anew. */
const describeModel = Effect.fnUntraced(function* (site: Site, { change }: Planned, entry: Entry): Applying<void> {
  const warehouse = yield* Warehouse;
  if (change.definition.kind !== "model") return;
  yield* warehouse.command("writer", createModelView(change.definition, entry.version));
  yield* enter([entry]);
  remember(site, change.definition, entry);
});
