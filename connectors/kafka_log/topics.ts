/**
 * Topics on the brokers: made, grown, kept as long as their retention says, deleted.
 *
 *   createTopic · alterTopic · deleteTopic ──Admin──▶ brokers ──▶ Catalog (ids) ──▶ TopicInfo
 *
 * @module
 */
import { type Admin, ConfigResourceTypes } from "kafkajs";
import type Cluster from "kafkajs/src/cluster/index.js";
import type { OffsetRange, Retention, Topic, TopicInfo } from "../log.ts";
import type { Catalog } from "./catalog.ts";
import { anyBroker } from "./client.ts";
import { invalid, topicExists, typeOf, unavailable } from "./failures.ts";
import { askAlter, type TopicMetadata } from "./wire.ts";

const PARTITIONS_MAX = 1_024;
const TOPIC_NAME = /^[a-zA-Z0-9._-]{1,249}$/;
const CHANGE_MS_MAX = 15_000;
const POLL_MS = 20;
/** Stands for the brokers' own `default.replication.factor`. */
const BROKERS_DEFAULT = -1;
const LEADERLESS = new Set(["NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE"]);
const UNKNOWN = "UNKNOWN_TOPIC_OR_PARTITION";
const DENIED = "TOPIC_AUTHORIZATION_FAILED";
/** What Kafka calls a bound that there is not. */
const UNBOUNDED = "-1";

export class Topics {
  readonly #admin: Admin;
  readonly #cluster: Cluster;
  readonly #catalog: Catalog;
  readonly #replication: number;

  constructor(parts: {
    readonly admin: Admin;
    readonly cluster: Cluster;
    readonly catalog: Catalog;
    readonly replication: number | undefined;
  }) {
    this.#admin = parts.admin;
    this.#cluster = parts.cluster;
    this.#catalog = parts.catalog;
    this.#replication = parts.replication ?? BROKERS_DEFAULT;
  }

  async create(topic: Topic): Promise<TopicInfo> {
    check(topic, 1);
    const { name, partitions: numPartitions, retention } = topic;
    const configEntries = Object.entries(settingsOf(retention)).map(([key, value]) => ({ name: key, value }));
    const made = await this.#admin.createTopics({
      topics: [{ topic: name, numPartitions, replicationFactor: this.#replication, configEntries }],
      timeout: CHANGE_MS_MAX,
      waitForLeaders: false, // it asks once, and fails where the broker has not yet heard of the topic
    });
    if (!made) throw topicExists(name);
    return this.#whole(topic);
  }

  async alter(topic: Topic): Promise<TopicInfo> {
    await this.#catalog.refresh();
    const { name, partitions, retention } = topic;
    const before = await this.#catalog.topic(name);
    check(topic, before.leaders.length);
    await askAlter(await anyBroker(this.#cluster), { topic: name, settings: settingsOf(retention) });
    if (partitions > before.leaders.length)
      await this.#admin.createPartitions({ topicPartitions: [{ topic: name, count: partitions }] });
    return this.#whole(topic);
  }

  async delete(name: string): Promise<void> {
    await this.#catalog.refresh();
    const { id } = await this.#catalog.topic(name);
    await this.#admin.deleteTopics({ topics: [name], timeout: CHANGE_MS_MAX });
    await this.#until(name, (topic) => topic?.id !== id);
  }

  async find(name: string): Promise<TopicInfo | undefined> {
    const topic = await this.#catalog.now(name);
    if (topic === undefined) return undefined;
    return { name, id: topic.id, partitions: topic.leaders.length, retention: await this.#retention(name) };
  }

  async offsets(name: string): Promise<readonly OffsetRange[]> {
    await this.#catalog.topic(name);
    const ranges = await this.#ranges(name);
    return ranges
      .map(({ partition, low, high }) => ({ partition, earliest: Number(low), latest: Number(high) }))
      .sort((a, b) => a.partition - b.partition);
  }

  /** Waits until every partition is there and led by somebody. */
  async #whole({ name, partitions, retention }: Topic): Promise<TopicInfo> {
    const topic = await this.#until(
      name,
      (made) => made?.leaders.length === partitions && made.leaders.every((leader) => leader >= 0),
    );
    await this.#ranges(name); // answered once the leaders know that they lead
    return { name, id: topic!.id, partitions, retention };
  }

  /** Asks again while partitions that are new or moving have no leader that knows of it. */
  async #ranges(name: string) {
    const deadlineMs = performance.now() + CHANGE_MS_MAX;
    for (;;) {
      try {
        return await this.#admin.fetchTopicOffsets(name);
      } catch (error) {
        const isNew = typeOf(error) === UNKNOWN && (await this.#catalog.unknownTo(name)).retriable;
        if (!(isNew || LEADERLESS.has(typeOf(error))) || performance.now() > deadlineMs) throw error;
        await Bun.sleep(POLL_MS);
      }
    }
  }

  async #until(name: string, holds: (topic: TopicMetadata | undefined) => boolean): Promise<TopicMetadata | undefined> {
    const deadlineMs = performance.now() + CHANGE_MS_MAX;
    for (;;) {
      const topic = (await this.#catalog.all()).find((one) => one.name === name);
      if (holds(topic)) return topic;
      if (performance.now() > deadlineMs) throw unavailable(`the brokers have not yet changed the topic '${name}'`);
      await Bun.sleep(POLL_MS);
    }
  }

  /** What a topic keeps; without a bound where this user must not know it. */
  async #retention(name: string): Promise<Retention> {
    const configNames = ["retention.ms", "retention.bytes"];
    const asked = { includeSynonyms: false, resources: [{ type: ConfigResourceTypes.TOPIC, name, configNames }] };
    try {
      const { resources } = await this.#admin.describeConfigs(asked);
      const settingOf = (key: string) =>
        resources[0]?.configEntries.find(({ configName }) => configName === key)?.configValue;
      return retentionOf(settingOf("retention.ms"), settingOf("retention.bytes"));
    } catch (error) {
      if (typeOf(error) === DENIED) return {};
      throw error;
    }
  }
}

function settingsOf({ ageMsMax, bytesMax }: Retention): Readonly<Record<string, string>> {
  return { "retention.ms": `${ageMsMax ?? UNBOUNDED}`, "retention.bytes": `${bytesMax ?? UNBOUNDED}` };
}

function retentionOf(ms = UNBOUNDED, bytes = UNBOUNDED): Retention {
  return {
    ...(ms === UNBOUNDED ? {} : { ageMsMax: Number(ms) }),
    ...(bytes === UNBOUNDED ? {} : { bytesMax: Number(bytes) }),
  };
}

function check({ name, partitions }: Topic, partitionsMin: number): void {
  if (!TOPIC_NAME.test(name))
    throw invalid(`Cannot keep a topic named '${name}': use 1 to 249 of the characters a-z A-Z 0-9 . _ -`);
  if (!Number.isInteger(partitions) || partitions < partitionsMin || partitions > PARTITIONS_MAX) {
    const hint = `a number from ${partitionsMin} to ${PARTITIONS_MAX}`;
    throw invalid(`Cannot give the topic '${name}' ${partitions} partitions: choose ${hint} (it never shrinks).`);
  }
}
