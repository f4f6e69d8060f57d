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
import { failureOf, typeOf, unavailable } from "./failures.ts";
import { askProduce, raise } from "./wire.ts";

const REPLICAS_MS_MAX = 15_000;
/** How long failed tries are repeated: a leader that died is replaced within a broker's session, 9 s unless told otherwise. */
const TRIES_MS_MAX = 12_000;
const PAUSE_MS_MIN = 50;
const PAUSE_MS_MAX = 1_000;
/** Sequence numbers begin again at 0 behind the largest integer of 32 bits. */
const SEQUENCES = 2 ** 31;
/** Nothing is written in transactions, but the request asks for their time. */
const TRANSACTION_MS = 30_000;

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

/** Who sends: Kafka numbers producers, and each counts its records by partition. */
export class IdempotentProducer {
  readonly #cluster: Cluster;
  readonly #catalog: Catalog;
  readonly #who: Producer;
  /** The next number by the partition's key. */
  readonly #sequences = new Map<string, number>();

  /** Asks for a number of its own; `cluster`'s connections are closed with it. */
  static async open(cluster: Cluster, catalog: Catalog): Promise<IdempotentProducer> {
    const { producerId, producerEpoch } = await repeated(async () =>
      (await anyBroker(cluster)).initProducerId({ transactionTimeout: TRANSACTION_MS }),
    );
    return new IdempotentProducer({ cluster, catalog, who: { id: BigInt(producerId), epoch: producerEpoch } });
  }

  private constructor(parts: { readonly cluster: Cluster; readonly catalog: Catalog; readonly who: Producer }) {
    this.#cluster = parts.cluster;
    this.#catalog = parts.catalog;
    this.#who = parts.who;
  }

  /**
   * Stores one batch for each of some partitions; answers the first offsets by key. After an error some may be stored,
   * and this producer cannot be used again: its next records would pass for repeats. One call at a time.
   */
  async send(batches: readonly ProducedBatch[]): Promise<ReadonlyMap<string, number>> {
    const stored = new Map<string, number>();
    const sealed = batches.map((batch): SealedBatch => {
      return { ...batch, sealed: batch.records.seal(this.#who, this.#sequences.get(batch.key) ?? 0) };
    });
    const rest = () => sealed.filter(({ key }) => !stored.has(key));
    await repeated(
      () => this.#try(rest(), stored),
      () => this.#lookAgain(),
    );
    for (const { key, records } of batches)
      this.#sequences.set(key, ((this.#sequences.get(key) ?? 0) + records.count) % SEQUENCES);
    return stored;
  }

  close(): Promise<void> {
    return this.#cluster.disconnect();
  }

  /** Sends to every leader, and hears of all of them before it fails: nothing is on its way when it is tried again. */
  async #try(batches: readonly SealedBatch[], stored: Map<string, number>): Promise<void> {
    const leaders = new Map<number, SealedBatch[]>();
    for (const batch of batches) {
      const { leaders: known } = this.#catalog.known(batch.topic) ?? (await this.#catalog.topic(batch.topic));
      const leader = known[batch.partition] ?? -1;
      const led = leaders.get(leader) ?? [];
      led.push(batch);
      leaders.set(leader, led);
    }
    const tried = await Promise.allSettled([...leaders].map(([leader, led]) => this.#ask({ leader, led, stored })));
    const failed = tried.filter((one) => one.status === "rejected").map(({ reason }) => reason as unknown);
    if (failed.length > 0) throw failed.find((error) => !isLater(error)) ?? failed[0];
  }

  async #ask(of: {
    readonly leader: number;
    readonly led: readonly SealedBatch[];
    readonly stored: Map<string, number>;
  }): Promise<void> {
    if (of.leader < 0) throw unavailable("a partition has no leader");
    const broker = await this.#cluster.findBroker({ nodeId: of.leader });
    const topics = [...Map.groupBy(of.led, ({ topic }) => topic)].map(([topic, led]) => {
      return { topic, partitions: led.map(({ partition, sealed }) => ({ partition, batch: sealed })) };
    });
    const answers = await askProduce(broker, { topics, waitMs: REPLICAS_MS_MAX });
    const failed: number[] = [];
    for (const { key, topic, partition } of of.led) {
      const answer = answers.find((one) => one.topic === topic && one.partition === partition);
      if (answer === undefined) throw unavailable("Kafka did not say where it stored the records");
      if (answer.error === 0) of.stored.set(key, answer.base);
      else failed.push(answer.error);
    }
    for (const error of failed) raise(error);
  }

  /** Who leads now, and at which addresses the brokers are; if nobody can say, the next try hears that. */
  async #lookAgain(): Promise<void> {
    this.#catalog.stale();
    await Promise.allSettled([this.#catalog.refresh(), this.#cluster.refreshMetadata()]);
  }
}

/** Calls again, with pauses, while the error may go away. */
async function repeated<A>(call: () => Promise<A>, between?: () => Promise<void>): Promise<A> {
  const deadlineMs = performance.now() + TRIES_MS_MAX;
  for (let pauseMs = PAUSE_MS_MIN; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX)) {
    try {
      return await call();
    } catch (error) {
      if (!isLater(error) || performance.now() + pauseMs > deadlineMs) throw error;
    }
    await Bun.sleep(pauseMs);
    await between?.();
  }
}

/** A topic that its leader does not know may be new; if it is gone, the catalog says so next. */
function isLater(error: unknown): boolean {
  return typeOf(error) === "UNKNOWN_TOPIC_OR_PARTITION" || failureOf(error, { doing: "append" }).retriable;
}
