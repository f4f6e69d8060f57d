/**
 * A process that appends to an embedded log until it is killed; for `sqlite_log_test.ts`.
 *
 *   bun sqlite_log_child.ts <dir> <appendsMax>
 *
 * Prints `open`, then `<partition> <first> <value>` for each append that was
 * acknowledged, or `failed <message>`. After appendsMax it leaves the log open and
 * has nothing left to do: the Workers must not keep it alive.
 *
 * @module
 */
import { writeSync } from "node:fs";
import { Effect, Exit, Layer, Scope } from "effect";
import { Log } from "./log.ts";
import { packed } from "./log_contract_fixture.ts";
import { sqliteLog } from "./sqlite_log/mod.ts";

const CALLERS = 16;

/** Appends `count` times, one record each, and says so after every answer. */
const appendMany = Effect.fn("appendMany")(function* (log: Log["Service"], caller: number, count: number) {
  for (let n = 0; n < count; n++) {
    const value = `${process.pid}-${caller}-${n}`;
    const partition = (caller + n) % 2;
    const { appended } = yield* log.append([{ topic: "kills", partition, records: packed([value]) }]);
    say(`${partition} ${appended[0].first} ${value}`);
  }
});

const main = Effect.gen(function* () {
  const [dir, appendsMax] = process.argv.slice(2);
  const scope = yield* Scope.make();
  const built = yield* Effect.exit(Layer.buildWithScope(sqliteLog({ dir }), scope));
  if (Exit.isFailure(built)) return say(`failed ${String(built.cause)}`);
  const log = yield* Effect.provide(Log, built.value);
  if ((yield* log.topic("kills")) === undefined)
    yield* log.createTopic({ name: "kills", partitions: 2, retention: {} });
  say("open");
  const callers = Array.from({ length: CALLERS }, (_, caller) => caller);
  const each = Math.ceil(Number(appendsMax) / CALLERS);
  yield* Effect.forEach(callers, (caller) => appendMany(log, caller, each), { concurrency: "unbounded" });
  say("done");
});

/** Writes at once: what was said must have left the process before it can be killed. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

await Effect.runPromise(main);
