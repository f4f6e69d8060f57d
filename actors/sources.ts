/**
 * Sources: which tables are being landed in this process, and how that changes.
 *
 *   apply(files) ──plan──▶ drain the owner ──▶ table · view · topic · catalog ──▶ start the owner again
 *
 * Apply is a barrier: before a source changes, its owner has finished and
 * committed what it announced. The catalog row is the point of no return:
 * killed before it, the next apply begins anew; killed after it, the next
 * start finishes the view.
 *
 * @module
 */
import { Log, LogFailed, type TopicInfo, Warehouse, type WarehouseFailed } from "@weir/connectors";
import {
  type AppliedSource,
  type Change,
  type Conform,
  conform,
  copyColumns,
  copyGuards,
  createSourceView,
  createStateTable,
  createWeirTables,
  DEDUPLICATION_WINDOW_PARTS,
  type DefinitionError,
  identifier,
  planSource,
  stateTable,
} from "@weir/sql";
import { Context, Deferred, Effect, Exit, Layer, Schedule, Scope, Semaphore } from "effect";
import {
  appliedSources,
  catalogVersion,
  checkSource,
  type DefinitionFile,
  enterDefinition,
  targetOf,
} from "./catalog.ts";
import { decodeMark } from "./intent.ts";
import type { Target } from "./landing.ts";
import type { Ledger } from "./ledger.ts";
import type { PartitionLimits } from "./partition.ts";
import { type Ref, spawn } from "./runtime/actor.ts";
import { Registry } from "./runtime/registry.ts";
import { tableActor } from "./table.ts";
import type { TableLimits, TableMessage } from "./table_state.ts";
import { Visible } from "./visible.ts";

/** Bounds of landing, as measured: see the README's table. */
export const TABLE_LIMITS: TableLimits = {
  rowsMax: 100_000,
  bytesMax: 16 * 2 ** 20,
  ageMsMin: 20,
  ageMsMax: 100,
  deadlineMs: 60_000,
  retryMsMin: 50,
  retryMsMax: 5_000,
};

/** Bounds of reading one partition. */
export const PARTITION_LIMITS: PartitionLimits = {
  recordsMax: 50_000,
  bytesMax: 4 * 2 ** 20,
  aheadBytesMax: 8 * 2 ** 20,
  waitMs: 5_000,
  pauseMs: 5,
};

/** How long a drained owner may take to finish what it announced. */
const DRAIN_MS_MAX = 8_000;

/** A source that is being landed here. */
export interface RunningSource {
  readonly applied: AppliedSource;
  readonly target: Target;
  readonly conform: Conform;
  /** Partitions of the topic as it is. */
  readonly partitions: number;
}

/** What applying would do or did, file by file. */
export interface Applied {
  readonly changes: readonly Change[];
  readonly errors: readonly DefinitionError[];
  /** False when nothing was changed: dry run, an error, a refusal, or a destructive change that was not allowed. */
  readonly done: boolean;
}

/** How files are applied. */
export interface ApplyOptions {
  readonly author: string;
  readonly dryRun: boolean;
  readonly allowDestructive: boolean;
}

type Failures = WarehouseFailed | LogFailed | DefinitionError;

/** The sources of this process. */
export class Sources extends Context.Service<
  Sources,
  {
    readonly registry: Registry;
    readonly visible: Visible;
    /** The source of that name, if it is being landed here. */
    readonly get: (name: string) => RunningSource | undefined;
    readonly all: () => readonly RunningSource[];
    readonly apply: (files: readonly DefinitionFile[], options: ApplyOptions) => Effect.Effect<Applied, Failures>;
    /** Finishes what is announced and stops reading; for a clean stop. */
    readonly drain: Effect.Effect<void>;
  }
>()("weir/actors/Sources") {}

interface Owner extends RunningSource {
  readonly ref: Ref<TableMessage>;
  readonly scope: Scope.Closeable;
  readonly drained: Deferred.Deferred<void>;
}

type Needs = Log | Warehouse | Ledger;

/** Creates Weir's own tables and starts every applied source. */
export const sourcesLayer: Layer.Layer<Sources, Failures, Needs> = Layer.effect(
  Sources,
  Effect.gen(function* () {
    const context = yield* Effect.context<Needs>();
    const scope = yield* Effect.scope;
    const one = yield* Semaphore.make(1);
    const state: State = {
      owners: new Map(),
      serving: new Map(),
      registry: new Registry(),
      visible: new Visible(),
      scope,
    };
    const warehouse = yield* Warehouse;
    for (const statement of createWeirTables()) yield* warehouse.command("admin", statement);
    for (const applied of yield* appliedSources()) yield* bringUp(state, applied);
    return {
      registry: state.registry,
      visible: state.visible,
      get: (name) => state.serving.get(name),
      all: () => [...state.serving.values()],
      apply: (files, options) => apply(state, files, options).pipe(one.withPermits(1), Effect.provideContext(context)),
      drain: Effect.suspend(() =>
        Effect.forEach([...state.owners.keys()], (name) => drain(state, name), {
          discard: true,
          concurrency: "unbounded",
        }),
      ),
    };
  }),
);

interface State {
  readonly owners: Map<string, Owner>;
  /** What the door may take events for; a source stays here while its owner rests, its events wait in the log. */
  readonly serving: Map<string, RunningSource>;
  readonly registry: Registry;
  readonly visible: Visible;
  readonly scope: Scope.Scope;
}

/** The consumer group whose commits hold a source's positions and intents. */
const groupOf = ({ source }: AppliedSource) => `weir.${source.layer}.${source.name}`;

/** Makes sure that table, view and topic are as the catalog says, then starts the owner. */
const bringUp = Effect.fnUntraced(function* (
  state: State,
  applied: AppliedSource,
): Effect.fn.Return<void, Failures, Needs> {
  const { source, version } = applied;
  const warehouse = yield* Warehouse;
  yield* warehouse.command("admin", createStateTable(source, version));
  yield* warehouse.command("writer", createSourceView(source, version));
  const { partitions } = yield* ensureTopic(applied);
  yield* startOwner(state, applied, partitions);
});

const ensureTopic = Effect.fnUntraced(function* ({
  source,
}: AppliedSource): Effect.fn.Return<TopicInfo, LogFailed, Log> {
  const log = yield* Log;
  const { topic: name, partitions, retention } = source;
  const known = (yield* log.topics).find((topic) => topic.name === name);
  if (known === undefined) return yield* log.createTopic({ name, partitions, retention });
  return yield* log.alterTopic({ name, partitions: Math.max(partitions, known.partitions), retention });
});

const startOwner = Effect.fnUntraced(function* (
  state: State,
  applied: AppliedSource,
  partitions: number,
): Effect.fn.Return<void, never, Needs> {
  const { name } = applied.source;
  const { registry, visible } = state;
  const projection = conform(applied.source);
  const target = targetOf(applied, projection);
  const scope = yield* Scope.fork(state.scope);
  const drained = yield* Deferred.make<void>();
  const context = yield* Effect.context<Warehouse>();
  const targetAt = (catalog: number) => {
    if (catalog === target.catalog) return Effect.succeed(target);
    return Effect.flatMap(appliedSources({ name, catalog }), ([then]) =>
      then === undefined
        ? Effect.fail(new Error(`Cannot land a batch of ${name}: catalog ${catalog} is unknown.`))
        : Effect.succeed(targetOf(then, conform(then.source))),
    ).pipe(Effect.provideContext(context));
  };
  const actor = tableActor({
    group: groupOf(applied),
    target,
    limits: TABLE_LIMITS,
    partitionLimits: PARTITION_LIMITS,
    windowParts: DEDUPLICATION_WINDOW_PARTS,
    registry,
    visible,
    targetAt,
    drained: Effect.asVoid(Deferred.succeed(drained, undefined)),
  });
  const exceeded = (error: unknown) =>
    Effect.logError(`table/${target.statement} gave up: ${error instanceof Error ? error.message : String(error)}`);
  const ref = yield* Scope.provide(spawn(actor, { address: `table/${target.statement}`, registry, exceeded }), scope);
  const running: RunningSource = { applied, target, conform: projection, partitions };
  state.serving.set(name, running);
  state.owners.set(name, { ...running, ref, scope, drained });
});

/** Lets an owner finish what it announced, then stops it. */
const drain = Effect.fnUntraced(function* (state: State, name: string): Effect.fn.Return<void> {
  const owner = state.owners.get(name);
  if (owner === undefined) return;
  const late = `${owner.ref.address} was stopped before it had finished; its batch is recovered at the next start.`;
  const ended = Deferred.await(owner.drained).pipe(
    Effect.timeoutOrElse({ duration: DRAIN_MS_MAX, orElse: () => Effect.logWarning(late) }),
  );
  // An actor that hears nothing is between two lives; what it left open is recovered by the next one.
  if (yield* owner.ref.tell({ kind: "drain" })) yield* ended;
  state.owners.delete(name);
  yield* Scope.close(owner.scope, Exit.void);
});

const apply = Effect.fnUntraced(function* (
  state: State,
  files: readonly DefinitionFile[],
  options: ApplyOptions,
): Effect.fn.Return<Applied, Failures, Needs> {
  const inForce = new Map((yield* appliedSources()).map((applied) => [applied.source.name, applied]));
  const errors: DefinitionError[] = [];
  const planned: { readonly change: Change; readonly file: DefinitionFile }[] = [];
  for (const file of files) {
    const source = yield* checkSource(file).pipe(
      Effect.catchIf(
        (error) => error instanceof Error && error.name === "DefinitionError",
        (error) => {
          errors.push(error as DefinitionError);
          return Effect.succeed(undefined);
        },
      ),
    );
    if (source !== undefined)
      planned.push({ change: planSource(inForce.get(source.name), { source, text: file.text }), file });
  }
  const changes = planned.map(({ change }) => change);
  const isBlocked = changes.some(
    (change) =>
      change.kind === "refuse" || (change.kind === "rebuild" && change.isDestructive && !options.allowDestructive),
  );
  if (options.dryRun || errors.length > 0 || isBlocked) return { changes, errors, done: false };
  const todo = planned.filter(({ change }) => change.kind !== "same");
  if (todo.length > 0) {
    const catalog = (yield* catalogVersion()) + 1;
    for (const { change, file } of todo) yield* carryOut(state, change, { catalog, file, author: options.author });
  }
  return { changes, errors, done: true };
});

/** Carries out one change; the owner is at rest meanwhile, events wait in the log. */
const carryOut = Effect.fnUntraced(function* (
  state: State,
  change: Change,
  entry: { catalog: number; file: DefinitionFile; author: string },
): Effect.fn.Return<void, Failures, Needs> {
  if (change.kind === "refuse" || change.kind === "same") return;
  const { source, version } = change;
  const before = state.owners.get(source.name);
  const isEntered = Effect.map(appliedSources({ name: source.name }), ([newest]) => newest?.catalog === entry.catalog);
  const enter = Effect.gen(function* () {
    yield* drain(state, source.name);
    if (change.kind === "rebuild") yield* rebuild(change);
    else yield* tryOut({ source, version });
    yield* enterDefinition({ source, version, ...entry });
  }).pipe(
    // A lost answer may have entered it all the same: the catalog knows.
    Effect.catch((error) => Effect.flatMap(isEntered, (entered) => (entered ? Effect.void : Effect.fail(error)))),
  );
  // What fails before the catalog row leaves the old definition in force: its owner goes on.
  yield* Effect.tapError(enter, () =>
    before === undefined || state.owners.has(source.name)
      ? Effect.void
      : startOwner(state, before.applied, before.partitions),
  );
  // From here on the new one is in force, and only the new one may be brought up.
  const applied: AppliedSource = { source, text: entry.file.text, version, catalog: entry.catalog };
  yield* Effect.retry(bringUp(state, applied), { times: 5, schedule: Schedule.exponential("200 millis") });
});

/** Creates the table and tries the strict insert without rows: what the engine refuses must not come into force. */
const tryOut = Effect.fnUntraced(function* ({ source, version }: Pick<AppliedSource, "source" | "version">) {
  const warehouse = yield* Warehouse;
  yield* warehouse.command("admin", createStateTable(source, version));
  const projection = conform(source);
  const statement = projection.probe({ topic: source.topic, epoch: 1, salt: "tryout" });
  yield* warehouse.insert({ statement, body: [], settings: { ...projection.settings, async_insert: 0 } });
});

/** Fails while a batch of the source is announced and not finished: it belongs into the table that it was announced for. */
const nothingOpen = Effect.fnUntraced(function* (from: AppliedSource): Effect.fn.Return<void, LogFailed, Log> {
  const log = yield* Log;
  const commits = yield* log.committed({ group: groupOf(from), topic: from.source.topic });
  if (commits.every(({ metadata }) => decodeMark(metadata)?.intent === undefined)) return;
  const message = `Cannot rebuild ods.${from.source.name}: a batch is announced and not finished yet. Try again in a moment.`;
  return yield* new LogFailed({ reason: "unavailable", message, retriable: true });
});

/** Creates the next physical table and copies the rows of the one before. */
const rebuild = Effect.fnUntraced(function* (
  change: Extract<Change, { kind: "rebuild" }>,
): Effect.fn.Return<void, WarehouseFailed | LogFailed, Warehouse | Log> {
  const warehouse = yield* Warehouse;
  yield* nothingOpen(change.from);
  const { source, version, from } = change;
  const columns = copyColumns(from.source, source);
  const table = stateTable(source, version);
  yield* warehouse.command("admin", `DROP TABLE IF EXISTS ${table} SYNC`);
  yield* tryOut({ source, version });
  const names = columns.map((column) => identifier(column.name)).join(", ");
  const expressions = columns.map((column) => column.expression).join(", ");
  const guards = copyGuards(from.source, source);
  const where = guards.length === 0 ? "" : ` WHERE NOT ignore(${guards.join(", ")})`;
  yield* warehouse.command(
    "admin",
    `INSERT INTO ${table} (${names}) SELECT ${expressions} FROM ${stateTable(source, from.version)}${where}`,
    {
      async_insert: 0,
      insert_deduplicate: 0,
      max_execution_time: 0,
      max_partitions_per_insert_block: 0,
    },
  );
});
