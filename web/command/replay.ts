/**
 * Replay: flights sent through the ingest door, once as fast as it takes them or for ever at a rate.
 *
 *   flights ──batch──▶ POST /v1/ingest/flight ──2xx──▶ counted, next batch
 *                          ▲     └─429, 503, no answer──▶ wait longer each time ──┐      other 4xx, 5xx ──▶ ReplayFailed
 *                          └───────────── same key, same body ◀───────────────────┘
 *
 * What must hold: a batch keeps its Idempotency-Key and its bytes over all tries, so
 * nothing doubles; the rate is a ceiling: what a closed door kept waiting is not made
 * up for in a burst.
 *
 * @module
 */
import { type Flight, flightEvent } from "@weir/flights";

/** Where a running door is, and a token that may use it. */
export interface DoorAddress {
  readonly url: string;
  readonly token: string;
}

/** The door refused for good, or did not answer for `giveUpMsMax`; the message carries what it said. */
export class ReplayFailed extends Error {
  override readonly name = "ReplayFailed";
}

/** Bounds of repeating one request. */
export interface RetryLimits {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  /** How long one request is repeated in all. */
  readonly giveUpMsMax: number;
  /** How long one try may take. */
  readonly tryMsMax: number;
}

export const RETRY_LIMITS: RetryLimits = { delayMsMin: 100, delayMsMax: 5_000, giveUpMsMax: 120_000, tryMsMax: 45_000 };

/** Bounds of the endless replay: how often it sends, how much at once, and how late it may be and still catch up. */
export const PACE_LIMITS = { tickMs: 200, eventsMax: 10_000, lateMsMax: 2_000 } as const;

/** Events of one request of the replay that happens once. Changing it changes what a repeated key means. */
export const ONCE_EVENTS = 1_000;

/** What became of the events sent so far; `accepted` counts repeated batches once. */
export interface ReplayCounts {
  readonly accepted: number;
  readonly rejected: number;
}

/** When events are due: event `k` since `fromMs` at `fromMs + k / rate` seconds. */
export interface Pace {
  readonly fromMs: number;
  readonly sentCount: number;
}

/** What to send now, each event's time, and how long to wait afterwards. */
export interface PaceStep {
  readonly pace: Pace;
  readonly timesMs: readonly number[];
  readonly waitMs: number;
}

/** Decides what is due; begins anew when it is too late to catch up, or the clock went back. Rate in events/s. */
export function paceStep(pace: Pace, nowMs: number, rate: number): PaceStep {
  const { tickMs, eventsMax, lateMsMax } = PACE_LIMITS;
  const nextMs = dueMs(pace, 0, rate);
  const isLost = nowMs < pace.fromMs || nowMs - nextMs > lateMsMax;
  const { fromMs, sentCount } = isLost ? { fromMs: nowMs, sentCount: 0 } : pace;
  const dueCount = Math.floor(((nowMs - fromMs) * rate) / 1_000) + 1 - sentCount;
  const count = Math.max(0, Math.min(dueCount, eventsMax));
  const timesMs = Array.from({ length: count }, (_, k) => Math.floor(dueMs({ fromMs, sentCount }, k, rate)));
  const after = { fromMs, sentCount: sentCount + count };
  const waitMs = dueCount > count ? 0 : Math.max(tickMs, Math.ceil(dueMs(after, 0, rate) - nowMs));
  return { pace: after, timesMs, waitMs };
}

function dueMs({ fromMs, sentCount }: Pace, ahead: number, rate: number): number {
  return fromMs + ((sentCount + ahead) * 1_000) / rate;
}

/** Milliseconds before the next try: what the door asks for, else doubling; both within the limits. */
export function retryDelayMs(tries: number, limits: RetryLimits, retryAfter: string | null): number {
  const asked = retryAfter === null || retryAfter.trim() === "" ? Number.NaN : Number(retryAfter) * 1_000;
  const wanted = asked >= 0 ? Math.max(asked, limits.delayMsMin) : limits.delayMsMin * 2 ** Math.min(tries, 30);
  return Math.min(wanted, limits.delayMsMax);
}

/** One request that may be repeated as it is. */
export interface PatientRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Ends waiting between tries, not a try. */
  readonly signal?: AbortSignal;
}

/** Sends until the door answers otherwise than 429 or 503. Throws ReplayFailed for every answer but 2xx. */
export async function ask(door: DoorAddress, request: PatientRequest, limits = RETRY_LIMITS): Promise<unknown> {
  const { path, body, signal } = request;
  const headers = { ...request.headers, authorization: `Bearer ${door.token}` };
  const startedMs = performance.now();
  for (let tries = 0; ; tries++) {
    const said = await tryOnce(`${door.url}${path}`, { method: "POST", headers, body }, limits.tryMsMax);
    if (said.isOk) return said.answer;
    const delayMs = retryDelayMs(tries, limits, said.retryAfter);
    const isLate = performance.now() - startedMs + delayMs > limits.giveUpMsMax;
    if (!said.isRetriable || isLate || signal?.aborted) {
      throw new ReplayFailed(
        `Cannot ask ${path} of the door: ${said.message}${tries > 0 ? ` (tried ${tries + 1} times)` : ""}`,
      );
    }
    await pause(delayMs, signal);
  }
}

type Said =
  | { readonly isOk: true; readonly answer: unknown }
  | {
      readonly isOk: false;
      readonly isRetriable: boolean;
      readonly message: string;
      readonly retryAfter: string | null;
    };

async function tryOnce(url: string, init: RequestInit, tryMsMax: number): Promise<Said> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(tryMsMax) });
    const text = await response.text();
    if (response.ok) return { isOk: true, answer: JSON.parse(text) };
    const isRetriable = response.status === 429 || response.status === 503;
    const retryAfter = response.headers.get("retry-after");
    return { isOk: false, isRetriable, message: `${response.status}: ${messageOf(text)}`, retryAfter };
  } catch (error) {
    // No answer, a cut one or a late one: whether it was taken is unknown, which is what the key is for.
    return { isOk: false, isRetriable: true, message: (error as Error).message, retryAfter: null };
  }
}

/** What the door's error says, with its hint; else the body's beginning. */
function messageOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: string; hint?: string } };
    if (error?.message !== undefined) return `${error.message} ${error.hint ?? ""}`.trim();
  } catch {
    // Not every answer on the way here is the door's: then its text is all there is.
  }
  return text.slice(0, 300);
}

/** Waits, at most until the signal. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
  });
}

/** One batch: its key and its body, made once. */
interface Batch {
  readonly key: string;
  readonly body: string;
  /** Wait until it can be queried. */
  readonly isLast: boolean;
}

interface IngestAnswer {
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: readonly unknown[];
  readonly rejected_total?: number;
}

async function sendBatch(door: DoorAddress, { key, body, isLast }: Batch, signal: AbortSignal): Promise<ReplayCounts> {
  const path = `/v1/ingest/flight${isLast ? "?wait=1" : ""}`;
  const headers = { "content-type": "application/x-ndjson", "idempotency-key": key };
  const answer = (await ask(door, { path, headers, body, signal })) as IngestAnswer;
  const { accepted, duplicates, rejected, rejected_total } = answer;
  return { accepted: accepted + duplicates, rejected: rejected_total ?? rejected.length };
}

function add(a: ReplayCounts, b: ReplayCounts): ReplayCounts {
  return { accepted: a.accepted + b.accepted, rejected: a.rejected + b.rejected };
}

/** How the replay that happens once is watched and ended. */
export interface OnceOptions {
  readonly signal: AbortSignal;
  readonly onSent?: (counts: ReplayCounts) => void;
}

/**
 * Sends all flights once with their own times, as loop 0. Keys follow from the flights' numbers: a replay that was
 * killed can be repeated on the same data and sends nothing twice, for as long as the log keeps keys (a day).
 */
export async function replayOnce(
  door: DoorAddress,
  flights: readonly Flight[],
  options: OnceOptions,
): Promise<ReplayCounts> {
  let counts: ReplayCounts = { accepted: 0, rejected: 0 };
  for (let from = 0; from < flights.length && !options.signal.aborted; from += ONCE_EVENTS) {
    const some = flights.slice(from, from + ONCE_EVENTS);
    const lines = some.map((flight, i) =>
      JSON.stringify(flightEvent(flight, { loop: 0, number: from + i + 1, shiftMs: 0 })),
    );
    const isLast = from + ONCE_EVENTS >= flights.length;
    const batch = { key: `flights-once-${from + 1}-${from + some.length}`, body: lines.join("\n"), isLast };
    counts = add(counts, await sendBatch(door, batch, options.signal));
    options.onSent?.(counts);
  }
  return counts;
}

/** How the endless replay runs, is watched and ended. */
export interface EndlessOptions extends OnceOptions {
  /** Events a second. */
  readonly rate: number;
  /** The first loop's number. */
  readonly loop: number;
  /** Makes keys differ from those of any other replay. */
  readonly runId: string;
}

/** Sends the flights over and over, each leaving at the time at which it is sent, until the signal. */
export async function replayEndless(
  door: DoorAddress,
  flights: readonly Flight[],
  options: EndlessOptions,
): Promise<ReplayCounts> {
  const { signal, rate, runId } = options;
  let counts: ReplayCounts = { accepted: 0, rejected: 0 };
  let pace: Pace = { fromMs: Date.now(), sentCount: 0 };
  for (let sent = 0, batches = 0; !signal.aborted; batches++) {
    const step = paceStep(pace, Date.now(), rate);
    pace = step.pace;
    if (step.timesMs.length > 0) {
      const body = step.timesMs
        .map((timeMs, i) => lineAt(flights, { at: sent + i, loop: options.loop, timeMs }))
        .join("\n");
      sent += step.timesMs.length;
      counts = add(counts, await sendBatch(door, { key: `flights-${runId}-${batches}`, body, isLast: false }, signal));
      options.onSent?.(counts);
    }
    await pause(step.waitMs, signal);
  }
  return counts;
}

function lineAt(
  flights: readonly Flight[],
  { at, loop, timeMs }: { at: number; loop: number; timeMs: number },
): string {
  const flight = flights[at % flights.length];
  const replayed = {
    loop: loop + Math.floor(at / flights.length),
    number: (at % flights.length) + 1,
    shiftMs: timeMs - flight.departedMs,
  };
  return JSON.stringify(flightEvent(flight, replayed));
}
