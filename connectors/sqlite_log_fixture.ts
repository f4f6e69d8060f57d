/**
 * What the tests of the embedded log share: logs in directories of their own.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect, ManagedRuntime, type Scope } from "effect";
import { Log, type LogFailed } from "./log.ts";
import { type SqliteLogOptions, sqliteLog } from "./sqlite_log/mod.ts";

/** Runs `body` over a log with the topic "t" of two partitions. */
export async function withLog<A>(
  options: Partial<SqliteLogOptions>,
  body: (log: Log["Service"]) => Effect.Effect<A, unknown, Scope.Scope>,
): Promise<A> {
  const runtime: ManagedRuntime.ManagedRuntime<Log, LogFailed> = ManagedRuntime.make(
    sqliteLog({ dir: freshDir(), ...options }),
  );
  try {
    return await runtime.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const log = yield* Log;
          if ((yield* log.topic("t")) === undefined)
            yield* log.createTopic({ name: "t", partitions: 2, retention: {} });
          return yield* body(log);
        }),
      ),
    );
  } finally {
    await runtime.dispose();
  }
}

/** Repeats `condition` until it holds, at most 5 s. */
export function until(condition: () => Effect.Effect<boolean, unknown>): Effect.Effect<void, unknown> {
  const deadlineMs = Date.now() + 5_000;
  return Effect.gen(function* () {
    while (!(yield* condition())) {
      if (Date.now() > deadlineMs) throw new Error("the condition did not come true within 5 s");
      yield* Effect.sleep("5 millis");
    }
  });
}

/** A small seeded generator of integers below `below` (mulberry32). */
export function randomFrom(start: number): (below: number) => number {
  let state = start;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const dirs: string[] = [];
/** Removes the directories made so far; for `afterAll`. */
export function removeDirs(): void {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
}

/** A directory of its own, removed by `removeDirs`. */
export function freshDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "weir-log-"));
  dirs.push(dir);
  return dir;
}
