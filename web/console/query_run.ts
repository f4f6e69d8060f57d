/**
 * One run of a statement: sent, read while it arrives, stopped when that is asked for.
 *
 *   running ──last row──▶ done
 *      ├──bound of the page──▶ capped (the door's query is stopped)
 *      ├──stop──▶ stopped
 *      └──refused · cut──▶ failed
 *
 * @module
 */
import { type Column, CompactRows, type Row } from "./compact_rows.ts";
import type { Place } from "./place.ts";

/** What the door says is wrong. */
export interface Problem {
  readonly message: string;
  readonly hint: string;
  readonly at: Place | string | null;
}

/** How far a run is. */
export interface Progress {
  readonly columns: readonly Column[];
  /** Grows while the run goes on; `count` says how many there are now. */
  readonly rows: readonly Row[];
  readonly count: number;
  readonly bytes: number;
  readonly elapsedMs: number;
}

/** A run as the page shows it. */
export type Run =
  | ({ readonly kind: "running" | "done" | "capped" | "stopped" } & Progress)
  | ({ readonly kind: "failed"; readonly problem: Problem; readonly status: number } & Progress);

/** What is run, and who hears of it. */
export interface Running {
  readonly sql: string;
  readonly token: string;
  /** A new UUID: what the query can be stopped by. */
  readonly id: string;
  readonly tell: (run: Run) => void;
  /** Aborted to stop. */
  readonly signal: AbortSignal;
}

/** How often a page that shows progress is drawn anew, in milliseconds. */
const TELL_EVERY_MS = 100;

/** Runs a statement and tells of it until it has ended. */
export async function runSql({ sql, token, id, tell, signal }: Running): Promise<void> {
  const startedAt = performance.now();
  const answer = new CompactRows();
  let bytes = 0;
  const progress = (): Progress => {
    const { columns, rows } = answer;
    return { columns, rows, count: rows.length, bytes, elapsedMs: performance.now() - startedAt };
  };
  tell({ kind: "running", ...progress() });
  const headers = { authorization: `Bearer ${token}`, "content-type": "text/plain", "x-weir-query-id": id };
  const beat = setInterval(() => tell({ kind: "running", ...progress() }), TELL_EVERY_MS);
  try {
    const response = await fetch("/v1/sql?format=compact", { method: "POST", headers, body: sql, signal });
    if (!response.ok) {
      tell({ kind: "failed", status: response.status, problem: await problemOf(response), ...progress() });
      return;
    }
    const reader = response.body!.getReader();
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.byteLength;
      answer.push(decoder.decode(value, { stream: true }));
      if (!answer.isFull) continue;
      void reader.cancel();
      void stopSql({ token, id });
      tell({ kind: "capped", ...progress() });
      return;
    }
    tell({ kind: "done", ...progress() });
  } catch {
    if (signal.aborted) tell({ kind: "stopped", ...progress() });
    else tell({ kind: "failed", status: 0, problem: answer.columns.length === 0 ? AWAY : CUT, ...progress() });
  } finally {
    clearInterval(beat);
  }
}

const AWAY: Problem = {
  message: "The door does not answer.",
  hint: "Run it again when the door is there.",
  at: null,
};
/** The door never lets half an answer look whole: it cuts the connection. */
const CUT: Problem = {
  message: "The answer was cut in its middle: what is shown is not all.",
  hint: "The query failed on a later row or went beyond its bounds. Ask for less, or run it again.",
  at: null,
};

/** Tells the door to stop a query; it may have ended by itself. `isLeaving`: the page goes away meanwhile. */
export async function stopSql({ token, id, isLeaving = false }: { token: string; id: string; isLeaving?: boolean }) {
  const headers = { authorization: `Bearer ${token}` };
  // The door stops what nobody reads, too; this is only sooner.
  await fetch(`/v1/sql/${id}`, { method: "DELETE", headers, keepalive: isLeaving }).catch(() => undefined);
}

/** What a refused request says. */
export async function problemOf(answer: Response): Promise<Problem> {
  try {
    const { error } = (await answer.json()) as { error: Problem };
    return error;
  } catch {
    // Something between here and the door answered.
    return { message: `The door answered ${answer.status}.`, hint: "Look at its log.", at: null };
  }
}

/** A new random UUID (RFC 9562, version 4); `crypto.randomUUID` is not there over plain HTTP. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
