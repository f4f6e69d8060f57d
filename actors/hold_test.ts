import { describe, expect, test } from "bun:test";
import { Log, type Membership, type MembershipEvent } from "@weir/connectors";
import { Clock, Effect, Exit, Queue } from "effect";
import { TestClock } from "effect/testing";
import { holding, outsideHolds, stillHeld } from "./hold.ts";
import { encodeMark } from "./intent.ts";
import { Ledger } from "./ledger.ts";

/** A ledger that knows a partition's epoch, or nothing; its clock is right. */
const ledgerOf = (...known: readonly { readonly partition: number; readonly epoch: number }[]) =>
  ({ positions: () => Effect.succeed(known), nowMs: Clock.currentTimeMillis }) as unknown as Ledger["Service"];

const ODS = { group: "weir.ods.t", topic: "t", name: "ods.t" };
const OPEN = { epoch: 1, catalog: 1, atMs: 0, ranges: [{ partition: 0, from: 0, to: 1, rows: 1, crc: 0 }] };
const mark = (more: { intent?: typeof OPEN; lateUntilMs?: number } = {}) =>
  encodeMark({ epoch: 1, last: undefined, intent: more.intent, lateUntilMs: more.lateUntilMs });

/** A log with one group: `marks` is asked at every try; what is offered to `events` the holder hears. */
function fakeLog(marks: (attempt: number) => string | "not released") {
  const script = {
    tries: 0,
    open: 0,
    heldUntilMs: Number.POSITIVE_INFINITY,
    events: [] as Queue.Queue<MembershipEvent>[],
  };
  const join = Effect.fnUntraced(function* () {
    const events = yield* Queue.unbounded<MembershipEvent>();
    script.tries += 1;
    script.open += 1;
    script.events.push(events);
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        script.open -= 1;
      }),
    );
    if (marks(script.tries) !== "not released")
      Queue.offerUnsafe(events, { kind: "assigned", generation: script.tries, partitions: [0] });
    const membership: Membership = { events, released: () => Effect.void, heldUntilMs: () => script.heldUntilMs };
    return membership;
  });
  const committed = () => Effect.sync(() => [{ partition: 0, offset: 0, metadata: marks(script.tries) }]);
  const log = { join, committed } as unknown as Log["Service"];
  return { script, log };
}

/** Runs work under a hold for `ms` of the test's clock. */
const holdFor = <A, E>(
  log: Log["Service"],
  work: Effect.Effect<A, E>,
  { ms, ledger = ledgerOf() }: { readonly ms: number; readonly ledger?: Ledger["Service"] },
) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(holding([ODS], work));
      yield* Effect.yieldNow;
      yield* TestClock.adjust(ms);
      return fiber.pollUnsafe();
    }).pipe(Effect.provideService(Log, log), Effect.provideService(Ledger, ledger), Effect.provide(TestClock.layer())),
  );
const ended = (exit: unknown) =>
  exit === undefined ? "still waiting" : Exit.isSuccess(exit as never) ? "done" : "failed";

describe("holding()", () => {
  test.each([
    ["works once nothing is announced", () => mark(), 0, 1, "done"],
    ["tries again while a batch is open", (n: number) => mark(n < 3 ? { intent: OPEN } : {}), 1_000, 3, "done"],
    ["gives up when a batch stays open", () => mark({ intent: OPEN }), 25_000, undefined, "failed"],
    ["gives up when nobody releases", () => "not released", 25_000, 1, "failed"],
    [
      "waits as long as a late insert may come",
      (n: number) => mark({ lateUntilMs: n < 3 ? 90_000 : 0 }),
      80_000,
      1,
      "still waiting",
    ],
    ["goes on when it cannot come any more", () => mark({ lateUntilMs: 90_000 }), 91_000, 2, "done"],
  ] as const)("%s", async (_, marks, ms, tries, expected) => {
    const { script, log } = fakeLog(marks);
    const exit = await holdFor(log, Effect.void, { ms });
    expect(ended(exit)).toBe(expected);
    if (tries !== undefined) expect(script.tries).toBe(tries);
    if (expected !== "still waiting") expect(script.open).toBe(0);
  });
});

describe("holding() and an insert that may still come", () => {
  const late = () => mark({ lateUntilMs: 7_200_000 });
  test.each([
    ["goes by the warehouse's clock where its own is behind", Effect.succeed(7_200_001), "done"],
    ["goes by the warehouse's clock where its own is ahead", Effect.succeed(-7_200_000), "still waiting"],
    ["waits while the warehouse does not say what time it is", Effect.fail("away"), "still waiting"],
  ] as const)("%s", async (_, nowMs, expected) => {
    const ledger = { ...ledgerOf(), nowMs } as unknown as Ledger["Service"];
    expect(ended(await holdFor(fakeLog(late).log, Effect.void, { ms: 10_000, ledger }))).toBe(expected);
  });
});

describe("holding() and a batch that is left open", () => {
  test.each([
    ["waits for it", { partition: 0, epoch: 1 }, "still waiting"],
    ["waits for it when another partition is in a newer epoch", { partition: 1, epoch: 2 }, "still waiting"],
    ["does not when its partition is in a newer epoch", { partition: 0, epoch: 2 }, "done"],
  ] as const)("%s", async (_, known, expected) => {
    const { log } = fakeLog(() => mark({ intent: OPEN }));
    expect(ended(await holdFor(log, Effect.void, { ms: 1_000, ledger: ledgerOf(known) }))).toBe(expected);
  });
});

describe("stillHeld", () => {
  const work = Effect.flatMap(Effect.sleep(1_000), () => stillHeld);
  test.each([
    ["is for ever where nobody else can own it", Number.POSITIVE_INFINITY, "done"],
    ["waits for a rebalance that is under way", 1_500, "still waiting"],
    ["fails when it was lost", Number.NEGATIVE_INFINITY, "failed"],
  ])("%s", async (_, heldUntilMs, expected) => {
    const { script, log } = fakeLog(() => mark());
    script.heldUntilMs = heldUntilMs;
    expect(ended(await holdFor(log, work, { ms: 3_000 }))).toBe(expected);
  });

  test("fails as soon as the group takes the partitions away", async () => {
    const { script, log } = fakeLog(() => mark());
    const losing = Effect.andThen(
      Effect.sync(() => Queue.offerUnsafe(script.events[0]!, { kind: "revoked", generation: 1, partitions: [0] })),
      work,
    );
    const exit = await holdFor(log, losing, { ms: 3_000 });
    expect(ended(exit)).toBe("failed");
  });

  test("asks nothing of what outlives the hold that it was begun under", async () => {
    const { script, log } = fakeLog(() => mark());
    script.heldUntilMs = Number.NEGATIVE_INFINITY;
    expect(ended(await holdFor(log, outsideHolds(work), { ms: 3_000 }))).toBe("done");
  });

  test("asks nothing of work that holds nothing", async () => {
    expect(await Effect.runPromise(stillHeld)).toBe(Number.POSITIVE_INFINITY);
  });
});
