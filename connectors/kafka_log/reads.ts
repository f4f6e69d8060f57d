/**
 * Reads: what waits is merged into one fetch for each broker, and each fetch has a connection of its own.
 *
 *   read ──leader──▶ waiting ──free lane──▶ fetched ──records──▶ answered
 *                       ▲                      ├──nothing, and time is left──┐
 *                       └──────────────────────┼─────────────────────────────┘
 *                                              └──offset out of range──▶ OffsetGap
 *
 * A lane is a connection to every broker, with one fetch in it at a time: while a long poll fills one, a read that
 * comes meanwhile goes by another, and when all are filled it waits for POLL_MS_MAX at most.
 *
 * What all fetches on their way may bring is bounded together, and shared out evenly: a partition that gets nothing of a
 * fetch stays first in line for the next one. Who reads counts decompressed bytes, brokers count compressed ones, so
 * each fetch asks for what the one before says will become enough: what is too much would be fetched again.
 *
 * @module
 */
import type Cluster from "kafkajs/src/cluster/index.js";
import { LogFailed, OffsetGap, type OffsetRange, type ReadAt } from "../log.ts";
import type { Records } from "../records.ts";
import { type Catalog, partitionFailure } from "./catalog.ts";
import type { Clients } from "./client.ts";
import { CodecFailed, decompress } from "./compression.ts";
import { failureOf, invalid, unavailable, unknownTopic } from "./failures.ts";
import { BatchDamaged, takeRecords } from "./record_batch.ts";
import { askFetch, type FetchedPartition } from "./wire.ts";

type ReadDone = (failure: LogFailed | OffsetGap | undefined, records: Records | undefined) => void;

/** Fetches at one broker at once. */
export const LANES_MAX = 4;
const PARTITIONS_MAX = 64;
const POLL_MS_MAX = 250;
/** Of all fetches on their way together; the first partition with records brings at least one batch, however large. */
export const FETCHING_BYTES_MAX = 32 << 20;
/** Of one fetch, however many brokers share the bound: what a broker takes as one batch unless told otherwise. */
const FETCH_BYTES_MIN = 1 << 20;
/** Asked for at least, so that a small read does not cut every batch. */
const BATCH_BYTES_MIN = 64 << 10;
/** Partitions of which it is known how far their records are compressed. */
const RATIOS_MAX = 4_096;
/** How long a read bears with brokers that have records and give none. */
const FRUITLESS_MS_MAX = 10_000;
const NO_BATCH = "the brokers say that they have records there, and give none.";

interface Waiting {
  readonly at: ReadAt;
  readonly deadlineMs: number;
  readonly done: ReadDone;
  stopped: boolean;
  /** Since when its fetches, it being the first of them, bring nothing although something is there. */
  fruitlessSinceMs: number | undefined;
}

interface Lane {
  readonly cluster: Promise<Cluster>;
  /** Brokers by their numbers which have a fetch in this lane. */
  readonly filled: Set<number>;
}

/** The present bounds of a topic's partitions. */
export type AskOffsets = (topic: string) => Promise<readonly OffsetRange[]>;

export class Reads {
  readonly #clients: Clients;
  readonly #catalog: Catalog;
  readonly #offsets: AskOffsets;
  readonly #lanes: Lane[] = [];
  /** By the leader's number, oldest first. */
  readonly #waiting = new Map<number, Waiting[]>();
  /** How many bytes one fetched byte became, by partition, in its last batches that were compressed. */
  readonly #ratios = new Map<string, number>();
  #closed = false;

  constructor(clients: Clients, catalog: Catalog, offsets: AskOffsets) {
    this.#clients = clients;
    this.#catalog = catalog;
    this.#offsets = offsets;
  }

  /** Reads as soon as there is something to read; the returned function gives up waiting. */
  read(at: ReadAt, done: ReadDone): () => void {
    const waiting: Waiting = {
      at,
      deadlineMs: performance.now() + at.waitMs,
      done,
      stopped: false,
      fruitlessSinceMs: undefined,
    };
    if (this.#closed) done(unavailable("it is closed"), undefined);
    else if (!Number.isSafeInteger(at.offset) || at.offset < 0)
      done(invalid(`Cannot read '${at.topic}'/${at.partition}: ${at.offset} is not an offset.`), undefined);
    else void this.#queue(waiting);
    return () => {
      waiting.stopped = true;
    };
  }

  /** Ends every wait and every connection. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const waiting of this.#waiting.values())
      for (const { done } of waiting.splice(0)) done(unavailable("it is closed"), undefined);
    await Promise.all(this.#lanes.map(closeLane));
  }

  async #queue(waiting: Waiting): Promise<void> {
    const { topic, partition } = waiting.at;
    try {
      const known = this.#catalog.known(topic) ?? (await this.#catalog.topic(topic));
      const failure = partitionFailure(known, partition);
      if (failure !== undefined) throw failure;
      const leader = known.leaders[partition]!;
      const queue = this.#waiting.get(leader) ?? [];
      this.#waiting.set(leader, queue);
      queue.push(waiting);
      this.#fill(leader);
    } catch (error) {
      waiting.done(failureOf(error, { doing: "read", topic }), undefined);
    }
  }

  #fill(leader: number): void {
    const queue = this.#waiting.get(leader)!;
    const free = this.#lanes.find(({ filled }) => !filled.has(leader));
    if (this.#closed || queue.length === 0 || (free === undefined && this.#lanes.length === LANES_MAX)) return;
    const lane = free ?? { cluster: this.#clients.cluster(), filled: new Set() };
    if (free === undefined) this.#lanes.push(lane);
    lane.filled.add(leader);
    // reads of the same turn go together
    queueMicrotask(() => void this.#fetch(lane, leader));
  }

  async #fetch(lane: Lane, leader: number): Promise<void> {
    const taken = takeOf(this.#waiting.get(leader)!);
    let again: readonly Waiting[] = [];
    try {
      if (taken.length > 0) again = await this.#fetched(taken, await this.#ask(lane, leader, taken));
    } catch (error) {
      this.#catalog.stale();
      this.#giveUp(lane);
      for (const { at, done } of taken) done(failureOf(error, { doing: "read", topic: at.topic }), undefined);
    }
    lane.filled.delete(leader);
    this.#waiting.get(leader)!.unshift(...again);
    this.#fill(leader);
  }

  /** A lane that failed may fail for ever: the next read opens another. */
  #giveUp(lane: Lane): void {
    const at = this.#lanes.indexOf(lane);
    if (at >= 0) this.#lanes.splice(at, 1);
    void closeLane(lane);
  }

  /** Answers what can be answered, returns what still waits. */
  async #fetched(taken: readonly Waiting[], fetched: readonly FetchedPartition[]): Promise<readonly Waiting[]> {
    const found = new Map(fetched.map((one) => [keyOf(one), one]));
    const again: Waiting[] = [];
    for (const waiting of taken) {
      const { at, done, deadlineMs } = waiting;
      const partition = found.get(keyOf(at));
      const answer = partition === undefined ? unavailable("Kafka left out a partition") : this.#answer(at, partition);
      if (answer === "out of range") void this.#gap(waiting);
      else if (answer === "unknown") done(await this.#catalog.unknownTo(at.topic), undefined);
      else if (answer instanceof LogFailed) done(answer, undefined);
      else if (answer.next > at.offset) done(undefined, answer);
      else if (waiting === taken[0] && isFruitless(waiting, partition!)) done(damaged(at, NO_BATCH), undefined);
      // what there was no room for, or only for a part of a batch, comes when its read is the first of a fetch
      else if (at.offset < partition!.readableTo || performance.now() < deadlineMs) again.push(waiting);
      else done(undefined, answer);
    }
    return again.filter(({ stopped }) => !stopped);
  }

  #answer(at: ReadAt, { error, aborted, records }: FetchedPartition): Records | LogFailed | "out of range" | "unknown" {
    const { topic, partition } = at;
    if (error === "OFFSET_OUT_OF_RANGE") return "out of range";
    if (error === "UNKNOWN_TOPIC_OR_PARTITION") return "unknown";
    if (error === "CORRUPT_MESSAGE") return damaged(at, "the broker says that the records there are damaged.");
    if (error !== undefined) {
      this.#catalog.stale();
      return unavailable(`Kafka could not read '${topic}'/${partition} (${error})`);
    }
    const became = new Became();
    try {
      return takeRecords(owned(records), { ...at, aborted, decompress: became.decompress });
    } catch (cause) {
      if (cause instanceof CodecFailed)
        return invalid(`Cannot read '${topic}'/${partition} at ${at.offset}: ${cause.message}. ${REMOVE}`, cause);
      return damaged(at, cause);
    } finally {
      if (this.#ratios.size >= RATIOS_MAX) this.#ratios.clear();
      if (records.length > 0) this.#ratios.set(keyOf(at), became.ratio());
    }
  }

  async #ask(lane: Lane, leader: number, taken: readonly Waiting[]): Promise<readonly FetchedPartition[]> {
    const cluster = await lane.cluster;
    const broker = await cluster.findBroker({ nodeId: leader });
    const deadlineMs = Math.min(...taken.map((waiting) => waiting.deadlineMs));
    const partitions = taken.map(({ at: { topic, partition, offset, bytesMax } }) => {
      const bytes = Math.ceil(bytesMax / (this.#ratios.get(keyOf({ topic, partition })) ?? 1));
      return { topic, partition, offset, bytesMax: Math.max(bytes, BATCH_BYTES_MIN) };
    });
    const bytes = partitions.reduce((sum, { bytesMax }) => sum + bytesMax, 0);
    return askFetch(broker, {
      partitions,
      waitMs: Math.trunc(Math.max(0, Math.min(POLL_MS_MAX, deadlineMs - performance.now()))),
      bytesMax: Math.min(fetchBytesMax(this.#waiting.size), bytes),
    });
  }

  async #gap({ at, done }: Waiting): Promise<void> {
    const { topic, partition, offset: asked } = at;
    try {
      const range = (await this.#offsets(topic)).find((one) => one.partition === partition);
      if (range === undefined) throw unknownTopic(topic);
      const { earliest, latest } = range;
      if (earliest <= asked && asked <= latest) throw unavailable(`'${topic}'/${partition} moves its bounds just now`);
      done(new OffsetGap({ topic, partition, asked, earliest, latest }), undefined);
    } catch (error) {
      done(failureOf(error, { doing: "read", topic }), undefined);
    }
  }
}

/** Closes a lane's connections; nothing to do if it never opened, or is closed already. */
const closeLane = ({ cluster }: Lane): Promise<void> => cluster.then((open) => open.disconnect()).catch(() => {});

/** Takes reads of different partitions off the queue, oldest first; a second read of one stays for another fetch. */
function takeOf(queue: Waiting[]): readonly Waiting[] {
  const taken = new Map<string, Waiting>();
  const left = queue.splice(0).filter((waiting) => {
    if (waiting.stopped) return false;
    const key = keyOf(waiting.at);
    if (taken.size === PARTITIONS_MAX || taken.has(key)) return true;
    taken.set(key, waiting);
    return false;
  });
  queue.push(...left);
  return [...taken.values()];
}

/** The share of one fetch when each lane has one at each of so many brokers. */
export function fetchBytesMax(brokers: number): number {
  return Math.max(FETCH_BYTES_MIN, Math.floor(FETCHING_BYTES_MAX / (LANES_MAX * Math.max(1, brokers))));
}

/** Records that do not keep the rest of a large answer in memory with them. */
function owned(records: Uint8Array): Uint8Array {
  return 2 * records.length < records.buffer.byteLength ? new Uint8Array(records) : records;
}

/** Decompresses, and remembers what became of how much. */
class Became {
  #from = 0;
  #to = 0;

  readonly decompress = (codec: number, bytes: Uint8Array): Uint8Array => {
    const became = decompress(codec, bytes);
    this.#from += bytes.length;
    this.#to += became.length;
    return became;
  };

  ratio(): number {
    return this.#from === 0 ? 1 : Math.max(1, this.#to / this.#from);
  }
}

/** Whether brokers have kept back for too long what they say they have: a whole batch comes, however large, in the first place. */
function isFruitless(waiting: Waiting, { readableTo }: FetchedPartition): boolean {
  const nowMs = performance.now();
  if (waiting.at.offset >= readableTo) waiting.fruitlessSinceMs = undefined;
  else waiting.fruitlessSinceMs ??= nowMs;
  return nowMs - (waiting.fruitlessSinceMs ?? nowMs) > FRUITLESS_MS_MAX;
}

function keyOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}\n${partition}`;
}

const REMOVE =
  "Or remove the batch (kafka-delete-records, up to the offset behind it), and accept the gap: weir position <source> --accept-gap.";

function damaged({ topic, partition, offset }: ReadAt, cause: unknown): LogFailed {
  const why = cause instanceof BatchDamaged ? cause.message : String(cause);
  return new LogFailed({
    reason: "damaged",
    message: `Cannot read '${topic}'/${partition} at ${offset}: ${why} Let Kafka restore the partition from a replica. ${REMOVE}`,
    retriable: false,
    cause,
  });
}
