/**
 * A build: new versions of models beside what is in force, filled, then put in its place.
 *
 *   prepared ──barrier: snapshots, views, catalog row `building`──▶ landing and backfill ──▶ views exchanged, row `active` ──▶ old ones dropped
 *                                                                         └─refused─▶ back to what was active before
 *
 * At the barrier nothing is announced, so a snapshot of what a new model reads
 * holds the rows up to the barrier and its view gets those after it: each once.
 * Killed before the row, the tables are strays and the next start drops them;
 * killed after it, the next start goes on with the backfill.
 *
 * @module
 */
import { type LogFailed, Warehouse, type WarehouseFailed } from "@weir/connectors";
import {
  createFillView,
  createModelTable,
  createModelView,
  createRefreshView,
  type Definition,
  type DefinitionError,
  fillView,
  literal,
  type Model,
  type Source,
  stateTable,
} from "@weir/sql";
import { Data, Effect } from "effect";
import { atRest, type OwnerNeeds, type Owners } from "../owners.ts";
import { NUMBERS } from "../read_settings.ts";
import { type BackfillProgress, dropSnapshot, runBackfill, snapshotOf, takeSnapshot } from "./backfill.ts";
import { activeBefore, type Entry, enter, type KeptEntry, nameOf } from "./entries.ts";
import { held, type Kept, keep, modelOf, sourcesBehind } from "./in_force.ts";
import { rebuildTable, type SourceChange, startSource } from "./source_change.ts";
import { dropStrays } from "./strays.ts";

/** A build could not be finished: its reason, and that what was in force before still is. */
export class BuildFailed extends Data.TaggedError("BuildFailed")<{ readonly name: string; readonly message: string }> {}

/** What builds work on. */
export interface Site {
  readonly owners: Owners;
  /** Everything in force, by name; builds change it. */
  readonly kept: Map<string, Kept>;
  readonly progress: (at: BackfillProgress) => void;
}

/** A model's new version. */
export interface Built {
  readonly model: Model;
  readonly entry: Entry;
}

type Builder<A> = Effect.fn.Return<A, WarehouseFailed | LogFailed | DefinitionError | BuildFailed, OwnerNeeds>;

const tableOf = ({ model, entry }: Built) => stateTable(model, entry.version);
const isView = ({ model }: Built) => model.strategy !== "refresh";

/** A source's next version and the one that it replaces. */
export interface Rebuilt extends SourceChange {
  readonly before: { readonly source: Source; readonly version: number };
}

/** What is built together: models, lowest first, and the sources below them that get a new table. */
export interface Plot {
  readonly models: readonly Built[];
  readonly sources: readonly Rebuilt[];
}

/**
 * Makes new versions of models, and of sources with the models above them. When a source gets a new table,
 * landing rests until everything is finished; otherwise it goes on beside the backfill.
 */
export const build = Effect.fnUntraced(function* (site: Site, { models, sources }: Plot): Builder<void> {
  for (const built of models) yield* prepare(built);
  const resting = [...sourcesOf(site, models), ...sources.map(({ source }) => source.name)];
  const begin = sources.length > 0 ? buildHeld(site, { models, sources }) : beginBeside(site, models);
  yield* atRest(site.owners, [...new Set(resting)], begin);
  if (sources.length === 0) yield* finish(site, models);
  yield* retire(site, models);
});

/** Until the row `building` is written; what comes after it survives a stop. */
const beginBeside = Effect.fnUntraced(function* (site: Site, models: readonly Built[]): Builder<void> {
  yield* attach(site, { models, sources: [] }).pipe(Effect.tapError(() => dropAll(models)));
  const entries = models.map(({ entry }): Entry => ({ ...entry, state: "building" }));
  yield* enter(entries);
  for (const [index, { model }] of models.entries()) remember(site, model, entries[index]);
});

/** The whole build at the barrier: one insert into the catalog brings all of it into force. */
const buildHeld = Effect.fnUntraced(function* (site: Site, { models, sources }: Plot): Builder<void> {
  yield* Effect.gen(function* () {
    for (const change of sources) yield* rebuildTable(change, change.before);
    yield* attach(site, { models, sources });
    yield* backfillAll(site, models);
  }).pipe(Effect.tapError(() => dropAll(models)));
  const { command } = yield* Warehouse;
  for (const { model, entry } of models) yield* command("writer", createModelView(model, entry.version));
  const entries = [...sources, ...models].map(({ entry }): Entry => ({ ...entry, state: "active" }));
  yield* enter(entries);
  for (const { source, entry } of sources) remember(site, source, entry);
  for (const { model, entry } of models) remember(site, model, entry);
  for (const change of sources) yield* startSource(site.owners, change);
});

/** Goes on with builds that a stop cut off. */
export const resumeBuild = Effect.fnUntraced(function* (site: Site, models: readonly Built[]): Builder<void> {
  yield* finish(site, models);
  yield* retire(site, models);
});

function remember({ kept }: Site, definition: Definition, entry: Entry): void {
  kept.set(nameOf(entry), keep(definition, { ...entry, applied_at: new Date().toISOString() }));
}

/** The sources that must rest while these models change. */
function sourcesOf({ kept }: Site, models: readonly Built[]): readonly string[] {
  const below = models.flatMap(({ model, entry }) => [nameOf(entry), ...model.reads]);
  return [...new Set(below.flatMap((name) => sourcesBehind(kept, name)))];
}

/** Makes the empty table of a new version; whatever an earlier try left under its name goes. */
const prepare = Effect.fnUntraced(function* (built: Built): Builder<void> {
  const { command } = yield* Warehouse;
  yield* drop(built);
  yield* command("writer", createModelTable(built.model, built.entry.version));
});

const dropAll = (models: readonly Built[]) => Effect.forEach([...models].reverse(), drop, { discard: true });

const drop = Effect.fnUntraced(function* (built: Built): Builder<void> {
  const { command } = yield* Warehouse;
  const table = tableOf(built);
  yield* command("admin", `DROP TABLE IF EXISTS ${fillView(built.model, built.entry.version)} SYNC`);
  yield* dropSnapshot(snapshotOf(table));
  yield* command("admin", `DROP TABLE IF EXISTS ${table} SYNC`);
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
  if (found === undefined) throw new Error(`Cannot build ${nameOf(model)}: ${name} is not in force.`);
  return { table: stateTable(found.definition, found.version), isBuilt: false };
}

/** Takes the snapshots and makes the views; at the barrier. */
const attach = Effect.fnUntraced(function* (site: Site, plot: Plot): Builder<void> {
  const { command } = yield* Warehouse;
  for (const built of plot.models.filter(isView)) {
    const { table, isBuilt } = feedOf(site, built, plot);
    // What is built below hands its rows up through its view.
    if (!isBuilt) yield* takeSnapshot(table, snapshotOf(tableOf(built)));
    const { model, entry } = built;
    yield* command("writer", createFillView(model, { version: entry.version, upstreamTable: table }));
  }
});

/** Backfills, then puts the new versions in the place of the old ones. */
const finish = Effect.fnUntraced(function* (site: Site, models: readonly Built[]): Builder<void> {
  const filled = backfillAll(site, models).pipe(
    Effect.catchIf(
      (failed) => "_tag" in failed && failed._tag === "WarehouseFailed" && failed.outcome === "refused",
      ({ message }) => Effect.fail(new BuildFailed({ name: nameOf(models[0].entry), message })),
    ),
  );
  yield* Effect.tapError(filled, (failed) =>
    "_tag" in failed && failed._tag === "BuildFailed" ? giveUp(site, models, failed.message) : Effect.void,
  );
  const { command } = yield* Warehouse;
  for (const { model, entry } of models) yield* command("writer", createModelView(model, entry.version));
  const entries = models.map(({ entry }): Entry => ({ ...entry, state: "active" }));
  yield* enter(entries);
  for (const [index, { model }] of models.entries()) remember(site, model, entries[index]);
});

const backfillAll = Effect.fnUntraced(function* (site: Site, models: readonly Built[]): Builder<void> {
  for (const built of models) {
    const { model, entry } = built;
    const table = tableOf(built);
    if (!isView(built)) yield* refresh(built);
    else if (yield* isThere(snapshotOf(table))) {
      const { layer, name, version } = entry;
      const snapshot = snapshotOf(table);
      yield* runBackfill({ layer, name, version, table, snapshot, select: model.fillSelect }, site.progress);
      yield* dropSnapshot(snapshot);
    }
    const suspended = site.kept.get(nameOf(entry))?.entry;
    if (suspended?.state === "suspended" && suspended.version === entry.version)
      yield* new BuildFailed({ name: nameOf(entry), message: suspended.note });
  }
});

/** Makes the schedule of a refreshed model and waits for its first result. */
const refresh = Effect.fnUntraced(function* ({ model, entry }: Built): Builder<void> {
  const { command } = yield* Warehouse;
  const view = fillView(model, entry.version);
  if (!(yield* isThere(view))) yield* command("writer", createRefreshView(model, entry.version));
  yield* command("admin", `SYSTEM WAIT VIEW ${view}`);
});

const isThere = Effect.fnUntraced(function* (table: string): Builder<boolean> {
  const warehouse = yield* Warehouse;
  const [database, name] = table.split(".");
  const rows = yield* warehouse.rows(
    "admin",
    `SELECT 1 FROM system.tables WHERE database = ${literal(database)} AND name = ${literal(name)}`,
    NUMBERS,
  );
  return rows.length > 0;
});

/** Takes a build back: its tables go, and what was active before is in force again. */
const giveUp = Effect.fnUntraced(function* (site: Site, models: readonly Built[], reason: string): Builder<void> {
  yield* atRest(site.owners, sourcesOf(site, models), dropAll(models));
  const entries: Entry[] = [];
  for (const { entry } of models) {
    const before: KeptEntry | undefined = yield* activeBefore(entry);
    const note = `version ${entry.version} failed: ${reason}`;
    if (before === undefined) entries.push({ ...entry, state: "removed", note });
    else entries.push({ ...before, catalog: entry.catalog, state: "active", note });
  }
  yield* enter(entries);
  for (const entry of entries) {
    site.kept.delete(nameOf(entry));
    if (entry.state === "active") remember(site, yield* modelOf(site.kept, entry), entry);
  }
});

/** Drops the versions that the new ones replaced, while nothing lands into them. */
const retire = Effect.fnUntraced(function* (site: Site, models: readonly Built[]): Builder<void> {
  const current = new Map(models.map(({ model, entry }) => [`${model.layer}__${model.name}`, entry.version]));
  yield* atRest(site.owners, sourcesOf(site, models), dropStrays(current));
});
