/**
 * Visible: who waits for a position, and when it is told.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import { type Position, Visible, WAITERS_MAX } from "./visible.ts";

const at = (...entries: [number, number][]): Position => new Map(entries);
const run = <A, E>(program: Effect.Effect<A, E>) => Effect.runPromise(Effect.provide(program, TestClock.layer()));

describe("publish()", () => {
  test("moves a table's position, partition by partition", () => {
    const visible = new Visible();
    visible.publish("a", at([0, 5]));
    visible.publish("a", at([1, 7]));
    expect(visible.of("a")).toEqual(at([0, 5], [1, 7]));
  });

  test("never moves backwards", () => {
    const visible = new Visible();
    visible.publish("a", at([0, 5]));
    visible.publish("a", at([0, 3]));
    expect(visible.of("a")).toEqual(at([0, 5]));
  });

  test("keeps tables apart", () => {
    const visible = new Visible();
    visible.publish("a", at([0, 5]));
    expect(visible.of("b")).toEqual(at());
  });
});

describe("commits()", () => {
  test("counts what grew, and says when rows were added last", () => {
    let nowMs = 1_000;
    const visible = new Visible(() => nowMs);
    const after = (...entries: [number, number][]) => {
      visible.publish("a", at(...entries));
      nowMs += 1_000;
      return visible.commits("a");
    };
    expect(visible.commits("a")).toEqual({ count: 0, newestMs: undefined });
    // An assignment says where a partition stands: nothing is known of when its rows came.
    expect(after([0, 0], [1, 7])).toEqual({ count: 1, newestMs: undefined });
    expect(after([0, 0], [1, 7])).toEqual({ count: 1, newestMs: undefined });
    expect(after([0, 3])).toEqual({ count: 2, newestMs: 3_000 });
    expect(after([0, 2])).toEqual({ count: 2, newestMs: 3_000 });
    expect(after([0, 4], [2, 9])).toEqual({ count: 3, newestMs: 5_000 });
    expect(visible.commits("b")).toEqual({ count: 0, newestMs: undefined });
  });
});

describe("listen()", () => {
  test("hears of every table that grew, after its count, until it stops", () => {
    const visible = new Visible();
    const heard: string[] = [];
    const stop = visible.listen((table) => heard.push(`${table} ${visible.commits(table).count}`));
    visible.publish("a", at([0, 5]));
    visible.publish("a", at([0, 5]));
    visible.publish("b", at([0, 1]));
    stop();
    visible.publish("a", at([0, 6]));
    expect(heard).toEqual(["a 1", "b 1"]);
  });
});

describe("wait()", () => {
  test.each<[string, Position, boolean]>([
    ["nothing", at(), true],
    ["what is there", at([0, 5]), true],
    ["less than is there", at([0, 4], [1, 1]), true],
    ["more in one partition", at([0, 5], [1, 8]), false],
    ["a partition that nobody published", at([2, 1]), false],
    ["the beginning of a partition that nobody published", at([2, 0]), true],
  ])("for %s", (_, position, expected) =>
    run(
      Effect.gen(function* () {
        const visible = new Visible();
        visible.publish("a", at([0, 5], [1, 7]));
        const fiber = yield* Effect.forkChild(visible.wait("a", { position, waitMs: 1_000 }));
        yield* TestClock.adjust(1_000);
        expect(yield* Fiber.join(fiber)).toBe(expected);
      }),
    ),
  );

  test("ends when the last partition gets there, not before", () =>
    run(
      Effect.gen(function* () {
        const visible = new Visible();
        const fiber = yield* Effect.forkChild(visible.wait("a", { position: at([0, 5], [1, 5]), waitMs: 1_000 }));
        yield* TestClock.adjust(1);
        for (const [table, position] of [
          ["a", at([0, 9])],
          ["b", at([1, 9])],
          ["a", at([1, 4])],
        ] as const) {
          visible.publish(table, position);
          yield* TestClock.adjust(1);
          expect(fiber.pollUnsafe()).toBeUndefined();
        }
        visible.publish("a", at([1, 5]));
        expect(yield* Fiber.join(fiber)).toBe(true);
      }),
    ));

  test("answers false at once when too many wait, and forgets who gave up", () =>
    run(
      Effect.gen(function* () {
        const visible = new Visible();
        const wait = (waitMs: number) => visible.wait("a", { position: at([0, 1]), waitMs });
        const fibers = yield* Effect.forEach(Array.from({ length: WAITERS_MAX }), () => Effect.forkChild(wait(100)));
        yield* TestClock.adjust(1);
        expect(yield* wait(1_000_000)).toBe(false);
        yield* Effect.forEach(fibers, Fiber.interrupt, { discard: true, concurrency: "unbounded" });
        const late = yield* Effect.forkChild(wait(1_000));
        yield* TestClock.adjust(1);
        visible.publish("a", at([0, 1]));
        expect(yield* Fiber.join(late)).toBe(true);
      }),
    ));
});
