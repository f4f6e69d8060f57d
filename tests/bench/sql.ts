/**
 * `bench sql`: what the door adds to ClickHouse for people who ask.
 *
 *   5 million flights through /v1/sql against ClickHouse's own HTTP, the same SELECT and format, in turns
 *   a reader's first query against its repetition: what the judgement costs
 *   `weir init`, then `bun test` in the new project: how long until the first test has passed
 *
 * @module
 */
import { join } from "node:path";
import { type DoorProcess, startProcess, until } from "../door_process.ts";
import { engineOf, load, median, quantile, settled, sourceOnly, storedRows, writeFlights } from "./flights_load.ts";
import type { Figure, How } from "./main.ts";

const ROWS_MIN = 5_000_000;
const SELECT = "SELECT flight_id, departed_at, origin, destination, distance, delay FROM ods.flight";
const QUERIES = 200;
const MEMORY_EVERY_MS = 20;
const MAIN = new URL("../../web/main.ts", import.meta.url).pathname;

interface Run {
  readonly door: DoorProcess;
  readonly dataDir: string;
  /** Rows in ods.flight. */
  readonly rows: number;
  readonly add: (figure: Figure) => void;
}

/** Runs the whole bench. */
export async function sql({ dir, say, add }: How): Promise<void> {
  await firstTest(dir, add);
  say("preparing 3000000 flights");
  const file = await writeFlights(dir);
  const dataDir = join(dir, "data");
  const projectDir = sourceOnly(dir);
  say(`sending ${ROWS_MIN} flights`);
  const rows = await filled({ dataDir, projectDir, file });
  const door = await startProcess({ dataDir });
  try {
    const run: Run = { door, dataDir, rows, add };
    await streaming(run);
    await judging(run);
  } finally {
    await door.stop();
  }
}

/** A data directory with enough flights, all of them in their table; by a process of its own, whose memory does not count. */
async function filled({ file, ...on }: { dataDir: string; projectDir: string; file: string }): Promise<number> {
  const door = await startProcess(on);
  let sent = 0;
  while (sent < ROWS_MIN)
    sent += (await load(door, { file, eventsPerRequest: 1_000, connections: 16, seconds: 5 })).events;
  const rows = await until("landing", () => storedRows(door), { holds: (all) => all >= sent, withinMs: 300_000 });
  await settled(door);
  await door.stop();
  return rows;
}

/** The same rows from the door and from ClickHouse, in turns. */
async function streaming({ door, dataDir, rows, add }: Run): Promise<void> {
  const engine = engineOf(door, dataDir);
  const { hostname, port } = new URL(door.url);
  const own = {
    host: hostname,
    port: Number(port),
    path: "/v1/sql?format=ndjson",
    headers: { authorization: `Bearer ${door.token}` },
  };
  // What the door asks for, so that both write the same bytes.
  const settings =
    "output_format_json_quote_64bit_integers=1&output_format_json_quote_decimals=1&date_time_output_format=iso";
  const raw = { ...engine, path: `/?default_format=JSONEachRow&${settings}` };
  const sizes = { own: await counted(own), raw: await counted(raw) };
  if (sizes.own.rows !== rows || sizes.own.bytes !== sizes.raw.bytes)
    throw new Error(`Of ${rows} rows came ${JSON.stringify(sizes)}`);
  const rates: { readonly raw: number; readonly own: number; readonly grown: number }[] = [];
  for (let time = 0; time < 7; time++) {
    const rawSeconds = await drain(raw);
    const before = door.memoryMiB();
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, door.memoryMiB());
    }, MEMORY_EVERY_MS);
    const ownSeconds = await drain(own);
    clearInterval(watch);
    rates.push({ raw: rows / rawSeconds, own: rows / ownSeconds, grown: most - before });
  }
  const value = (of: (rate: (typeof rates)[number]) => number) => median(rates.map(of));
  add({
    name: `${rows} rows from ClickHouse's own HTTP, NDJSON`,
    value: Math.round(value((rate) => rate.raw)),
    unit: "rows/s",
  });
  add({ name: `${rows} rows from /v1/sql, NDJSON`, value: Math.round(value((rate) => rate.own)), unit: "rows/s" });
  const ratio =
    Math.round(
      quantile(
        rates.map((rate) => (rate.own / rate.raw) * 100),
        0.5,
      ),
    ) / 100;
  add({ name: "  of ClickHouse's own", value: ratio, unit: "", target: { value: 0.8, is: "at least" } });
  const grown = Math.max(...rates.map((rate) => rate.grown));
  add({
    name: "  memory that the door takes for it, at most",
    value: grown,
    unit: "MiB",
    target: { value: 100, is: "at most" },
  });
  add({ name: "  memory of the door's process afterwards", value: door.memoryMiB(), unit: "MiB" });
}

interface Asked {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Reads the answer to its end over a plain socket, and no more than that: what is measured is the server. Seconds. */
async function drain({ host, port, path, headers }: Asked): Promise<number> {
  const { promise: closed, resolve, reject } = Promise.withResolvers<void>();
  const all = { ...headers, host, "content-length": SELECT.length, connection: "close" };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  let head = "";
  let tail = "";
  const startedMs = performance.now();
  await Bun.connect({
    hostname: host,
    port,
    socket: {
      open: (socket) => void socket.write(`POST ${path} HTTP/1.1\r\n${lines.join("")}\r\n${SELECT}`),
      data: (_, bytes) => {
        if (head === "") head = bytes.toString("latin1", 0, 100);
        tail = bytes.toString("latin1", Math.max(0, bytes.length - 5));
      },
      close: () => resolve(),
      error: (_, error) => reject(error),
    },
  });
  await closed;
  const seconds = (performance.now() - startedMs) / 1000;
  if (head.startsWith("HTTP/1.1 200") && tail.endsWith("0\r\n\r\n")) return seconds;
  throw new Error(`The answer is not whole: ${head}`);
}

/** Bytes and rows of the answer. */
async function counted({ host, port, path, headers }: Asked) {
  const answer = await fetch(`http://${host}:${port}${path}`, { method: "POST", headers, body: SELECT });
  let [bytes, rows] = [0, 0];
  for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) rows += 1;
  }
  return { bytes, rows };
}

/** A reader's query that was never asked, and again: the difference is its judgement. */
async function judging({ door, add }: Run): Promise<void> {
  const made = await door.post("/v1/admin/tokens", JSON.stringify({ name: "bench", scopes: ["sql:ods"] }), {
    "content-type": "application/json",
  });
  const { token } = (await made.json()) as { token: string };
  const ask = async (text: string) => {
    const startedMs = performance.now();
    const answer = await fetch(`${door.url}/v1/sql`, {
      method: "POST",
      body: text,
      headers: { authorization: `Bearer ${token}` },
    });
    if (!answer.ok) throw new Error(await answer.text());
    await answer.arrayBuffer();
    return performance.now() - startedMs;
  };
  const [first, again, repeated]: number[][] = [[], [], []];
  for (let n = 0; n < QUERIES; n++) {
    const text = `SELECT flight_id, origin, delay FROM ods.flight WHERE distance > ${n} LIMIT 10`;
    first!.push(await ask(text));
    again!.push(await ask(text));
    repeated!.push(await ask(text));
  }
  const ms = (values: number[] | undefined) => Math.round(quantileOf(values!) * 100) / 100;
  add({ name: "a reader's query, repeated, p50", value: ms(again), unit: "ms" });
  const added = Math.round((quantileOf(first!) - quantileOf(again!)) * 100) / 100;
  add({
    name: "  judged the first time, more than that",
    value: added,
    unit: "ms",
    target: { value: 1, is: "at most" },
  });
  const noise = Math.round((quantileOf(repeated!) - quantileOf(again!)) * 100) / 100;
  add({ name: "  asked a third time, more than the second", value: noise, unit: "ms" });
}

const quantileOf = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** A new project's own test, from its command to its end. */
async function firstTest(dir: string, add: (figure: Figure) => void): Promise<void> {
  const project = join(dir, "shop");
  await run([process.execPath, MAIN, "init", project], dir);
  const seconds: number[] = [];
  for (let time = 0; time < 5; time++) {
    const startedMs = performance.now();
    await run([process.execPath, "test"], project);
    seconds.push((performance.now() - startedMs) / 1000);
  }
  const value = Math.round(median(seconds) * 100) / 100;
  add({
    name: "`bun test` of a new project, from the command to its end",
    value,
    unit: "s",
    target: { value: 2, is: "at most" },
  });
}

async function run(command: readonly string[], cwd: string): Promise<void> {
  const child = Bun.spawn([...command], { cwd, stdout: "ignore", stderr: "pipe" });
  const said = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")} failed: ${said}`);
}
