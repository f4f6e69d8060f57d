/**
 * A hold: every partition of a topic's group, here and in no other process, for as long as a change takes.
 *
 *   join exclusively ──owners finish what they announced, and release──▶ held ──work is done──▶ shared out again
 *                ├──not released, or a batch is left open──▶ tried again, HOLD_MS_MAX in all ──▶ LogFailed
 *                └──an insert of a lost owner may still come──▶ tried again when it cannot any more
 *   held ──this process stood still for so long that others took over──▶ lost: what it would still enter is refused
 *
 * The log's groups are the only thing that says who owns what, so they are also
 * the barrier behind a change of tables and views, and the lock of the catalog.
 * What must not happen after a hold was lost asks `stillHeld` first, and carries the
 * answer as a deadline.
 *
 * @module
 */
import { type Commit, Log, LogFailed } from "@weir/connectors";
import { Clock, Context, Effect, Exit, Option, Queue, Scope } from "effect";
import { decodeMark } from "./intent.ts";
import { Ledger } from "./ledger.ts";

/** What is held. */
export interface Holdable {
  readonly group: string;
  readonly topic: string;
  /** What people call it: `ods.flight`. */
  readonly name: string;
  /** For work that what is announced and cannot be finished does not concern. */
  readonly mayBeOpen?: boolean;
}

/** How long owners may take to finish what they announced, over all tries. */
const HOLD_MS_MAX = 20_000;
const PAUSE_MS = 100;
/** A hold that is shorter than this is waited for: a rebalance is under way. */
const HELD_MS_MIN = 1_000;

/** Until when everything is held that the work at hand needs, by this machine's clock; for ever if it needs nothing. */
const HeldUntilMs = Context.Reference<() => number>("weir/actors/HeldUntilMs", {
  defaultValue: () => () => Number.POSITIVE_INFINITY,
});

/** One hold that was taken. */
interface Taken {
  readonly untilMs: () => number;
  readonly generation: () => number;
}

/** What is held, by group. */
const HeldGroups = Context.Reference<ReadonlyMap<string, Taken>>("weir/actors/HeldGroups", {
  defaultValue: () => new Map(),
});

/** Runs `work` while nothing of these is owned, announced and not finished, or changed by anybody else. */
export const holding = <A, E, R>(
  all: readonly Holdable[],
  work: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | LogFailed, R | Log | Ledger> =>
  // The scope is the holds' own: what `work` opens may outlive them.
  Effect.acquireUseRelease(
    Scope.make(),
    (scope) =>
      Effect.gen(function* () {
        const outer = yield* HeldUntilMs;
        const holds = yield* Effect.forEach(all, (of) => Scope.provide(hold(of), scope), { concurrency: "unbounded" });
        const heldUntilMs = () => Math.min(outer(), ...holds.map(({ untilMs }) => untilMs()));
        const groups = new Map(yield* HeldGroups);
        for (const [index, { group }] of all.entries()) groups.set(group, holds[index]);
        return yield* work.pipe(
          Effect.provideService(HeldUntilMs, heldUntilMs),
          Effect.provideService(HeldGroups, groups),
        );
      }),
    (scope, exit) => Scope.close(scope, exit),
  );

/** Runs what outlives the holds that it is begun under, for example an owner: it must not ask for them later. */
export const outsideHolds = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  work.pipe(
    Effect.provideService(HeldUntilMs, () => Number.POSITIVE_INFINITY),
    Effect.provideService(HeldGroups, new Map()),
  );

/** Until when what the work at hand needs is held; fails with LogFailed("fenced") if it was lost. */
export const stillHeld: Effect.Effect<number, LogFailed> = Effect.gen(function* () {
  const heldUntilMs = yield* HeldUntilMs;
  for (;;) {
    const untilMs = heldUntilMs();
    if (untilMs >= (yield* Clock.currentTimeMillis) + HELD_MS_MIN) return untilMs;
    if (untilMs === Number.NEGATIVE_INFINITY) return yield* lost();
    yield* Effect.sleep(PAUSE_MS);
  }
});

/** The generation of a group that is held, to commit under; fails with LogFailed("fenced") if it is not. */
export const heldGeneration = (group: string): Effect.Effect<number, LogFailed> =>
  Effect.flatMap(HeldGroups, (groups) => {
    const taken = groups.get(group);
    return taken === undefined ? Effect.fail(lost()) : Effect.succeed(taken.generation());
  });

const lost = () => {
  const message =
    "Cannot go on: this process stood still for so long that others took over meanwhile. Nothing was entered; try again.";
  return new LogFailed({ reason: "fenced", message, retriable: false });
};

/** Takes one hold. */
const hold = Effect.fnUntraced(function* (
  of: Holdable,
): Effect.fn.Return<Taken, LogFailed, Log | Ledger | Scope.Scope> {
  let deadlineMs = (yield* Clock.currentTimeMillis) + HOLD_MS_MAX;
  const scope = yield* Effect.scope;
  for (;;) {
    const own = yield* Scope.fork(scope);
    const attempt = yield* Scope.provide(taken(of, deadlineMs), own);
    if (typeof attempt !== "number") return attempt;
    // Its owners go on, and recover what they left open.
    yield* Scope.close(own, Exit.void);
    const nowMs = yield* Clock.currentTimeMillis;
    if (attempt > nowMs) {
      const seconds = Math.ceil((attempt - nowMs) / 1_000);
      yield* Effect.logWarning(`${of.name} waits ${seconds} s: an owner was lost, and its last insert may still come.`);
      deadlineMs = attempt + HOLD_MS_MAX;
    } else if (nowMs >= deadlineMs) return yield* notReleased(of);
    yield* Effect.sleep(Math.max(PAUSE_MS, attempt - nowMs));
  }
});

/** One try: the hold; or when to try again, 0 for soon, if the owners do not release it or left a batch open. */
const taken = Effect.fnUntraced(function* (
  { group, topic, name, mayBeOpen = false }: Holdable,
  deadlineMs: number,
): Effect.fn.Return<Taken | number, LogFailed, Log | Ledger | Scope.Scope> {
  const log = yield* Log;
  const membership = yield* log.join(group, topic, { exclusive: true });
  const { events } = membership;
  const waitMs = Math.max(0, deadlineMs - (yield* Clock.currentTimeMillis));
  const first = yield* Effect.timeoutOption(Queue.take(events), waitMs);
  if (Option.isNone(first)) return 0;
  const commits = yield* log.committed({ group, topic });
  if (!mayBeOpen && (yield* isOpen(name, commits))) return 0;
  const lateMs = yield* lateForMs(commits);
  if (lateMs === undefined) return 0;
  if (lateMs > 0) return (yield* Clock.currentTimeMillis) + lateMs;
  let isLost = false;
  let newest = first.value.generation;
  const watch = Effect.flatMap(Queue.take(events), ({ kind, partitions, generation }) => {
    isLost ||= kind === "revoked";
    newest = generation;
    return kind === "revoked" ? membership.released(partitions) : Effect.void;
  });
  yield* Effect.forkScoped(Effect.forever(watch));
  const held: Taken = {
    untilMs: () => (isLost ? Number.NEGATIVE_INFINITY : membership.heldUntilMs()),
    generation: () => newest,
  };
  return held;
});

/** For how long an insert of a lost owner may still come and a change waits; undefined while nobody says what time it is. */
export const lateFor = Effect.fnUntraced(function* (of: Pick<Holdable, "group" | "topic">) {
  const { committed } = yield* Log;
  return yield* lateForMs(yield* committed(of));
});

/** For how long an insert of a lost owner may still come; undefined while the warehouse does not say what time it is. */
const lateForMs = Effect.fnUntraced(function* (commits: readonly Commit[]) {
  const untilMs = latestOf(commits);
  if (untilMs === 0) return 0;
  const { nowMs } = yield* Ledger;
  return Option.getOrUndefined(Option.map(yield* Effect.option(nowMs), (now) => untilMs - now));
});

const latestOf = (commits: readonly Commit[]) =>
  Math.max(0, ...commits.map(({ metadata }) => decodeMark(metadata)?.lateUntilMs ?? 0));

/**
 * Whether a batch is announced and not finished. What is open in a partition ended once that partition is in a newer epoch;
 * another one may be ahead of it. A ledger that is away says nothing.
 */
const isOpen = Effect.fnUntraced(function* (name: string, commits: readonly Commit[]) {
  const open = commits.flatMap(({ partition, metadata }) => {
    const intent = decodeMark(metadata)?.intent;
    return intent === undefined ? [] : [{ partition, epoch: intent.epoch }];
  });
  if (open.length === 0) return false;
  const { positions } = yield* Ledger;
  const known = yield* Effect.orElseSucceed(positions(name), () => []);
  return open.some(({ partition, epoch }) => !known.some((at) => at.partition === partition && at.epoch > epoch));
});

const notReleased = ({ name }: Holdable) =>
  new LogFailed({
    reason: "unavailable",
    message: `Cannot hold ${name}: who owns it has not finished within ${HOLD_MS_MAX / 1_000} s what was announced, or another change is under way. Try again in a moment.`,
    retriable: true,
  });
