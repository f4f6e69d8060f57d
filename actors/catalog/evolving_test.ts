/**
 * Evolving over time: one change for all that waits, rests between changes, and what becomes of those that fail.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { Log, LogFailed } from "@weir/connectors";
import type { NewColumn } from "@weir/sql";
import { Effect, Layer, Logger } from "effect";
import { TestClock } from "effect/testing";
import { encodeMark } from "../intent.ts";
import { Ledger } from "../ledger.ts";
import type { Awaited } from "./awaited.ts";
import type { Evolved } from "./evolve.ts";
import { awaitColumns, evolveSources } from "./evolving.ts";
import type { Kept } from "./in_force.ts";
import { BuildFailed } from "./site.ts";

const column = (name: string): NewColumn => ({ name, type: "Nullable(String)" });
const SALE = {
  definition: { kind: "source", layer: "ods", name: "sale", topic: "sale" },
  entry: { author: "admin", applied_at: "1970-01-01 00:00:00.000" },
} as unknown as Kept;
const NO = new BuildFailed({ name: "ods.sale", message: "no room" });
const AWAY = new LogFailed({ reason: "unavailable", message: "away", retriable: true });

/** How a change ends, by how many came before it; undefined: it is made. */
type Ends = (nth: number) => BuildFailed | LogFailed | undefined;

/** The changes that are made while records await columns from time to time: `<second> <columns> <refused>`. */
function changes(
  asks: readonly (readonly [atMs: number, ...names: string[]])[],
  { ends = () => undefined, lateUntilMs, forMs = 60_000 }: { ends?: Ends; lateUntilMs?: number; forMs?: number } = {},
): Promise<readonly string[]> {
  const awaited = new Map<string, Awaited>();
  const made: string[] = [];
  const mark = {
    partition: 0,
    offset: 0,
    metadata: encodeMark({ epoch: 1, last: undefined, intent: undefined, lateUntilMs }),
  };
  const log = { committed: () => Effect.succeed([mark]) } as unknown as Log["Service"];
  const nowMs = Effect.clockWith((clock) => clock.currentTimeMillis);
  const ledger = { nowMs } as unknown as Ledger["Service"];
  const playing = Effect.gen(function* () {
    yield* evolveSources({
      ...{ kept: new Map([["ods.sale", SALE]]), awaited },
      change: ({ take, refused }) =>
        Effect.gen(function* () {
          const names = take().map(({ name }) => name);
          made.push(`${(yield* nowMs) / 1_000} ${names.join(",")}${refused === undefined ? "" : ` ${refused}`}`);
          const failed = ends(made.length - 1);
          if (failed !== undefined) return yield* failed;
          return { added: [], leftOut: [] } satisfies Evolved;
        }),
    });
    let atMs = 0;
    for (const [untilMs, ...names] of asks) {
      yield* TestClock.adjust(untilMs - atMs);
      atMs = untilMs;
      yield* awaitColumns({ awaited }, "sale", names.map(column));
    }
    yield* TestClock.adjust(forMs - atMs);
    return made;
  });
  return Effect.runPromise(
    Effect.scoped(playing).pipe(
      Effect.provideService(Log, log),
      Effect.provideService(Ledger, ledger),
      Effect.provide(Layer.mergeAll(TestClock.layer(), Logger.layer([]))),
    ),
  );
}

/** When the first record comes. */
const T = 10_000;

describe("evolveSources()", () => {
  test("makes one change for what comes at once, and rests before the next", async () => {
    expect(
      await changes([
        [T, "a"],
        [T + 90, "b", "a"],
        [T + 400, "c"],
        [T + 900, "d"],
      ]),
    ).toEqual(["10.2 a,b", "15.2 c,d"]);
  });

  test("makes none while a lost owner may still insert", async () => {
    expect(await changes([[T, "a"]], { lateUntilMs: 30_000 })).toEqual(["30 a"]);
    expect(await changes([[T, "a"]], { lateUntilMs: 9_000 })).toEqual(["10.2 a"]);
    const meanwhile = () =>
      changes(
        [
          [T, "a"],
          [T + 5_000, "b"],
        ],
        { lateUntilMs: 30_000 },
      );
    expect(await meanwhile()).toEqual(["30 a,b"]);
  });

  test("tries again what could not be tried, for as long as it takes", async () => {
    const ends: Ends = (nth) => (nth < 4 ? AWAY : undefined);
    expect(
      await changes(
        [
          [T, "a"],
          [T + 1_000, "b"],
        ],
        { ends, forMs: 200_000 },
      ),
    ).toEqual([...["10.2 a", "15.2 a,b", "25.2 a,b", "45.2 a,b", "85.2 a,b"]]);
  });

  test("has left out what is refused three times", async () => {
    const ends: Ends = (nth) => (nth < 3 ? NO : undefined);
    expect(await changes([[T, "a"]], { ends, forMs: 200_000 })).toEqual([
      ...["10.2 a", "15.2 a", "25.2 a", "45.2 a no room"],
    ]);
  });
});
