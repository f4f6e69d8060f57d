/**
 * The contract of the port `Log`: what every implementation must hold.
 *
 *   logContract("SQLite", { make: () => sqliteLog({ dir: fresh }), keepsKeys: true })      logContract("Kafka", ...)
 *
 * Only what the port promises is asked: offsets may have gaps, a group may share its
 * partitions among members or give all to one. Every test makes topics of its
 * own names, so a storage may be shared.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Effect, Fiber, type Layer, ManagedRuntime, type Scope } from "effect";
import { Log, type LogFailed } from "./log.ts";
import {
  assigned,
  at,
  bytes,
  type Check,
  freshName,
  freshTopic,
  keyOf,
  packed,
  readAll,
  textOf,
  valuesOf,
} from "./log_contract_fixture.ts";
import { groupChecks } from "./log_contract_groups.ts";
import { onceChecks } from "./log_contract_once.ts";
import { headersOf, RecordWriter } from "./records.ts";

/** A log under test. */
export interface LogUnderTest {
  /** Each time a fresh storage, whose layer can be built again later. */
  readonly make: () => Layer.Layer<Log, LogFailed>;
  /** Whether it knows the keys of appends itself. */
  readonly keepsKeys: boolean;
}

/** Runs the suite over an implementation. */
export function logContract(name: string, { make, keepsKeys }: LogUnderTest): void {
  describe(`Log contract: ${name}`, () => {
    let runtime: ManagedRuntime.ManagedRuntime<Log, LogFailed>;
    beforeAll(() => {
      runtime = ManagedRuntime.make(make());
    });
    afterAll(() => runtime.dispose());
    const check = (title: string, body: () => Effect.Effect<void, unknown, Log | Scope.Scope>) =>
      test(title, () => runtime.runPromise(Effect.scoped(body())));
    topicChecks(check);
    recordChecks(check);
    waitingChecks(check);
    onceChecks(check, { keepsKeys });
    groupChecks(check);
    test("finds everything again after it was closed", () => reopens(make()));
  });
}

function topicChecks(check: Check): void {
  check("makes a topic once, and under a new id after its deletion", () =>
    Effect.gen(function* () {
      const log = yield* Log;
      const topic = { name: freshName(), partitions: 3, retention: {} };
      const made = yield* log.createTopic(topic);
      expect(made).toMatchObject({ name: topic.name, partitions: 3 });
      expect(yield* log.topic(topic.name)).toEqual(made);
      expect((yield* Effect.flip(log.createTopic(topic))).reason).toBe("topic exists");
      yield* log.append([{ topic: topic.name, partition: 1, records: packed(["old"]) }]);
      yield* log.deleteTopic(topic.name);
      expect(yield* log.topic(topic.name)).toBeUndefined();
      const again = yield* log.createTopic(topic);
      expect(again.id).not.toBe(made.id);
      expect(yield* log.offsets(topic.name)).toEqual([0, 1, 2].map((p) => ({ partition: p, earliest: 0, latest: 0 })));
    }),
  );

  check("grows partitions, never shrinks them", () =>
    Effect.gen(function* () {
      const log = yield* Log;
      const name = yield* freshTopic(1);
      yield* log.append([{ topic: name, partition: 0, records: packed(["a"]) }]);
      const retention = { ageMsMax: 3_600_000, bytesMax: 1_000_000_000 };
      expect(yield* log.alterTopic({ name, partitions: 3, retention })).toMatchObject({ partitions: 3, retention });
      expect(yield* log.topic(name)).toMatchObject({ partitions: 3, retention });
      expect((yield* log.offsets(name)).map((range) => range.latest)).toEqual([1, 0, 0]);
      const failure = yield* Effect.flip(log.alterTopic({ name, partitions: 2, retention }));
      expect(failure).toMatchObject({ reason: "invalid", retriable: false });
    }),
  );

  check("names a topic or partition that is not there", () =>
    Effect.gen(function* () {
      const log = yield* Log;
      const topic = freshName();
      const write = { topic, partition: 0, records: packed(["a"]) };
      const failures = [
        yield* Effect.flip(log.append([write])),
        yield* Effect.flip(log.read(at(topic))),
        yield* Effect.flip(log.offsets(topic)),
        yield* Effect.flip(log.deleteTopic(topic)),
        yield* Effect.flip(Effect.scoped(log.join("group", topic))),
      ];
      for (const failure of failures) expect(failure).toMatchObject({ reason: "unknown topic" });
      yield* log.createTopic({ name: topic, partitions: 1, retention: {} });
      const failure = yield* Effect.flip(log.append([write, { ...write, partition: 1 }]));
      expect(failure).toMatchObject({ reason: "invalid", retriable: false });
      expect(yield* log.offsets(topic)).toEqual([{ partition: 0, earliest: 0, latest: 0 }]);
    }),
  );
}

function recordChecks(check: Check): void {
  check("gives records back as they were, with keys, tombstones, headers and times", () =>
    Effect.gen(function* () {
      const log = yield* Log;
      const topic = yield* freshTopic(1);
      const records = new RecordWriter();
      records.add({ key: bytes("k1"), value: bytes("v1"), timestampMs: 1_700_000_000_001 });
      records.add({ key: null, value: bytes(""), timestampMs: 1_700_000_000_002, headers: { a: "1", ü: "→" } });
      records.add({ key: bytes(""), value: null, timestampMs: 1_700_000_000_003 });
      yield* log.append([{ topic, partition: 0, records }]);
      const read = yield* log.read(at(topic));
      expect(read.count).toBe(3);
      expect([...read.timestamps]).toEqual([1_700_000_000_001, 1_700_000_000_002, 1_700_000_000_003]);
      expect([0, 1, 2].map((i) => keyOf(read, i))).toEqual(["k1", null, ""]);
      expect([0, 1, 2].map((i) => textOf(read, i))).toEqual(["v1", "", null]);
      expect([0, 1, 2].map((i) => headersOf(read, i))).toEqual([{}, { a: "1", ü: "→" }, {}]);
    }),
  );

  check("answers an append over partitions with the offsets where its records are", () =>
    Effect.gen(function* () {
      const log = yield* Log;
      const topic = yield* freshTopic(3);
      for (const round of ["x", "y"]) {
        const writes = [2, 0].map((partition) => ({
          ...{ topic, partition },
          records: packed([`${round}${partition}a`, `${round}${partition}b`]),
        }));
        const receipt = yield* log.append(writes);
        expect(receipt.repeated).toBe(false);
        expect(receipt.appended.map(({ partition, count }) => [partition, count])).toEqual([
          [2, 2],
          [0, 2],
        ]);
        for (const { partition, first } of receipt.appended) {
          const read = yield* log.read({ ...at(topic, first), partition });
          expect(read.offsets[0]).toBe(first);
          expect(valuesOf(read)).toEqual([`${round}${partition}a`, `${round}${partition}b`]);
        }
      }
    }),
  );

  check("gives concurrent appends offsets of their own, in order", () =>
    Effect.gen(function* () {
      const log = yield* Log;
      const topic = yield* freshTopic(2);
      const callers = Array.from({ length: 64 }, (_, caller) => caller);
      const received = yield* Effect.forEach(
        callers,
        (caller) =>
          Effect.forEach([0, 1, 2, 3], (n) =>
            log.append([{ topic, partition: caller % 2, records: packed([`${caller}:${n}a`, `${caller}:${n}b`]) }]),
          ),
        { concurrency: "unbounded" },
      );
      for (const partition of [0, 1]) {
        const offsetOf = new Map<string | null, number>();
        for (const read of yield* readAll({ ...at(topic), partition }))
          valuesOf(read).forEach((value, i) => {
            offsetOf.set(value, read.offsets[i]);
          });
        expect(offsetOf.size).toBe(64 * 4);
        received.forEach((receipts, caller) => {
          if (caller % 2 !== partition) return;
          const firsts = receipts.map(({ appended }) => appended[0].first);
          expect(firsts).toEqual([0, 1, 2, 3].map((n) => offsetOf.get(`${caller}:${n}a`)!));
          expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
        });
      }
    }),
  );

  check("reads from anywhere within the bounds, at least one record", () =>
    Effect.gen(function* () {
      const log = yield* Log;
      const topic = yield* freshTopic(1);
      const offsets: number[] = [];
      const ends: number[] = [];
      for (const size of [1, 7, 30, 2]) {
        const values = Array.from({ length: size }, () => `${offsets.length}`.padEnd(100, "."));
        const { appended } = yield* log.append([{ topic, partition: 0, records: packed(values) }]);
        for (let i = 0; i < size; i++) offsets.push(appended[0].first + i);
        ends.push(appended[0].next);
      }
      for (const from of [0, 1, 5, 8, 20, 39]) {
        for (const bounds of [{ recordsMax: 1 }, { recordsMax: 9 }, { bytesMax: 1 }, { bytesMax: 700 }, {}]) {
          const read = yield* log.read({ ...at(topic, offsets[from]), ...bounds });
          expect(read.count).toBeGreaterThan(0);
          expect(read.count).toBeLessThanOrEqual(bounds.recordsMax ?? 40);
          // records that were appended together may come together
          if (bounds.bytesMax === 1) expect(read.next).toBeLessThanOrEqual(ends.find((end) => end > offsets[from])!);
          expect([...read.offsets]).toEqual(offsets.slice(from, from + read.count));
          expect(read.next).toBeGreaterThan(read.offsets[read.count - 1]);
        }
      }
    }),
  );
}

function waitingChecks(check: Check): void {
  check("waits at the end for news, at most waitMs", () =>
    Effect.gen(function* () {
      const log = yield* Log;
      const topic = yield* freshTopic(1);
      const empty = yield* log.read({ ...at(topic), waitMs: 20 });
      expect([empty.count, empty.next]).toEqual([0, 0]);
      const reading = yield* Effect.forkChild(log.read({ ...at(topic), waitMs: 10_000 }));
      yield* Effect.sleep("20 millis");
      yield* log.append([{ topic, partition: 0, records: packed(["news"]) }]);
      expect(valuesOf(yield* Fiber.join(reading))).toEqual(["news"]);
    }),
  );

  check("fails loudly above the latest offset", () =>
    Effect.gen(function* () {
      const log = yield* Log;
      const topic = yield* freshTopic(1);
      yield* log.append([{ topic, partition: 0, records: packed(["a", "b"]) }]);
      const gap = yield* Effect.flip(log.read(at(topic, 1_000)));
      expect(gap).toMatchObject({ _tag: "OffsetGap", topic, partition: 0, asked: 1_000, earliest: 0 });
    }),
  );
}

async function reopens(layer: Layer.Layer<Log, LogFailed>): Promise<void> {
  const topic = freshName();
  const group = freshName();
  const commit = { partition: 1, offset: 2, metadata: '{"epoch":1}' };
  const first = ManagedRuntime.make(layer);
  const before = await first.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const log = yield* Log;
        const info = yield* log.createTopic({ name: topic, partitions: 2, retention: { ageMsMax: 3_600_000 } });
        yield* log.append([{ topic, partition: 1, records: packed(["a", "b", "c"]) }]);
        const { generation } = yield* assigned(yield* log.join(group, topic));
        yield* log.commit({ group, topic, generation }, [commit]);
        return { info, generation, offsets: yield* log.offsets(topic) };
      }),
    ),
  );
  await first.dispose();
  const second = ManagedRuntime.make(layer);
  await second.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const log = yield* Log;
        expect(yield* log.topic(topic)).toEqual(before.info);
        expect(yield* log.offsets(topic)).toEqual(before.offsets);
        expect(valuesOf(yield* log.read({ ...at(topic), partition: 1 }))).toEqual(["a", "b", "c"]);
        expect(yield* log.committed({ group, topic })).toEqual([commit]);
        const { generation } = yield* assigned(yield* log.join(group, topic));
        expect(generation).toBeGreaterThan(before.generation);
      }),
    ),
  );
  await second.dispose();
}
