/**
 * `bench models`: the shipped flights warehouse with 3 million real flights, through all four layers and out again.
 *
 *   POST ──▶ log ──▶ ods ──▶ dwf ──▶ dws, dwa        how fast, and how long until it can be queried
 *   GET /v1/api/state_minute                         against ClickHouse's own HTTP with the same SELECT
 *   apply of a new model over what is there          backfill
 *   1,000 live subscribers                           from accepted to seen
 *   every run ends in the audit: each accepted event once in every layer
 *
 * @module
 */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectDir } from "@weir/flights";
import { type DoorProcess, startProcess, until } from "../door_process.ts";
import {
  audit,
  engineOf,
  load,
  loadOf,
  median,
  probe,
  quantile,
  settled,
  storedRows,
  writeFlights,
} from "./flights_load.ts";
import type { Figure, How } from "./main.ts";

interface Run {
  readonly door: DoorProcess;
  readonly dir: string;
  readonly file: string;
  readonly seconds: number;
  readonly add: (figure: Figure) => void;
  /** Events that the door has accepted so far. */
  accepted: number;
}

const RATE_WHILE_READING = 20_000;
const SUBSCRIBERS = 1_000;

/** Runs the whole bench. */
export async function models({ dir, seconds, minutes, say, add }: How): Promise<void> {
  say("preparing 3000000 flights");
  const file = await writeFlights(dir);
  const dataDir = join(dir, "data");
  const door = await startProcess({ dataDir, projectDir });
  try {
    const run: Run = { door, dir, file, seconds, add, accepted: 0 };
    const rate = await throughLayers(run);
    await settled(door);
    await latency(run, rate / 2);
    await reading(run, dataDir);
    await live(run);
    await auditLayers(run);
    await backfill(run);
    await auditLayers(run);
    if (minutes > 0) await steady(run, minutes);
  } finally {
    await door.stop();
  }
}

/** Batches of 1,000 until every one of them is in every layer. */
async function throughLayers(run: Run): Promise<number> {
  const rates: number[] = [];
  for (let time = 0; time < 3; time++) {
    const startedMs = performance.now();
    const sent = await load(run.door, { ...run, eventsPerRequest: 1_000, connections: 16 });
    run.accepted += sent.events;
    await landed(run);
    rates.push(sent.events / ((performance.now() - startedMs) / 1000));
  }
  const rate = Math.round(median(rates));
  const target = { value: 250_000, is: "at least" } as const;
  run.add({ name: "POST of 1,000 flights each, through all four layers", value: rate, unit: "events/s", target });
  return rate;
}

/** The marker follows every view, so what it counts is in every layer. */
const landed = ({ door, accepted }: Run) =>
  until("landing", () => storedRows(door), { holds: (rows) => rows >= accepted, withinMs: 300_000 });

async function latency(run: Run, rate: number): Promise<void> {
  const sending = load(run.door, { ...run, eventsPerRequest: 1_000, connections: 8, rate });
  const [sent, latencies] = await Promise.all([sending, probe(run.door, sending)]);
  run.accepted += sent.events + latencies.length;
  const name = `accepted to queryable in dwa at ${Math.round(sent.events / sent.seconds)} events/s`;
  run.add({
    name: `${name}, p50`,
    value: quantile(latencies, 0.5),
    unit: "ms",
    target: { value: 80, is: "at most" },
  });
  run.add({
    name: `${name}, p99`,
    value: quantile(latencies, 0.99),
    unit: "ms",
    target: { value: 200, is: "at most" },
  });
  await landed(run);
}

const STATES = ["CA", "TX", "IL", "NY", "FL", "GA", "CO", "AZ", "WA", "MI"];

/** The API and ClickHouse's own HTTP, one after the other and again, while events land. */
async function reading(run: Run, dataDir: string): Promise<void> {
  const { door, seconds, add } = run;
  const sending = load(door, {
    ...run,
    eventsPerRequest: 200,
    connections: 4,
    seconds: 6 * seconds + 2,
    rate: RATE_WHILE_READING,
  });
  const ratios: number[] = [];
  const rates: number[] = [];
  for (let time = 0; time < 3; time++) {
    const raw = await loadOf({ ...rawReads(door, dataDir), connections: 8, seconds, eventsPerRequest: 1, path: "" });
    const { hostname, port } = new URL(door.url);
    const own = await loadOf({
      host: hostname,
      port: Number(port),
      path: "",
      headers: { authorization: `Bearer ${door.token}` },
      gets: STATES.map((state) => `/v1/api/state_minute?state=${state}&limit=60`),
      eventsPerRequest: 1,
      connections: 8,
      seconds,
    });
    if (raw.failed + own.failed > 0) throw new Error(`${raw.failed} raw and ${own.failed} own requests failed`);
    rates.push(own.requests / own.seconds);
    ratios.push(own.requests / own.seconds / (raw.requests / raw.seconds));
  }
  run.accepted += (await sending).events;
  const name = `GET /v1/api/state_minute while ${RATE_WHILE_READING} events/s land`;
  add({ name, value: Math.round(median(rates)), unit: "requests/s" });
  const ratio = Math.round(median(ratios) * 100) / 100;
  add({
    name: "  of raw ClickHouse HTTP, the same SELECT",
    value: ratio,
    unit: "",
    target: { value: 0.9, is: "at least" },
  });
  await landed(run);
  add({ name: "  answers that were older than what was committed", value: await staleAnswers(run), unit: "of 100" });
}

/** The same SELECT for ClickHouse itself, as the account that the API uses. */
function rawReads(door: DoorProcess, dataDir: string) {
  const text = readFileSync(join(projectDir, "api", "state_minute.sql"), "utf8").split("---*/\n")[1];
  const query = encodeURIComponent(`${text.trim()} FORMAT JSONEachRow`);
  const tuned = "max_threads=1";
  return {
    ...engineOf(door, dataDir),
    gets: STATES.map((state) => `/?${tuned}&param_state=${state}&param_limit=60&query=${query}`),
  };
}

/** Sends an event, waits until it is committed, asks: the answer must count it. */
async function staleAnswers(run: Run): Promise<number> {
  let stale = 0;
  for (let count = 1; count <= 100; count++) {
    await send(run, { origin: "ANC", minute: "2002-01-01T00:00:00.000Z", wait: true });
    const answer = (await (await run.door.get("/v1/api/state_minute?state=AK&limit=1")).json()) as {
      data: readonly { flights: string }[];
    };
    if (Number(answer.data[0]?.flights) < count) stale += 1;
  }
  return stale;
}

async function send(run: Run, event: { origin: string; minute: string; wait: boolean }): Promise<void> {
  const { origin, minute, wait } = event;
  const body = {
    flight_id: crypto.randomUUID(),
    departed_at: minute,
    origin,
    destination: "SEA",
    distance: 1,
    delay: 1,
  };
  const path = `/v1/ingest/flight${wait ? "?wait=1" : ""}`;
  const answer = await run.door.post(path, JSON.stringify(body), { "content-type": "application/json" });
  if (answer.status !== (wait ? 200 : 202)) throw new Error(`An event was answered ${answer.status}`);
  run.accepted += 1;
}

/** Subscribers of one API while events land: from the moment at which an event was accepted until each has seen it. */
async function live(run: Run): Promise<void> {
  const { door, seconds, add } = run;
  const background = load(door, { ...run, eventsPerRequest: 200, connections: 4, seconds: seconds + 5, rate: 5_000 });
  const acceptedMs: number[] = [];
  const latencies: number[] = [];
  const seen = (count: number) => {
    const since = acceptedMs[count];
    if (since !== undefined) latencies.push(performance.now() - since);
  };
  const leave = new AbortController();
  const subscribers = Array.from({ length: SUBSCRIBERS }, () => subscribe(door, { seen, signal: leave.signal }));
  await Promise.all(subscribers.map(({ opened }) => opened));
  for (let count = 1; count <= seconds; count++) {
    await send(run, { origin: "HNL", minute: "2002-01-01T00:00:00.000Z", wait: false });
    acceptedMs[count] = performance.now();
    await Bun.sleep(1_000);
  }
  await until("every subscriber's last change", () => latencies.length, {
    holds: (all) => all >= SUBSCRIBERS * seconds,
    withinMs: 30_000,
  }).catch(() => undefined);
  leave.abort();
  run.accepted += (await background).events;
  add({
    name: `${SUBSCRIBERS} live subscribers, changes seen`,
    value: latencies.length,
    unit: `of ${SUBSCRIBERS * seconds}`,
  });
  add({
    name: "  from accepted to seen, p99",
    value: quantile(latencies, 0.99),
    unit: "ms",
    target: { value: 1_000, is: "at most" },
  });
  await landed(run);
}

/** One subscriber over a plain socket; `fetch` opens 256 at most. */
function subscribe(door: DoorProcess, { seen, signal }: { seen: (count: number) => void; signal: AbortSignal }) {
  const { promise: opened, resolve, reject } = Promise.withResolvers<void>();
  const { hostname, port } = new URL(door.url);
  let last = 0;
  const heard = (text: string) => {
    if (text.startsWith("HTTP/1.1 ") && !text.startsWith("HTTP/1.1 200")) reject(new Error(text.slice(0, 300)));
    resolve();
    const count = Number(/"minute":"2002[^"]*","flights":"(\d+)"/.exec(text)?.[1] ?? 0);
    for (let step = last + 1; step <= count; step++) seen(step);
    last = Math.max(last, count);
  };
  const request = `GET /v1/api/state_minute/live?state=HI&limit=1 HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${door.token}\r\n\r\n`;
  Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      open: (socket) => {
        signal.addEventListener("abort", () => socket.end());
        socket.write(request);
      },
      data: (_, chunk) => heard(chunk.toString()),
      connectError: (_, error) => reject(error),
    },
  }).catch(reject);
  return { opened };
}

/** A new model over everything that is there; landing goes on. */
async function backfill(run: Run): Promise<void> {
  const project = join(run.dir, "project");
  mkdirSync(join(project, "dwa"), { recursive: true });
  cpSync(join(projectDir, "ods"), join(project, "ods"), { recursive: true });
  const rates: number[] = [];
  for (const name of ["hour_one", "hour_two", "hour_three"]) {
    const text = `/*---
kind: model
doc: Departures by hour and route.
---*/
SELECT toStartOfHour(departed_at) AS hour, origin, destination, count() AS flights, sum(delay) AS delay
FROM dwf.flight GROUP BY hour, origin, destination
`;
    writeFileSync(join(project, "dwa", `${name}.sql`), text);
    const files = [{ path: `dwa/${name}.sql`, text }];
    const [{ rows }] = await run.door.sql<{ rows: string }>("SELECT count() AS rows FROM dwf.flight");
    const startedMs = performance.now();
    const answer = await run.door.post("/v1/admin/definitions", JSON.stringify({ files }), {
      "content-type": "application/json",
    });
    if (answer.status !== 200) throw new Error(`The model was not applied: ${await answer.text()}`);
    rates.push(Number(rows) / ((performance.now() - startedMs) / 1000));
    const [{ flights }] = await run.door.sql<{ flights: string }>(`SELECT sum(flights) AS flights FROM dwa.${name}`);
    if (flights !== rows) throw new Error(`The backfill has ${flights} of ${rows} rows`);
  }
  const value = Math.round(median(rates));
  run.add({ name: "backfill of a new model", value, unit: "rows/s", target: { value: 1_000_000, is: "at least" } });
}

/** Every layer has every accepted event once. */
async function auditLayers({ door, accepted }: Run): Promise<void> {
  await audit(door, accepted);
  const counts = {
    "dwf.flight": "SELECT count() AS n FROM dwf.flight",
    "dws.airport_hour": "SELECT sum(flights) AS n FROM dws.airport_hour",
    "dwa.state_minute": "SELECT sum(flights) AS n FROM dwa.state_minute",
    "dwa.route_day": "SELECT sum(flights) AS n FROM dwa.route_day",
  };
  for (const [table, sql] of Object.entries(counts)) {
    const [{ n }] = await door.sql<{ n: string }>(sql);
    if (Number(n) !== accepted) throw new Error(`The audit failed: ${accepted} accepted, ${n} in ${table}`);
  }
}

/** The rate of a busy day for a long time: parts, memory and latency must stay flat. */
async function steady(run: Run, minutes: number): Promise<void> {
  const { door, add } = run;
  const seconds = minutes * 60;
  const sending = load(door, { ...run, eventsPerRequest: 200, connections: 4, seconds, rate: RATE_WHILE_READING });
  const latencies: { readonly atMs: number; readonly ms: number }[] = [];
  const startedMs = performance.now();
  const probing = probe(door, sending, (ms) => latencies.push({ atMs: performance.now() - startedMs, ms }));
  const parts: number[] = [];
  const memory: number[] = [];
  const timer = setInterval(async () => {
    memory.push(door.memoryMiB());
    const [row] = await door.sql("SELECT count() AS n FROM system.parts WHERE database = 'weir_state' AND active");
    parts.push(Number(row?.n));
  }, 5_000);
  const [sent, probes] = await Promise.all([sending, probing]);
  clearInterval(timer);
  run.accepted += sent.events + probes.length;
  await landed(run);
  await auditLayers(run);
  const third = (values: readonly number[], which: number) =>
    values.slice(Math.floor((values.length * which) / 3), Math.floor((values.length * (which + 1)) / 3));
  const flat = (values: readonly number[]) =>
    Math.round((median(third(values, 2)) / median(third(values, 1))) * 100) / 100;
  const name = `${minutes} minutes at ${RATE_WHILE_READING} events/s`;
  add({ name: `${name}: parts, most`, value: Math.max(...parts), unit: "" });
  add({ name: "  parts, last third against the middle third (medians)", value: flat(parts), unit: "" });
  add({ name: "  door's memory, peak", value: Math.max(...memory), unit: "MiB" });
  add({ name: "  door's memory, last third against the middle third", value: flat(memory), unit: "" });
  const all = latencies.map(({ ms }) => ms);
  add({ name: "  accepted to queryable, p50", value: quantile(all, 0.5), unit: "ms" });
  add({ name: "  accepted to queryable, p99", value: quantile(all, 0.99), unit: "ms" });
  add({ name: "  accepted to queryable, last third against the middle third", value: flat(all), unit: "" });
}
