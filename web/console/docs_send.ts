/**
 * Sending what the page's fields say: one answer, or a stream whose newest event is shown until it is stopped.
 *
 *   sending ──body──▶ answered        sending ──event──▶ streaming ──stop──▶ answered
 *      └──no connection──▶ away
 *
 * @module
 */
import { useCallback, useEffect, useRef, useState } from "react";
import type { Request } from "./docs_document.ts";
import { EventCutter } from "./sse.ts";

/** Characters of an answer that the page takes. */
export const SHOWN_CHARS_MAX = 200_000;

/** What came of a request. */
export interface Sent {
  readonly kind: "sending" | "streaming" | "answered" | "away";
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly isCut: boolean;
  /** Events of a stream so far. */
  readonly events: number;
  readonly elapsedMs: number;
}

const NOTHING: Sent = { kind: "sending", status: 0, type: "", body: "", isCut: false, events: 0, elapsedMs: 0 };

/** The newest request's answer, and how to send and stop one. */
export function useSend(token: string) {
  const [sent, setSent] = useState<Sent>();
  const current = useRef<AbortController>(undefined);
  const stop = useCallback(() => current.current?.abort(), []);
  const send = useCallback(
    (request: Request) => {
      stop();
      const own = new AbortController();
      current.current = own;
      const tell = (told: Sent) => {
        if (current.current === own) setSent(told);
      };
      void sendOne(request, { token, signal: own.signal, tell });
    },
    [stop, token],
  );
  useEffect(() => stop, [stop]);
  return { sent, send, stop };
}

interface Sending {
  readonly token: string;
  readonly signal: AbortSignal;
  readonly tell: (sent: Sent) => void;
}

async function sendOne({ path, method, headers, body }: Request, { token, signal, tell }: Sending): Promise<void> {
  const startedAt = performance.now();
  let sent = NOTHING;
  const update = (more: Partial<Sent>) => {
    sent = { ...sent, ...more };
    tell(sent);
  };
  update({});
  try {
    const own = { ...headers, authorization: `Bearer ${token}` };
    const answer = await fetch(path, {
      method,
      headers: own,
      signal,
      cache: "no-store",
      ...(body === undefined ? {} : { body }),
    });
    const type = answer.headers.get("content-type") ?? "";
    update({ status: answer.status, type, elapsedMs: performance.now() - startedAt });
    const cutter = new EventCutter();
    for await (const text of textsOf(answer)) {
      if (type.startsWith("text/event-stream")) {
        const events = [...cutter.push(text)];
        if (events.length > 0)
          update({ kind: "streaming", body: events.at(-1)!.data, events: sent.events + events.length });
        continue;
      }
      sent = { ...sent, body: sent.body + text.slice(0, SHOWN_CHARS_MAX - sent.body.length) };
      if (sent.body.length < SHOWN_CHARS_MAX) continue;
      sent = { ...sent, isCut: true };
      break;
    }
    update({ kind: "answered", elapsedMs: performance.now() - startedAt });
  } catch {
    // Stopped by hand, or the connection broke.
    update({ kind: signal.aborted ? "answered" : "away" });
  }
}

/** The body as text, chunk by chunk; what is left is cancelled when nobody reads on. */
async function* textsOf({ body }: Response) {
  if (body === null) return;
  const reader = body.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield decoder.decode(value, { stream: true });
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}
