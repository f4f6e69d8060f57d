/**
 * Owners: the table actors of this process, started, drained and at rest.
 *
 *   startOwner ──▶ landing ──atRest: the group is held──▶ at rest ──▶ landing again, or another owner in its place
 *                     └──drain──▶ finished what it announced ──▶ gone
 *
 * A source keeps being served while its owners rest: events wait in the log.
 * `atRest` is the barrier behind every change of tables and views, whichever
 * processes land the source: nothing is announced, everything that was landed is
 * committed.
 *
 * @module
 */
import { Log, type LogFailed, type TopicInfo, Warehouse, type WarehouseFailed } from "@weir/connectors";
import {
  type AppliedSource,
  type Conform,
  conform,
  createSourceView,
  createStateTable,
  DEDUPLICATION_WINDOW_PARTS,
  type NewColumn,
  stateTable,
} from "@weir/sql";
import { Deferred, Effect, Exit, Scope } from "effect";
import { appliedSource } from "./catalog/read.ts";
import { type Holdable, holding, outsideHolds } from "./hold.ts";
import type { SuspendView } from "./landing.ts";
import type { Ledger } from "./ledger.ts";
import type { PartitionLimits } from "./partition.ts";
import { type Ref, spawn } from "./runtime/actor.ts";
import type { Registry } from "./runtime/registry.ts";
import type { Schemas } from "./schemas.ts";
import { shardCount } from "./shards.ts";
import { ensureTopic } from "./source_topic.ts";
import { tableActor } from "./table.ts";
import type { TableLimits, TableMessage } from "./table_state.ts";
import type { Target } from "./target.ts";
import type { Visible } from "./visible.ts";

/** Bounds of landing, as measured: see the README's table. */
export const TABLE_LIMITS: TableLimits = {
  rowsMax: 100_000,
  bytesMax: 16 * 2 ** 20,
  ageMsMin: 20,
  ageMsMax: 100,
  deadlineMs: 60_000,
  retryMsMin: 50,
  retryMsMax: 5_000,
  lateMs: 0,
};
/**
 * When nothing of a lost owner can come any more: the deadline of an insert, the time that it may take (the engine looks at
 * its clock between two blocks), and what the clocks of the shards may differ by.
 */
const LATE_MS = TABLE_LIMITS.deadlineMs + 60_000 + 60_000;

/** Bounds of reading one partition while there are few. */
export const PARTITION_LIMITS: PartitionLimits = {
  recordsMax: 50_000,
  bytesMax: 4 * 2 ** 20,
  aheadBytesMax: 8 * 2 ** 20,
  waitMs: 5_000,
  pauseMs: 5,
};

/** What the readers of all partitions may hold together, however much waits in the log. */
export const READ_BYTES_MAX = 96 * 2 ** 20;

/**
 * Bounds of reading one of `partitions`: an equal share, so that a table that stands still takes nothing from others.
 * A reader holds what it has offered, and one read beyond.
 */
export function partitionLimits(partitions: number): PartitionLimits {
  const { recordsMax, bytesMax, aheadBytesMax } = PARTITION_LIMITS;
  const share = Math.min(1, READ_BYTES_MAX / (Math.max(1, partitions) * (aheadBytesMax + bytesMax)));
  const shareOf = (bound: number) => Math.ceil(bound * share);
  return {
    ...PARTITION_LIMITS,
    ...{ recordsMax: shareOf(recordsMax), bytesMax: shareOf(bytesMax), aheadBytesMax: shareOf(aheadBytesMax) },
  };
}

/** How long a drained owner may take to finish what it announced: a process is to be gone within 10 s. */
const DRAIN_MS_MAX = 6_000;

/** A source that is being landed here. */
export interface RunningSource {
  readonly applied: AppliedSource;
  readonly target: Target;
  readonly conform: Conform;
  /** Partitions of the topic as it is. */
  readonly partitions: number;
}

interface Owner extends RunningSource {
  readonly ref: Ref<TableMessage>;
  readonly scope: Scope.Closeable;
  readonly drained: Deferred.Deferred<void>;
}

/** What an owner works with. */
export type OwnerNeeds = Log | Warehouse | Ledger;

/** The owners of this process, by the source's name. */
export interface Owners {
  readonly running: Map<string, Owner>;
  /** What the door may take events for; a source stays here while its owner rests. */
  readonly serving: Map<string, RunningSource>;
  readonly registry: Registry;
  readonly visible: Visible;
  readonly schemas: Schemas;
  readonly scope: Scope.Scope;
  /** Whether sources are landed here; a gateway only serves them. */
  readonly lands: boolean;
  /** What happens to a view that fails for good. */
  readonly suspend: SuspendView;
  /** Has columns added to a source whose records await them. */
  readonly evolve: (name: string, columns: readonly NewColumn[]) => Effect.Effect<void>;
  /** Whether a source is still what the catalog says; asked at every assignment, because others change it. */
  readonly isCurrent: (applied: AppliedSource) => Effect.Effect<boolean, WarehouseFailed>;
}

/** The consumer group whose commits hold a source's positions and intents. */
export const groupOf = ({ source }: Pick<AppliedSource, "source">) => `weir.${source.layer}.${source.name}`;

/** Makes sure that table, view and topic are as the catalog says, then starts the owner. */
export const bringUp = Effect.fnUntraced(function* (owners: Owners, applied: AppliedSource) {
  const { source, version } = applied;
  const warehouse = yield* Warehouse;
  yield* warehouse.command("admin", createStateTable(source, version));
  yield* warehouse.command("writer", createSourceView(source, version, warehouse.cluster?.name));
  yield* startOwner(owners, applied, yield* ensureTopic(source));
});

/** Starts the owner of what another process has brought up, in the place of what was landed here before. */
export const takeUp = Effect.fnUntraced(function* (owners: Owners, applied: AppliedSource) {
  const log = yield* Log;
  const { name, topic } = applied.source;
  const found = yield* log.topic(topic);
  if (found === undefined) return yield* Effect.logWarning(`ods.${name} cannot be served yet: it has no topic.`);
  yield* drain(owners, name);
  yield* startOwner(owners, applied, found);
});

/** Partitions that are read here at most; other processes may have some of them. */
const partitionsOf = ({ running }: Owners) => running.values().reduce((sum, { partitions }) => sum + partitions, 0);

const startOwner = Effect.fnUntraced(function* (
  owners: Owners,
  applied: AppliedSource,
  { partitions, retention }: Pick<TopicInfo, "partitions" | "retention">,
): Effect.fn.Return<void, never, OwnerNeeds> {
  const { name } = applied.source;
  const { registry, visible, suspend, schemas } = owners;
  const projection = conform(applied.source);
  const logAgeMsMax = retention.ageMsMax;
  const target = targetOf(applied, { projection, schemas, logAgeMsMax });
  const running: RunningSource = { applied, target, conform: projection, partitions };
  owners.serving.set(name, running);
  if (!owners.lands) return;
  const before = owners.running.get(name);
  // It rests: whatever it announced is finished.
  if (before !== undefined) yield* Scope.close(before.scope, Exit.void);
  const scope = yield* Scope.fork(owners.scope);
  const drained = yield* Deferred.make<void>();
  const context = yield* Effect.context<Warehouse>();
  const { isShared } = yield* Log;
  const shards = shardCount(yield* Warehouse);
  const targetAt = (catalog: number) => {
    if (catalog === target.catalog) return Effect.succeed(target);
    return Effect.flatMap(appliedSource({ name, catalog }), (then) =>
      then === undefined
        ? Effect.fail(new Error(`Cannot land a batch of ${name}: catalog ${catalog} is unknown.`))
        : Effect.succeed(targetOf(then, { projection: conform(then.source), schemas, logAgeMsMax })),
    ).pipe(Effect.provideContext(context));
  };
  const actor = tableActor({
    group: groupOf(applied),
    target,
    limits: { ...TABLE_LIMITS, lateMs: isShared ? LATE_MS : 0, shards },
    partitionLimits: () => partitionLimits(partitionsOf(owners)),
    windowParts: DEDUPLICATION_WINDOW_PARTS,
    registry,
    visible,
    suspend,
    evolve: (columns) => owners.evolve(name, columns),
    targetAt,
    isCurrent: owners.isCurrent(applied),
    drained: Effect.asVoid(Deferred.succeed(drained, undefined)),
  });
  const exceeded = (error: unknown) =>
    Effect.logError(`table/${target.statement} gave up: ${error instanceof Error ? error.message : String(error)}`);
  const birth = { address: `table/${target.statement}`, registry, exceeded };
  const ref = yield* outsideHolds(Scope.provide(spawn(actor, birth), scope));
  owners.running.set(name, { ...running, ref, scope, drained });
});

/** Lets an owner finish what it announced, then stops it. */
export const drain = Effect.fnUntraced(function* (owners: Owners, name: string): Effect.fn.Return<void> {
  const owner = owners.running.get(name);
  if (owner === undefined) return;
  const late = `${owner.ref.address} was stopped before it had finished; its batch is recovered at the next start.`;
  const ended = Deferred.await(owner.drained).pipe(
    Effect.timeoutOrElse({ duration: DRAIN_MS_MAX, orElse: () => Effect.logWarning(late) }),
  );
  // An actor that hears nothing is between two lives; what it left open is recovered by the next one.
  if (yield* owner.ref.tell({ kind: "drain" })) yield* ended;
  owners.running.delete(name);
  yield* Scope.close(owner.scope, Exit.void);
});

/** Where batches of an applied source land. */
function targetOf(
  { source, version, catalog }: AppliedSource,
  { projection, schemas, logAgeMsMax }: Pick<Target, "logAgeMsMax"> & { projection: Conform; schemas: Schemas },
): Target {
  const statement = `${source.layer}.${source.name}`;
  const { topic, dedupe } = source;
  const table = stateTable(source, version);
  const own = { statement, topic, table, catalog, projection, schemas: schemas.of(source) };
  return { ...own, dedupe, logAgeMsMax };
}

/** Drains all owners at once. */
export const drainAll = (owners: Owners): Effect.Effect<void> =>
  Effect.forEach([...owners.running.keys()], (name) => drain(owners, name), {
    discard: true,
    concurrency: "unbounded",
  });

/**
 * Runs `work` while nothing of these sources is announced and not finished, here or in other processes; `mayBeOpen`
 * leaves out what nobody can finish any more.
 */
export const atRest = <A, E, R>(
  owners: Owners,
  names: readonly string[],
  work: Effect.Effect<A, E, R>,
  { mayBeOpen = false }: Pick<Holdable, "mayBeOpen"> = {},
): Effect.Effect<A, E | LogFailed, R | OwnerNeeds> =>
  Effect.suspend(() => {
    const resting = names.flatMap((name) => owners.serving.get(name) ?? []);
    return holding(
      resting.map(({ applied, target }) => ({
        ...{ group: groupOf(applied), topic: applied.source.topic, name: target.statement, mayBeOpen },
      })),
      work,
    );
  });
