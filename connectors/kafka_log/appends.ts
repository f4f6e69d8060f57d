/**
 * Appends: what arrives while a request is on its way becomes the next one.
 *
 *   append ──▶ queued ──cut into rounds──▶ on its way ──acknowledged by all replicas in sync──▶ answered
 *                 └──interrupted──▶ dropped     ▲   └──failed──▶ failed, and the producer is replaced
 *                                               └──────┴──too large together──▶ divided
 *
 * What an answer means, to each append for itself:
 * - acknowledged: every record is stored once. The producer is idempotent, its repeats keep their numbers, and one
 *   request for each leader is on its way at most; only when all have been heard of is anything repeated or sent next.
 * - failed: some of its records are not stored, or nobody knows: each batch that has some is stored or not, in any
 *   combination, and one that was cut off on its way may still be stored a moment later. A repeat stores again what was
 *   stored. What is sent next would continue the sequence of the failed ones, which Kafka might take for repeats and
 *   drop, so a failed producer is never used again.
 *
 * Kafka has no append over several partitions that is whole or not at all outside of transactions, and a transaction
 * would not help here: who loses the answer to its end does not know either how it ended. What can be known before
 * (topics, partitions, sizes) is checked before anything is sent. With `once` each record says in a header which one it
 * is, so whoever lands them drops those that came before: that makes a repeat exact.
 *
 * @module
 */
import { type Appended, type AppendReceipt, LogFailed, type Once, type Write } from "../log.ts";
import { ONCE_HEADER_BYTES } from "../once_header.ts";
import { type Catalog, partitionFailure } from "./catalog.ts";
import type { Clients } from "./client.ts";
import { failureOf, invalid, isRefusal, isTooLarge, unavailable, unknownTopic } from "./failures.ts";
import { IdempotentProducer, type Sent } from "./producer.ts";
import { type Batch, type Part, type Place, placesOf, roundsOf, type Sending, wholeOf } from "./rounds.ts";

/** A producer's batch of one partition, below the 1 MiB that brokers take unless told otherwise. */
const BATCH_BYTES_MAX = 900_000;
/** Appends of one request, over all partitions; a single append may be larger. */
const GROUP_BYTES_MAX = 16 << 20;
const PENDING_BYTES_MAX = 64 << 20;
/** Topics that are known to take smaller batches than usual. */
const LEARNED_TOPICS_MAX = 1_000;
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
  /** How large a batch may be, where that turned out to be less than usual, by topic. */
  readonly #bytesMax = new Map<string, number>();
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
      try {
        await this.#send(group);
      } finally {
        for (const { bytes } of group) this.#pendingBytes -= bytes;
      }
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

  async #send(group: readonly QueuedAppend[]): Promise<void> {
    const all = group.map((append) => new SentAppend(append));
    let sent = all;
    try {
      await this.#check(all);
      sent = all.filter(({ failure }) => failure === undefined);
      await this.#sendAll(sent);
    } catch (error) {
      const failure = failureOf(error, { doing: "append" });
      for (const one of sent) if (!one.isStored) one.failure ??= failure;
    }
    for (const one of sent) if (one.failure === undefined) one.answer();
    if (sent.some(({ failure }) => failure !== undefined)) await this.#explain(sent);
    for (const one of all) one.answer();
  }

  /** Fails the appends that ask for what is not there; throws LogFailed if nobody can be asked. */
  async #check(sent: readonly SentAppend[]): Promise<void> {
    let isFresh = false;
    for (const one of sent) {
      one.failure = await this.#missing(one.append.writes);
      // a topic that is not known was asked for just now; more partitions may have come meanwhile
      if (one.failure === undefined || one.failure.reason === "unknown topic" || isFresh) continue;
      this.#catalog.stale();
      isFresh = true;
      one.failure = await this.#missing(one.append.writes);
    }
  }

  /** Tells those whose topic is gone meanwhile that this is why they failed. */
  async #explain(sent: readonly SentAppend[]): Promise<void> {
    try {
      await this.#catalog.refresh();
      for (const one of sent)
        if (one.failure !== undefined) one.failure = (await this.#missing(one.append.writes)) ?? one.failure;
    } catch {
      // The brokers are away: nobody knows more than what was heard before.
    }
  }

  /** What an append asks for that is not there; throws LogFailed if nobody can be asked. */
  async #missing(writes: readonly Write[]): Promise<LogFailed | undefined> {
    for (const { topic, partition } of writes) {
      const found = await this.#catalog.find(topic);
      const failure = found === undefined ? unknownTopic(topic) : partitionFailure(found, partition);
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  /** Sends round by round; answers each append as soon as all of it is stored. */
  async #sendAll(sent: readonly SentAppend[]): Promise<void> {
    const bytesMax = (topic: string) => this.#bytesMax.get(topic) ?? BATCH_BYTES_MAX;
    const cut = (parts: readonly Part[]) =>
      roundsOf(
        parts.filter(({ place }) => place.of.failure === undefined),
        bytesMax,
      );
    for (let rounds = cut(sent.flatMap(({ places }) => places.map(wholeOf))); rounds.length > 0; ) {
      const [round = [], ...later] = rounds;
      const again = await this.#sendRound(round);
      for (const one of sent) if (one.isStored) one.answer();
      // Behind a failure all is cut anew: smaller, or apart, and without the rest of what failed.
      rounds = again === undefined ? later : cut([...again, ...later.flat().flatMap((batch) => batch.parts)]);
    }
  }

  /**
   * Sends what each partition has in a round; if some failed, answers what of that is to be sent again. Throws LogFailed
   * if the time for tries is up: what comes behind would wait as long.
   */
  async #sendRound(round: readonly Batch[]): Promise<readonly Part[] | undefined> {
    const { stored, refused, failed } = await this.#produce(round);
    const again: Part[] = [];
    let late: LogFailed | undefined;
    for (const batch of round) {
      const { key, parts } = batch;
      const first = stored.get(key);
      const error = refused.get(key) ?? failed.get(key);
      const apart = this.#apart(batch, error);
      if (first !== undefined) arrived(parts, first);
      else if (apart !== undefined && refused.has(key)) again.push(...apart);
      else {
        // Whose fault it is nobody knows, nor whether a try before has stored it: it is no mistake of theirs.
        const failure = apart === undefined ? failureIn(batch, error) : unavailable("Kafka refused several records");
        for (const { place } of parts) place.of.failure ??= failure;
        if (apart === undefined && failure.retriable) late = failure;
      }
    }
    if (late !== undefined) throw late;
    return stored.size < round.length ? again : undefined;
  }

  /** How refused records are sent again: in smaller batches, then each append by itself; undefined if neither would help. */
  #apart({ topic, records, parts }: Batch, error: unknown): readonly Part[] | undefined {
    if (!isRefusal(error)) return undefined;
    if (isTooLarge(error) && records.count > 1) {
      this.#learn(topic, records.length / 2);
      return parts;
    }
    return parts.length > 1 ? parts.map((part) => ({ ...part, isAlone: true })) : undefined;
  }

  #learn(topic: string, bytesMax: number): void {
    const before = this.#bytesMax.get(topic);
    if (before === undefined && this.#bytesMax.size >= LEARNED_TOPICS_MAX) this.#bytesMax.clear();
    this.#bytesMax.set(topic, Math.min(before ?? BATCH_BYTES_MAX, bytesMax));
  }

  async #produce(round: readonly Batch[]): Promise<Sent> {
    try {
      this.#producer ??= this.#open();
      const producer = await this.#producer;
      const sent = await producer.send(round);
      if (sent.failed.size > 0) await this.#drop();
      return sent;
    } catch (error) {
      await this.#drop();
      throw error;
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
}

/** An append on its way, and what became of it. */
class SentAppend implements Sending {
  readonly append: QueuedAppend;
  readonly once: Once | undefined;
  readonly places: readonly Place[];
  failure: LogFailed | undefined;
  #isAnswered = false;

  constructor(append: QueuedAppend) {
    this.append = append;
    this.once = append.once;
    this.places = placesOf(append.writes, this);
  }

  get isStored(): boolean {
    return this.places.every(({ stored, write }) => stored === write.records.count);
  }

  /** Tells, once, whoever waits for it. */
  answer(): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    if (this.failure !== undefined) this.append.done(this.#withStored(this.failure), undefined);
    else this.append.done(undefined, { appended: this.places.map(appendedAt), repeated: false });
  }

  /** What cannot be repeated as it is says how much of it is there already. */
  #withStored(failure: LogFailed): LogFailed {
    const stored = this.places.reduce((sum, place) => sum + place.stored, 0);
    const count = this.places.reduce((sum, { write }) => sum + write.records.count, 0);
    if (failure.retriable || stored === 0) return failure;
    const { reason, retriable, cause } = failure;
    const message = `${failure.message} Of its ${count} records ${stored} are stored.`;
    return new LogFailed({ reason, message, retriable, cause });
  }
}

/** Notes that records were stored one behind the other. */
function arrived(parts: readonly Part[], first: number): void {
  let next = first;
  for (const { place, from, to } of parts) {
    if (from === 0) place.first = next;
    next += to - from;
    place.next = next;
    place.stored += to - from;
  }
}

function appendedAt({ write: { topic, partition, records }, first, next }: Place): Appended {
  return { topic, partition, first, next, count: records.count };
}

/** What an error means for the appends that have records in a batch. */
function failureIn({ topic }: Batch, error: unknown): LogFailed {
  if (error instanceof LogFailed) return error;
  const failure = failureOf(error, { doing: "append", topic });
  const isNew = failure.reason === "unknown topic"; // its leader said so, the catalog has it
  return isNew ? unavailable("a topic was deleted, or is too new for its leaders") : failure;
}
