/**
 * Answers of APIs: computed once, kept while nothing behind them was committed.
 *
 *   (api, values) ──kept at the same commits?──▶ hit
 *                 ──being computed for them?───▶ shared
 *                 ──▶ engine, as `reader` ─────▶ miss, kept unless the API's sources are unknown or it asks for the time
 *
 * What must hold: an answer is given only while every source behind it has as
 * many commits as before its query began. So it may be newer than it says,
 * never older, and a client that waited for its own write reads it.
 *
 * @module
 */
import { isUtf8 } from "node:buffer";
import type { Visible } from "@weir/actors";
import type { Settings } from "@weir/connectors";
import { apiQuery, type ParamValues } from "@weir/sql";
import { Effect, Exit } from "effect";
import type { Door } from "../door.ts";
import { Refusal, refusalOf, refusalOfError } from "../errors.ts";
import { JsonRows } from "../framing.ts";
import { stderrLogger } from "../stderr_logger.ts";
import type { PublishedApi } from "./published.ts";
import { Turns } from "./turns.ts";

/** Bounds of an API's answer and of those that are kept. Two threads halve a scan's time and cost a look-up nothing (measured). */
export const API_LIMITS = {
  executionSecondsMax: 30,
  rowsMax: 100_000,
  bytesMax: 32 * 2 ** 20,
  memoryBytesMax: 2 * 2 ** 30,
  threadsMax: 2,
  queriesMax: 16,
  waitingMax: 2_000,
  keptEntriesMax: 10_000,
  keptBytesMax: 128 * 2 ** 20,
  /** A larger answer is not kept: it would push out many small ones. */
  keptAnswerBytesMax: 4 * 2 ** 20,
} as const;

/** Only what an account that is `readonly=1` may choose. */
const SETTINGS: Settings = {
  readonly: 1,
  output_format_json_quote_64bit_integers: 1,
  output_format_json_quote_decimals: 1,
  date_time_output_format: "iso",
  max_execution_time: API_LIMITS.executionSecondsMax,
  max_result_rows: API_LIMITS.rowsMax,
  max_memory_usage: API_LIMITS.memoryBytesMax,
  max_threads: API_LIMITS.threadsMax,
};

/** The engine does not format this one in parallel, which saves a small answer 1.2 ms of 3 (measured). */
const FORMAT = "JSONEachRowWithProgress";

/** Rows of an API, and how new they are. */
export interface ApiAnswer {
  /** A JSON array of objects. */
  readonly data: Uint8Array;
  readonly rows: number;
  /** When the newest commit behind the answer became visible, RFC 3339; null when that is not known. */
  readonly freshTo: string | null;
}

/** How an answer came to be: kept, computed now, computed now for several, or never kept. */
export type CacheState = "hit" | "miss" | "shared" | "none";

/** An answer, and how it came to be. */
export interface Answered {
  readonly answer: ApiAnswer;
  readonly cache: CacheState;
}

interface Kept {
  readonly published: PublishedApi;
  readonly stamp: string;
  readonly answer: ApiAnswer;
  readonly bytes: number;
}

/** What answers need of the door. */
export type AnswersDoor = Pick<Door, "warehouse" | "run"> & { readonly sources: { readonly visible: Visible } };

/** Computes, shares and keeps the answers of one door's APIs. */
export class Answers {
  readonly #door: AnswersDoor;
  readonly #turns = new Turns({ runningMax: API_LIMITS.queriesMax, waitingMax: API_LIMITS.waitingMax });
  /** In order of use, the longest unused first. */
  readonly #kept = new Map<string, Kept>();
  readonly #underWay = new Map<string, { readonly published: PublishedApi; readonly answer: Promise<ApiAnswer> }>();
  #keptBytes = 0;

  constructor(door: AnswersDoor) {
    this.#door = door;
  }

  /** The answer for these values; throws a Refusal. */
  async get(published: PublishedApi, values: ParamValues): Promise<Answered> {
    const key = answerKey(published, values);
    const stamp = this.#stamp(published);
    const isKept = stamp !== undefined && !published.api.asksClock;
    const kept = isKept ? this.#fresh(key, { published, stamp }) : undefined;
    if (kept !== undefined) return { answer: kept, cache: "hit" };
    const flight = `${key}\n${stamp ?? ""}`;
    const other = this.#underWay.get(flight);
    if (other?.published === published) return { answer: await other.answer, cache: "shared" };
    const answer = this.#turns.take(() => this.#query(published, values));
    this.#underWay.set(flight, { published, answer });
    try {
      const done = await answer;
      if (isKept) this.#keep(key, { published, stamp, answer: done });
      return { answer: done, cache: isKept ? "miss" : "none" };
    } finally {
      if (this.#underWay.get(flight)?.answer === answer) this.#underWay.delete(flight);
    }
  }

  /** What was committed behind the API so far, to be compared; undefined when that cannot be known. */
  #stamp({ sources }: PublishedApi): string | undefined {
    const { visible } = this.#door.sources;
    return sources?.map((source) => visible.commits(source).count).join(",");
  }

  #fresh(key: string, now: { readonly published: PublishedApi; readonly stamp: string }): ApiAnswer | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    if (kept.published !== now.published || kept.stamp !== now.stamp) {
      this.#forget(key, kept);
      return undefined;
    }
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    return kept.answer;
  }

  #keep(key: string, entry: Omit<Kept, "bytes">): void {
    const bytes = entry.answer.data.byteLength + 2 * key.length;
    if (bytes > API_LIMITS.keptAnswerBytesMax) return;
    const before = this.#kept.get(key);
    if (before !== undefined) this.#forget(key, before);
    this.#kept.set(key, { ...entry, bytes });
    this.#keptBytes += bytes;
    for (const [oldest, kept] of this.#kept) {
      if (this.#kept.size <= API_LIMITS.keptEntriesMax && this.#keptBytes <= API_LIMITS.keptBytesMax) return;
      this.#forget(oldest, kept);
    }
  }

  #forget(key: string, { bytes }: Kept): void {
    this.#kept.delete(key);
    this.#keptBytes -= bytes;
  }

  async #query(published: PublishedApi, values: ParamValues): Promise<ApiAnswer> {
    const { api, sources } = published;
    // Read before the query: what is committed meanwhile may be in the rows, what was before must be.
    const freshTo = freshToOf(this.#door.sources.visible, sources);
    const { warehouse, run } = this.#door;
    const query = {
      account: "reader",
      ...apiQuery(api, values),
      format: FORMAT,
      queryId: `api-${crypto.randomUUID()}`,
      settings: SETTINGS,
    } as const;
    const exit = await run(warehouse.stream(query));
    try {
      if (!Exit.isSuccess(exit)) throw refusalOf(exit.cause);
      const { data, rows } = await rowsOf(exit.value);
      return { data, rows, freshTo };
    } catch (error) {
      throw await this.#refusal(api.id, error);
    }
  }

  /** What the SELECT does wrong is the author's to know, not the caller's. */
  async #refusal(id: string, error: unknown): Promise<Refusal> {
    const refusal = refusalOfError(error);
    const isAuthors = refusal.code === "sql_refused" || refusal.code === "sql_forbidden";
    if (!isAuthors) return refusal;
    const log = Effect.logError(`api ${id}: the engine refuses its SELECT: ${refusal.message}`);
    await this.#door.run(Effect.provide(log, stderrLogger));
    const message = `Cannot answer: the SELECT of '${id}' fails for these parameters.`;
    return new Refusal(500, "api_failed", message, "Try other parameters, or tell who publishes it.");
  }
}

/** Names one answer of one door: equal values, however they were written, have equal keys. */
export function answerKey({ api }: PublishedApi, values: ParamValues): string {
  return `${api.id}\n${JSON.stringify(api.params.map(({ name }) => values[name]))}`;
}

function freshToOf(visible: Visible, sources: readonly string[] | undefined): string | null {
  const times = (sources ?? []).flatMap((source) => visible.commits(source).newestMs ?? []);
  return times.length === 0 ? null : new Date(Math.max(...times)).toISOString();
}

const [OPEN, CLOSE] = [Buffer.from("["), Buffer.from("]")];

/** Reads a whole answer; throws when it is cut or too large. */
async function rowsOf(stream: ReadableStream<Uint8Array>): Promise<{ data: Uint8Array; rows: number }> {
  const framed = new JsonRows();
  const chunks: Uint8Array[] = [OPEN];
  let bytes = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const chunk = framed.push(value);
    bytes += chunk.byteLength;
    if (bytes > API_LIMITS.bytesMax) {
      void reader.cancel().catch(() => undefined);
      throw tooLarge();
    }
    chunks.push(chunk);
  }
  framed.end();
  const data = Buffer.concat([...chunks, CLOSE]);
  // Bytes that are not UTF-8 would make the whole answer unreadable as JSON.
  return { data: isUtf8(data) ? data : Buffer.from(data.toString("utf8")), rows: framed.rows };
}

function tooLarge(): Refusal {
  const message = `Cannot answer: the result has more than ${API_LIMITS.bytesMax} bytes.`;
  return new Refusal(422, "query_limit", message, "Ask for less, by the API's parameters.");
}
