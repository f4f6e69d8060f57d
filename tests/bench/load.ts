/**
 * The load: HTTP/1.1 requests over plain sockets, one after another on each connection.
 *
 *     bun tests/bench/load.ts '<options as JSON>'      prints one JSON line
 *
 * A process of its own, and no HTTP client library: on two cores the sender
 * must cost as little as it can. Counts a request only when its answer is 2xx.
 *
 * @module
 */
import { readFileSync } from "node:fs";

/** What to send. */
export interface LoadOptions {
  readonly host: string;
  readonly port: number;
  /** Where events are posted. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** File of NDJSON events, cut into requests of `eventsPerRequest`; or paths that are asked for one after the other. */
  readonly file?: string;
  readonly gets?: readonly string[];
  readonly eventsPerRequest: number;
  readonly connections: number;
  readonly seconds: number;
  /** Events a second over all connections; undefined sends as fast as answers come. */
  readonly rate?: number;
}

/** What came back; latencies in milliseconds, from the first byte sent to the last byte received. */
export interface LoadResult {
  readonly events: number;
  readonly requests: number;
  readonly failed: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
}

const options = JSON.parse(process.argv[2]) as LoadOptions;
const requests = makeRequests(options);
const latencies: number[] = [];
let sent = 0;
let answered = 0;
let failed = 0;
let next = 0;

const startedMs = performance.now();
const endMs = startedMs + options.seconds * 1000;
const intervalMs = options.rate === undefined ? 0 : (options.eventsPerRequest / options.rate) * 1000;

/** The time at which the next request may go; spaces them evenly when there is a rate. */
function slot(): number {
  const at = startedMs + next * intervalMs;
  next += 1;
  return at;
}

async function connection(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let pending: Uint8Array | undefined;
  let sentAt = 0;
  let received = "";
  const send = (socket: Bun.Socket) => {
    if (performance.now() >= endMs) {
      socket.end();
      return resolve();
    }
    const waitMs = intervalMs === 0 ? 0 : slot() - performance.now();
    if (waitMs > 1) setTimeout(() => write(socket), waitMs);
    else write(socket);
  };
  const write = (socket: Bun.Socket) => {
    const request = requests[sent++ % requests.length];
    sentAt = performance.now();
    const written = socket.write(request);
    pending = written < request.length ? request.subarray(written) : undefined;
  };
  await Bun.connect({
    hostname: options.host,
    port: options.port,
    socket: {
      open: send,
      drain: (socket) => {
        if (pending === undefined) return;
        const written = socket.write(pending);
        pending = written < pending.length ? pending.subarray(written) : undefined;
      },
      data: (socket, chunk) => {
        received += chunk.toString("latin1");
        const head = received.indexOf("\r\n\r\n");
        if (head < 0) return;
        if (!isWhole(received, head)) return;
        if (received.startsWith("HTTP/1.1 2")) {
          answered += 1;
          if (latencies.length < 1_000_000) latencies.push(performance.now() - sentAt);
        } else {
          failed += 1;
          if (failed === 1) console.error(received.slice(0, 500));
        }
        received = "";
        send(socket);
      },
      close: () => resolve(),
      error: () => resolve(),
    },
  });
  return promise;
}

/** Whether an answer has come to its end, by its length or its last chunk. */
function isWhole(received: string, head: number): boolean {
  const length = /content-length: (\d+)/i.exec(received)?.[1];
  if (length !== undefined) return received.length >= head + 4 + Number(length);
  return received.endsWith("\r\n0\r\n\r\n");
}

function makeRequests({ file, gets, eventsPerRequest, path, host, headers }: LoadOptions): Uint8Array[] {
  const lines = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  if (file === undefined) return (gets ?? []).map((get) => Buffer.from(`GET ${get} HTTP/1.1\r\n${lines.join("")}\r\n`));
  const bytes = readFileSync(file);
  const made: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    let end = at;
    for (let event = 0; event < eventsPerRequest && end < bytes.length; event++) end = bytes.indexOf(0x0a, end) + 1;
    const head = `POST ${path} HTTP/1.1\r\n${lines.join("")}content-length: ${end - at}\r\n\r\n`;
    made.push(Buffer.concat([Buffer.from(head), bytes.subarray(at, end)]));
    at = end;
  }
  return made;
}

await Promise.all(Array.from({ length: options.connections }, connection));
const seconds = (performance.now() - startedMs) / 1000;
latencies.sort((a, b) => a - b);
const quantile = (q: number) => Math.round((latencies[Math.floor(latencies.length * q)] ?? 0) * 100) / 100;
const result: LoadResult = {
  events: answered * options.eventsPerRequest,
  requests: answered,
  failed,
  seconds,
  p50: quantile(0.5),
  p99: quantile(0.99),
};
console.log(JSON.stringify(result));
