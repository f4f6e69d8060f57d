/**
 * `bench ingest`: how fast events become rows, on the flights source with 3 million real flights.
 *
 *   log ──▶ ods           the log is filled first, then the door opens on it
 *   POST ──▶ log ──▶ ods  a load process on the same cores; accepted means durable
 *   every run ends in the audit: accepted = stored + quarantined, each row once
 *
 * @module
 */
import { join } from "node:path";
import {
  clickHouseWarehouse,
  embeddedClickHouse,
  Log,
  partitionOf,
  RecordWriter,
  sqliteLog,
  Warehouse,
} from "@weir/connectors";
import { Effect } from "effect";
import { startProcess, until } from "../door_process.ts";
import { audit, load, median, probe, quantile, settled, sourceOnly, storedRows, writeFlights } from "./flights_load.ts";
import type { Figure, How } from "./main.ts";

const ROWS = 3_000_000;
const PARTITIONS = 4;

/** Runs the whole bench. */
export async function ingest({ dir, seconds, minutes, say, add }: How): Promise<void> {
  say(`preparing ${ROWS} flights`);
  const file = await writeFlights(dir);
  const raw = await rawInsert(dir, file);
  add({ name: "raw insert of the same rows", value: raw, unit: "rows/s" });
  await logToTable(dir, { file, raw, add });
  for (const fsyncDelayMs of [0, 2]) await posts(dir, { file, seconds, fsyncDelayMs, add });
  if (minutes > 0) await steady(dir, { file, minutes, add });
}

/** Measures the plain insert of the file's bytes: no validation, no exactly-once. */
async function rawInsert(dir: string, file: string): Promise<number> {
  const program = Effect.gen(function* () {
    const { connection } = yield* embeddedClickHouse({ dataDir: join(dir, "raw") });
    return yield* Effect.provide(measureRaw(file), clickHouseWarehouse(connection));
  });
  return await Effect.runPromise(Effect.scoped(program));
}

const measureRaw = Effect.fnUntraced(function* (file: string) {
  const warehouse = yield* Warehouse;
  const bytes = new Uint8Array(yield* Effect.promise(() => Bun.file(file).arrayBuffer()));
  yield* warehouse.command("admin", "CREATE DATABASE IF NOT EXISTS weir_state ENGINE = Atomic");
  const rates: number[] = [];
  for (let run = 0; run < 3; run++) {
    yield* warehouse.command(
      "admin",
      `CREATE TABLE weir_state.raw${run} (flight_id String, departed_at DateTime64(3, 'UTC'), origin LowCardinality(String), destination LowCardinality(String), distance UInt32, delay Int32)
       ENGINE = MergeTree PARTITION BY toYYYYMM(departed_at) ORDER BY departed_at`,
    );
    const startedMs = performance.now();
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, bytes.indexOf(0x0a, Math.min(bytes.length - 1, at + 28 * 2 ** 20)) + 1);
      const settings = { date_time_input_format: "best_effort", async_insert: 0, max_insert_threads: 1 };
      yield* warehouse.insert({
        statement: `INSERT INTO weir_state.raw${run} FORMAT JSONEachRow`,
        body: [bytes.subarray(at, end)],
        settings,
      });
      at = end;
    }
    rates.push(ROWS / ((performance.now() - startedMs) / 1000));
  }
  return Math.round(median(rates));
});

interface LogRun {
  readonly file: string;
  readonly raw: number;
  readonly add: (figure: Figure) => void;
}

/** Fills the log before the door opens, then measures from the first landed batch's announcement to the last marker. */
async function logToTable(dir: string, { file, raw, add }: LogRun): Promise<void> {
  const rates: number[] = [];
  for (let run = 0; run < 3; run++) {
    const dataDir = join(dir, `log${run}`);
    await fillLog(dataDir, file);
    const door = await startProcess({ dataDir, projectDir: sourceOnly(dir) });
    const startedMs = performance.now();
    const holds = (rows: number) => rows >= ROWS;
    await until("landing the log", () => storedRows(door), { holds, withinMs: 120_000, everyMs: 100 });
    rates.push(ROWS / ((performance.now() - startedMs) / 1000));
    await audit(door, ROWS);
    await door.stop();
  }
  const rate = Math.round(median(rates));
  add({ name: "log to ods", value: rate, unit: "rows/s", target: { value: 800_000, is: "at least" } });
  add({
    name: "log to ods, of the raw insert",
    value: Math.round((rate / raw) * 100) / 100,
    unit: "",
    target: { value: 0.5, is: "at least" },
  });
}

async function fillLog(dataDir: string, file: string): Promise<void> {
  const bytes = new Uint8Array(await Bun.file(file).arrayBuffer());
  const fill = Effect.gen(function* () {
    const log = yield* Log;
    yield* log.createTopic({ name: "flight", partitions: PARTITIONS, retention: {} });
    for (let at = 0; at < bytes.length; ) {
      const writers = Array.from({ length: PARTITIONS }, () => new RecordWriter(1 << 20));
      for (let count = 0; count < 20_000 && at < bytes.length; count++) {
        const end = bytes.indexOf(0x0a, at);
        const keyStart = bytes.indexOf(0x22, at + 12) + 1;
        const keyEnd = bytes.indexOf(0x22, keyStart);
        const partition = partitionOf(bytes, { start: keyStart, end: keyEnd, partitions: PARTITIONS });
        writers[partition].addSlice(bytes, {
          keyStart,
          keyEnd,
          valueStart: at,
          valueEnd: end,
          timestampMs: Date.now(),
        });
        at = end + 1;
      }
      yield* log.append(
        writers.flatMap((records, partition) => (records.count === 0 ? [] : [{ topic: "flight", partition, records }])),
      );
    }
  });
  await Effect.runPromise(Effect.scoped(Effect.provide(fill, sqliteLog({ dir: dataDir }))));
}

interface PostRun {
  readonly file: string;
  readonly seconds: number;
  readonly fsyncDelayMs: number;
  readonly add: (figure: Figure) => void;
}

/** Batches and single events over HTTP, then half of the batch load with the latency from accepted to queryable. */
async function posts(dir: string, { file, seconds, fsyncDelayMs, add }: PostRun): Promise<void> {
  const disk = fsyncDelayMs === 0 ? "" : `, fsync + ${fsyncDelayMs} ms`;
  const door = await startProcess({
    dataDir: join(dir, `post${fsyncDelayMs}`),
    projectDir: sourceOnly(dir),
    env: { WEIR_FSYNC_DELAY_MS: String(fsyncDelayMs) },
  });
  let accepted = 0;
  const rates: number[] = [];
  for (let run = 0; run < 3; run++) {
    const startedMs = performance.now();
    const batch = await load(door, { file, eventsPerRequest: 1_000, connections: 16, seconds });
    accepted += batch.events;
    await until("landing", () => storedRows(door), { holds: (rows) => rows >= accepted, withinMs: 120_000 });
    rates.push(batch.events / ((performance.now() - startedMs) / 1000));
  }
  const rate = Math.round(median(rates));
  add({
    name: `POST of 1,000 flights each, to queryable${disk}`,
    value: rate,
    unit: "events/s",
    target: { value: 350_000, is: "at least" },
  });
  const one = await load(door, { file, eventsPerRequest: 1, connections: 64, seconds });
  accepted += one.events;
  add({
    name: `single events, 64 connections, each durable${disk}`,
    value: Math.round(one.events / one.seconds),
    unit: "events/s",
    target: { value: 50_000, is: "at least" },
  });
  add({ name: `single events, p50 / p99 ${one.p50} / ${one.p99} ms${disk}`, value: one.p99, unit: "ms" });
  await until("landing", () => storedRows(door), { holds: (rows) => rows >= accepted, withinMs: 120_000 });
  await settled(door);
  const half = load(door, { file, eventsPerRequest: 1_000, connections: 8, seconds, rate: rate / 2 });
  const [first, latencies] = await Promise.all([half, probe(door, half)]);
  accepted += first.events + latencies.length;
  add({
    name: `accepted to queryable at ${Math.round(first.events / first.seconds)} events/s${disk}, p50`,
    value: quantile(latencies, 0.5),
    unit: "ms",
    target: { value: 60, is: "at most" },
  });
  add({
    name: `accepted to queryable at half load${disk}, p99`,
    value: quantile(latencies, 0.99),
    unit: "ms",
    target: { value: 150, is: "at most" },
  });
  await until("landing", () => storedRows(door), { holds: (rows) => rows >= accepted, withinMs: 120_000 });
  await audit(door, accepted);
  add({
    name: `door's memory after the runs${disk}`,
    value: door.memoryMiB(),
    unit: "MiB",
    target: { value: 300, is: "at most" },
  });
  await door.stop();
}

/** Half load for minutes: memory must stay flat. */
async function steady(
  dir: string,
  { file, minutes, add }: { file: string; minutes: number; add: (figure: Figure) => void },
): Promise<void> {
  const door = await startProcess({ dataDir: join(dir, "steady"), projectDir: sourceOnly(dir) });
  const running = load(door, { file, eventsPerRequest: 1_000, connections: 8, seconds: minutes * 60, rate: 150_000 });
  const samples: number[] = [];
  const timer = setInterval(() => samples.push(door.memoryMiB()), 1_000);
  const { events } = await running;
  clearInterval(timer);
  await until("landing", () => storedRows(door), { holds: (rows) => rows >= events, withinMs: 120_000 });
  await audit(door, events);
  const third = Math.floor(samples.length / 3);
  add({
    name: `memory over ${minutes} minutes at 150,000 events/s, peak`,
    value: Math.max(...samples),
    unit: "MiB",
    target: { value: 300, is: "at most" },
  });
  add({
    name: "memory, last third against the middle third (medians)",
    value: Math.round((median(samples.slice(-third)) / median(samples.slice(third, 2 * third))) * 100) / 100,
    unit: "",
  });
  await door.stop();
}
