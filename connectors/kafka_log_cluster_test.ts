import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Effect, Exit } from "effect";
import { Kafka, logLevel } from "kafkajs";
import { clusterFor, startCluster, type TestCluster } from "./kafka_cluster_fixture.ts";
import { kafkaLog } from "./kafka_log/mod.ts";
import { Log } from "./log.ts";
import { at, freshName, packed, readAll, valuesOf } from "./log_contract_fixture.ts";

const PARTITIONS = 6;

const jars = clusterFor("connectors/kafka_log_cluster_test.ts");

describe.skipIf(jars === undefined)("kafkaLog() on three brokers", () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await startCluster(jars!);
  }, 90_000);
  afterAll(() => cluster?.stop());

  const leaderOf = async (topic: string) => {
    const admin = new Kafka({ brokers: [...cluster.addresses], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    await admin.disconnect();
    expect(topics[0]!.partitions.map(({ replicas }) => replicas.length)).toEqual(Array(PARTITIONS).fill(3));
    return topics[0]!.partitions[0]!.leader;
  };

  test("goes on within seconds when a leader is killed, and stores once what it acknowledged", async () => {
    const ends = new Map<string, boolean>();
    const pausesMs: number[] = [];
    const body = Effect.gen(function* () {
      const log = yield* Log;
      const topic = freshName();
      yield* log.createTopic({ name: topic, partitions: PARTITIONS, retention: {} });
      let isOver = false;
      const appending = Effect.gen(function* () {
        for (let n = 0; !isOver; n++) {
          const beganMs = Date.now();
          const writes = Array.from({ length: PARTITIONS }, (_, partition) => {
            return { topic, partition, records: packed([`${n}/${partition}`]) };
          });
          const end = yield* Effect.exit(log.append(writes));
          pausesMs.push(Date.now() - beganMs);
          for (let partition = 0; partition < PARTITIONS; partition++)
            ends.set(`${n}/${partition}`, Exit.isSuccess(end));
        }
      });
      const killing = Effect.gen(function* () {
        while (ends.size < 20 * PARTITIONS) yield* Effect.sleep("50 millis");
        const leader = yield* Effect.promise(() => leaderOf(topic));
        yield* Effect.promise(() => cluster.kill(leader));
        const killedAt = ends.size;
        // appends go on: some that began after the kill are acknowledged
        while ([...ends.values()].slice(killedAt + 2 * PARTITIONS).filter(Boolean).length < 10 * PARTITIONS)
          yield* Effect.sleep("50 millis");
        isOver = true;
      });
      yield* Effect.all([appending, killing], { concurrency: "unbounded" });
      return yield* Effect.forEach(Array(PARTITIONS).keys(), (partition) =>
        Effect.map(readAll({ ...at(topic), partition, waitMs: 500 }), (all) => all.flatMap(valuesOf)),
      );
    });
    const read = await Effect.runPromise(
      Effect.provide(body, kafkaLog({ brokers: cluster.addresses, replication: 3 })),
    );
    const counts = new Map<string | null, number>();
    for (const value of read.flat()) counts.set(value, (counts.get(value) ?? 0) + 1);
    for (const [value, isAcknowledged] of ends) {
      const count = counts.get(value) ?? 0;
      if (isAcknowledged) expect({ value, count }).toEqual({ value, count: 1 });
      else expect(count).toBeLessThanOrEqual(1);
    }
    expect(Math.max(...pausesMs)).toBeLessThan(15_000);
  }, 60_000);
});
