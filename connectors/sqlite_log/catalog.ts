/**
 * The catalog in the main thread: topics, and each partition's range.
 *
 * One process owns the file, so this copy is the truth between two commits:
 * lookups, offsets and the decision whether a read must wait ask no Worker. It is
 * replaced by the file's own whenever the writer opens or changes a topic.
 *
 * @module
 */
import { LogFailed, type OffsetRange, type TopicInfo } from "../log.ts";
import type { StoredTopic, Trimmed } from "./protocol.ts";

/** A partition as the main thread knows it. */
export interface Partition {
  readonly key: number;
  readonly topic: string;
  readonly partition: number;
  earliest: number;
  latest: number;
  /** False once its topic was deleted. */
  alive: boolean;
  /** Reads waiting for records, woken by `grow` and by deletion. */
  readonly waiting: Set<() => void>;
}

/** A topic as the main thread knows it. */
export interface CatalogTopic {
  readonly info: TopicInfo;
  readonly partitions: readonly Partition[];
}

export class Catalog {
  #topics = new Map<string, CatalogTopic>();
  #partitions = new Map<number, Partition>();

  /** Takes over what the file says and wakes whoever waits for something that is there now, or gone. */
  replace(stored: readonly StoredTopic[]): void {
    const before = this.#partitions;
    this.#partitions = new Map();
    this.#topics = new Map(stored.map((topic) => [topic.name, this.#adopt(topic, before)]));
    for (const partition of before.values()) {
      if (this.#partitions.has(partition.key)) continue;
      partition.alive = false;
      wake(partition);
    }
  }

  #adopt(stored: StoredTopic, before: ReadonlyMap<number, Partition>): CatalogTopic {
    const partitions = stored.partitions.map(({ key, partition, earliest, latest }) => {
      const known: Partition = before.get(key) ?? {
        key,
        topic: stored.name,
        partition,
        earliest,
        latest,
        alive: true,
        waiting: new Set(),
      };
      known.earliest = Math.max(known.earliest, earliest);
      this.#partitions.set(key, known);
      grow(known, latest);
      return known;
    });
    const info = { id: stored.id, name: stored.name, partitions: partitions.length, retention: stored.retention };
    return { info, partitions };
  }

  /** Notes what retention removed. */
  trim({ trimmed }: Trimmed): void {
    for (const [key, earliest] of trimmed) {
      const partition = this.#partitions.get(key);
      if (partition !== undefined) partition.earliest = Math.max(partition.earliest, earliest);
    }
  }

  topic(name: string): CatalogTopic | undefined {
    return this.#topics.get(name);
  }

  /** The partition, or why there is none. */
  partition(topic: string, partition: number): Partition | LogFailed {
    const found = this.#topics.get(topic);
    if (found === undefined) return unknownTopic(topic);
    return found.partitions[partition] ?? unknownPartition(found.info, partition);
  }

  /** The ranges of every partition of a topic. */
  offsets(topic: string): readonly OffsetRange[] | LogFailed {
    const found = this.#topics.get(topic);
    if (found === undefined) return unknownTopic(topic);
    return found.partitions.map(({ partition, earliest, latest }) => ({ partition, earliest, latest }));
  }
}

/** Moves a partition's end forward and wakes its readers. */
export function grow(partition: Partition, latest: number): void {
  if (latest <= partition.latest) return;
  partition.latest = latest;
  if (partition.waiting.size > 0) wake(partition);
}

function wake(partition: Partition): void {
  const waiting = [...partition.waiting];
  partition.waiting.clear();
  for (const woken of waiting) woken();
}

export function unknownTopic(name: string): LogFailed {
  return new LogFailed({
    reason: "unknown topic",
    message: `Cannot find the topic '${name}': it does not exist. Create it first.`,
    retriable: false,
  });
}

function unknownPartition(topic: TopicInfo, partition: number): LogFailed {
  return new LogFailed({
    reason: "invalid",
    message: `Cannot find partition ${partition} of the topic '${topic.name}': it has ${topic.partitions}, numbered from 0.`,
    retriable: false,
  });
}

/** A call that can never succeed as it is. */
export function invalid(message: string): LogFailed {
  return new LogFailed({ reason: "invalid", message, retriable: false });
}
