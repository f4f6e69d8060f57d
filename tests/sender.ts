/**
 * A sender inside this process: events with Idempotency-Keys, each repeated until it is accepted.
 *
 *   batch ──Idempotency-Key──▶ world.post ──not 2xx──▶ the same batch again
 *
 * What it was promised is what the tables must hold; what was refused on the way is kept.
 *
 * @module
 */
import { expect } from "bun:test";
import { until } from "./door_process.ts";
import type { World } from "./world.ts";

const RETRY_MS = 10;
const SENT_MS_MAX = 20_000;

/** How much a sender sends; without `pauseMs` as fast as it is answered. */
interface SenderOptions {
  readonly source: string;
  readonly senders: number;
  readonly batch: number;
  readonly pauseMs?: number;
}

/** Sends batches of `{id, n}` until it is told to stop; `n` is below 100, ids are never used twice. */
export class Sender {
  readonly promised = { events: 0, sum: 0 };
  /** Answers other than 2xx, as `<status> <code>`. */
  readonly refused: string[] = [];
  readonly #world: World;
  readonly #options: SenderOptions;
  #more: Readonly<Record<string, unknown>> = {};
  #isRunning = true;
  #next = 0;
  #senders: Promise<void>[] = [];

  constructor(world: World, options: SenderOptions) {
    this.#world = world;
    this.#options = options;
    this.#run();
  }

  /** Resolves once so many events were accepted in all. */
  async sent(events: number): Promise<void> {
    const holds = (seen: number) => seen >= events;
    await until(`${events} events sent`, () => this.promised.events, { holds, withinMs: SENT_MS_MAX });
  }

  /** Lets what is under way be answered, then goes on with more fields in every event; answers how many were sent without. */
  async pausedWith(more: Readonly<Record<string, unknown>>): Promise<number> {
    await this.#pause();
    this.#more = more;
    this.#run();
    return this.promised.events;
  }

  /** Ends once everything accepted can be queried. */
  async stop(): Promise<void> {
    await this.#pause();
    await this.#send("?wait=1");
  }

  #run(): void {
    this.#isRunning = true;
    this.#senders = Array.from({ length: this.#options.senders }, async () => {
      while (this.#isRunning) {
        await this.#send("");
        if (this.#options.pauseMs !== undefined) await Bun.sleep(this.#options.pauseMs);
      }
    });
  }

  async #pause(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#senders);
  }

  async #send(query: string): Promise<void> {
    const { source, batch } = this.#options;
    const first = this.#next;
    this.#next += batch;
    const numbers = Array.from({ length: batch }, (_, index) => first + index);
    const body = numbers.map((id) => JSON.stringify({ id: String(id), n: id % 100, ...this.#more })).join("\n");
    const headers = { "content-type": "application/x-ndjson", "idempotency-key": `${source}-${first}` };
    while (!(await this.#isTaken(`/v1/ingest/${source}${query}`, body, headers))) await Bun.sleep(RETRY_MS);
    this.promised.events += batch;
    for (const id of numbers) this.promised.sum += id % 100;
  }

  async #isTaken(path: string, body: string, headers: Readonly<Record<string, string>>): Promise<boolean> {
    const response = await this.#world.post(path, body, headers);
    const answer = (await response.json()) as { accepted: number; duplicates: number; error?: { code: string } };
    if (!response.ok) {
      this.refused.push(`${response.status} ${answer.error?.code}`);
      return false;
    }
    expect(answer.accepted + answer.duplicates).toBe(this.#options.batch);
    return true;
  }
}
