/**
 * Appends: what arrives while a request is on its way becomes the next one.
 *
 *   append ──▶ queued ──merged by partition──▶ on its way ──acknowledged by all replicas in sync──▶ answered
 *                 └──interrupted──▶ dropped          └──failed──▶ failed, and the producer is replaced
 *
 * What an answer means:
 * - acknowledged: every record is stored once. The producer is idempotent, its repeats keep their numbers, and one
 *   request for each leader is on its way at most; only when all have been heard of is anything repeated or sent next.
 * - failed: each partition's batches are stored or not, in any combination, and one that was cut off on its way may
 *   still be stored a moment later. A repeat stores again what was stored. Its records would continue the sequence of
 *   the failed ones, which Kafka might take for repeats and drop, so a failed producer is never used again.
 *
 * Kafka has no append over several partitions that is whole or not at all outside of transactions, and a transaction
 * would not help here: who loses the answer to its end does not know either how it ended. What can be known before
 * (topics, partitions, sizes) is checked before anything is sent. With `once` each record says in a header which one it
 * is, so whoever lands them drops those that came before: that makes a repeat exact.
 *
 * @module
 */
import type { Appended, AppendReceipt, LogFailed, Once, Write } from "../log.ts";
import { ONCE_HEADER, ONCE_HEADER_BYTES, onceMarker } from "../once_header.ts";
import { openRecords, type Records } from "../records.ts";
import { BatchWriter, bytesOfRecord } from "./batch_writer.ts";
import { type Catalog, partitionFailure } from "./catalog.ts";
import type { Clients } from "./client.ts";
import { failureOf, invalid, unavailable } from "./failures.ts";
import { IdempotentProducer, type ProducedBatch } from "./producer.ts";

/** A producer's batch of one partition, below the 1 MiB that brokers take unless told otherwise. */
const BATCH_BYTES_MAX = 900_000;
/** What a record may take more in a batch than packed. */
const ADDED_BYTES = 16;
/** Appends of one request, over all partitions; a single append may be larger. */
const GROUP_BYTES_MAX = 16 << 20;
const PENDING_BYTES_MAX = 64 << 20;
/** What a queued append costs beside its records. */
const APPEND_BYTES = 256;

type Done = (failure: LogFailed | undefined, receipt: AppendReceipt | undefined) => void;

/** An append that waits; `cancelled` drops it unless it is on its way already. */
export interface QueuedAppend {
  readonly writes: readonly Write[];
  readonly once: Once | undefined;
  readonly bytes: number;
  readonly done: Done;
  cancelled: boolean;
}

export class Appends {
  readonly #clients: Clients;
  readonly #catalog: Catalog;
  #producer: Promise<IdempotentProducer> | undefined;
  #queue: QueuedAppend[] = [];
  #pendingBytes = 0;
  #working: Promise<void> | undefined;
  #closed = false;

  constructor(clients: Clients, catalog: Catalog) {
    this.#clients = clients;
    this.#catalog = catalog;
  }

  /** Queues an append. */
  append(writes: readonly Write[], once: Once | undefined, done: Done): QueuedAppend {
    const more = once === undefined ? 0 : ONCE_HEADER_BYTES;
    const bytes = writes.reduce((sum, { records }) => sum + records.length + more * records.count, APPEND_BYTES);
    const append: QueuedAppend = { writes, once, bytes, done, cancelled: false };
    const refused = this.#refusal(bytes);
    if (refused !== undefined) {
      done(refused, undefined);
      return append;
    }
    this.#pendingBytes += bytes;
    this.#queue.push(append);
    this.#working ??= this.#work();
    return append;
  }

  /** Refuses what comes from now on, waits for what was queued. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#working;
    await this.#drop();
  }

  #refusal(bytes: number): LogFailed | undefined {
    if (this.#closed) return unavailable("it is closed");
    if (bytes > PENDING_BYTES_MAX)
      return invalid(
        `Cannot append: ${bytes} bytes in one append, at most ${PENDING_BYTES_MAX}. Send smaller batches.`,
      );
    if (this.#pendingBytes + bytes > PENDING_BYTES_MAX)
      return unavailable(`${this.#pendingBytes} bytes wait for the brokers already`);
    return undefined;
  }

  async #work(): Promise<void> {
    await Promise.resolve(); // lets the appends of this turn come together
    while (this.#queue.length > 0) {
      const group = this.#take();
      const placed: Placed[] = [];
      for (const append of group) {
        // one after the other: the second finds the catalog as the first one left it
        const failure = await this.#missing(append.writes);
        if (failure === undefined) placed.push(new Placed(append));
        else append.done(failure, undefined);
      }
      if (placed.length > 0) await this.#send(placed);
      for (const { bytes } of group) this.#pendingBytes -= bytes;
    }
    this.#working = undefined;
  }

  #take(): readonly QueuedAppend[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && (count === 0 || bytes + this.#queue[count]!.bytes <= GROUP_BYTES_MAX))
      bytes += this.#queue[count++]!.bytes;
    const taken = this.#queue.splice(0, count);
    for (const append of taken) if (append.cancelled) this.#pendingBytes -= append.bytes;
    return taken.filter((append) => !append.cancelled);
  }

  /** What an append asks for that is not there. */
  async #missing(writes: readonly Write[]): Promise<LogFailed | undefined> {
    try {
      for (const { topic, partition } of writes) {
        const known = this.#catalog.known(topic) ?? (await this.#catalog.topic(topic));
        const failure = partitionFailure(known, partition);
        if (failure === undefined) continue;
        this.#catalog.stale();
        const again = partitionFailure(await this.#catalog.topic(topic), partition);
        if (again !== undefined) return again;
      }
      return undefined;
    } catch (error) {
      return failureOf(error, { doing: "append" });
    }
  }

  async #send(placed: readonly Placed[]): Promise<void> {
    try {
      for (const round of roundsOf(placed)) await this.#sendRound(round);
    } catch (error) {
      await this.#drop();
      await this.#fail(placed, error);
      return;
    }
    for (const one of placed) one.append.done(undefined, one.receipt());
  }

  async #sendRound(round: readonly Batch[]): Promise<void> {
    this.#producer ??= this.#open();
    const producer = await this.#producer;
    const bases = await producer.send(round);
    for (const { key, parts } of round) {
      let next = bases.get(key)!;
      for (const { place, count } of parts) {
        place.first ??= next;
        next += count;
      }
    }
  }

  async #open(): Promise<IdempotentProducer> {
    const cluster = await this.#clients.cluster();
    try {
      return await IdempotentProducer.open(cluster, this.#catalog);
    } catch (error) {
      await cluster.disconnect();
      throw error;
    }
  }

  async #drop(): Promise<void> {
    const producer = this.#producer;
    this.#producer = undefined;
    await producer?.then((open) => open.close()).catch(() => {}); // it failed before: nothing is lost with it
  }

  /** Everybody's append failed with the request; whose topic is gone hears that. */
  async #fail(placed: readonly Placed[], error: unknown): Promise<void> {
    this.#catalog.stale();
    const topics = new Set(placed.flatMap(({ append }) => append.writes.map(({ topic }) => topic)));
    const failure = failureOf(error, { doing: "append", topic: [...topics][0] ?? "" });
    const isUnknown = failure.reason === "unknown topic";
    const others = isUnknown ? unavailable("a topic was deleted, or is too new for its leaders") : failure;
    for (const { append } of placed) {
      const mayMiss = topics.size > 1 || isUnknown || failure.retriable;
      const missing = mayMiss ? await this.#missing(append.writes) : undefined;
      append.done(missing ?? others, undefined);
    }
  }
}

/** One write of an append, and where its first record went. */
interface Place {
  readonly write: Write;
  first: number | undefined;
}

/** An append on its way. */
class Placed {
  readonly append: QueuedAppend;
  readonly places: readonly Place[];

  constructor(append: QueuedAppend) {
    this.append = append;
    this.places = append.writes.map((write) => ({ write, first: undefined }));
  }

  receipt(): AppendReceipt {
    const appended = this.places.map(({ write: { topic, partition, records }, first = 0 }): Appended => {
      return { topic, partition, first, count: records.count };
    });
    return { appended, repeated: false };
  }
}

/** What one request brings to one partition: records of one or more writes, in their order. */
interface Batch extends ProducedBatch {
  readonly round: number;
  /** Each write's place, once for every batch that has some of its records. */
  readonly parts: { readonly place: Place; count: number }[];
}

/** Cuts writes into requests of at most one batch for each partition. */
function roundsOf(placed: readonly Placed[]): readonly (readonly Batch[])[] {
  const rounds: Batch[][] = [];
  const open = new Map<string, Batch>();
  const begin = ({ topic, partition }: Write): Batch => {
    const key = `${topic}\n${partition}`;
    const round = (open.get(key)?.round ?? -1) + 1;
    const batch: Batch = { key, topic, partition, round, records: new BatchWriter(), parts: [] };
    rounds[round] ??= [];
    rounds[round]!.push(batch);
    open.set(key, batch);
    return batch;
  };
  for (const { append, places } of placed) {
    const once = append.once && onceMarker(append.once);
    for (const place of places) {
      const { topic, partition, indexes } = place.write;
      const records = recordsOf(place.write);
      if (records.count === 0) continue;
      let batch = open.get(`${topic}\n${partition}`) ?? begin(place.write);
      // What fits into one batch is not divided: it is stored or not.
      const whole = records.bytes.length + records.count * (ADDED_BYTES + (once === undefined ? 0 : ONCE_HEADER_BYTES));
      if (batch.records.count > 0 && batch.records.length + whole > BATCH_BYTES_MAX) batch = begin(place.write);
      let part = partOf(batch, place);
      for (let i = 0; i < records.count; i++) {
        const more = once && { [ONCE_HEADER]: once(indexes?.[i] ?? i) };
        const isFull = batch.records.length + bytesOfRecord(records, i, more) > BATCH_BYTES_MAX;
        if (isFull && batch.records.count > 0) {
          batch = begin(place.write);
          part = partOf(batch, place);
        }
        batch.records.add(records, i, more);
        part.count += 1;
      }
    }
  }
  return rounds;
}

function partOf({ parts }: Batch, place: Place): Batch["parts"][number] {
  const part = { place, count: 0 };
  parts.push(part);
  return part;
}

/** A write's records, opened where they were packed. */
function recordsOf({ topic, partition, records }: Write): Records {
  const run = { firstOffset: 0, count: records.count, start: 0, end: records.length };
  return openRecords({ topic, partition, next: records.count }, records.packed(), [run]);
}
