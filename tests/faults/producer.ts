/**
 * A producer that never gives up: every batch is sent until the door has answered it.
 *
 *   batch ──Idempotency-Key──▶ door ──no answer──▶ the same batch again, also to the door's next life
 *
 * What it remembers is what it was promised; the audit compares that with the tables.
 *
 * @module
 */
import { expect } from "bun:test";
import type { DoorProcess } from "../door_process.ts";

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

/** Sends batches until it is told to stop. */
export class Producer {
  readonly promised: Promised = { events: 0, sum: 0, rejected: 0 };
  /** Answers other than 2xx, by status; connection errors count as 0. */
  readonly refused = new Map<number, number>();
  #door: DoorProcess | undefined;
  #isRunning = true;
  #next = 0;
  readonly #senders: Promise<void>[];

  constructor(door: DoorProcess, options: { senders: number; batch: number }) {
    this.#door = door;
    this.#senders = Array.from({ length: options.senders }, () => this.#send(options.batch));
  }

  /** The door is gone until another one is given. */
  set door(door: DoorProcess | undefined) {
    this.#door = door;
  }

  /** Lets the batches under way be answered, and ends. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#senders);
  }

  async #send(batch: number): Promise<void> {
    while (this.#isRunning) {
      const first = this.#next;
      this.#next += batch;
      const lines = Array.from({ length: batch }, (_, index) =>
        JSON.stringify({ id: `${first + index}`, n: (first + index) % 1_000 }),
      );
      // Every batch has one event that no table takes.
      lines.push(JSON.stringify({ id: "bad", n: -1 }));
      const headers = { "content-type": "application/x-ndjson", "idempotency-key": `batch-${first}` };
      while (!(await this.#isTaken(lines.join("\n"), headers))) await Bun.sleep(20);
      this.promised.events += batch;
      this.promised.rejected += 1;
      for (let index = 0; index < batch; index++) this.promised.sum += (first + index) % 1_000;
    }
  }

  async #isTaken(body: string, headers: Readonly<Record<string, string>>): Promise<boolean> {
    const door = this.#door;
    if (door === undefined) return false;
    try {
      const response = await door.post("/v1/ingest/number", body, headers);
      const answer = (await response.json()) as { accepted: number; duplicates: number; rejected: unknown[] };
      if (response.ok) {
        expect(answer.accepted + answer.duplicates).toBe(body.split("\n").length - 1);
        expect(answer.rejected).toHaveLength(1);
        return true;
      }
      this.refused.set(response.status, (this.refused.get(response.status) ?? 0) + 1);
    } catch (error) {
      if (error instanceof Error && error.constructor.name.includes("JestAssertion")) throw error;
      // No answer: nobody knows whether it was taken. The same key asks again.
      this.refused.set(0, (this.refused.get(0) ?? 0) + 1);
    }
    return false;
  }
}

/** What the tables hold of the numbers. */
export async function stored(
  door: DoorProcess,
): Promise<{ rows: number; ids: number; records: number; sum: number; markers: number }> {
  // Markers first: a row is there before its batch's marker.
  const [{ markers }] = await door.sql("SELECT sum(stored) AS markers FROM weir.batch WHERE statement = 'ods.number'");
  const [row] = await door.sql(
    "SELECT count() AS rows, uniqExact(id) AS ids, uniqExact(_epoch, _partition, _offset) AS records, sum(n) AS sum FROM ods.number",
  );
  return {
    rows: Number(row.rows),
    ids: Number(row.ids),
    records: Number(row.records),
    sum: Number(row.sum),
    markers: Number(markers),
  };
}
