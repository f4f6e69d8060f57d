/**
 * The catalog: what is in force in this process, and how it changes.
 *
 *   start: weir.definition ──▶ holdings ──▶ strays dropped ──▶ owners started ──▶ cut-off builds go on
 *   apply: files ──plan──▶ functions · dimensions · sources · models (a build) · APIs
 *
 * One change at a time. Whatever an apply changes is in force when it answers;
 * what it refuses changes nothing.
 *
 * @module
 */
import type { Log, LogFailed, WarehouseFailed, Warehouse as WarehousePort } from "@weir/connectors";
import { Warehouse } from "@weir/connectors";
import { type Api, createModelView, createWeirTables, type DefinitionError } from "@weir/sql";
import { Clock, Context, Effect, Layer, Semaphore } from "effect";
import type { Ledger } from "../ledger.ts";
import { bringUp, drainAll, type Owners, type RunningSource } from "../owners.ts";
import { Registry } from "../runtime/registry.ts";
import { Visible } from "../visible.ts";
import { type Applied, type ApplyOptions, applyFiles } from "./apply.ts";
import type { BackfillProgress } from "./backfill.ts";
import { type BuildFailed, type Built, resumeBuild } from "./build.ts";
import { type CannotCheck, type CheckReport, check } from "./check.ts";
import { dueDimensions, refreshDimension, republishDimensions } from "./dimension_schedule.ts";
import type { KeptEntry } from "./entries.ts";
import { allOf, fileOf, type Holdings, held, type Kept, readHoldings, sourcesBehind } from "./in_force.ts";
import type { DefinitionFile } from "./read.ts";
import { dropUnentered } from "./strays.ts";
import { suspendView } from "./suspend.ts";

/** What can go wrong while the catalog changes. */
export type ChangeFailures = WarehouseFailed | LogFailed | DefinitionError | BuildFailed;

/** The sources that are landed in this process. */
export class Sources extends Context.Service<
  Sources,
  {
    readonly registry: Registry;
    readonly visible: Visible;
    /** The source of that name, if it is being landed here. */
    readonly get: (name: string) => RunningSource | undefined;
    readonly all: () => readonly RunningSource[];
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
    readonly check: (name: string) => Effect.Effect<CheckReport, WarehouseFailed | LogFailed | CannotCheck>;
    /** Everything in force, in no order. */
    readonly all: () => readonly Kept[];
    /** What the catalog holds and cannot be read any more. */
    readonly broken: () => readonly { readonly entry: KeptEntry; readonly problem: string }[];
    readonly api: (id: string) => LiveApi | undefined;
    readonly apis: () => readonly LiveApi[];
    /** Suspended models that rows of a source do not reach. */
    readonly suspendedAbove: (source: string) => readonly string[];
    /** Backfills under way. */
    readonly backfills: () => readonly BackfillProgress[];
  }
>()("weir/actors/Catalog") {}

type Needs = Log | WarehousePort | Ledger;

interface State {
  readonly owners: Owners;
  readonly holdings: Holdings;
  readonly progress: Map<string, BackfillProgress>;
  apis: ReadonlyMap<string, LiveApi>;
}

/** Creates Weir's own tables, brings everything in force up, and serves changes. */
export const catalogLayer: Layer.Layer<Sources | Catalog, ChangeFailures, Needs> = Layer.effectContext(
  Effect.gen(function* () {
    const context = yield* Effect.context<Needs>();
    const scope = yield* Effect.scope;
    const one = yield* Semaphore.make(1);
    const warehouse = yield* Warehouse;
    for (const statement of createWeirTables()) yield* warehouse.command("admin", statement);
    const holdings = yield* readHoldings();
    const visible = new Visible();
    const owners: Owners = {
      running: new Map(),
      serving: new Map(),
      registry: new Registry(),
      visible,
      scope,
      suspend: (view, reason) =>
        suspendView({ kept: holdings.kept, visible }, { view, reason }).pipe(Effect.provideContext(context)),
    };
    const state: State = { owners, holdings, progress: new Map(), apis: new Map() };
    const lastMs = new Map<string, number>();
    yield* start(state);
    publishApis(state);
    yield* Effect.forkIn(one.withPermits(1)(resumeBuilds(state)), scope);
    yield* Effect.forkIn(
      one.withPermits(1)(refreshDue(state, lastMs)).pipe(Effect.delay("1 second"), Effect.forever),
      scope,
    );
    const changing = <A, E>(work: Effect.Effect<A, E, Needs>) =>
      work.pipe(
        Effect.ensuring(Effect.sync(() => publishApis(state))),
        one.withPermits(1),
        Effect.provideContext(context),
      );
    return Context.make(Sources, {
      registry: owners.registry,
      visible,
      get: (name) => owners.serving.get(name),
      all: () => [...owners.serving.values()],
      drain: Effect.suspend(() => drainAll(owners)),
    }).pipe(Context.add(Catalog, serviceOf(state, changing)));
  }),
);

type Changing = <A, E>(work: Effect.Effect<A, E, Needs>) => Effect.Effect<A, E>;

function serviceOf(state: State, changing: Changing): Catalog["Service"] {
  const { owners, holdings } = state;
  const { kept } = holdings;
  const site = siteOf(state);
  return {
    apply: (files, options) => changing(applyFiles(site, { files, again: new Set(), options })),
    resume: (name, options) => changing(applyFiles(site, { ...resumed(kept, name), options })),
    check: (name) => changing(check({ owners, kept }, name)),
    all: () => [...kept.values()],
    broken: () => [...holdings.broken.values()],
    api: (id) => state.apis.get(id),
    apis: () => [...state.apis.values()],
    suspendedAbove: (source) =>
      allOf(kept, "model")
        .map(({ entry }) => entry)
        .filter(
          ({ state: is, layer, name }) =>
            is === "suspended" && sourcesBehind(kept, `${layer}.${name}`).includes(source),
        )
        .map(({ layer, name }) => `${layer}.${name}`),
    backfills: () => [...state.progress.values()],
  };
}

function siteOf({ owners, holdings, progress }: State) {
  return {
    owners,
    kept: holdings.kept,
    progress: (at: BackfillProgress) => {
      if (at.rows >= at.rowsTotal) progress.delete(at.name);
      else progress.set(at.name, at);
    },
  };
}

/** The text of a model that is to be made again. */
function resumed(kept: ReadonlyMap<string, Kept>, name: string) {
  const found = held(kept, name, "model");
  return { files: found === undefined ? [] : [fileOf(found.entry)], again: new Set([name]) };
}

/** Brings the warehouse into the state that the catalog says, then starts landing. */
const start = Effect.fnUntraced(function* (state: State): Effect.fn.Return<void, ChangeFailures, Needs> {
  const { owners, holdings } = state;
  const { kept, broken } = holdings;
  const warehouse = yield* Warehouse;
  const known = [...[...kept.values()].map(({ entry }) => entry), ...[...broken.values()].map(({ entry }) => entry)];
  yield* dropUnentered(new Map(known.map(({ layer, name, version }) => [`${layer}__${name}`, version])));
  for (const { entry, problem } of broken.values())
    yield* Effect.logError(
      `${entry.layer}.${entry.name} cannot be read any more; what it made is left alone. ${problem}`,
    );
  yield* republishDimensions(allOf(kept, "dimension"));
  for (const { definition, entry } of allOf(kept, "model")) {
    // A stop between the views and the catalog row leaves them apart; the catalog is right.
    if (entry.state === "active") yield* warehouse.command("writer", createModelView(definition, entry.version));
  }
  for (const { definition, entry } of allOf(kept, "source"))
    yield* bringUp(owners, { source: definition, text: entry.text, version: entry.version, catalog: entry.catalog });
});

/** Goes on with the builds that a stop cut off, one apply after the other. */
const resumeBuilds = Effect.fnUntraced(function* (state: State) {
  const { kept } = state.holdings;
  const building = allOf(kept, "model").filter(({ entry }) => entry.state === "building");
  const applies = Map.groupBy(building, ({ entry }) => entry.catalog);
  for (const models of applies.values()) {
    const built = models.map(({ definition, entry }): Built => ({ model: definition, entry }));
    yield* Effect.catch(resumeBuild(siteOf(state), built), (failed) =>
      Effect.logError(`A backfill that was cut off could not be finished: ${failed.message}`),
    );
    publishApis(state);
  }
});

/** Asks the SELECTs of dimensions again that are due; one that fails is tried again next time. */
const refreshDue = Effect.fnUntraced(function* ({ holdings }: State, lastMs: Map<string, number>) {
  const nowMs = yield* Clock.currentTimeMillis;
  for (const due of dueDimensions(allOf(holdings.kept, "dimension"), { lastMs, nowMs })) {
    const { name } = due.definition;
    yield* Effect.catch(refreshDimension(due), ({ message }) =>
      Effect.logWarning(`dim.${name} was not refreshed, its rows stay as they are: ${message}`),
    );
  }
});

/** Gives every API a new object: what was kept of its answers ends with the old one. */
function publishApis(state: State): void {
  const { kept } = state.holdings;
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
