/**
 * The end of a build: filled and in force, or given up.
 *
 *   building ──backfill──▶ finished views exchanged ──▶ refreshed models computed ──▶ rows `active` ──▶ old versions dropped
 *        └─the engine refuses, or a view falls meanwhile──▶ rows of what was in force before ──▶ views as they were ──▶ new versions dropped
 *
 * Everything here can be cut off and done again: rows come before what they
 * allow to be dropped, and a snapshot goes only when all of it is in the table.
 *
 * @module
 */
import { Warehouse, WarehouseFailed } from "@weir/connectors";
import {
  createFunction,
  createModelView,
  createRefreshView,
  type Definition,
  dimensionTable,
  dropFunction,
  fillView,
  identifier,
  literal,
  type Model,
} from "@weir/sql";
import { Effect } from "effect";
import { AWAY_RETRY, whileAway } from "../away_retry.ts";
import { atRest } from "../owners.ts";
import { onEachShard, onFirstShard } from "../shards.ts";
import { dropSnapshot, runBackfill, snapshotOf } from "./backfill.ts";
import type { Plot } from "./build.ts";
import { type Entry, enter, type KeptEntry, nameOf, newestEntries } from "./entries.ts";
import { allOf, fileOf, type Kept, keep, modelOf, sourcesBehind } from "./in_force.ts";
import { functionIn } from "./read.ts";
import {
  type Builder,
  BuildFailed,
  type BuildFailures,
  type Built,
  dropAll,
  isFollowed,
  remember,
  type Site,
  tableOf,
} from "./site.ts";
import { dropStrays, physicalTables } from "./strays.ts";
import { modelOfView } from "./suspend.ts";

/** The sources that must rest while these models change. */
export function sourcesOf({ kept }: Site, models: readonly Built[]): readonly string[] {
  const below = models.flatMap(({ model, entry }) => [nameOf(entry), ...model.reads]);
  return [...new Set(below.flatMap((name) => sourcesBehind(kept, name)))];
}

/** Fills models whose rows say `building`, then puts them in the place of the old ones. */
export const finish = Effect.fnUntraced(function* (site: Site, models: readonly Built[]): Builder<void> {
  const followed = models.filter(isFollowed);
  yield* Effect.gen(function* () {
    yield* backfillAll(site, followed);
    for (const built of followed) yield* show(built);
    // These read finished views, those above among them.
    for (const built of models.filter((one) => !isFollowed(one))) {
      yield* orFailed(onFirstShard(refresh(built)), built);
      yield* show(built);
    }
    yield* activate(site, models);
  }).pipe(Effect.tapError((failed) => (failed instanceof BuildFailed ? giveUp(site, models, failed) : Effect.void)));
});

/** Tries of a step that the engine answers with an error which may pass, for example of memory. */
const ANSWERED_TRIES_MAX = 8;

/** Repeats a step while the engine is away; what it refuses, or fails at again and again, fails the build of that model. */
const orFailed = <A, E extends BuildFailures, R>(work: Effect.Effect<A, E, R>, { entry }: Built) =>
  Effect.suspend(() => {
    let answered = 0;
    const isPassing = (failed: BuildFailures) =>
      failed instanceof WarehouseFailed && !isFinal(failed) && (failed.code === 0 || ++answered < ANSWERED_TRIES_MAX);
    const tried = Effect.retry(work as Effect.Effect<A, BuildFailures, R>, { while: isPassing, schedule: AWAY_RETRY });
    return Effect.catchIf(
      tried,
      (failed): failed is WarehouseFailed => failed instanceof WarehouseFailed,
      ({ view, message }) => {
        const name = view === undefined ? undefined : modelOfView(view)?.name;
        return Effect.fail<BuildFailures>(new BuildFailed({ name: name ?? nameOf(entry), message }));
      },
    );
  });

const isFinal = ({ outcome, message }: WarehouseFailed) =>
  outcome === "refused" || message.startsWith("Refresh failed");

const show = Effect.fnUntraced(function* (built: Built): Builder<void> {
  const { command, cluster } = yield* Warehouse;
  yield* orFailed(command("writer", createModelView(built.model, built.entry.version, cluster?.name)), built);
});

/** Runs the backfills of models that views follow; goes on where they were cut off. */
export const backfillAll = Effect.fnUntraced(function* (site: Site, models: readonly Built[]): Builder<void> {
  for (const built of models) {
    const { model, entry } = built;
    const table = tableOf(built);
    const snapshot = snapshotOf(table);
    const { layer, name, version } = entry;
    const columns = model.stateColumns.map((column) => column.name);
    const backfill = { layer, name, version, table, snapshot, columns, select: model.fillSelect };
    const filled = Effect.gen(function* () {
      if (yield* isThere(snapshot)) yield* runBackfill(backfill, site.progress);
    });
    // Each shard's rows by themselves; where its snapshot is gone, all of them were filled.
    yield* orFailed(onEachShard(filled), built).pipe(
      Effect.ensuring(Effect.sync(() => site.progress.delete(nameOf(entry)))),
    );
    yield* dropSnapshot(snapshot);
  }
});

/** Makes the schedule of a refreshed model and waits for its first result; one server computes it for all. */
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
  );
  return rows.length > 0;
});

/** Writes that models are in force, unless the view of one of them fell while it was built. */
const activate = (site: Site, models: readonly Built[]) =>
  Effect.gen(function* () {
    for (const { entry } of models) {
      const now = site.kept.get(nameOf(entry))?.entry;
      if (now?.state === "suspended" && now.version === entry.version)
        yield* new BuildFailed({ name: nameOf(entry), message: now.note });
    }
    const entries = models.map(({ entry }): Entry => ({ ...entry, state: "active", note: "" }));
    yield* enter(entries);
    for (const [index, { model }] of models.entries()) remember(site, model, entries[index]);
  }).pipe(site.writing.withPermits(1));

/** Takes a build back: what was in force before is in force again, then the new tables go. */
const giveUp = Effect.fnUntraced(function* (site: Site, models: readonly Built[], failed: BuildFailed): Builder<void> {
  const before = yield* restored(site, models, failed).pipe(site.writing.withPermits(1));
  const { command, cluster } = yield* Warehouse;
  for (const { definition, entry } of before) {
    const isBack = entry.state !== "removed";
    if (definition.kind === "function")
      yield* whileAway(command("writer", isBack ? createFunction(definition) : dropFunction(definition)));
    if (definition.kind !== "model") continue;
    const view = `DROP VIEW IF EXISTS ${definition.layer}.${identifier(definition.name)} SYNC`;
    yield* whileAway(command("writer", isBack ? createModelView(definition, entry.version, cluster?.name) : view));
  }
  yield* Effect.catch(atRest(site.owners, sourcesOf(site, models), dropAll(models)), ({ message }) =>
    Effect.logWarning(`What a build made that was given up is dropped at the next start: ${message}`),
  );
});

interface Restored {
  readonly definition: Definition;
  readonly entry: Entry;
}

/** Enters what was in force before a build, and the functions that came with it; what is suspended is said to be. */
const restored = Effect.fnUntraced(function* (
  { kept }: Site,
  models: readonly Built[],
  { name: failedName, message }: BuildFailed,
): Builder<readonly Restored[]> {
  const [{ entry: first }] = models;
  const { catalog } = first;
  const earlier = new Map((yield* newestEntries({ catalog: catalog - 1 })).map((entry) => [nameOf(entry), entry]));
  const fed = new Set(
    (yield* physicalTables()).flatMap(({ of, version, isFill }) => (isFill ? [`${of}__v${version}`] : [])),
  );
  const names = new Set(models.map(({ entry }) => nameOf(entry)));
  const then = new Map<string, Kept>(kept);
  const all: Restored[] = [];
  const put = (definition: Definition, entry: Entry) => {
    all.push({ definition, entry });
    if (entry.state === "removed") then.delete(nameOf(entry));
    else then.set(nameOf(entry), keep(definition, { ...entry, applied_at: new Date().toISOString() }));
  };
  for (const { definition, entry } of allOf(kept, "function")) {
    const callers = allOf(kept, "model").filter((model) => model.definition.functions.includes(definition.name));
    if (entry.catalog !== catalog || callers.some((caller) => !names.has(nameOf(caller.entry)))) continue;
    const note = `${failedName} failed: ${message}`;
    const was = earlier.get(nameOf(entry));
    if (was === undefined) put(definition, { ...entry, state: "removed", note });
    else put(yield* functionIn(fileOf(was)), { ...was, catalog, note });
  }
  for (const { model, entry } of models) {
    const note = `version ${entry.version} failed: ${message}`;
    const was = earlier.get(nameOf(entry));
    if (was === undefined) {
      put(model, { ...entry, state: "removed", note });
      continue;
    }
    const definition = yield* modelOf(then, was);
    put(definition, { ...was, catalog, ...stateAgain(then, { was, definition, fed, note }) });
  }
  yield* enter(all.map(({ entry }) => entry));
  for (const { definition, entry } of all) {
    if (entry.state === "removed") kept.delete(nameOf(entry));
    else remember({ kept }, definition, entry);
  }
  return all;
});

/** A model whose view fell while it was being replaced is suspended, and so is what it feeds. */
function stateAgain(
  then: ReadonlyMap<string, Kept>,
  is: { was: KeptEntry; definition: Model; fed: ReadonlySet<string>; note: string },
): Pick<Entry, "state" | "note"> {
  const { was, definition, fed, note } = is;
  if (was.state === "suspended") return { state: "suspended", note: was.note };
  if (!fed.has(`${was.layer}__${was.name}__v${was.version}`)) return { state: "suspended", note };
  const below = definition.feeds === undefined ? undefined : then.get(definition.feeds)?.entry;
  if (below?.state === "suspended") return { state: "suspended", note: `${nameOf(below)} below it is suspended` };
  return { state: "active", note };
}

/** Drops the versions that the new ones replaced, while nothing lands into them. */
export const retire = Effect.fnUntraced(function* (
  site: Site,
  { models, sources, dimensions }: Pick<Plot, "models" | "sources" | "dimensions">,
): Builder<void> {
  const current = new Map<string, number>(
    [...models, ...sources].map(({ entry }) => [`${entry.layer}__${entry.name}`, entry.version]),
  );
  const isStray = ({ of, version }: { of: string; version: number }) => current.has(of) && current.get(of) !== version;
  const { command } = yield* Warehouse;
  const dropping = Effect.gen(function* () {
    for (const { before } of dimensions)
      yield* command("admin", `DROP TABLE IF EXISTS ${dimensionTable(before.definition, before.version)} SYNC`);
    if (!(yield* physicalTables()).some(isStray)) return;
    const resting = new Set([...sourcesOf(site, models), ...sources.map(({ source }) => source.name)]);
    yield* atRest(site.owners, [...resting], dropStrays(isStray));
  });
  yield* Effect.catch(dropping, ({ message }) =>
    Effect.logWarning(`What was replaced is dropped at the next start: ${message}`),
  );
});
