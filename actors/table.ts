/**
 * The table actor: owns one target table's share of a topic and lands it exactly once.
 *
 *   Log ──▶ partition actors ──offered──▶ table ──intent · insert · marker · commit──▶ Warehouse
 *
 * A thin shell around `table_step.ts`: it joins the group, looks up positions,
 * performs what the step decides and tells it how it ended. When anything here
 * fails that a repeat cannot mend, the whole actor starts again: it joins anew,
 * under a new generation, and every open intent goes through recovery.
 *
 * @module
 */
import {
  type Commit,
  heldBytes,
  Log,
  LogFailed,
  type Membership,
  type Records,
  type Warehouse,
  type WarehouseFailed,
} from "@weir/connectors";
import type { NewColumn } from "@weir/sql";
import { Clock, Data, Deferred, Effect, Exit, Queue, Scope } from "effect";
import { AWAY_RETRY, whileAway } from "./away_retry.ts";
import { type Part, partOf, type Slice } from "./batch.ts";
import { announcedMs, type Intent, type Range, tokenOf } from "./intent.ts";
import { land, type SuspendView } from "./landing.ts";
import { Ledger } from "./ledger.ts";
import { entered, locateAll } from "./locating.ts";
import { type PartitionLimits, type PartitionMessage, partitionActor } from "./partition.ts";
import type { Located } from "./position.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { type Behaviour, type Ref, type Self, spawn } from "./runtime/actor.ts";
import type { Registry } from "./runtime/registry.ts";
import {
  type Batch,
  emptyTable,
  type TableAction,
  type TableLimits,
  type TableMessage,
  type TableState,
  vitalsOf,
} from "./table_state.ts";
import { stepTable } from "./table_step.ts";
import type { Target } from "./target.ts";
import { isUnreadable, UNREADABLE_RETRY } from "./unreadable.ts";
import type { Visible } from "./visible.ts";
import { WarehouseClock } from "./warehouse_clock.ts";

/** What a table actor is started with. */
export interface TableOptions {
  readonly group: string;
  readonly target: Target;
  readonly limits: TableLimits;
  readonly partitionLimits: () => PartitionLimits;
  /** Parts which the deduplication window of the target remembers. */
  readonly windowParts: number;
  readonly registry: Registry;
  readonly visible: Visible;
  /** What happens to a view that fails for good. */
  readonly suspend: SuspendView;
  /** Hears which columns the target lacks; has them added, and this owner replaced. */
  readonly evolve: (columns: readonly NewColumn[]) => Effect.Effect<void>;
  /** The target as it was under an earlier version of the catalog; for intents announced then. */
  readonly targetAt: (catalog: number) => Effect.Effect<Target, unknown>;
  /** False once the catalog says something else of the source than this target: then nothing is landed here any more. */
  readonly isCurrent: Effect.Effect<boolean, WarehouseFailed>;
  /** Called once after a `drain` message, when nothing is under way any more. */
  readonly drained: Effect.Effect<void>;
}

type Needs = Log | Warehouse | Ledger;

/** A commit was refused because somebody else owns the partitions now. */
class Fenced extends Data.TaggedError("Fenced")<{ readonly generation: number }> {}

/** Restart policy of a table: a warehouse or log that is away is waited for, longer and longer. */
const RESTART = { delayMsMin: 100, delayMsMax: 10_000, failuresMax: 1_000, windowMs: 3_600_000 };

/** What one incarnation holds beside its pure state. */
interface Hands {
  /** What is decided and dated here goes by the warehouse's. */
  clock: WarehouseClock;
  membership: Membership;
  /** Batches made ready to be sent, by token: at most the one that lands and the next. */
  readonly prepared: Map<string, Deferred.Deferred<Prepared>>;
  readers: { readonly scope: Scope.Closeable; readonly refs: Map<number, Ref<PartitionMessage>> } | undefined;
}

/** The actor of one target table. */
export function tableActor(options: TableOptions): Behaviour<TableState, TableMessage, TableAction, Needs> {
  const { target, limits } = options;
  const hands = { prepared: new Map() } as unknown as Hands;
  return {
    kind: "table",
    mailboxMax: 1_024,
    restart: RESTART,
    init: Effect.fnUntraced(function* (self) {
      const log = yield* Log;
      hands.clock = new WarehouseClock(yield* Clock.Clock);
      hands.readers = undefined;
      hands.prepared.clear();
      hands.membership = yield* log.join(options.group, target.topic);
      yield* Effect.forkIn(Effect.forever(Effect.flatMap(Queue.take(hands.membership.events), self.tell)), self.scope);
      return [emptyTable({ statement: target.statement, catalog: target.catalog, limits }), []];
    }),
    step: (state, message) => stepTable(state, message, hands.clock.nowMs()),
    vitals: vitalsOf,
    perform: (action, self) => perform(options, { hands, action, self }),
  };
}

interface Performing {
  readonly hands: Hands;
  readonly action: TableAction;
  readonly self: Self<TableMessage>;
}

const perform = (options: TableOptions, { hands, action, self }: Performing): Effect.Effect<void, unknown, Needs> => {
  const { visible, target } = options;
  switch (action.kind) {
    case "locate":
      return Effect.flatMap(Effect.andThen(whileAway(setClock(hands)), locate(options, action.partitions)), (places) =>
        Effect.asVoid(self.tell({ kind: "located", generation: action.generation, places })),
      );
    case "reread":
      return Effect.flatMap(reread(options, action.intent), (message) => Effect.asVoid(self.tell(message)));
    case "announce":
      return toldUnlessFenced(commit(options, action), { self, message: { kind: "announced", token: action.token } });
    case "advance":
      return toldUnlessFenced(commit(options, action), { self, message: { kind: "advanced", token: action.token } });
    case "prepare":
      return Effect.asVoid(prepared(options, hands, action.batch));
    case "land": {
      const { batch, deadlineMs } = action;
      const { token } = batch;
      return Effect.gen(function* () {
        if (batch.tries > 0) yield* remembered(options, batch);
        // A timer stands still while its machine is suspended; what was announced by it is refused as late, and dated anew.
        if (batch.tries > 0 || hands.clock.isOld()) yield* Effect.ignore(setClock(hands));
        const target = yield* options.targetAt(batch.intent.catalog);
        const message = yield* land(target, batch, {
          deadlineMs,
          nowMs: () => hands.clock.nowMs(),
          prepared: yield* prepared(options, hands, batch),
          suspend: options.suspend,
        }).pipe(
          Effect.map((landed): TableMessage => ({ kind: "landed", token, landed })),
          Effect.catchTag("LandingDelayed", (late) =>
            Effect.succeed<TableMessage>({ kind: "delayed", token, note: late.message }),
          ),
          Effect.catchTag("Drifted", ({ drifts, awaited }) => {
            const drifted: TableMessage = { kind: "drifted", token, drifts };
            return Effect.as(awaited.length === 0 ? Effect.void : options.evolve(awaited), drifted);
          }),
        );
        if (message.kind === "landed") {
          hands.prepared.delete(token);
          release(batch);
        }
        if (message.kind === "drifted") {
          // What was cut behind it is dissolved, too, once nobody reads its records any more: others may free them.
          yield* Effect.forEach(hands.prepared.values(), Deferred.await, { discard: true });
          hands.prepared.clear();
        }
        yield* self.tell(message);
      });
    }
    case "read":
      return readAll(options, { hands, self, generation: action.generation, positions: action.positions });
    case "note gap":
      return Effect.flatMap(Ledger, ({ noteGap }) => whileAway(noteGap(target, action.gap)));
    case "halt":
      return halt(hands);
    case "consumed":
      return consumed(hands, action.parts, 1);
    case "returned":
      return consumed(hands, action.parts, -1);
    case "visible":
      return Effect.sync(() => visible.publish(target.statement, action.positions));
    case "release":
      return hands.membership.released(action.partitions);
    case "drained":
      return options.drained;
  }
};

/** Frees the records of a batch that landed; a read goes whole, with the slice that ends it. */
function release({ parts }: Batch): void {
  for (const { slices } of parts) for (const { records, end } of slices) if (end === records.count) records.release?.();
}

/** Asks the warehouse what time it is. */
const setClock = ({ clock }: Hands) =>
  Effect.flatMap(Ledger, ({ nowMs }) => Effect.map(nowMs, (now) => clock.set(now)));

/** A batch made ready, once: by the first who asks, for everybody and for every try. */
const prepared = Effect.fnUntraced(function* (options: TableOptions, hands: Hands, batch: Batch) {
  const known = hands.prepared.get(batch.token);
  if (known !== undefined) return yield* Deferred.await(known);
  const made = yield* Deferred.make<Prepared>();
  hands.prepared.set(batch.token, made);
  const target = yield* options.targetAt(batch.intent.catalog);
  const ready = yield* prepare(target, batch.parts);
  yield* Deferred.succeed(made, ready);
  return ready;
});

const toldUnlessFenced = <R>(
  commit: Effect.Effect<void, unknown, R>,
  { self, message }: { self: Self<TableMessage>; message: TableMessage },
) =>
  commit.pipe(
    Effect.as(message),
    Effect.catchIf(
      (error) => error instanceof Fenced,
      (error) => Effect.succeed<TableMessage>({ kind: "fenced", generation: (error as Fenced).generation }),
    ),
    Effect.flatMap((told) => Effect.asVoid(self.tell(told))),
  );

/** Commits, again and again while the log says that it can succeed later; every partition's answer is looked at. */
const commit = Effect.fnUntraced(function* (
  { group, target }: TableOptions,
  { generation, commits }: { generation: number; commits: readonly Commit[] },
) {
  const log = yield* Log;
  const answers = yield* log
    .commit({ group, topic: target.topic, generation }, commits)
    .pipe(Effect.retry({ while: retriable, schedule: AWAY_RETRY }));
  for (const { partition, error } of answers) {
    if (error === "fenced" || error === "not owned") return yield* new Fenced({ generation });
    if (error !== undefined) {
      const message = `Cannot commit ${target.topic}/${partition}: ${error}.`;
      return yield* new LogFailed({ reason: "invalid", message, retriable: false });
    }
  }
});

const retriable = (error: LogFailed) => error.retriable;

/** Finds out where each partition goes on, notes what is gone, and keeps which epochs begin. */
const locate = Effect.fnUntraced(function* (
  { group, target, isCurrent }: TableOptions,
  partitions: readonly number[],
): Effect.fn.Return<readonly Located[], unknown, Log | Ledger> {
  const ledger = yield* Ledger;
  const { topic, statement } = target;
  // Who replaces this owner finds out as well, and will go on.
  if (!(yield* whileAway(isCurrent))) return [];
  const all = yield* whileAway(locateAll({ group, topic, statement }, partitions));
  for (const { located } of all) {
    if (located.kind === "stopped" && located.gap !== undefined)
      yield* whileAway(ledger.noteGap({ statement, topic }, located.gap));
  }
  const fresh = entered(all);
  if (fresh.length > 0) yield* whileAway(ledger.enter(statement, fresh));
  return all.map(({ located }) => located);
});

/** Reads an open intent's whole vector again, whoever owns its partitions, and proves that it is the same. */
const reread = Effect.fnUntraced(function* (
  options: TableOptions,
  intent: Intent,
): Effect.fn.Return<TableMessage, unknown, Log | Ledger> {
  const { target, windowParts } = options;
  const ledger = yield* Ledger;
  const token = tokenOf(target.statement, intent);
  const marker = yield* whileAway(ledger.marker(target.statement, token));
  const parts: Part[] = [];
  for (const range of intent.ranges) {
    const part = yield* Effect.catchIf(rereadRange(options, range), isUnreadable, Effect.succeed);
    if (part instanceof LogFailed)
      return { kind: "unrecoverable", intent, note: `Cannot recover batch ${token}: ${part.message}` };
    const same = part !== undefined && part.range.rows === range.rows && part.range.crc === range.crc;
    if (!same) {
      const note = `Cannot recover batch ${token}: the log no longer holds the records that were announced for partition ${range.partition}.`;
      return { kind: "unrecoverable", intent, note };
    }
    parts.push(part);
  }
  if (marker !== undefined) return { kind: "reread", intent, parts, landed: { ...marker, tookMs: 0 } };
  const since = yield* whileAway(ledger.partsSince(target.statement, windowOf(intent)));
  if (since > windowParts / 2) {
    const note = `Cannot recover batch ${token}: it has no marker and up to ${since} parts came after it; the warehouse may have forgotten it.`;
    return { kind: "unrecoverable", intent, note };
  }
  return { kind: "reread", intent, parts, landed: undefined };
});

/** Fails where the warehouse may have forgotten a batch that one of its tries may have stored: recovery decides then. */
const remembered = Effect.fnUntraced(function* (
  { target, windowParts }: TableOptions,
  { intent, token }: Batch,
): Effect.fn.Return<void, unknown, Ledger> {
  const ledger = yield* Ledger;
  const since = yield* whileAway(ledger.partsSince(target.statement, windowOf(intent)));
  if (since <= windowParts / 2) return;
  return yield* Effect.fail(
    new Error(`Cannot repeat batch ${token}: up to ${since} parts came since it was announced.`),
  );
});

/** How long a partition's new leader may take to know what the one before it has acknowledged. */
const REREAD_MS_MAX = 5_000;

/** The records [from, to) of one partition as they are now; undefined if they cannot all be read. */
const rereadRange = Effect.fnUntraced(function* (
  { target, partitionLimits }: TableOptions,
  { partition, from, to }: Range,
): Effect.fn.Return<Part | undefined, LogFailed, Log> {
  const log = yield* Log;
  const { topic } = target;
  const { recordsMax, bytesMax } = partitionLimits();
  const slices: Slice[] = [];
  for (let offset = from; offset < to; ) {
    const records: Records | undefined = yield* log
      .read({
        topic,
        partition,
        offset,
        recordsMax: Math.min(recordsMax, to - offset),
        bytesMax,
        waitMs: REREAD_MS_MAX,
      })
      .pipe(
        Effect.retry({ while: (error) => error._tag === "LogFailed" && error.retriable, schedule: AWAY_RETRY }),
        Effect.retry(UNREADABLE_RETRY),
        Effect.catchTag("OffsetGap", () => Effect.succeed(undefined)),
      );
    if (records === undefined || records.next <= offset) return undefined;
    let end = records.count;
    while (end > 0 && records.offsets[end - 1] >= to) end--;
    if (end > 0) slices.push({ records, start: 0, end });
    offset = records.next;
  }
  if (slices.length === 0) return undefined;
  const part = partOf({ partition, from, slices });
  return { ...part, range: { ...part.range, to } };
});

interface Reading {
  readonly hands: Hands;
  readonly self: Self<TableMessage>;
  readonly generation: number;
  readonly positions: readonly { readonly partition: number; readonly offset: number }[];
}

/** Starts one partition actor for each position. */
const readAll = Effect.fnUntraced(function* (options: TableOptions, { hands, self, generation, positions }: Reading) {
  yield* halt(hands);
  const scope = yield* Scope.fork(self.scope);
  const refs = new Map<number, Ref<PartitionMessage>>();
  for (const { partition, offset } of positions) {
    const offer = (records: Records) => self.tell({ kind: "offered", generation, partition, records });
    const { topic, schemas } = options.target;
    const actor = partitionActor({
      topic,
      partition,
      offset,
      limits: options.partitionLimits,
      known: (records, note) => schemas?.known([{ records, start: 0, end: records.count }], note) ?? Effect.void,
      offer,
      stopped: ({ note, gap }) => self.tell({ kind: "gapped", generation, partition, note, gap }),
    });
    const birth = { address: `${self.address}/${partition}`, registry: options.registry, exceeded: self.fail };
    refs.set(partition, yield* Scope.provide(spawn(actor, birth), scope));
  }
  hands.readers = { scope, refs };
});

/** Stops all partition actors and forgets what was made ready. */
const halt = (hands: Hands) =>
  Effect.suspend(() => {
    const { readers } = hands;
    hands.readers = undefined;
    hands.prepared.clear();
    return readers === undefined ? Effect.void : Scope.close(readers.scope, Exit.void);
  });

/** Tells the partition actors how many of their bytes have been cut into a batch, or wait again. */
const consumed = Effect.fnUntraced(function* (hands: Hands, parts: readonly Part[], sign: 1 | -1) {
  for (const { range, slices } of parts) {
    const reader = hands.readers?.refs.get(range.partition);
    if (reader === undefined) continue;
    // A read is paid back whole, with the slice that ends it.
    const bytes = slices.reduce((sum, { records, end }) => sum + (end === records.count ? heldBytes(records) : 0), 0);
    if (bytes > 0) yield* reader.tell({ kind: "consumed", bytes: sign * bytes });
  }
});

/** What a batch's token has to have outlived: all batches of its server since it was announced. */
const windowOf = (intent: Intent) => ({ sinceMs: announcedMs(intent), partition: intent.ranges[0].partition });
