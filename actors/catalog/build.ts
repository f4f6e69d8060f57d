/**
 * A build: new versions of models beside what is in force, filled, then put in its place.
 *
 *   prepared ──barrier: snapshots, views, catalog rows `building`──▶ landing and backfill ──▶ build_end.ts
 *        └─sources or looked-up columns change too──▶ everything at the barrier, one insert of rows `active`
 *
 * At the barrier nothing is announced, so a snapshot of what a new model reads
 * holds the rows up to the barrier and its view gets those after it: each once.
 * Killed before the rows, the tables are strays and the next start drops them;
 * killed after them, the next start goes on with the backfill.
 *
 * @module
 */
import { Warehouse } from "@weir/connectors";
import {
  createFillView,
  createFunction,
  createModelTable,
  createModelView,
  type Dimension,
  dimensionTable,
  dropFunction,
  type Source,
  type SqlFunction,
  stateTable,
} from "@weir/sql";
import { Effect } from "effect";
import { whileAway } from "../away_retry.ts";
import { commitPositions } from "../gap.ts";
import type { LocatedOf } from "../locating.ts";
import { atRest, groupOf } from "../owners.ts";
import type { LedgerPosition } from "../position.ts";
import { snapshotOf, takeSnapshot } from "./backfill.ts";
import { backfillAll, finish, retire, sourcesOf } from "./build_end.ts";
import { showDimension } from "./dimension_change.ts";
import { type Entry, enter, nameOf } from "./entries.ts";
import { held, type Kept } from "./in_force.ts";
import { enterReset, type Reset } from "./reset.ts";
import { type Builder, type Built, dropAll, dropBuilt, isFollowed, remember, type Site, tableOf } from "./site.ts";
import { emptyTable, rebuildTable, type SourceChange, startSource } from "./source_change.ts";

/** A source's next version and the one that it replaces. */
export interface Rebuilt extends SourceChange {
  readonly before: { readonly source: Source; readonly version: number };
  /** It begins anew at other positions, without a row of the one before. */
  readonly reset?: Reset | undefined;
}

/** A function that comes into force with the models that call it. */
export interface Replaced {
  readonly definition: SqlFunction;
  readonly entry: Entry;
  readonly before: SqlFunction | undefined;
}

/** A dimension's next version, loaded, with other columns than those that its models look up now. */
export interface Reshaped {
  readonly dimension: Dimension;
  readonly entry: Entry;
  readonly before: Kept<Dimension>;
}

/** What is built together: models, lowest first, and what changes below them. */
export interface Plot {
  readonly models: readonly Built[];
  readonly sources: readonly Rebuilt[];
  readonly functions: readonly Replaced[];
  readonly dimensions: readonly Reshaped[];
}

/**
 * Makes new versions of models, and of what is below them. When a source gets a new table, or a dimension other
 * columns, landing rests until everything is finished: what is in force would not fit them. Otherwise it goes on
 * beside the backfill.
 */
export const build = Effect.fnUntraced(function* (site: Site, plot: Plot): Builder<void> {
  const { models, sources, dimensions } = plot;
  const isHeld = sources.length > 0 || dimensions.length > 0;
  const followed = models.filter(isFollowed);
  const resting = new Set([...sourcesOf(site, followed), ...sources.map(({ source }) => source.name)]);
  const begin = isHeld ? buildHeld(site, plot) : beginBeside(site, plot);
  // What is announced and cannot be finished ends with its epoch.
  const mayBeOpen = sources.some(({ reset }) => reset !== undefined);
  yield* Effect.andThen(makeReady(plot), atRest(site.owners, [...resting], begin, { mayBeOpen })).pipe(
    // What was entered is in force, whatever happens after it.
    Effect.tapError(() => (isEntered(site, plot) ? Effect.void : whileAway(undo(plot)))),
  );
  const open = isHeld ? models.filter((built) => !isFollowed(built)) : models;
  if (open.length > 0) yield* finish(site, open);
  yield* retire(site, plot);
});

const isEntered = ({ kept }: Site, { models, sources, functions, dimensions }: Plot) => {
  const [first] = [...models, ...sources, ...functions, ...dimensions];
  return first !== undefined && kept.get(nameOf(first.entry))?.entry.catalog === first.entry.catalog;
};

/** Makes the functions, which views take into their text, and the empty tables; whatever an earlier try left goes. */
const makeReady = Effect.fnUntraced(function* ({ functions, models }: Plot): Builder<void> {
  const { command } = yield* Warehouse;
  for (const { definition } of functions) yield* command("writer", createFunction(definition));
  for (const built of models) {
    yield* dropBuilt(built);
    yield* command("writer", createModelTable(built.model, built.entry.version));
  }
});

/** Takes back what was made and not entered. */
const undo = Effect.fnUntraced(function* ({ functions, models, sources, dimensions }: Plot): Builder<void> {
  const { command } = yield* Warehouse;
  yield* dropAll(models);
  for (const { source, entry } of sources)
    yield* command("admin", `DROP TABLE IF EXISTS ${stateTable(source, entry.version)} SYNC`);
  for (const { dimension, entry } of dimensions)
    yield* command("admin", `DROP TABLE IF EXISTS ${dimensionTable(dimension, entry.version)} SYNC`);
  for (const { definition, before } of functions)
    yield* command("writer", before === undefined ? dropFunction(definition) : createFunction(before));
});

/** Until the rows `building` are written; what comes after them survives a stop. What fails goes before landing goes on. */
const beginBeside = (site: Site, plot: Plot) =>
  Effect.andThen(
    attach(site, plot),
    enterAll(site, plot, () => "building"),
  ).pipe(Effect.tapError(() => whileAway(dropAll(plot.models))));

/** The whole build at the barrier: one insert into the catalog brings all of it into force, but for what is refreshed. */
const buildHeld = Effect.fnUntraced(function* (site: Site, plot: Plot): Builder<void> {
  const { models, sources, dimensions } = plot;
  const followed = models.filter(isFollowed);
  const begun = yield* Effect.gen(function* () {
    const anew: Begun[] = [];
    for (const change of sources) {
      if (change.reset === undefined) yield* rebuildTable(change, change.before);
      else anew.push(yield* beginAnew(change, change.reset));
    }
    for (const { dimension, entry, before } of dimensions)
      yield* showDimension({ dimension, version: entry.version }, before.definition);
    yield* attach(site, plot);
    yield* backfillAll(site, followed);
    yield* enterAll(site, plot, (built) => (isFollowed(built) ? "active" : "building"));
    return anew;
  }).pipe(Effect.tapError(() => whileAway(Effect.andThen(dropAll(models), showAgain(plot)))));
  for (const { of, positions } of begun) {
    yield* commitPositions(of, positions);
    site.owners.visible.forget(of.statement);
  }
  const { command, cluster } = yield* Warehouse;
  for (const { model, entry } of followed)
    yield* whileAway(command("writer", createModelView(model, entry.version, cluster?.name)));
  for (const change of sources) yield* startSource(site.owners, change);
});

/** A source that began anew. */
interface Begun {
  readonly of: LocatedOf;
  readonly positions: readonly LedgerPosition[];
}

const beginAnew = Effect.fnUntraced(function* (change: Rebuilt, reset: Reset): Builder<Begun> {
  const { layer, name, topic } = change.source;
  const of = { group: groupOf(change), topic, statement: `${layer}.${name}` };
  yield* emptyTable(change);
  return { of, positions: yield* enterReset(of, { version: change.entry.version, reset }) };
});

/** Dimensions as they were. */
const showAgain = Effect.fnUntraced(function* ({ dimensions }: Plot): Builder<void> {
  for (const { dimension, before } of dimensions)
    yield* showDimension({ dimension: before.definition, version: before.version }, dimension);
});

/** Writes everything that a build brings, all of it or nothing. */
const enterAll = Effect.fnUntraced(function* (
  site: Site,
  { models, sources, functions, dimensions }: Plot,
  stateOf: (built: Built) => "building" | "active",
): Builder<void> {
  const all = [
    ...functions,
    ...dimensions.map(({ dimension, entry }) => ({ definition: dimension, entry })),
    ...sources.map(({ source, entry }) => ({ definition: source, entry })),
    ...models.map((built) => ({ definition: built.model, entry: { ...built.entry, state: stateOf(built) } })),
  ];
  yield* enter(all.map(({ entry }) => entry));
  for (const { definition, entry } of all) remember(site, definition, entry);
});

/** The physical table that feeds a model: of the same build if it is built, else the one in force. */
function feedOf(
  { kept }: Site,
  { model }: Built,
  { models, sources }: Plot,
): { readonly table: string; readonly isBuilt: boolean } {
  const name = model.feeds ?? "";
  const below = models.find(({ entry }) => nameOf(entry) === name);
  if (below !== undefined) return { table: tableOf(below), isBuilt: true };
  const source = sources.find(({ entry }) => nameOf(entry) === name);
  if (source !== undefined) return { table: stateTable(source.source, source.entry.version), isBuilt: false };
  const found = held(kept, name, "source") ?? held(kept, name, "model");
  if (found === undefined) throw new Error(`Cannot build ${model.layer}.${model.name}: ${name} is not in force.`);
  return { table: stateTable(found.definition, found.version), isBuilt: false };
}

/** Takes the snapshots and makes the views; at the barrier. */
const attach = Effect.fnUntraced(function* (site: Site, plot: Plot): Builder<void> {
  const { command } = yield* Warehouse;
  const { chunkRows } = site;
  for (const built of plot.models.filter(isFollowed)) {
    const { table, isBuilt } = feedOf(site, built, plot);
    // What is built below hands its rows up through its view.
    if (!isBuilt) yield* takeSnapshot(table, { snapshot: snapshotOf(tableOf(built)), chunkRows });
    const { model, entry } = built;
    yield* command("writer", createFillView(model, { version: entry.version, upstreamTable: table }));
  }
});
