/**
 * `bench kafka`: how fast Kafka's records become rows, beside ClickHouse's own Kafka engine on the same broker and topic.
 *
 *   2 million real flights in a topic ──▶ worker, strict and exactly once ──▶ ods      medians of three, each audited
 *                                    └──▶ engine's Kafka table ──view──▶ a table like it
 *   POST ──▶ Kafka, acknowledged by all, by a gateway alone and with its landing beside it      two workers beside one
 *
 * Needs Java and Maven, as the tests of Kafka do.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { kafkaLog, Log, partitionOf, RecordWriter } from "@weir/connectors";
import { kafkaFor, startBroker, type TestBroker } from "@weir/connectors/testing";
import { Effect } from "effect";
import { startProcess, until } from "../door_process.ts";
import { type Engine, openEngine } from "../engine.ts";
import { audit, load, median, sourceOnly, storedRows, writeFlights } from "./flights_load.ts";
import type { Figure, How } from "./main.ts";

const ROWS = 2_000_000;
const PARTITIONS = 4;
const APPEND_RECORDS = 4_000;
const LAND_MS_MAX = 300_000;
/** Whoever is asked how far it is does no other work meanwhile. */
const LOOK_MS = 100;

interface Run extends How {
  readonly file: string;
  readonly broker: TestBroker;
}

/** Runs the whole bench. */
export async function kafka(how: How): Promise<void> {
  const jars = kafkaFor("bench kafka");
  if (jars === undefined) throw new Error("Cannot run bench kafka: it needs Java and Maven.");
  const { dir, say, add } = how;
  say(`preparing ${ROWS} flights`);
  const file = await writeFlights(dir);
  const broker = await startBroker(jars);
  try {
    const run: Run = { ...how, file, broker };
    add({ name: "append to Kafka through the port, 4,000 a call", value: await fill(run), unit: "records/s" });
    const weir = await toTable(run);
    const engine = await byKafkaEngine(run);
    const target = { value: 4, is: "at least" } as const;
    add({ name: "  times ClickHouse's Kafka engine", value: Math.round((weir / engine) * 10) / 10, unit: "", target });
    await twoWorkers(run);
    await posts(run);
  } finally {
    await broker.stop();
  }
}

/** Fills the topic; records a second. */
async function fill({ file, broker }: Run): Promise<number> {
  const bytes = new Uint8Array(await Bun.file(file).arrayBuffer());
  const filling = Effect.gen(function* () {
    const log = yield* Log;
    yield* log.createTopic({ name: "flight", partitions: PARTITIONS, retention: {} });
    const startedMs = performance.now();
    let rows = 0;
    for (let at = 0; rows < ROWS; ) {
      const writers = Array.from({ length: PARTITIONS }, () => new RecordWriter(1 << 18));
      for (let count = 0; count < APPEND_RECORDS && rows < ROWS; count++, rows++) {
        const end = bytes.indexOf(0x0a, at);
        const keyStart = bytes.indexOf(0x22, at + 12) + 1;
        const keyEnd = bytes.indexOf(0x22, keyStart);
        const partition = partitionOf(bytes, { start: keyStart, end: keyEnd, partitions: PARTITIONS });
        const slice = { keyStart, keyEnd, valueStart: at, valueEnd: end, timestampMs: Date.now() };
        writers[partition]!.addSlice(bytes, slice);
        at = end + 1;
      }
      yield* log.append(writers.map((records, partition) => ({ topic: "flight", partition, records })));
    }
    return Math.round(ROWS / ((performance.now() - startedMs) / 1_000));
  });
  return Effect.runPromise(Effect.scoped(Effect.provide(filling, kafkaLog({ brokers: [broker.address] }))));
}

/** Waits until so many rows are there. */
const landed = (rows: () => Promise<number>) =>
  until("landing", rows, { holds: (count) => count >= ROWS, withinMs: LAND_MS_MAX, everyMs: LOOK_MS });

/** Lands the topic with one process and the embedded ClickHouse; rows a second. */
async function toTable({ dir, broker, add }: Run): Promise<number> {
  const rates: number[] = [];
  const costs: Cost[] = [];
  for (let round = 0; round < 3; round++) {
    const name = `flight_${round}`;
    const options = { dataDir: join(dir, name), env: { KAFKA_BROKERS: broker.address } };
    const door = await startProcess({ ...options, projectDir: sourceOnly(dir, { name }) });
    const before = { weir: cpuSeconds(door.pid), engine: cpuSeconds(door.engine()) };
    const startedMs = performance.now();
    await landed(() => storedRows(door, name));
    rates.push(ROWS / ((performance.now() - startedMs) / 1_000));
    costs.push(
      { process: "worker", pid: door.pid, seconds: cpuSeconds(door.pid) - before.weir },
      { process: "ClickHouse", pid: door.engine(), seconds: cpuSeconds(door.engine()) - before.engine },
    );
    if (round === 2) sayCosts(add, costs.splice(-2));
    await audit(door, ROWS, name);
    await door.stop();
  }
  const rate = Math.round(median(rates));
  const target = { value: 900_000, is: "at least" } as const;
  add({ name: "Kafka to queryable, exactly once, strict", value: rate, unit: "rows/s", target });
  return rate;
}

/** Lands the topic by ClickHouse's own Kafka engine, with one consumer as it is by default; rows a second. */
async function byKafkaEngine({ dir, broker, add }: Run): Promise<number> {
  const engine = await openEngine(join(dir, "engine"));
  const rates: number[] = [];
  let spent = 0;
  try {
    await engine.ask("CREATE DATABASE bench ENGINE = Atomic");
    for (let round = 0; round < 3; round++) {
      const columns = `flight_id String, departed_at DateTime64(3, 'UTC'), origin LowCardinality(String),
        destination LowCardinality(String), distance UInt32, delay Int32`;
      await engine.ask(
        `CREATE TABLE bench.flight${round} (${columns}) ENGINE = MergeTree PARTITION BY toYYYYMM(departed_at) ORDER BY departed_at`,
      );
      await engine.ask(`CREATE TABLE bench.queue${round} (${columns}) ENGINE = Kafka SETTINGS
        kafka_broker_list = '${broker.address}', kafka_topic_list = 'flight', kafka_group_name = 'bench${round}',
        kafka_format = 'JSONEachRow', kafka_max_block_size = 1048576, date_time_input_format = 'best_effort'`);
      const before = cpuSeconds(engine.pid());
      const startedMs = performance.now();
      await engine.ask(
        `CREATE MATERIALIZED VIEW bench.view${round} TO bench.flight${round} AS SELECT * FROM bench.queue${round}`,
      );
      await landed(async () => Number(await engine.ask(`SELECT count() FROM bench.flight${round}`)));
      rates.push(ROWS / ((performance.now() - startedMs) / 1_000));
      spent = cpuSeconds(engine.pid()) - before;
      await engine.ask(`DROP TABLE bench.view${round} SYNC`);
      await engine.ask(`DROP TABLE bench.queue${round} SYNC`);
    }
    sayCosts(add, [{ process: "ClickHouse's Kafka engine", pid: engine.pid(), seconds: spent }]);
  } finally {
    await engine.stop();
  }
  const rate = Math.round(median(rates));
  add({ name: "the same by ClickHouse's Kafka engine, at least once", value: rate, unit: "rows/s" });
  return rate;
}

/** POST of batches: each answer means that all replicas in sync have the events. */
async function posts(run: Run): Promise<void> {
  const { dir, broker, add } = run;
  const unit = "events/s";
  const projectDir = sourceOnly(dir, { name: "posted", topic: "posted" });
  const env = { KAFKA_BROKERS: broker.address };
  const engine = await openEngine(join(dir, "engine_of_gateway"));
  try {
    const alone = { ...env, CLICKHOUSE_URL: engine.url, WEIR_ROLE: "gateway" };
    const target = { value: 200_000, is: "at least" } as const;
    const gateway = { dataDir: join(dir, "gateway"), projectDir, env: alone };
    add({ name: "POST of 1,000 each to Kafka, by a gateway", value: await posted(run, gateway), unit, target });
  } finally {
    await engine.stop();
  }
  const all = { dataDir: join(dir, "posts"), projectDir, env };
  add({ name: "  by a process that lands them beside it", value: await posted(run, all), unit });
}

async function posted({ file, seconds }: Run, options: Parameters<typeof startProcess>[0]): Promise<number> {
  const door = await startProcess(options);
  const rates: number[] = [];
  for (let round = 0; round < 3; round++) {
    const sent = await load(door, {
      file,
      path: "/v1/ingest/posted",
      eventsPerRequest: 1_000,
      connections: 16,
      seconds,
    });
    rates.push(sent.events / sent.seconds);
  }
  await door.stop();
  return Math.round(median(rates));
}

/** Lands the topic with one worker, then with two that share the partitions, over one ClickHouse. */
async function twoWorkers({ dir, broker, add }: Run): Promise<void> {
  const rates: number[] = [];
  for (const workers of [1, 2]) {
    const engine = await openEngine(join(dir, `engine${workers}`));
    try {
      rates.push(await landedBy(workers, { dir, broker, engine }));
    } finally {
      await engine.stop();
    }
  }
  const [one = 1, two = 0] = rates;
  add({ name: "one worker over a shared ClickHouse", value: Math.round(one), unit: "rows/s" });
  add({ name: "two workers, two partitions each", value: Math.round(two), unit: "rows/s" });
  const target = { value: 1.5, is: "at least" } as const;
  add({ name: "  of one worker", value: Math.round((two / one) * 100) / 100, unit: "", target });
}

async function landedBy(
  workers: number,
  { dir, broker, engine }: { readonly dir: string; readonly broker: TestBroker; readonly engine: Engine },
): Promise<number> {
  const name = `shared_${workers}`;
  const env = { KAFKA_BROKERS: broker.address, CLICKHOUSE_URL: engine.url, WEIR_ROLE: "worker" };
  const start = (worker: number) => startProcess({ dataDir: join(dir, `${name}_${worker}`), env });
  const open = await Promise.all(Array.from({ length: workers }, (_, worker) => start(worker)));
  const gateway = await startProcess({
    ...{ dataDir: join(dir, `${name}_gateway`), projectDir: sourceOnly(dir, { name }) },
    env: { ...env, WEIR_ROLE: "gateway" },
  });
  const startedMs = performance.now();
  await landed(() => storedRows(gateway, name));
  const rate = ROWS / ((performance.now() - startedMs) / 1_000);
  await audit(gateway, ROWS, name);
  await Promise.all([gateway, ...open].map((door) => door.stop()));
  return rate;
}

interface Cost {
  readonly process: string;
  readonly pid: number;
  /** Of processor time, for all rows. */
  readonly seconds: number;
}

/** What landing all rows cost each process; its memory at most, since it started. */
function sayCosts(add: (figure: Figure) => void, costs: readonly Cost[]): void {
  for (const { process, pid, seconds } of costs) {
    const perMillion = Math.round((seconds / (ROWS / 1e6)) * 100) / 100;
    add({ name: `  ${process}, processor time for a million rows`, value: perMillion, unit: "s" });
    const target = process === "worker" ? ({ value: 500, is: "at most" } as const) : undefined;
    add({ name: `  ${process}, memory at most`, value: memoryPeakMiB(pid), unit: "MiB", ...(target && { target }) });
  }
}

/** Processor time that a process has used, in user and kernel mode; Linux counts a hundred ticks a second. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function memoryPeakMiB(pid: number): number {
  return Math.round(Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1_024);
}
