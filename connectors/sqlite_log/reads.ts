/**
 * Reads, the main thread's side: answers what needs no Worker, waits for news.
 *
 *   below earliest or above latest ──▶ OffsetGap
 *   at latest ──▶ waiting ──append, or waitMs──▶ read, or empty
 *   else ──▶ reading Worker ──▶ openRecords
 *
 * @module
 */
import { LogFailed, OffsetGap, type ReadAt } from "../log.ts";
import { openRecords, type Records, releasable } from "../records.ts";
import { type Catalog, invalid, type Partition, unknownTopic } from "./catalog.ts";
import type { Link } from "./link.ts";
import type { ReadAnswer, ReaderCalls } from "./protocol.ts";

type ReadDone = (failure: LogFailed | OffsetGap | undefined, records: Records | undefined) => void;

const NONE = new Uint8Array(0);

export class Reads {
  #catalog: Catalog;
  #link: Link<ReaderCalls>;
  #closed = false;
  #waiting = new Set<() => void>();

  constructor(catalog: Catalog, link: Link<ReaderCalls>) {
    this.#catalog = catalog;
    this.#link = link;
  }

  /** Reads as soon as there is something to read; the returned function gives up waiting. */
  read(at: ReadAt, done: ReadDone): () => void {
    const partition = this.#catalog.partition(at.topic, at.partition);
    if (partition instanceof LogFailed) {
      done(partition, undefined);
      return nothing;
    }
    if (!Number.isSafeInteger(at.offset)) {
      done(invalid(`Cannot read '${at.topic}'/${at.partition}: ${at.offset} is not an offset.`), undefined);
      return nothing;
    }
    if (at.offset === partition.latest && at.waitMs > 0 && !this.#closed) return this.#wait(partition, at, done);
    this.#readNow(partition, at, done);
    return nothing;
  }

  /** Ends every wait with an empty answer. */
  close(): void {
    this.#closed = true;
    for (const end of [...this.#waiting]) end();
  }

  #wait(partition: Partition, at: ReadAt, done: ReadDone): () => void {
    const stop = () => {
      clearTimeout(timer);
      partition.waiting.delete(news);
      this.#waiting.delete(news);
    };
    const news = () => {
      stop();
      this.#readNow(partition, at, done);
    };
    const timer = setTimeout(news, at.waitMs);
    partition.waiting.add(news);
    this.#waiting.add(news);
    return stop;
  }

  #readNow(partition: Partition, at: ReadAt, done: ReadDone): void {
    const failure = failureAt(partition, at);
    if (failure !== undefined) done(failure, undefined);
    else if (at.offset === partition.latest) done(undefined, openRecords(whereFrom(at, at.offset), NONE, []));
    else {
      // The reader's Worker may already see a commit whose answer is still on its way here: read no further than
      // what is known here to be durable, so that the next read never asks beyond the end.
      const { offset, bytesMax } = at;
      const recordsMax = Math.min(at.recordsMax, partition.latest - offset);
      this.#link.call("read", { key: partition.key, offset, recordsMax, bytesMax }, (failed, answer) => {
        const records = failed ?? opened(partition, at, answer);
        if ("count" in records) done(undefined, records);
        else done(records, undefined);
      });
    }
  }
}

function failureAt(partition: Partition, at: ReadAt): LogFailed | OffsetGap | undefined {
  if (!partition.alive) return unknownTopic(at.topic);
  return at.offset < partition.earliest || at.offset > partition.latest ? gapOf(at, partition) : undefined;
}

function opened(partition: Partition, at: ReadAt, answer: ReadAnswer): LogFailed | OffsetGap | Records {
  if (answer.kind === "gap") {
    if (!partition.alive) return unknownTopic(at.topic);
    const held = answer.earliest <= at.offset && at.offset < answer.latest;
    return held ? damaged(at, `no records at ${at.offset}`) : gapOf(at, answer);
  }
  try {
    return releasable(openRecords(whereFrom(at, answer.next), answer.bytes, answer.runs), { bytes: true });
  } catch (error) {
    return damaged(at, String(error));
  }
}

function nothing(): void {}

function whereFrom({ topic, partition }: ReadAt, next: number) {
  return { topic, partition, next };
}

function gapOf(at: ReadAt, { earliest, latest }: { earliest: number; latest: number }): OffsetGap {
  return new OffsetGap({ topic: at.topic, partition: at.partition, asked: at.offset, earliest, latest });
}

function damaged({ topic, partition }: ReadAt, why: string): LogFailed {
  return new LogFailed({
    reason: "damaged",
    message: `Cannot read '${topic}'/${partition}: ${why}. Restore the data directory from a backup.`,
    retriable: false,
  });
}
