import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Effect, Fiber, Queue } from "effect";
import { Log, type Once } from "./log.ts";
import { logContract } from "./log_contract.ts";
import { assigned, at, packed, readAll, valuesOf } from "./log_contract_fixture.ts";
import { RecordWriter } from "./records.ts";
import { openSqliteLog, serviceOf, sqliteLog } from "./sqlite_log/mod.ts";
import { freshDir, randomFrom, removeDirs, until, withLog } from "./sqlite_log_fixture.ts";

afterAll(removeDirs);

logContract("SQLite file", { make: () => sqliteLog({ dir: freshDir() }), keepsKeys: true });

const seed = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 1_000_000));
const CHILD = join(import.meta.dir, "sqlite_log_child.ts");

describe("sqliteLog() and its directory", () => {
  test("refuses a directory which another process has, and names it", async () => {
    const dir = freshDir();
    await withLog({ dir }, () =>
      Effect.promise(async () => {
        const child = Bun.spawn(["bun", CHILD, dir, "1"], { stdout: "pipe" });
        const said = await new Response(child.stdout).text();
        expect(said).toContain(
          `Cannot open the log: ${dir} is used by another process (pid ${process.pid}). Stop it or choose another data directory with --data.`,
        );
      }),
    );
    await withLog({ dir }, () => Effect.void); // and it is free again
  });

  test("refuses a directory which cannot be written, and says what to do", async () => {
    const file = join(freshDir(), "file");
    writeFileSync(file, "");
    const failure = await Effect.runPromise(Effect.flip(Effect.scoped(openSqliteLog({ dir: join(file, "log") }))));
    expect(failure).toMatchObject({ reason: "unavailable", retriable: false });
    expect(failure.message).toContain("cannot be written (ENOTDIR). Give this user write permission");
  });

  test("refuses a file of another format", async () => {
    const dir = freshDir();
    await withLog({ dir }, () => Effect.void);
    const file = new Database(join(dir, "log.db"));
    file.run("PRAGMA user_version = 9009");
    file.close();
    const failure = await Effect.runPromise(Effect.flip(Effect.scoped(openSqliteLog({ dir }))));
    expect(failure).toMatchObject({ reason: "invalid", retriable: false });
    expect(failure.message).toContain("has format 9009");
  });

  test("does not keep a process alive which has nothing left to do", async () => {
    const child = Bun.spawn(["bun", CHILD, freshDir(), "16"], { stdout: "pipe" });
    expect(await new Response(child.stdout).text()).toEndWith("done\n");
    expect(await child.exited).toBe(0);
  });
});

describe("sqliteLog() and idempotency keys", () => {
  const append = (log: Log["Service"], values: readonly string[], once?: Once) =>
    log.append([{ topic: "t", partition: 0, records: packed(values) }], once);
  const once = (key: string, fingerprint = "f"): Once => ({ key, fingerprint, answer: `answer to ${key}` });

  test("appends once per key, also after a restart", async () => {
    const dir = freshDir();
    const first = await withLog({ dir }, (log) =>
      Effect.gen(function* () {
        yield* append(log, ["before"]);
        const receipt = yield* append(log, ["a", "b"], once("k"));
        expect(receipt.repeated).toBe(false);
        expect(receipt.appended).toEqual([{ topic: "t", partition: 0, first: 1, next: 3, count: 2 }]);
        expect(yield* append(log, ["a", "b"], once("k"))).toEqual({ ...receipt, repeated: true });
        return receipt;
      }),
    );
    await withLog({ dir }, (log) =>
      Effect.gen(function* () {
        expect(yield* append(log, ["a", "b"], once("k"))).toEqual({ ...first, repeated: true });
        const failure = yield* Effect.flip(append(log, ["c"], once("k", "other")));
        expect(failure).toMatchObject({ _tag: "KeyReused", key: "k" });
        expect(valuesOf(yield* log.read(at("t")))).toEqual(["before", "a", "b"]);
      }),
    );
  });

  test("recognises repeats within one group commit, among plain appends", () =>
    withLog({ fsyncDelayMs: 5 }, (log) =>
      Effect.gen(function* () {
        yield* append(log, ["known"], once("known"));
        const blocker = yield* Effect.forkChild(append(log, ["0"]), { startImmediately: true });
        const exits = yield* Effect.all(
          [
            append(log, ["p1"]),
            append(log, ["k1", "k2"], once("k")),
            append(log, ["x"], once("known")),
            append(log, ["k1", "k2"], once("k")),
            append(log, ["p2"]),
            append(log, ["zzz"], once("k", "other")),
            append(log, ["j"], once("j")),
          ].map((one) => Effect.result(one)),
          { concurrency: "unbounded" },
        );
        yield* Fiber.join(blocker);
        const receipts = exits.map((exit) => (exit._tag === "Success" ? exit.success : exit.failure._tag));
        const values = valuesOf(yield* log.read(at("t")));
        expect(values.toSorted()).toEqual(["0", "j", "k1", "k2", "known", "p1", "p2"]);
        const place = (value: string, count: number) => {
          const first = values.indexOf(value);
          return [{ topic: "t", partition: 0, first, next: first + count, count }];
        };
        expect(receipts).toEqual([
          { appended: place("p1", 1), repeated: false },
          { appended: place("k1", 2), repeated: false, answer: "answer to k" },
          { appended: place("known", 1), repeated: true, answer: "answer to known" },
          { appended: place("k1", 2), repeated: true, answer: "answer to k" },
          { appended: place("p2", 1), repeated: false },
          "KeyReused",
          { appended: place("j", 1), repeated: false, answer: "answer to j" },
        ]);
      }),
    ));
});

describe("sqliteLog() under pressure", () => {
  test("refuses appends beyond pendingBytesMax and takes them again later", () =>
    withLog({ pendingBytesMax: 20_000, fsyncDelayMs: 20 }, (log) =>
      Effect.gen(function* () {
        const append = log.append([{ topic: "t", partition: 0, records: packed(["x".repeat(4_000)]) }]);
        const results = yield* Effect.all(
          Array.from({ length: 8 }, () => Effect.result(append)),
          { concurrency: "unbounded" },
        );
        const failures = results.flatMap((result) => (result._tag === "Failure" ? [result.failure] : []));
        expect(failures).toHaveLength(4);
        for (const failure of failures) expect(failure).toMatchObject({ reason: "unavailable", retriable: true });
        expect((yield* append).appended[0].first).toBe(4);
        const tooLarge = log.append([{ topic: "t", partition: 0, records: packed(["x".repeat(30_000)]) }]);
        expect(yield* Effect.flip(tooLarge)).toMatchObject({ reason: "invalid", retriable: false });
      }),
    ));

  test("drops an interrupted append that was still queued", () =>
    withLog({ fsyncDelayMs: 20 }, (log) =>
      Effect.gen(function* () {
        const append = (value: string) => log.append([{ topic: "t", partition: 0, records: packed([value]) }]);
        const first = yield* Effect.forkChild(append("a"), { startImmediately: true });
        yield* Effect.sleep("1 millis");
        const second = yield* Effect.forkChild(append("b"), { startImmediately: true });
        const third = yield* Effect.forkChild(append("c"), { startImmediately: true });
        yield* Fiber.interrupt(second);
        yield* Fiber.join(first);
        expect((yield* Fiber.join(third)).appended[0].first).toBe(1);
        expect(valuesOf(yield* log.read(at("t")))).toEqual(["a", "c"]);
      }),
    ));

  test("says when the disk is full, acknowledges nothing, and goes on once there is room", () =>
    withLog({ pagesMax: 300 }, (log) =>
      Effect.gen(function* () {
        yield* log.createTopic({ name: "small", partitions: 1, retention: {} });
        const append = (topic: string) => log.append([{ topic, partition: 0, records: packed(["x".repeat(100_000)]) }]);
        let acknowledged = 0;
        let failure: unknown;
        while (failure === undefined && acknowledged < 100) {
          const result = yield* Effect.result(append("t"));
          if (result._tag === "Success") acknowledged += 1;
          else failure = result.failure;
        }
        expect(failure).toMatchObject({ reason: "disk full", retriable: true });
        expect((yield* log.offsets("t"))[0].latest).toBe(acknowledged);
        expect((yield* log.read({ ...at("t"), bytesMax: 1 << 24 })).count).toBe(acknowledged);
        yield* log.append([{ topic: "small", partition: 0, records: packed(["fits"]) }]);
        yield* log.deleteTopic("t");
        yield* until(() => Effect.map(Effect.result(append("small")), (result) => result._tag === "Success"));
      }),
    ));

  test("makes what was queued durable when it closes", async () => {
    const dir = freshDir();
    const asked = await withLog({ dir, fsyncDelayMs: 5 }, (log) =>
      Effect.gen(function* () {
        const append = (n: number) => log.append([{ topic: "t", partition: 0, records: packed([`${n}`]) }]);
        for (let n = 0; n < 20; n++) yield* Effect.forkDetach(append(n), { startImmediately: true });
        return 20;
      }),
    );
    await withLog({ dir }, (log) =>
      Effect.map(log.offsets("t"), ([{ latest }]) => {
        expect(latest).toBe(asked);
      }),
    );
  });
});

describe("sqliteLog() and its groups", () => {
  test("gives everything to the newest member, and back when it leaves", () =>
    withLog({ releaseMsMax: 30 }, (log) =>
      Effect.gen(function* () {
        const first = yield* log.join("g", "t");
        const { generation } = yield* assigned(first);
        const commit = (of: number) =>
          Effect.map(
            log.commit({ group: "g", topic: "t", generation: of }, [{ partition: 0, offset: 1, metadata: "" }]),
            ([answer]) => answer.error,
          );
        yield* Effect.scoped(
          Effect.gen(function* () {
            const second = yield* log.join("g", "t");
            expect((yield* Queue.take(first.events)).kind).toBe("revoked");
            const newer = yield* assigned(second); // the first one did not release in time
            expect(newer.partitions).toEqual([0, 1]);
            expect(yield* commit(generation)).toBe("fenced");
            expect(yield* commit(newer.generation)).toBeUndefined();
          }),
        );
        const again = yield* assigned(first);
        expect(again.generation).toBe(generation + 2);
        expect(yield* commit(again.generation)).toBeUndefined();
      }),
    ));
});

describe("sqliteLog() and crashes", () => {
  test("tells every caller of a crashed Worker, then goes on with everything acknowledged", async () => {
    const dir = freshDir();
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const parts = yield* openSqliteLog({ dir, fsyncDelayMs: 2 });
          const log = serviceOf(parts);
          yield* log.createTopic({ name: "t", partitions: 1, retention: {} });
          const acknowledged = new Map<number, string>();
          const append = (value: string) =>
            Effect.map(
              Effect.result(log.append([{ topic: "t", partition: 0, records: packed([value]) }])),
              (result) => {
                if (result._tag === "Success") acknowledged.set(result.success.appended[0].first, value);
                else expect(result.failure).toMatchObject({ reason: "unavailable", retriable: true });
                return result._tag === "Success";
              },
            );
          for (let round = 0; round < 3; round++) {
            const appends = Array.from({ length: 40 }, (_, n) => append(`${round}-${n}`));
            const running = yield* Effect.forkChild(Effect.all(appends, { concurrency: 4 }), {
              startImmediately: true,
            });
            yield* Effect.sleep("7 millis");
            parts.writer.crash();
            if (round === 1) parts.reader.crash();
            yield* Fiber.join(running);
            yield* until(() => append(`after ${round}`));
          }
          expect(parts.writer.restarts).toBe(3);
          const reads = yield* Effect.retry(Effect.provideService(readAll(at("t")), Log, log), { times: 20 });
          const values = new Map(
            reads.flatMap((read) => valuesOf(read).map((value, i) => [read.offsets[i], value] as const)),
          );
          for (const [offset, value] of acknowledged) expect(values.get(offset)).toBe(value);
        }),
      ),
    );
  });

  test("reads the file again when it is not as it was left", () => {
    const dir = freshDir();
    return withLog({ dir }, (log) =>
      Effect.gen(function* () {
        const append = log.append([{ topic: "t", partition: 0, records: packed(["a"]) }]);
        yield* append;
        const file = new Database(join(dir, "log.db")); // as a crashed Worker's last commit would
        file.run("UPDATE partition SET latest = 5 WHERE key = 1");
        file.close();
        expect(yield* Effect.flip(append)).toMatchObject({ reason: "unavailable", retriable: true });
        yield* until(() => Effect.map(Effect.result(append), (result) => result._tag === "Success"));
        expect((yield* log.offsets("t"))[0].latest).toBe(6);
      }),
    );
  });

  test("tells a waiting read that its topic was deleted", () =>
    withLog({}, (log) =>
      Effect.gen(function* () {
        const reading = yield* Effect.forkChild(Effect.flip(log.read({ ...at("t"), waitMs: 10_000 })), {
          startImmediately: true,
        });
        yield* log.deleteTopic("t");
        expect(yield* Fiber.join(reading)).toMatchObject({ reason: "unknown topic" });
      }),
    ));

  test(`keeps everything acknowledged over kill -9 (WEIR_SEED=${seed})`, async () => {
    const dir = freshDir();
    const acknowledged: string[] = [];
    for (let round = 0; round < 5; round++) {
      const child = Bun.spawn(["bun", CHILD, dir, "1000000"], { stdout: "pipe" });
      const [watched, kept] = child.stdout.tee();
      const said = new Response(kept).text();
      // However long it takes to start, it is killed while it appends.
      const reader = watched.getReader();
      await reader.read();
      await Bun.sleep(50 + ((seed * 31 + round * 7_919) % 200));
      child.kill("SIGKILL");
      void reader.cancel();
      const lines = (await said).split("\n").slice(0, -1); // the last one may be cut
      if (lines.length > 0) expect(lines[0]).toBe("open");
      acknowledged.push(...lines.slice(1));
    }
    expect(acknowledged.length).toBeGreaterThan(100);
    await withLog({ dir }, (log) =>
      Effect.gen(function* () {
        const found = new Set<string>();
        for (const partition of [0, 1]) {
          const reads = yield* Effect.provideService(readAll({ ...at("kills"), partition }), Log, log);
          for (const read of reads)
            valuesOf(read).forEach((value, i) => {
              found.add(`${partition} ${read.offsets[i]} ${value}`);
            });
        }
        expect(acknowledged.filter((line) => !found.has(line))).toEqual([]);
      }),
    );
  });
});

test(`sqliteLog() agrees with a model over random appends and reads (WEIR_SEED=${seed})`, () =>
  withLog({}, (log) =>
    Effect.gen(function* () {
      const random = randomFrom(seed);
      const model: string[][] = [[], []];
      for (let step = 0; step < 300; step++) {
        const partition = random(2);
        if (random(2) === 0) {
          const records = new RecordWriter(1 + random(64));
          const values = Array.from({ length: random(40) }, (_, n) => `${step}.${n}`.repeat(1 + random(30)));
          for (const value of values) {
            const bytes = new TextEncoder().encode(`#${value}`);
            records.addSlice(bytes, { keyStart: 0, keyEnd: 1, valueStart: 1, valueEnd: bytes.length, timestampMs: 1 });
          }
          const receipt = yield* log.append([{ topic: "t", partition, records }]);
          const [first, count] = [model[partition].length, values.length];
          expect(receipt.appended).toEqual([{ topic: "t", partition, first, next: first + count, count }]);
          model[partition].push(...values);
        } else {
          const offset = random(model[partition].length + 1);
          const limits = { recordsMax: 1 + random(200), bytesMax: 1 + random(20_000) };
          const read = yield* log.read({ ...at("t", offset), partition, ...limits });
          expect(read.next).toBe(offset + read.count);
          expect(valuesOf(read)).toEqual(model[partition].slice(offset, offset + read.count));
          if (offset < model[partition].length) expect(read.count).toBeGreaterThan(0);
        }
      }
    }),
  ));
