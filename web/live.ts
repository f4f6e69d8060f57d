/**
 * Live answers: a stream of results for everybody who watches, one query for all of them.
 *
 *   Visible ──commit──▶ channel (api, values) ──at most every 200 ms──▶ Answers ──changed?──▶ every subscriber
 *
 *   quiet ──commit──▶ due ──time──▶ looking ──▶ quiet
 *                      ▲               └──commit meanwhile──▶ due
 *                      └──failed: again in 1 s, 2 s … 10 s──┘
 *
 * What must hold: a thousand subscribers cost one query a change, a thousand
 * small commits one query each 200 ms; the same bytes are not sent twice in a
 * row; a subscriber that reads slowly holds one result, the newest.
 *
 * @module
 */
import type { Visible } from "@weir/actors";
import type { ParamValues } from "@weir/sql";
import { type Answers, type ApiAnswer, answerKey } from "./api/answers.ts";
import type { Apis, PublishedApi } from "./api/published.ts";
import { Subscriber } from "./api/subscriber.ts";
import { Refusal, refusalOfError } from "./errors.ts";

/** Bounds of live answers. */
export const LIVE_LIMITS = {
  subscribersMax: 5_000,
  /** Different (api, parameters) that are watched. */
  channelsMax: 1_000,
  /** A channel looks at most this often. */
  everyMs: 200,
  /** How often a channel looks whose sources are unknown, or that asks for the time. */
  unknownEveryMs: 5_000,
  heartbeatMs: 15_000,
  retryMsMin: 1_000,
  retryMsMax: 10_000,
} as const;

/** Time, as channels need it. */
export interface Clock {
  readonly nowMs: () => number;
  /** Calls `run` after `ms`; answers how to take that back. */
  readonly after: (ms: number, run: () => void) => () => void;
}

const CLOCK: Clock = {
  nowMs: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

/** What live answers are made of. */
export interface LiveParts {
  readonly answers: Pick<Answers, "get">;
  readonly apis: Pick<Apis, "get">;
  readonly visible: Pick<Visible, "listen">;
  /** Aborted when the door begins to close. */
  readonly closing?: AbortSignal | undefined;
  readonly clock?: Clock;
}

/** Who watches. */
export interface Client {
  /** The id of the last event that it has. */
  readonly lastId?: string | undefined;
  /** Aborted when it is gone. */
  readonly left?: AbortSignal;
  /** Calls `end` when it may watch no more, at once if it may not now; answers how to take that back. */
  readonly ends?: (end: () => void) => () => void;
}

/** One result as it is sent. */
interface Result {
  readonly id: string;
  readonly data: Uint8Array;
  readonly event: Uint8Array;
}

interface Channel {
  readonly key: string;
  readonly published: PublishedApi;
  readonly values: ParamValues;
  readonly subscribers: Set<Subscriber>;
  result: Result | undefined;
  lookedAtMs: number;
  isLooking: boolean;
  /** Something was committed since the look that is under way began. */
  isDue: boolean;
  /** Pause before the next try; 0 while nothing fails. */
  retryMs: number;
  /** Takes the planned look back. */
  unplan: (() => void) | undefined;
}

const ENCODER = new TextEncoder();
/** Tells a browser how soon to come again when the connection ends. */
const RETRY = ENCODER.encode(`retry: ${LIVE_LIMITS.retryMsMin}\n\n`);
const HEARTBEAT = ENCODER.encode(": still here\n\n");

/** The live answers of one door. */
export class Live {
  readonly #parts: LiveParts;
  readonly #clock: Clock;
  readonly #channels = new Map<string, Channel>();
  #subscribers = 0;
  #isBeating = false;
  #unlisten: (() => void) | undefined;

  constructor(parts: LiveParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? CLOCK;
    parts.closing?.addEventListener("abort", () => this.#close(), { once: true });
  }

  /** How many watch, and how many different results. */
  get size(): { readonly subscribers: number; readonly channels: number } {
    return { subscribers: this.#subscribers, channels: this.#channels.size };
  }

  /** Opens a stream of events: the present result unless the client has it, then every other one. Throws a Refusal. */
  async open(published: PublishedApi, values: ParamValues, client: Client = {}): Promise<ReadableStream<Uint8Array>> {
    const channel = this.#join(published, values);
    let unwatch: (() => void) | undefined;
    const subscriber = new Subscriber(() => {
      unwatch?.();
      this.#leave(channel, subscriber);
    });
    client.left?.addEventListener("abort", () => subscriber.end(), { once: true });
    channel.subscribers.add(subscriber);
    this.#subscribers += 1;
    this.#beat();
    unwatch = client.ends?.(() => subscriber.end());
    try {
      const result = channel.result ?? (await this.#first(channel));
      subscriber.begin(result.id === client.lastId ? RETRY : joined(RETRY, result.event));
    } catch (error) {
      subscriber.end();
      throw refusalOfError(error);
    }
    return subscriber.stream;
  }

  #join(published: PublishedApi, values: ParamValues): Channel {
    if (this.#parts.closing?.aborted === true) {
      throw new Refusal(503, "closing", "Cannot watch: the door is closing.", "Come again in some seconds.");
    }
    if (this.#subscribers >= LIVE_LIMITS.subscribersMax) throw full("subscribers", LIVE_LIMITS.subscribersMax);
    const key = answerKey(published, values);
    const known = this.#channels.get(key);
    if (known?.published === published) return known;
    if (known !== undefined) this.#drop(known);
    if (this.#channels.size >= LIVE_LIMITS.channelsMax) throw full("different results", LIVE_LIMITS.channelsMax);
    const channel: Channel = {
      ...{ key, published, values, subscribers: new Set(), result: undefined, lookedAtMs: Number.NEGATIVE_INFINITY },
      ...{ isLooking: false, isDue: false, retryMs: 0, unplan: undefined },
    };
    this.#channels.set(key, channel);
    this.#unlisten ??= this.#parts.visible.listen((table) => this.#committed(table));
    return channel;
  }

  #leave(channel: Channel, subscriber: Subscriber): void {
    if (!channel.subscribers.delete(subscriber)) return;
    this.#subscribers -= 1;
    if (channel.subscribers.size === 0) this.#drop(channel);
  }

  /** Ends a channel and whoever still watches it: they come again, and find what is published then. */
  #drop(channel: Channel): void {
    channel.unplan?.();
    channel.unplan = undefined;
    if (this.#channels.get(channel.key) === channel) this.#channels.delete(channel.key);
    for (const subscriber of [...channel.subscribers]) subscriber.end();
    if (this.#channels.size > 0) return;
    this.#unlisten?.();
    this.#unlisten = undefined;
  }

  #committed(table: string): void {
    for (const channel of this.#channels.values()) {
      if (channel.published.sources?.includes(table) === true) this.#due(channel);
    }
  }

  /** Plans a look as soon as the channel's pace allows. */
  #due(channel: Channel): void {
    // A look that is planned because time goes by is brought forward.
    const isPlanned = channel.isDue && channel.unplan !== undefined;
    channel.isDue = true;
    if (channel.isLooking || isPlanned || channel.result === undefined) return;
    const pace = Math.max(LIVE_LIMITS.everyMs, channel.retryMs);
    this.#plan(channel, Math.max(0, channel.lookedAtMs + pace - this.#clock.nowMs()));
  }

  #plan(channel: Channel, ms: number): void {
    channel.unplan?.();
    channel.unplan = this.#clock.after(ms, () => {
      channel.unplan = undefined;
      void this.#look(channel);
    });
  }

  /** The first result. All who wait for it share the query, because the answers do. */
  async #first(channel: Channel): Promise<Result> {
    channel.isDue = false;
    channel.lookedAtMs = this.#clock.nowMs();
    const { answer } = await this.#parts.answers.get(channel.published, channel.values);
    const isFirst = channel.result === undefined;
    channel.result ??= resultOf(answer);
    if (isFirst) this.#goOn(channel);
    return channel.result;
  }

  async #look(channel: Channel): Promise<void> {
    if (this.#channels.get(channel.key) !== channel) return;
    if (this.#parts.apis.get(channel.published.api.id) !== channel.published) return this.#drop(channel);
    channel.isLooking = true;
    channel.isDue = false;
    channel.lookedAtMs = this.#clock.nowMs();
    try {
      const { answer } = await this.#parts.answers.get(channel.published, channel.values);
      const isBack = channel.retryMs > 0;
      channel.retryMs = 0;
      const isSame = channel.result !== undefined && Buffer.compare(channel.result.data, answer.data) === 0;
      if (!isSame) channel.result = resultOf(answer);
      // Whoever was told of a failure is told that it is over.
      if (!isSame || isBack) this.#give(channel, channel.result!.event);
    } catch (error) {
      // The first failure in a row is told; watching goes on.
      if (channel.retryMs === 0) this.#give(channel, failureEvent(refusalOfError(error)));
      channel.retryMs = Math.min(LIVE_LIMITS.retryMsMax, Math.max(LIVE_LIMITS.retryMsMin, channel.retryMs * 2));
      channel.isDue = true;
    } finally {
      channel.isLooking = false;
      this.#goOn(channel);
    }
  }

  #goOn(channel: Channel): void {
    if (this.#channels.get(channel.key) !== channel) return;
    if (channel.isDue) this.#due(channel);
    else if (changesByItself(channel.published)) this.#plan(channel, LIVE_LIMITS.unknownEveryMs);
  }

  #give(channel: Channel, event: Uint8Array): void {
    for (const subscriber of channel.subscribers) subscriber.give(event);
  }

  /** Keeps idle connections open, and ends channels whose API is no longer what it was. */
  #beat(): void {
    if (this.#isBeating) return;
    this.#isBeating = true;
    this.#clock.after(LIVE_LIMITS.heartbeatMs, () => {
      this.#isBeating = false;
      for (const channel of [...this.#channels.values()]) {
        if (this.#parts.apis.get(channel.published.api.id) !== channel.published) this.#drop(channel);
        else for (const subscriber of channel.subscribers) subscriber.offer(HEARTBEAT);
      }
      if (this.#subscribers > 0) this.#beat();
    });
  }

  #close(): void {
    for (const channel of [...this.#channels.values()]) this.#drop(channel);
  }
}

const changesByItself = ({ api, sources }: PublishedApi) => sources === undefined || api.asksClock;

function full(what: string, most: number): Refusal {
  const hint = "Ask /v1/api/<id> now and then instead, or try again later.";
  return new Refusal(503, "too_many_subscribers", `Cannot watch: ${most} ${what} are watched already.`, hint);
}

/** https://html.spec.whatwg.org/multipage/server-sent-events.html; the engine writes no line break inside a value. */
function resultOf({ data, rows, freshTo }: ApiAnswer): Result {
  const id = Bun.hash(data).toString(36);
  const meta = JSON.stringify({ rows, fresh_to: freshTo });
  const event = Buffer.concat([
    Buffer.from(`id: ${id}\nevent: result\ndata: {"data":`),
    data,
    Buffer.from(`,"meta":${meta}}\n\n`),
  ]);
  return { id, data, event };
}

function failureEvent({ body }: Refusal): Uint8Array {
  return ENCODER.encode(`event: failure\ndata: ${JSON.stringify({ error: body })}\n\n`);
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  return Buffer.concat([first, second]);
}
