/**
 * The catalog: what is in force in this process, and how it changes.
 *
 *   start: weir.definition ──▶ holdings ──▶ strays dropped ──▶ owners started ──▶ cut-off builds go on
 *   apply: catalog held ──▶ files ──plan──▶ functions · dimensions · sources · models (a build) · APIs
 *   records await columns ──▶ a source's text with them (evolving.ts) ──▶ apply, as any other
 *   changed by another process ──seen within a second──▶ holdings read again ──▶ owners of changed sources replaced
 *
 * One change at a time, over all processes that share the log. Whatever an apply
 * changes is in force when it answers; what it refuses changes nothing.
 *
 * @module
 */
import { Log, LogFailed, type SchemaRegistry, Warehouse, type WarehouseFailed } from "@weir/connectors";
import {
  type Api,
  type AppliedSource,
  createModelView,
  createWeirTables,
  type DefinitionError,
  type Dimension,
  type Model,
} from "@weir/sql";
import { Clock, Context, Effect, Layer, Semaphore } from "effect";
import { followCommits } from "../commits.ts";
import { holding } from "../hold.ts";
import type { Ledger } from "../ledger.ts";
import { atRest, bringUp, drainAll, type Owners, type RunningSource, takeUp } from "../owners.ts";
import { Registry } from "../runtime/registry.ts";
import { schemasOf } from "../schemas.ts";
import { Visible } from "../visible.ts";
import { type Applied, type ApplyOptions, type Asked, applyFiles } from "./apply.ts";
import type { Awaited } from "./awaited.ts";
import type { BackfillProgress } from "./backfill.ts";
import { finish, retire } from "./build_end.ts";
import { type CannotCheck, type CheckReport, check } from "./check.ts";
import { dueDimensions, refreshDimension, republishDimensions } from "./dimension_schedule.ts";
import { entryCount, type KeptEntry, nameOf, newestEntries } from "./entries.ts";
import { type EvolveAsk, evolveSource } from "./evolve.ts";
import { awaitColumns, evolveSources } from "./evolving.ts";
import { allOf, fileOf, type Holdings, held, type Kept, readHoldings, sourcesBehind } from "./in_force.ts";
import { type Positions, positionsOf } from "./positions.ts";
import type { DefinitionFile } from "./read.ts";
import { BuildFailed, type BuildFailures, type Built, type Site } from "./site.ts";
import { CATALOG, ensureControlTopic, standForSteward } from "./stewardship.ts";
import { dropLeftovers, dropStrays, type Physical, physicalTables } from "./strays.ts";
import { suspendModel, suspendView } from "./suspend.ts";

/** What can go wrong while the catalog changes. */
export type ChangeFailures = BuildFailures;

/** The sources that are landed in this process. */
export class Sources extends Context.Service<
  Sources,
  {
    readonly registry: Registry;
    readonly visible: Visible;
    /** The source of that name, if it is being landed here. */
    readonly get: (name: string) => RunningSource | undefined;
    readonly all: () => readonly RunningSource[];
    /** Runs `work` while nothing is announced and not finished, of any source; then landing goes on. */
    readonly atRest: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E | LogFailed, R>;
    /** Finishes what is announced and stops reading; for a clean stop. */
    readonly drain: Effect.Effect<void>;
  }
>()("weir/actors/Sources") {}

/** An API, and the sources whose commits change its answer. */
export interface LiveApi {
  readonly api: Api;
  /** As `Visible` names them (`ods.flight`); undefined: something below changes by itself. */
  readonly sources: readonly string[] | undefined;
}

/** What is defined, and how that changes. */
export class Catalog extends Context.Service<
  Catalog,
  {
    readonly apply: (files: readonly DefinitionFile[], options: ApplyOptions) => Effect.Effect<Applied, ChangeFailures>;
    /** Makes a suspended model, and what hangs below it, anew from all rows. */
    readonly resume: (name: string, options: ApplyOptions) => Effect.Effect<Applied, ChangeFailures>;
    readonly check: (name: string) => Effect.Effect<CheckReport, ChangeFailures | CannotCheck>;
    /** Everything in force, in no order. */
    readonly all: () => readonly Kept[];
    /** What the catalog holds and cannot be read any more. */
    readonly broken: () => readonly { readonly entry: KeptEntry; readonly problem: string }[];
    readonly api: (id: string) => LiveApi | undefined;
    readonly apis: () => readonly LiveApi[];
    /** Suspended models that rows of a source do not reach. */
    readonly suspendedAbove: (source: string) => readonly string[];
    /** Runs `work` while nothing is being built and no definition changes. */
    readonly unchanged: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E | ChangeFailures, R>;
    /** Backfills under way. */
    readonly backfills: () => readonly BackfillProgress[];
    /** Where the sources' partitions stand, and how that is changed. */
    readonly positions: Positions;
  }
>()("weir/actors/Catalog") {}

type Needs = Log | Warehouse | Ledger;

interface State extends Site {
  readonly holdings: Holdings;
  apis: ReadonlyMap<string, LiveApi>;
  /** Rows of the catalog when what is in force was last compared with them. */
  rowsSeen: number;
}

/** How the catalog works. */
export interface CatalogOptions {
  /** Rows that one insert of a backfill reads. */
  readonly chunkRows: number;
  /** Whether sources are landed in this process, and what is due is looked after. */
  readonly lands: boolean;
  /** Where schemas of other producers are kept; undefined: nowhere. */
  readonly registry: SchemaRegistry | undefined;
}

/** How often is looked for what others changed and for what is due: dimensions to be asked again, builds to go on with. */
const LOOK_EVERY = "1 second";

/** Creates Weir's own tables, brings everything in force up, and serves changes. */
export const catalogLayer = ({
  chunkRows,
  lands,
  registry,
}: CatalogOptions): Layer.Layer<Sources | Catalog, ChangeFailures, Needs> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const context = yield* Effect.context<Needs>();
      const scope = yield* Effect.scope;
      const one = yield* Semaphore.make(1);
      const writing = yield* Semaphore.make(1);
      const warehouse = yield* Warehouse;
      const { isShared } = yield* Log;
      for (const statement of createWeirTables()) yield* warehouse.command("admin", statement);
      yield* ensureControlTopic;
      const [visible, kept] = [new Visible(), new Map<string, Kept>()];
      const awaited = new Map<string, Awaited>();
      const owners: Owners = {
        ...{ running: new Map(), serving: new Map(), registry: new Registry(), visible, scope, lands },
        schemas: schemasOf({ warehouse, registry }),
        suspend: (view, reason) =>
          suspendView({ kept, writing, visible }, { view, reason }).pipe(Effect.provideContext(context)),
        evolve: (name, columns) => awaitColumns({ awaited }, name, columns),
        isCurrent: (applied) => (isShared ? Effect.provideContext(isCurrent(applied), context) : Effect.succeed(true)),
      };
      const holdings: Holdings = { kept, broken: new Map() };
      const state: State = {
        ...{ owners, kept, holdings, writing, chunkRows, progress: new Map(), apis: new Map(), rowsSeen: 0 },
      };
      const changing: Changing = (work) =>
        holding([CATALOG], isShared ? Effect.andThen(follow(state), work) : work).pipe(
          Effect.ensuring(Effect.sync(() => publishApis(state))),
          one.withPermits(1),
          Effect.provideContext(context),
        );
      yield* lands ? Effect.catchIf(holding([CATALOG], start(state)), isBusy, () => follow(state)) : follow(state);
      publishApis(state);
      if (lands) yield* lookAfter(state, { changing, isSteward: yield* standForSteward });
      const evolve = (ask: EvolveAsk) => changing(Effect.andThen(goOnBuilding(state), evolveSource(state, ask)));
      yield* evolveSources({ kept, awaited, change: evolve });
      if (isShared) {
        const following = Effect.ignore(one.withPermits(1)(follow(state)));
        yield* Effect.forkScoped(Effect.forever(Effect.delay(following, LOOK_EVERY)));
        yield* Effect.forkScoped(followCommits(owners));
      }
      return Context.make(Sources, {
        registry: owners.registry,
        visible,
        get: (name) => owners.serving.get(name),
        all: () => [...owners.serving.values()],
        atRest: (work) =>
          Effect.suspend(() => atRest(owners, [...owners.serving.keys()], work)).pipe(Effect.provideContext(context)),
        drain: Effect.suspend(() => drainAll(owners)),
      }).pipe(
        Context.add(Catalog, {
          ...serviceOf(state, changing),
          positions: changedPositions(state, { changing, context }),
        }),
      );
    }),
  );

/** Somebody else changes the catalog for long: what it is now serves until then. */
const isBusy = (failed: ChangeFailures) => failed instanceof LogFailed && failed.reason === "unavailable";

/** Runs one change of the catalog at a time. */
type Changing = <A, E, R>(
  work: Effect.Effect<A, E, R>,
) => Effect.Effect<A, E | WarehouseFailed | LogFailed | DefinitionError, Exclude<R, Needs>>;

/** While this process is the steward: goes on with builds that were cut off, and asks dimensions again. */
const lookAfter = Effect.fnUntraced(function* (
  state: State,
  { changing, isSteward }: { readonly changing: Changing; readonly isSteward: () => boolean },
) {
  const { kept } = state;
  const lastMs = new Map<string, number>();
  const look = Effect.gen(function* () {
    if (!isSteward()) return;
    const nowMs = yield* Clock.currentTimeMillis;
    const due = dueDimensions(allOf(kept, "dimension"), { lastMs, nowMs });
    const isBuilding = allOf(kept, "model").some(({ entry }) => entry.state === "building");
    if (due.length === 0 && !isBuilding) return;
    yield* changing(Effect.andThen(Effect.exit(goOnBuilding(state)), refreshAll(due)));
  });
  yield* Effect.forkScoped(Effect.forever(Effect.delay(Effect.ignore(look), LOOK_EVERY)));
});

/** Positions of this site: looked at by anybody at any time, changed by one at a time. */
function changedPositions(
  state: State,
  { changing, context }: { readonly changing: Changing; readonly context: Context.Context<Needs> },
): Positions {
  const { look, accept, reset } = positionsOf(state);
  const change = <A, E>(work: Effect.Effect<A, E, Needs>) => changing(Effect.andThen(goOnBuilding(state), work));
  return {
    look: (name) => Effect.provideContext(look(name), context),
    accept: (name, ask) => change(accept(name, ask)),
    reset: (name, ask) => change(reset(name, ask)),
  };
}

function serviceOf(state: State, changing: Changing): Omit<Catalog["Service"], "positions"> {
  const { owners, holdings, kept, progress } = state;
  // What is being built is finished first: a snapshot of half of it would get the other half twice.
  const apply = (asked: Asked) => changing(Effect.andThen(goOnBuilding(state), applyFiles(state, asked)));
  return {
    apply: (files, options) => apply({ files, again: new Set(), options }),
    resume: (name, options) => apply({ ...resumed(kept, name), options }),
    check: (name) => changing(check({ owners, kept }, name)),
    all: () => [...kept.values()],
    broken: () => [...holdings.broken.values()],
    api: (id) => state.apis.get(id),
    apis: () => [...state.apis.values()],
    suspendedAbove: (source) =>
      allOf(kept, "model")
        .filter(({ entry }) => entry.state === "suspended" && sourcesBehind(kept, nameOf(entry)).includes(source))
        .map(({ entry }) => nameOf(entry)),
    unchanged: (work) => changing(Effect.andThen(nothingBuilt(state), work)),
    backfills: () => [...progress.values()],
  };
}

/** The text of a model that is to be made again, with what is suspended below it. */
function resumed(kept: ReadonlyMap<string, Kept>, name: string) {
  const again = new Set<string>();
  const files: DefinitionFile[] = [];
  for (let at = held(kept, name, "model"); at !== undefined; ) {
    again.add(nameOf(at.entry));
    files.push(fileOf(at.entry));
    const below: Kept<Model> | undefined = held(kept, at.definition.feeds ?? "", "model");
    at = below?.entry.state === "suspended" ? below : undefined;
  }
  return { files, again };
}

/** Reads what the catalog says again if another process has changed it, and replaces the owners of what it changed. */
const follow = Effect.fnUntraced(function* (
  state: State,
): Effect.fn.Return<void, WarehouseFailed | LogFailed | DefinitionError, Needs> {
  const { owners, kept, holdings } = state;
  const rows = yield* entryCount();
  if (rows === state.rowsSeen) return;
  const known = new Map(
    [...kept.values(), ...holdings.broken.values()].map(({ entry }) => [nameOf(entry), placeOf(entry)]),
  );
  const newest = yield* newestEntries();
  if (newest.length !== known.size || newest.some((entry) => known.get(nameOf(entry)) !== placeOf(entry))) {
    takeOver(state, yield* readHoldings({ isHeld: false }));
    publishApis(state);
  }
  for (const { definition, entry } of allOf(kept, "source")) {
    const { version, catalog, text } = entry;
    if (owners.serving.get(definition.name)?.applied.catalog === catalog) continue;
    yield* takeUp(owners, { source: definition, text, version, catalog });
  }
  state.rowsSeen = rows;
});

const placeOf = ({ catalog, version, state, note }: KeptEntry) => `${catalog} ${version} ${state} ${note}`;

/** Makes what was read what is in force here. */
function takeOver({ kept, holdings: { broken } }: State, read: Holdings): void {
  kept.clear();
  broken.clear();
  for (const [name, one] of read.kept) kept.set(name, one);
  for (const [name, one] of read.broken) broken.set(name, one);
}

/** Whether a source is still what the catalog says. */
const isCurrent = Effect.fnUntraced(function* ({ source: { layer, name }, catalog }: AppliedSource) {
  const [newest] = yield* newestEntries({ layer, name });
  return newest?.catalog === catalog;
});

/** Brings the warehouse into the state that the catalog says, then starts landing; nobody else changes it meanwhile. */
const start = Effect.fnUntraced(function* (state: State): Effect.fn.Return<void, ChangeFailures, Needs> {
  const { owners, holdings, kept } = state;
  const { broken } = holdings;
  const warehouse = yield* Warehouse;
  yield* dropLeftovers();
  state.rowsSeen = yield* entryCount();
  takeOver(state, yield* readHoldings({ isHeld: true }));
  yield* dropStrays(isStrayIn(holdings));
  for (const { entry, problem } of broken.values())
    yield* Effect.logError(
      `${entry.layer}.${entry.name} cannot be read any more; what it made is left alone. ${problem}`,
    );
  yield* republishDimensions(allOf(kept, "dimension"));
  const fed = new Set(
    (yield* physicalTables()).filter(({ isFill }) => isFill).map(({ of, version }) => `${of}__v${version}`),
  );
  for (const { definition, entry, version } of allOf(kept, "model")) {
    // A stop between the views and the catalog row leaves them apart; the catalog is right.
    if (entry.state === "active")
      yield* warehouse.command("writer", createModelView(definition, version, warehouse.cluster?.name));
    if (entry.state === "suspended" || fed.has(`${entry.layer}__${entry.name}__v${version}`)) continue;
    if (entry.state === "building" && definition.strategy === "refresh") continue;
    yield* suspendModel(state, { name: nameOf(entry), version, note: "the view that fills it is gone" });
  }
  for (const { definition, entry } of allOf(kept, "source"))
    yield* bringUp(owners, { source: definition, text: entry.text, version: entry.version, catalog: entry.catalog });
});

/**
 * Which physical tables nothing in force uses. A build that goes on keeps what it is to replace. Of what cannot be
 * read, and of sources that the catalog does not know, nothing is dropped.
 */
function isStrayIn({ kept, broken }: Holdings): (physical: Physical) => boolean {
  const byTable = new Map([...kept.values()].map(({ entry }) => [`${entry.layer}__${entry.name}`, entry]));
  const unread = new Set([...broken.values()].map(({ entry }) => `${entry.layer}__${entry.name}`));
  return ({ of, version, isFill }) => {
    const entry = byTable.get(of);
    if (unread.has(of)) return false;
    if (entry === undefined) return !of.startsWith("ods__");
    if (entry.state === "building") return version > entry.version;
    // A suspended model gets rows only as a new version.
    return version !== entry.version || (isFill && entry.state === "suspended");
  };
}

/** Goes on with the builds that were cut off, one apply after the other. */
const goOnBuilding = Effect.fnUntraced(function* (state: State): Effect.fn.Return<void, ChangeFailures, Needs> {
  const building = allOf(state.kept, "model").filter(({ entry }) => entry.state === "building");
  for (const models of Map.groupBy(building, ({ entry }) => entry.catalog).values()) {
    const built = models.map(({ definition, entry }): Built => ({ model: definition, entry }));
    const ended = Effect.andThen(finish(state, built), retire(state, { models: built, sources: [], dimensions: [] }));
    yield* Effect.catchIf(
      ended,
      (failed): failed is BuildFailed => failed instanceof BuildFailed,
      ({ name, message }) => Effect.logError(`The build of ${name} that was cut off failed: ${message}`),
    ).pipe(
      Effect.tapError(({ message }) => Effect.logError(`A build that was cut off has to wait: ${message}`)),
      Effect.ensuring(Effect.sync(() => publishApis(state))),
    );
  }
});

/** Goes on with what was cut off; fails if it has to wait. */
const nothingBuilt = Effect.fnUntraced(function* (state: State): Effect.fn.Return<void, ChangeFailures, Needs> {
  yield* goOnBuilding(state);
  const open = allOf(state.kept, "model").find(({ entry }) => entry.state === "building");
  if (open === undefined) return;
  return yield* new BuildFailed({ name: nameOf(open.entry), message: "it is not finished yet; try again in a moment" });
});

/** Asks the SELECTs of dimensions again; one that fails is tried again next time. */
const refreshAll = (due: readonly Kept<Dimension>[]) =>
  Effect.forEach(
    due,
    (one) =>
      Effect.catch(refreshDimension(one), ({ message }) =>
        Effect.logWarning(`dim.${one.definition.name} was not refreshed, its rows stay as they are: ${message}`),
      ),
    { discard: true },
  );

/** Gives every API a new object: what was kept of its answers ends with the old one. */
function publishApis(state: State): void {
  const { kept } = state;
  state.apis = new Map(
    allOf(kept, "api").map(({ definition: api }) => {
      const changesByItself = api.reads.some((name) => isRefreshed(kept, name));
      const sources = sourcesBehind(kept, `api.${api.id}`).map((name) => `ods.${name}`);
      return [api.id, { api, sources: changesByItself ? undefined : sources }];
    }),
  );
}

/** Whether something at or below `name` changes without a commit of a source. */
function isRefreshed(kept: ReadonlyMap<string, Kept>, name: string): boolean {
  const definition = kept.get(name)?.definition;
  if (definition === undefined) return true;
  if (definition.kind === "dimension") return definition.from.kind === "query" && definition.from.everyMs !== undefined;
  if (definition.kind !== "model") return false;
  return definition.strategy === "refresh" || definition.reads.some((below) => isRefreshed(kept, below));
}
