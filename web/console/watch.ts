/**
 * Watching an API: its result now, and again whenever it changes.
 *
 *   connecting ──result──▶ live ──cut──▶ away ──pause, longer each time──▶ connecting
 *        └── 401, 403 ──▶ refused       └── 404, 400 ──▶ missing (looked for again, rarely)
 *
 * A fetch rather than an EventSource: the token goes in a header. While the tab
 * is hidden the stream is closed, because a browser keeps only six connections to a door.
 *
 * @module
 */
import { EventCutter } from "./sse.ts";

/** Rows of an API and how new they are. */
export interface Result<Row> {
  readonly data: readonly Row[];
  readonly meta: { readonly rows: number; readonly fresh_to: string | null };
}

/** What is told of a watched API. */
export type Watched<Row> =
  | { readonly kind: "connecting" }
  | { readonly kind: "live"; readonly result: Result<Row> }
  /** The token is not good enough. */
  | { readonly kind: "refused"; readonly status: number }
  /** The door answers, but not with this. */
  | { readonly kind: "missing"; readonly message: string; readonly hint: string }
  /** No answer; the next try is at `againAtMs`. */
  | { readonly kind: "away"; readonly againAtMs: number };

/** Pauses between tries, in milliseconds: doubled from the first to the last. */
export const PAUSE_MS = { from: 500, upTo: 15_000 } as const;
const MISSING_PAUSE_MS = 10_000;
/** Without any byte for so long, heartbeats included, a connection is dead. */
const SILENT_MS_MAX = 40_000;

/** The pause before a try, spread so that many tabs do not come at once. */
export function pauseMs(failures: number, random: number): number {
  const whole = Math.min(PAUSE_MS.upTo, PAUSE_MS.from * 2 ** Math.min(failures, 10));
  return Math.round(whole * (0.5 + random / 2));
}

/** What is watched, and who hears of it. */
export interface Watch<Row> {
  readonly path: string;
  readonly token: string;
  readonly tell: (watched: Watched<Row>) => void;
  /** Aborted when nobody watches any more. */
  readonly signal: AbortSignal;
}

/** Watches until the signal is aborted or the token is refused. */
export async function watch<Row>({ path, token, tell, signal }: Watch<Row>): Promise<void> {
  let lastId = "";
  for (let failures = 0; !signal.aborted; ) {
    await shown(signal);
    if (signal.aborted) return;
    const connection = connectionOf(signal);
    try {
      const headers = { authorization: `Bearer ${token}`, ...(lastId === "" ? {} : { "last-event-id": lastId }) };
      const answer = await fetch(path, { headers, signal: connection.signal, cache: "no-store" });
      if (answer.status === 401 || answer.status === 403) return tell({ kind: "refused", status: answer.status });
      if (!answer.ok && answer.status < 500) {
        tell({ kind: "missing", ...(await problemOf(answer)) });
        await pause(MISSING_PAUSE_MS, signal);
        continue;
      }
      if (answer.ok && answer.body !== null) {
        for await (const { kind, id, data } of eventsOf(answer.body, connection.beat)) {
          failures = 0;
          if (kind === "result") {
            lastId = id;
            tell({ kind: "live", result: JSON.parse(data) as Result<Row> });
          } else if (kind === "failure") tell({ kind: "missing", ...(JSON.parse(data) as Problem).error });
        }
      }
    } catch {
      // However it broke, the answer is to come again.
    } finally {
      connection.end();
    }
    if (signal.aborted || document.hidden) continue;
    const ms = pauseMs(failures++, Math.random());
    tell({ kind: "away", againAtMs: Date.now() + ms });
    // What was there is shown again once there is a new result.
    lastId = "";
    await pause(ms, signal);
  }
}

interface Problem {
  readonly error: { readonly message: string; readonly hint: string };
}

async function problemOf(answer: Response): Promise<Problem["error"]> {
  try {
    return ((await answer.json()) as Problem).error;
  } catch {
    // Something between here and the door answered.
    return { message: `The door answered ${answer.status}.`, hint: "Look at its log." };
  }
}

/** A signal for one connection: it ends with the watch, when the tab is hidden, and when nothing is heard for long. */
function connectionOf(signal: AbortSignal) {
  const own = new AbortController();
  const abort = () => own.abort();
  const hidden = () => document.hidden && own.abort();
  let silence = setTimeout(abort, SILENT_MS_MAX);
  signal.addEventListener("abort", abort, { once: true });
  document.addEventListener("visibilitychange", hidden);
  return {
    signal: own.signal,
    beat: () => {
      clearTimeout(silence);
      silence = setTimeout(abort, SILENT_MS_MAX);
    },
    end: () => {
      clearTimeout(silence);
      signal.removeEventListener("abort", abort);
      document.removeEventListener("visibilitychange", hidden);
      own.abort();
    },
  };
}

async function* eventsOf(body: ReadableStream<Uint8Array>, beat: () => void) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const cutter = new EventCutter();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    beat();
    yield* cutter.push(decoder.decode(value, { stream: true }));
  }
}

/** Resolves after `ms`, at once when the signal is aborted or the browser is online again. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
    addEventListener("online", done, { once: true });
  });
}

/** Resolves when the tab is shown. */
function shown(signal: AbortSignal): Promise<void> {
  if (!document.hidden || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", look);
      signal.removeEventListener("abort", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look);
  });
}
