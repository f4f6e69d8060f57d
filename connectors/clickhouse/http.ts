/**
 * One HTTP exchange with ClickHouse, on `node:http`.
 *
 * Not `fetch`: Bun's loses the end of an answer that ClickHouse cuts in the
 * middle. Not `@clickhouse/client`: it puts an insert's statement into the URL
 * (1 MiB at most) and took 3.2 ms instead of 1.7 ms for a small insert. Here
 * statement and rows are one body, with its length, as a stream.
 *
 * @module
 */
import { Agent, type IncomingMessage, request as requestHttp } from "node:http";
import { Agent as AgentTls, request as requestHttps } from "node:https";
import { Readable } from "node:stream";
import { WarehouseFailed } from "../warehouse.ts";
import type { Credentials } from "./connection.ts";

/** One request. */
export interface Exchange {
  readonly credentials: Credentials;
  /** Settings and parameters of the URL. */
  readonly search: Readonly<Record<string, string | number>>;
  readonly body: readonly Uint8Array[];
  /** Until the answer's head. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Keeps connections to one ClickHouse. */
export interface Transport {
  /** Resolves with the answer's head; rejects with the error of `node:http` or a WarehouseFailed. */
  readonly send: (exchange: Exchange) => Promise<IncomingMessage>;
  /** Whether `/ping` answers. */
  readonly ping: (timeoutMs: number) => Promise<boolean>;
  readonly close: () => void;
}

/** Connections at once; more requests wait. */
const SOCKETS_MAX = 64;
/** Idle connections are given up before the server does so (60 s embedded, 10 s or more elsewhere): no lost race. */
const IDLE_MS_MAX = 5_000;

/** Makes the connections to `url`, `http(s)://host:port/path`. */
export function makeTransport(url: string): Transport {
  const secure = url.startsWith("https:");
  const options = { keepAlive: true, maxSockets: SOCKETS_MAX, timeout: IDLE_MS_MAX };
  const agent = secure ? new AgentTls(options) : new Agent(options);
  const open = secure ? requestHttps : requestHttp;

  const send = (exchange: Exchange) => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const { user, password } = exchange.credentials;
    const request = open(`${url}/?${searchOf(exchange.search)}`, {
      method: "POST",
      agent,
      headers: {
        authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
        "content-length": exchange.body.reduce((sum, part) => sum + part.byteLength, 0),
        "content-type": "application/octet-stream",
      },
    });
    request.on("error", reject);
    request.on("response", resolve);
    Readable.from(exchange.body, { objectMode: false }).pipe(request);
    return promise.finally(watched(request, exchange));
  };

  const ping = (timeoutMs: number) => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const request = open(`${url}/ping`, { agent }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer.statusCode === 200));
      answer.on("error", () => resolve(false));
    });
    const clock = setTimeout(() => request.destroy(), timeoutMs);
    request.on("error", () => resolve(false));
    request.on("close", () => resolve(false));
    request.end();
    return promise.finally(() => clearTimeout(clock));
  };

  return { send, ping, close: () => agent.destroy() };
}

/** Breaks an exchange off when it is late or not wanted any more, until the returned function is called. */
function watched(
  exchange: { readonly destroy: (error: Error) => unknown },
  { timeoutMs, signal }: Pick<Exchange, "timeoutMs" | "signal">,
): () => void {
  const give = () => exchange.destroy(Object.assign(new Error("aborted"), { code: "ABORTED" }));
  const clock = setTimeout(() => exchange.destroy(timedOut(timeoutMs)), timeoutMs);
  signal?.addEventListener("abort", give, { once: true });
  if (signal?.aborted) give();
  return () => {
    clearTimeout(clock);
    signal?.removeEventListener("abort", give);
  };
}

function timedOut(timeoutMs: number): WarehouseFailed {
  const message = `Cannot read ClickHouse's answer: none came within ${timeoutMs} ms.`;
  return new WarehouseFailed({ outcome: "unknown", code: 0, message });
}

function searchOf(search: Exchange["search"]): string {
  return new URLSearchParams(
    Object.entries(search).map(([name, value]): [string, string] => [name, String(value)]),
  ).toString();
}

/** Reads an answer whole; rejects when it is cut, late, not wanted any more, or holds more than `bytesMax`. */
export async function readWhole(
  answer: IncomingMessage,
  { bytesMax, timeoutMs, signal }: { bytesMax: number } & Pick<Exchange, "timeoutMs" | "signal">,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  const settle = watched(answer, { timeoutMs, signal });
  try {
    for await (const part of answer as AsyncIterable<Buffer>) {
      bytes += part.byteLength;
      if (bytes > bytesMax) {
        answer.destroy();
        const message = `Cannot read the answer: it is larger than ${bytesMax} bytes. Ask for less, or stream it.`;
        throw new WarehouseFailed({ outcome: "refused", code: 0, message });
      }
      parts.push(part);
    }
  } finally {
    settle();
  }
  if (!answer.complete) throw Object.assign(new Error("cut"), { code: "CUT" });
  return Buffer.concat(parts);
}
