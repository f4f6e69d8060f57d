/**
 * An idempotent producer: what it sends is stored once, however often its connections are cut.
 *
 *   batches ──by leader──▶ one request each ──all heard of──▶ stored · failed for good
 *                ▲                               └──may succeed later──▶ pause, ask who leads ──┐
 *                └──────────────────────────────────────────────────────────────────────────────┘
 *
 * A batch keeps its sequence number through every try, and no other batch of its partition leaves before it is answered.
 * So a leader knows a repeat, also one that became the leader meanwhile (the numbers are in the replicated records), and
 * answers with the first one's offset: https://kafka.apache.org/documentation/#semantics. kafkajs's own producer is not
 * used: when one broker fails it repeats at once what is still on its way to others, which then goes under new numbers
 * and is stored twice, without anybody being told.
 *
 * @module
 */
import type Cluster from "kafkajs/src/cluster/index.js";
import type { BatchWriter, Producer } from "./batch_writer.ts";
import type { Catalog } from "./catalog.ts";
import { anyBroker } from "./client.ts";
import { failureOf, isRefusal, typeOf, unavailable, unknownTopic } from "./failures.ts";
import { askProduce } from "./wire.ts";

const REPLICAS_MS_MAX = 15_000;
/** How long failed tries are repeated: a leader that died is replaced within a broker's session, 9 s unless told otherwise. */
const TRIES_MS_MAX = 12_000;
const PAUSE_MS_MIN = 50;
const PAUSE_MS_MAX = 1_000;
/** Sequence numbers begin again at 0 behind the largest integer of 32 bits. */
const SEQUENCES = 2 ** 31;
/** Nothing is written in transactions, but the request asks for their time. */
const TRANSACTION_MS = 30_000;

/** With these, too, a broker says that it has stored nothing. */
const NOT_STORED: ReadonlySet<string> = new Set([
  ...["NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE", "UNKNOWN_TOPIC_OR_PARTITION", "NOT_ENOUGH_REPLICAS"],
]);

/** Records of one partition, which is its `key`. */
export interface ProducedBatch {
  readonly key: string;
  readonly topic: string;
  readonly partition: number;
  readonly records: BatchWriter;
}

/** A batch with its numbers, the same bytes for every try. */
interface SealedBatch extends ProducedBatch {
  readonly sealed: Buffer;
}

/** What became of batches, by key. */
export interface Sent {
  /** Where the first record of each stored one is. */
  readonly stored: ReadonlyMap<string, number>;
  /** Why the brokers will never take a batch: none of its tries can have stored it. */
  readonly refused: ReadonlyMap<string, unknown>;
  /** Why the others are not stored, or not known to be. */
  readonly failed: ReadonlyMap<string, unknown>;
}

/** Who sends: Kafka numbers producers, and each counts its records by partition. */
export class IdempotentProducer {
  readonly #cluster: Cluster;
  readonly #catalog: Catalog;
  readonly #who: Producer;
  /** The next number by the partition's key. */
  readonly #sequences = new Map<string, number>();

  /** Asks for a number of its own; `cluster`'s connections are closed with it. */
  static async open(cluster: Cluster, catalog: Catalog): Promise<IdempotentProducer> {
    for (const pause = pauses(); ; ) {
      try {
        const broker = await anyBroker(cluster);
        const { producerId, producerEpoch } = await broker.initProducerId({ transactionTimeout: TRANSACTION_MS });
        return new IdempotentProducer({ cluster, catalog, who: { id: BigInt(producerId), epoch: producerEpoch } });
      } catch (error) {
        if (!isLater(error) || !(await pause())) throw error;
      }
    }
  }

  private constructor(parts: { readonly cluster: Cluster; readonly catalog: Catalog; readonly who: Producer }) {
    this.#cluster = parts.cluster;
    this.#catalog = parts.catalog;
    this.#who = parts.who;
  }

  /**
   * Stores one batch for each of some partitions. If one failed, more than refused, this producer cannot be used again:
   * the next records of that partition would pass for repeats. One call at a time.
   */
  async send(batches: readonly ProducedBatch[]): Promise<Sent> {
    const tries: Tries = { stored: new Map(), failed: new Map(), unsure: new Set() };
    const { stored, failed, unsure } = tries;
    let rest = batches.map((batch): SealedBatch => {
      return { ...batch, sealed: batch.records.seal(this.#who, this.#sequences.get(batch.key) ?? 0) };
    });
    for (const pause = pauses(); ; ) {
      await this.#try(rest, tries);
      rest = rest.filter(({ key }) => failed.has(key) && isLater(failed.get(key)));
      if (rest.length === 0 || !(await pause())) break;
      await this.#lookAgain();
    }
    const refused = new Map([...failed].filter(([key, error]) => !unsure.has(key) && isRefusal(error)));
    for (const key of refused.keys()) failed.delete(key);
    // What was refused has used no number.
    for (const { key, records } of batches)
      if (stored.has(key)) this.#sequences.set(key, ((this.#sequences.get(key) ?? 0) + records.count) % SEQUENCES);
    return { stored, refused, failed };
  }

  close(): Promise<void> {
    return this.#cluster.disconnect();
  }

  /** Sends to every leader, and hears of all of them before it ends: nothing is on its way when it is tried again. */
  async #try(batches: readonly SealedBatch[], { stored, failed, unsure }: Tries): Promise<void> {
    const failedAll = (them: readonly SealedBatch[], error: unknown) => {
      for (const { key } of them) failed.set(key, error);
    };
    let leaders: ReadonlyMap<number, readonly SealedBatch[]>;
    try {
      leaders = await this.#byLeader(batches, failed);
    } catch (error) {
      failedAll(batches, error); // nobody can be asked who leads
      return;
    }
    const asked = [...leaders].map(async ([leader, led]) => {
      try {
        for (const [key, answer] of await this.#ask(leader, led)) {
          failed.delete(key);
          if (typeof answer === "number") stored.set(key, answer);
          else failed.set(key, answer);
          if (typeof answer !== "number" && !isRefusal(answer) && !NOT_STORED.has(typeOf(answer))) unsure.add(key);
        }
      } catch (error) {
        failedAll(led, error);
        for (const { key } of led) unsure.add(key);
      }
    });
    await Promise.all(asked);
  }

  /** Batches by who leads their partitions; those that nobody leads have failed. */
  async #byLeader(batches: readonly SealedBatch[], failed: Map<string, unknown>): Promise<Map<number, SealedBatch[]>> {
    const leaders = new Map<number, SealedBatch[]>();
    for (const batch of batches) {
      const topic = await this.#catalog.find(batch.topic);
      const leader = topic?.leaders[batch.partition] ?? -1;
      const led = leaders.get(leader) ?? [];
      led.push(batch);
      if (topic === undefined) failed.set(batch.key, unknownTopic(batch.topic));
      else if (leader < 0) failed.set(batch.key, unavailable("a partition has no leader"));
      else leaders.set(leader, led);
    }
    return leaders;
  }

  /** What a leader answers, by key: the offset of the batch's first record, or an error. */
  async #ask(leader: number, led: readonly SealedBatch[]): Promise<ReadonlyMap<string, number | Error>> {
    const broker = await this.#cluster.findBroker({ nodeId: leader });
    const topics = [...Map.groupBy(led, ({ topic }) => topic)].map(([topic, batches]) => {
      return { topic, partitions: batches.map(({ partition, sealed }) => ({ partition, batch: sealed })) };
    });
    const answers = await askProduce(broker, { topics, waitMs: REPLICAS_MS_MAX });
    const answerTo = ({ topic, partition }: SealedBatch): number | Error => {
      const answer = answers.find((one) => one.topic === topic && one.partition === partition);
      if (answer === undefined) return unavailable("Kafka did not say where it stored the records");
      return answer.error ?? answer.base;
    };
    return new Map(led.map((batch) => [batch.key, answerTo(batch)]));
  }

  /** Who leads now, and at which addresses the brokers are; if nobody can say, the next try hears that. */
  async #lookAgain(): Promise<void> {
    this.#catalog.stale();
    await Promise.allSettled([this.#catalog.refresh(), this.#cluster.refreshMetadata()]);
  }
}

/** What the tries of some batches have come to, by key. */
interface Tries {
  readonly stored: Map<string, number>;
  readonly failed: Map<string, unknown>;
  /** Those of which a try may have stored them, without saying so. */
  readonly unsure: Set<string>;
}

/** Pauses between tries, each longer than the one before; false when there is no time for another. */
function pauses(): () => Promise<boolean> {
  const deadlineMs = performance.now() + TRIES_MS_MAX;
  let nextMs = PAUSE_MS_MIN;
  return async () => {
    const pauseMs = nextMs;
    nextMs = Math.min(2 * pauseMs, PAUSE_MS_MAX);
    if (performance.now() + pauseMs > deadlineMs) return false;
    await Bun.sleep(pauseMs);
    return true;
  };
}

/** Whether another try may succeed. A topic that its leader does not know may be new; if it is gone, the catalog says so next. */
function isLater(error: unknown): boolean {
  return typeOf(error) === "UNKNOWN_TOPIC_OR_PARTITION" || failureOf(error, { doing: "append" }).retriable;
}
