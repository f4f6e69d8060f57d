/**
 * A producer that never gives up: what it remembers is what it was promised; the audit compares that with the tables.
 *
 *   sender ──batch, Idempotency-Key──▶ door ──no answer──▶ the same batch again, also to the door's next life
 *   sender ──batch, no key───────────▶ door ──no answer──▶ unsure: the next batch, other ids
 *
 * Without a key nobody knows what became of a batch that was not answered: each
 * of its events may be there or not, even twice. So it is not sent again, and
 * the audit takes its ids out before it counts.
 *
 * @module
 */
import { expect } from "bun:test";
import { type DoorProcess, until } from "../door_process.ts";

const SENT_MS_MAX = 30_000;

/** Sum of a batch's values and how many events it has. */
interface Promised {
  events: number;
  sum: number;
  rejected: number;
}

/** The source that faults are tried on. */
export const SOURCE = `/*---
kind: source
doc: Numbers, to be counted and summed after every fault.
key: id
---*/
CREATE TABLE ods.number ( id String, n UInt32 )
`;

/** How a producer sends. */
export interface ProducerOptions {
  readonly senders: number;
  /** Events of one request. */
  readonly batch: number;
  /** How many of the senders name their requests; all by default. */
  readonly keyed?: number;
  /** These send one request of so many once more after its answer; none by default. */
  readonly againEvery?: number;
  /** Values that every event has besides, for example a key that puts all of them into one partition. */
  readonly beside?: Readonly<Record<string, string>>;
  readonly source?: string;
  /** The first event's number; 0 by default. */
  readonly first?: number;
  /** Between two requests of a sender; none by default. */
  readonly pauseMs?: number | undefined;
}

/** Sends batches until it is told to stop. */
export class Producer {
  readonly promised: Promised = { events: 0, sum: 0, rejected: 0 };
  /** Answers other than 2xx, by status; connection errors count as 0. */
  readonly refused = new Map<number, number>();
  #door: DoorProcess | undefined;
  /** Requests that were accepted once more under their key. */
  repeated = 0;
  /** First numbers of the batches without a key that were not answered. */
  readonly unsure: number[] = [];
  readonly #options: ProducerOptions;
  #isRunning = true;
  #next: number;
  readonly #senders: Promise<void>[];

  constructor(door: DoorProcess, options: ProducerOptions) {
    this.#door = door;
    this.#options = options;
    this.#next = options.first ?? 0;
    const { senders, keyed = senders } = options;
    this.#senders = Array.from({ length: senders }, (_, sender) => this.#send(sender < keyed));
  }

  /** The door is gone until another one is given. */
  set door(door: DoorProcess | undefined) {
    this.#door = door;
  }

  /** Resolves once so many events more than now are accepted. */
  async sends(more: number): Promise<void> {
    const all = this.promised.events + more;
    const holds = (events: number) => events >= all;
    await until(`${more} more events sent`, () => this.promised.events, { holds, withinMs: SENT_MS_MAX });
  }

  /** Lets the batches under way be answered, and ends. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#senders);
  }

  async #send(isKeyed: boolean): Promise<void> {
    const { batch, beside, pauseMs, againEvery = Number.POSITIVE_INFINITY } = this.#options;
    let sent = 1;
    while (this.#isRunning) {
      if (pauseMs !== undefined) await Bun.sleep(pauseMs);
      if (this.#door === undefined) {
        await Bun.sleep(20);
        continue;
      }
      const first = this.#next;
      this.#next += batch;
      const lines = Array.from({ length: batch }, (_, index) =>
        JSON.stringify({ id: `${first + index}`, n: (first + index) % 1_000, ...beside }),
      );
      // Every batch has one event that no table takes.
      lines.push(JSON.stringify({ id: "bad", n: -1, ...beside }));
      const key = isKeyed ? { "idempotency-key": `batch-${first}` } : undefined;
      const headers = { "content-type": "application/x-ndjson", ...key };
      let isTaken = await this.#isTaken(lines.join("\n"), headers);
      while (isKeyed && !isTaken) {
        await Bun.sleep(20);
        isTaken = await this.#isTaken(lines.join("\n"), headers);
      }
      if (!isTaken) {
        this.unsure.push(first);
        await Bun.sleep(20);
        continue;
      }
      this.promised.events += batch;
      this.promised.rejected += 1;
      for (let index = 0; index < batch; index++) this.promised.sum += (first + index) % 1_000;
      if (isKeyed && sent++ % againEvery === 0 && (await this.#isTaken(lines.join("\n"), headers))) this.repeated += 1;
    }
  }

  async #isTaken(body: string, headers: Readonly<Record<string, string>>): Promise<boolean> {
    if (this.#door === undefined) return false;
    const answer = await this.#ask(this.#door, { body, headers });
    if (answer === undefined || !answer.ok) {
      const status = answer?.status ?? 0;
      this.refused.set(status, (this.refused.get(status) ?? 0) + 1);
      return false;
    }
    expect(answer.accepted + answer.duplicates).toBe(body.split("\n").length - 1);
    expect(answer.rejected).toHaveLength(1);
    return true;
  }

  /** What the door says; without an answer nobody knows whether the batch was taken. */
  async #ask(door: DoorProcess, { body, headers }: { body: string; headers: Readonly<Record<string, string>> }) {
    try {
      const response = await door.post(`/v1/ingest/${this.#options.source ?? "number"}`, body, headers);
      const said = (await response.json()) as { accepted: number; duplicates: number; rejected: unknown[] };
      return { ...said, ok: response.ok, status: response.status };
    } catch {
      return undefined; // the connection ended
    }
  }
}

/** What the tables hold of the numbers. */
export interface Stored {
  readonly rows: number;
  readonly ids: number;
  readonly records: number;
  readonly sum: number;
  readonly markers: number;
}

/** What the tables hold of the numbers. */
export async function stored(door: DoorProcess, source = "number"): Promise<Stored> {
  // Markers first: a row is there before its batch's marker.
  const [{ markers }] = await door.sql(
    `SELECT sum(stored) AS markers FROM weir.batch WHERE statement = 'ods.${source}'`,
  );
  const [row] = await door.sql(
    `SELECT count() AS rows, uniqExact(id) AS ids, uniqExact(_epoch, _partition, _offset) AS records, sum(n) AS sum FROM ods.${source}`,
  );
  return {
    rows: Number(row.rows),
    ids: Number(row.ids),
    records: Number(row.records),
    sum: Number(row.sum),
    markers: Number(markers),
  };
}
