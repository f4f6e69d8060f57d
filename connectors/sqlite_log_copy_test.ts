import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { Effect, Fiber } from "effect";
import { assigned, at, packed, valuesOf } from "./log_contract_fixture.ts";
import { freshDir, removeDirs, until, withLog } from "./sqlite_log_fixture.ts";

afterAll(removeDirs);

const write = (values: readonly string[]) => [{ topic: "t", partition: 0, records: packed(values) }];

describe("copy()", () => {
  test("holds what was durable when it began, nothing later, and opens as a log", async () => {
    const [dir, other] = [freshDir(), freshDir()];
    await withLog({ dir }, (log) =>
      Effect.gen(function* () {
        yield* log.append(write(["a", "b"]), { key: "k", fingerprint: "f", answer: "as before" });
        const { generation } = yield* assigned(yield* log.join("g", "t"));
        yield* log.commit({ group: "g", topic: "t", generation }, [{ partition: 0, offset: 1, metadata: "m" }]);
        const copy = yield* log.copy(join(other, "log.db"));
        yield* log.append(write(["c"]));
        const { bytes, topics } = yield* copy.finish;
        expect(bytes).toBeGreaterThan(0);
        expect(topics).toEqual({
          t: [
            { partition: 0, earliest: 0, latest: 2 },
            { partition: 1, earliest: 0, latest: 0 },
          ],
        });
        yield* log.append(write(["later"]));
      }),
    );
    expect(existsSync(join(other, "log.db-wal"))).toBeFalse();
    await withLog({ dir: other }, (log) =>
      Effect.gen(function* () {
        expect(valuesOf(yield* log.read(at("t")))).toEqual(["a", "b"]);
        expect(yield* log.committed({ group: "g", topic: "t" })).toEqual([{ partition: 0, offset: 1, metadata: "m" }]);
        const repeated = yield* log.append(write(["a", "b"]), { key: "k", fingerprint: "f", answer: "anew" });
        expect(repeated).toMatchObject({ repeated: true, answer: "as before" });
        expect((yield* log.append(write(["d"]))).appended).toEqual([
          { topic: "t", partition: 0, first: 2, next: 3, count: 1 },
        ]);
      }),
    );
  });

  test("is whole while appends go on beside it", async () => {
    const [dir, other] = [freshDir(), freshDir()];
    const large = "x".repeat(50_000);
    const seen = await withLog({ dir }, (log) =>
      Effect.gen(function* () {
        const appending = yield* Effect.forkScoped(Effect.forever(log.append(write([large, large]))));
        yield* Effect.sleep("200 millis");
        const before = (yield* log.offsets("t"))[0].latest;
        const copy = yield* log.copy(join(other, "log.db"));
        const after = (yield* log.offsets("t"))[0].latest;
        yield* copy.finish;
        yield* Fiber.interrupt(appending);
        return { before, after };
      }),
    );
    await withLog({ dir: other }, (log) =>
      Effect.gen(function* () {
        const [{ earliest, latest }] = yield* log.offsets("t");
        expect(latest).toBeGreaterThanOrEqual(seen.before);
        expect(latest).toBeLessThanOrEqual(seen.after + 2);
        expect(earliest).toBe(0);
        let next = 0;
        while (next < latest) {
          const records = yield* log.read(at("t", next));
          expect(valuesOf(records).every((value) => value === large)).toBeTrue();
          next = records.next;
        }
        expect(next).toBe(latest);
      }),
    );
  });

  test("stops in the middle when it is given up, and lets the log's file go", async () => {
    const [dir, other] = [freshDir(), freshDir()];
    const [large, count] = ["x".repeat(250_000), 200];
    await withLog({ dir }, (log) =>
      Effect.gen(function* () {
        for (let index = 0; index < count; index++) yield* log.append(write([large]));
        yield* Effect.scoped(log.copy(join(other, "log.db")));
        using db = new Database(join(dir, "log.db"), { readwrite: true });
        // Busy while the copy's snapshot is there.
        const tidied = db.query<{ busy: number }, []>("PRAGMA wal_checkpoint(TRUNCATE)");
        let bytes = 0;
        yield* until(() =>
          Effect.sync(() => {
            bytes = Math.max(bytes, statSync(join(other, "log.db-wal"), { throwIfNoEntry: false })?.size ?? 0);
            return tidied.get()!.busy === 0;
          }),
        );
        expect(bytes).toBeLessThan((large.length * count) / 2);
      }),
    );
  });

  test("says what keeps it from being written", async () => {
    await withLog({}, (log) =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(log.copy("/nowhere/log.db"));
        expect(failure.message).toContain("Cannot copy the log: unable to open database file");
      }),
    );
  });
});
