import { afterAll, describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { Effect } from "effect";
import { Log, type Retention } from "./log.ts";
import { at, packed, readAll } from "./log_contract_fixture.ts";
import { freshDir, removeDirs, until, withLog } from "./sqlite_log_fixture.ts";

afterAll(removeDirs);

describe("sqliteLog() and retention", () => {
  const kept = (dir: string, retention: Retention, body: (log: Log["Service"]) => Effect.Effect<void, unknown>) =>
    withLog({ dir, retentionEveryMs: 5 }, (log) =>
      Effect.andThen(log.createTopic({ name: "kept", partitions: 1, retention }), body(log)),
    );

  test("removes what is too old, keeps the latest offset, and fails reads below", async () => {
    const dir = freshDir();
    await kept(dir, { ageMsMax: 60_000 }, (log) =>
      Effect.gen(function* () {
        const append = (age: number) =>
          log.append([{ topic: "kept", partition: 0, records: packed(["a", "b"], Date.now() - age) }]);
        yield* append(120_000);
        yield* until(() => Effect.map(log.offsets("kept"), ([{ earliest }]) => earliest === 2));
        expect(yield* log.offsets("kept")).toEqual([{ partition: 0, earliest: 2, latest: 2 }]);
        const gap = yield* Effect.flip(log.read(at("kept", 1)));
        expect(gap).toMatchObject({ _tag: "OffsetGap", asked: 1, earliest: 2, latest: 2 });
      }),
    );
    await withLog({ dir }, (log) =>
      Effect.gen(function* () {
        expect(yield* log.offsets("kept")).toEqual([{ partition: 0, earliest: 2, latest: 2 }]);
        const { appended } = yield* log.append([{ topic: "kept", partition: 0, records: packed(["c"]) }]);
        expect(appended[0].first).toBe(2);
      }),
    );
  });

  test("bounds each partition's bytes and uses the space again", async () => {
    const dir = freshDir();
    await kept(dir, { bytesMax: 1_000_000 }, (log) =>
      Effect.gen(function* () {
        const records = packed(Array.from({ length: 100 }, () => "x".repeat(980)));
        for (let n = 0; n < 150; n++) {
          yield* log.append([{ topic: "kept", partition: 0, records }]);
          if (n % 10 === 0) yield* Effect.sleep("6 millis");
        }
        yield* until(() => Effect.map(log.offsets("kept"), ([{ earliest, latest }]) => latest - earliest <= 1_000));
        const [{ earliest, latest }] = yield* log.offsets("kept");
        expect(latest).toBe(15_000);
        const reads = yield* Effect.provideService(readAll({ ...at("kept", earliest) }), Log, log);
        expect(reads.reduce((count, read) => count + read.count, 0)).toBe(latest - earliest);
        expect(statSync(join(dir, "log.db")).size).toBeLessThan(8_000_000); // 15 MB went through it
      }),
    );
  });

  test("keeps the newest blob even when it alone is above the bound", () =>
    withLog({ retentionEveryMs: 5 }, (log) =>
      Effect.gen(function* () {
        yield* log.createTopic({ name: "kept", partitions: 1, retention: { bytesMax: 10 } });
        for (const value of ["a", "b", "c"]) {
          yield* log.append([{ topic: "kept", partition: 0, records: packed([value.repeat(100)]) }]);
        }
        yield* until(() => Effect.map(log.offsets("kept"), ([{ earliest }]) => earliest === 2));
        yield* Effect.sleep("30 millis"); // several passes
        expect(yield* log.offsets("kept")).toEqual([{ partition: 0, earliest: 2, latest: 3 }]);
      }),
    ));

  test("forgets idempotency keys above their age", () =>
    withLog({ onceMsMin: 0, retentionEveryMs: 5 }, (log) =>
      Effect.gen(function* () {
        const once = { key: "k", fingerprint: "f", answer: "" };
        const append = log.append([{ topic: "t", partition: 0, records: packed(["a"]) }], once);
        yield* append;
        yield* until(() => Effect.map(append, (receipt) => !receipt.repeated));
      }),
    ));

  test("removes a deleted topic's records and gives the space to others", () => {
    const dir = freshDir();
    return withLog({ dir, retentionEveryMs: 5 }, (log) =>
      Effect.gen(function* () {
        const records = packed(Array.from({ length: 100 }, () => "x".repeat(10_000)));
        for (let n = 0; n < 10; n++) {
          yield* log.createTopic({ name: "big", partitions: 1, retention: {} });
          for (let i = 0; i < 3; i++) yield* log.append([{ topic: "big", partition: 0, records }]);
          yield* log.deleteTopic("big");
          yield* Effect.sleep("10 millis");
        }
        expect(statSync(join(dir, "log.db")).size).toBeLessThan(15_000_000); // 30 MB went through it
      }),
    );
  });
});
