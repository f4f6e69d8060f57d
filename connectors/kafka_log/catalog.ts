/**
 * What is known of topics here: ids, partitions and which broker leads each; the brokers have the truth.
 *
 *   unknown ──asked for──▶ known ──AGE_MS_MAX, stale(), or a topic not found──▶ asked anew
 *
 * @module
 */
import type Cluster from "kafkajs/src/cluster/index.js";
import type { LogFailed } from "../log.ts";
import { anyBroker } from "./client.ts";
import { failureOf, invalid, unavailable, unknownTopic } from "./failures.ts";
import { askMetadata, type TopicMetadata } from "./wire.ts";

/** How old the catalog may get: how soon partitions which others added are seen. */
const AGE_MS_MAX = 10_000;
/** A topic that is not known is looked for again no sooner than this. */
const MISSED_MS_MIN = 250;

export class Catalog {
  readonly #cluster: Cluster;
  readonly #heard = new Set<() => void>();
  #topics: ReadonlyMap<string, TopicMetadata> = new Map();
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** The topic; throws LogFailed("unknown topic"). */
  async topic(name: string): Promise<TopicMetadata> {
    const topic = await this.find(name);
    if (topic === undefined) throw unknownTopic(name);
    return topic;
  }

  /** The topic if it is there; throws LogFailed if nobody can be asked. */
  async find(name: string): Promise<TopicMetadata | undefined> {
    const known = this.known(name);
    if (known === undefined && performance.now() - this.#askedAtMs > MISSED_MS_MIN) await this.refresh();
    return known ?? this.#topics.get(name);
  }

  /** The topic if nothing has to be asked for it. */
  known(name: string): TopicMetadata | undefined {
    return performance.now() - this.#askedAtMs > AGE_MS_MAX ? undefined : this.#topics.get(name);
  }

  /** A topic, asked now; undefined if it is not there. Throws LogFailed. */
  async now(name: string): Promise<TopicMetadata | undefined> {
    try {
      return (await askMetadata(await anyBroker(this.#cluster), name)).find((topic) => topic.name === name);
    } catch (error) {
      throw failureOf(error, { doing: "find a topic", topic: name });
    }
  }

  /** Every topic that is not Kafka's own, asked now. */
  async all(): Promise<readonly TopicMetadata[]> {
    await this.refresh();
    return [...this.#topics.values()].filter(({ isInternal }) => !isInternal);
  }

  /** Asks anew; throws LogFailed. Who asks meanwhile shares the answer of the next request, not of the one under way. */
  refresh(): Promise<void> {
    if (this.#asking === undefined) return this.#begin();
    this.#next ??= this.#asking.catch(() => {}).then(() => this.#begin()); // its own callers hear how it failed
    return this.#next;
  }

  /** What is known is wrong: a broker said that it does not lead, or does not have, a partition. */
  stale(): void {
    this.#askedAtMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * Why a broker says that it does not know a topic: it is gone, or so new that its leaders have not heard of it
   * (a broker tells of a topic before it has made its partitions). Asks anew; throws LogFailed.
   */
  async unknownTo(name: string): Promise<LogFailed> {
    await this.refresh();
    return this.#topics.has(name) ? unavailable(`the leaders of '${name}' do not know it yet`) : unknownTopic(name);
  }

  /** Calls back whenever topics or partitions may have changed; the returned function ends that. */
  hear(changed: () => void): () => void {
    this.#heard.add(changed);
    return () => this.#heard.delete(changed);
  }

  #begin(): Promise<void> {
    this.#next = undefined;
    this.#asking = this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<void> {
    try {
      const topics = await askMetadata(await anyBroker(this.#cluster));
      this.#topics = new Map(topics.map((topic) => [topic.name, topic]));
      this.#askedAtMs = performance.now();
    } catch (error) {
      this.stale();
      throw failureOf(error, { doing: "list the topics" });
    }
    for (const changed of this.#heard) changed();
  }
}

/** Says why a topic has no such partition. */
export function partitionFailure(topic: TopicMetadata, partition: number): LogFailed | undefined {
  const { name, leaders } = topic;
  const leader = leaders[partition];
  if (leader === undefined)
    return invalid(
      `Cannot find partition ${partition} of the topic '${name}': it has ${leaders.length}, numbered from 0.`,
    );
  return leader < 0 ? unavailable(`partition ${partition} of '${name}' has no leader`) : undefined;
}
