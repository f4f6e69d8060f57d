import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Effect, Exit, Fiber, Layer } from "effect";
import { CompressionTypes, ConfigResourceTypes, Kafka, logLevel } from "kafkajs";
import { kafkaFor, startBroker, type TestBroker } from "./kafka_broker_fixture.ts";
import { kafkaLog } from "./kafka_log/mod.ts";
import { Log } from "./log.ts";
import { logContract } from "./log_contract.ts";
import {
  assigned,
  at,
  freshName,
  freshTopic,
  keyOf,
  packed,
  readAll,
  textOf,
  valuesOf,
} from "./log_contract_fixture.ts";
import { lostAppends } from "./lost_appends_fixture.ts";
import { headersOf, RecordWriter } from "./records.ts";
import { TcpProxy } from "./tcp_proxy_fixture.ts";

const jars = kafkaFor("connectors/kafka_log_test.ts");

describe.skipIf(jars === undefined)("kafkaLog()", () => {
  let broker: TestBroker;
  let wire: TcpProxy;
  let isLost = () => false;
  beforeAll(async () => {
    wire = await TcpProxy.open();
    wire.tap = () => lostAppends(() => isLost());
    broker = await startBroker(jars!, { advertisedPort: wire.port });
    wire.target = Number(broker.address.split(":")[1]);
  }, 60_000);
  afterAll(async () => {
    await wire?.stop();
    await broker?.stop();
  });

  const layer = () => Layer.unwrap(Effect.sync(() => kafkaLog({ brokers: [broker.address] })));
  const withLog = <A>(body: Effect.Effect<A, unknown, Log>) => Effect.runPromise(Effect.provide(body, layer()));
  const other = () => new Kafka({ brokers: [broker.address], clientId: "other", logLevel: logLevel.NOTHING });

  /** Gives a topic settings that Weir never makes, as who administers the brokers does. */
  const setTopic = async (name: string, settings: Readonly<Record<string, string>>) => {
    const admin = other().admin();
    await admin.connect();
    const configEntries = Object.entries(settings).map(([key, value]) => ({ name: key, value }));
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name, configEntries }],
    });
    await admin.disconnect();
  };

  logContract("Kafka", { make: layer, keepsKeys: false });

  test("reads what other producers wrote, without aborted transactions", async () => {
    const topic = await withLog(freshTopic(1));
    const producer = other().producer({ transactionalId: freshName(), maxInFlightRequests: 1, idempotent: true });
    await producer.connect();
    const plain = { key: "k", value: "zipped", headers: { source: "other" }, timestamp: "1700000000001" };
    await producer.send({ topic, messages: [plain, { key: "k", value: null }], compression: CompressionTypes.GZIP });
    for (const end of ["abort", "commit"] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value: `${end} 1` }, { value: `${end} 2` }] });
      await transaction[end]();
    }
    await producer.disconnect();
    const [read, rest] = await withLog(
      Effect.gen(function* () {
        const log = yield* Log;
        const [all] = yield* readAll(at(topic));
        return [all!, yield* log.read(at(topic, 7))] as const;
      }),
    );
    expect(valuesOf(read)).toEqual(["zipped", null, "commit 1", "commit 2"]);
    expect([keyOf(read, 0), textOf(read, 1), headersOf(read, 0)]).toEqual(["k", null, { source: "other" }]);
    expect([...read.offsets]).toEqual([0, 1, 5, 6]); // 2 and 3 were aborted, 4 says so
    expect([read.timestamps[0], read.next]).toEqual([1_700_000_000_001, 8]);
    expect([rest.count, rest.next]).toEqual([0, 8]); // 7 says that the transaction was committed
  });

  test("reads what Kafka's own Java code compressed", async () => {
    const values = Array.from({ length: 3_000 }, (_, n) => `{"n":${n},"text":"${"weir ".repeat(n % 40)}${n * 7_919}"}`);
    const read = await withLog(
      Effect.gen(function* () {
        const log = yield* Log;
        return yield* Effect.forEach(["gzip", "snappy", "lz4", "zstd"], (codec) =>
          Effect.gen(function* () {
            const topic = yield* freshTopic(1);
            yield* Effect.promise(() => setTopic(topic, { "compression.type": codec })); // the broker compresses anew
            yield* log.append([{ topic, partition: 0, records: packed(values) }]);
            return (yield* readAll(at(topic))).flatMap(valuesOf);
          }),
        );
      }),
    );
    for (const one of read) expect(one).toEqual(values);
  });

  test("reads 64 partitions at once, and holds little more than their records", async () => {
    const partitions = 64;
    const value = Buffer.from(crypto.getRandomValues(new Uint8Array(48_000))).toString("base64"); // nothing to compress
    const read = await withLog(
      Effect.gen(function* () {
        const log = yield* Log;
        const topic = yield* freshTopic(partitions);
        yield* Effect.promise(() => setTopic(topic, { "compression.type": "uncompressed" }));
        const writes = Array.from({ length: partitions }, (_, partition) => {
          return {
            topic,
            partition,
            records: packed(Array.from({ length: 10 }, (_, n) => `${partition} ${n} ${value}`)),
          };
        });
        yield* log.append(writes);
        const bytesMax = 4 << 20;
        return yield* Effect.forEach(writes, ({ partition }) => log.read({ ...at(topic), partition, bytesMax }), {
          concurrency: "unbounded",
        });
      }),
    );
    for (const [partition, records] of read.entries())
      expect(valuesOf(records).map((text) => text?.slice(0, 5).split(" ", 2))).toEqual(
        Array.from({ length: 10 }, (_, n) => [`${partition}`, `${n}`]),
      );
    const kept = read.filter((_, partition) => partition % 8 === 0); // the others are done with
    const held = new Set(kept.map(({ bytes }) => bytes.buffer)).values().reduce((sum, one) => sum + one.byteLength, 0);
    const needed = kept.reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(held).toBeLessThanOrEqual(2 * needed);
  });

  test("stores once what is acknowledged, though its connections are cut before the answers", async () => {
    const appends = 60;
    let answers = 0;
    const append = (topic: string, n: number) =>
      Effect.gen(function* () {
        const log = yield* Log;
        const writes = [0, 1].map((partition) => ({ topic, partition, records: packed([`${n}`]) }));
        yield* Effect.sleep(n * 10); // so that they are many requests
        return yield* Effect.exit(log.append(writes));
      });
    const topic = await withLog(freshTopic(2));
    const ends = await Effect.runPromise(
      Effect.gen(function* () {
        isLost = () => ++answers % 3 === 0;
        return yield* Effect.forEach(Array(appends).keys(), (n) => append(topic, n), { concurrency: "unbounded" });
      }).pipe(Effect.provide(layer()), Effect.ensuring(Effect.sync(() => (isLost = () => false)))),
    );
    expect(answers).toBeGreaterThan(6);
    expect(ends.filter(Exit.isSuccess).length).toBeGreaterThan(0);
    for (const partition of [0, 1]) {
      const read = await withLog(Effect.map(readAll({ ...at(topic), partition }), (all) => all.flatMap(valuesOf)));
      for (const [n, end] of ends.entries()) {
        const count = read.filter((value) => value === `${n}`).length;
        if (Exit.isSuccess(end)) expect({ n, count }).toEqual({ n, count: 1 });
        else expect(count).toBeLessThanOrEqual(1);
      }
    }
  });

  /** Appends that are under way together, and so are merged. */
  const appendTogether = (writes: readonly Parameters<Log["Service"]["append"]>[0][number][]) =>
    Effect.flatMap(Log, (log) =>
      Effect.forEach(writes, (write) => Effect.exit(log.append([write])), { concurrency: "unbounded" }),
    );
  const random = (bytes: number) =>
    Buffer.from(crypto.getRandomValues(new Uint8Array((bytes * 3) >> 2))).toString("base64"); // nothing to compress

  test("divides what its topic takes one by one but not together; too large a record fails alone", async () => {
    const small = Array.from({ length: 20 }, () => random(4_000));
    const rows = Array.from({ length: 30 }, () => random(1_000));
    const [ends, read, again] = await withLog(
      Effect.gen(function* () {
        const log = yield* Log;
        const topic = yield* freshTopic(2);
        yield* Effect.promise(() => setTopic(topic, { "max.message.bytes": "10000" }));
        const write = (values: readonly string[], partition = 0) => ({
          topic,
          partition,
          records: packed([...values]),
        });
        const tooLarge = write([random(20_000)]);
        const writes = [...small.slice(0, 10).map((value) => write([value])), tooLarge, write(small, 1), write(rows)];
        const ended = yield* appendTogether([...writes, ...small.slice(10).map((value) => write([value]))]);
        const [first] = (yield* log.append([write(rows)])).appended;
        const stored = yield* Effect.forEach([0, 1], (partition) => readAll({ ...at(topic), partition }));
        return [ended, stored.map((all) => all.flatMap(valuesOf)), first] as const;
      }),
    );
    const failed = ends.filter(Exit.isFailure);
    expect(failed).toHaveLength(1);
    expect(ends[10]).toBe(failed[0]!);
    const said = JSON.stringify(failed[0]);
    for (const word of ["invalid", "max.message.bytes"]) expect(said).toContain(word);
    expect(read[1]).toEqual(small);
    expect(read[0]).toEqual([...small.slice(0, 10), ...rows, ...small.slice(10), ...rows]);
    expect(again).toMatchObject({ first: 50, next: 80, count: 30 });
    const firsts = ends.map((end) => (Exit.isSuccess(end) ? end.value.appended[0]!.first : undefined));
    expect(firsts).toEqual([...Array(10).keys(), undefined, 0, 10, ...Array.from({ length: 10 }, (_, i) => 40 + i)]);
  });

  test("fails who sends what a compacted topic does not take, and nobody merged with it", async () => {
    const one = (
      topic: string,
      { key, value, partition = 0 }: { key: string | null; value: string; partition?: number },
    ) => {
      const records = new RecordWriter();
      records.add({ key: key === null ? null : Buffer.from(key), value: Buffer.from(value), timestampMs: Date.now() });
      return { topic, partition, records };
    };
    const [ends, partly, read] = await withLog(
      Effect.gen(function* () {
        const log = yield* Log;
        const topic = yield* freshTopic(2);
        yield* Effect.promise(() => setTopic(topic, { "cleanup.policy": "compact" }));
        const ended = yield* appendTogether([
          one(topic, { key: "a", value: "1" }),
          one(topic, { key: null, value: "2" }),
          one(topic, { key: "c", value: "3" }),
        ]);
        const half = [one(topic, { key: null, value: "4" }), one(topic, { key: "e", value: "5", partition: 1 })];
        const flipped = yield* Effect.flip(log.append(half));
        const stored = yield* Effect.forEach([0, 1], (partition) => readAll({ ...at(topic), partition }));
        return [ended, flipped, stored.map((all) => all.flatMap(valuesOf))] as const;
      }),
    );
    expect(ends.map(Exit.isSuccess)).toEqual([true, false, true]);
    expect(JSON.stringify(ends[1])).toContain("INVALID_RECORD");
    expect(partly).toMatchObject({
      reason: "invalid",
      message: expect.stringContaining("Of its 2 records 1 are stored."),
    });
    expect(read).toEqual([["1", "3"], ["5"]]);
  });

  test("tells of a topic that is gone to who appends to it, and to nobody else", async () => {
    const [ends, read] = await withLog(
      Effect.gen(function* () {
        const log = yield* Log;
        const [gone, there] = [yield* freshTopic(1), yield* freshTopic(1)];
        const writes = [gone, there].map((topic) => ({ topic, partition: 0, records: packed(["before"]) }));
        yield* log.append(writes);
        yield* Effect.promise(() => withLog(Effect.flatMap(Log, (elsewhere) => elsewhere.deleteTopic(gone))));
        const ended = yield* appendTogether(
          [gone, there].map((topic) => ({ topic, partition: 0, records: packed(["x"]) })),
        );
        return [ended, (yield* readAll(at(there))).flatMap(valuesOf)] as const;
      }),
    );
    expect(JSON.stringify(ends[0])).toContain("unknown topic");
    expect(Exit.isSuccess(ends[1]!)).toBe(true);
    expect(read).toEqual(["before", "x"]);
  });

  test("fences a member whose group went on in another client", async () => {
    await withLog(
      Effect.scoped(
        Effect.gen(function* () {
          const log = yield* Log;
          const [topic, group] = [yield* freshTopic(2), freshName()];
          const member = yield* log.join(group, topic);
          const { generation } = yield* assigned(member);
          const elsewhere = Effect.gen(function* () {
            const second = yield* Log;
            return yield* Effect.scoped(Effect.flatMap(second.join(group, topic), assigned));
          });
          const taking = yield* Effect.forkChild(Effect.provide(elsewhere, layer()));
          yield* assigned(member);
          const taken = yield* Fiber.join(taking);
          expect(taken.generation).toBeGreaterThan(generation);
          expect(taken.partitions).toHaveLength(1);
          const late = yield* log.commit({ group, topic, generation }, [{ partition: 0, offset: 1, metadata: "" }]);
          expect(late).toEqual([{ partition: 0, error: "fenced" }]);
        }),
      ),
    );
  });

  test("says what it does not do", async () => {
    const copy = await withLog(Effect.scoped(Effect.flatMap(Log, (log) => Effect.flip(log.copy("file")))));
    expect(copy).toMatchObject({ reason: "invalid", retriable: false });
  });
});
