/**
 * What the benches share: real flights as NDJSON, the load process, the probe, the audit, medians.
 *
 * @module
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { clickHouseWarehouse, embeddedClickHouse, Warehouse } from "@weir/connectors";
import { flights3mPath, flights3mQuery, projectDir } from "@weir/flights";
import { Effect } from "effect";
import { type DoorProcess, until } from "../door_process.ts";
import type { LoadOptions, LoadResult } from "./load.ts";

const LOAD = new URL("./load.ts", import.meta.url).pathname;

/** Writes the 3 million flights into a file of NDJSON below a folder; answers its path. */
export async function writeFlights(dir: string): Promise<string> {
  const file = join(dir, "flights.ndjson");
  const program = Effect.gen(function* () {
    const { connection } = yield* embeddedClickHouse({ dataDir: join(dir, "source") });
    return yield* Effect.provide(writeTo(file), clickHouseWarehouse(connection));
  });
  await Effect.runPromise(Effect.scoped(program));
  return file;
}

const writeTo = Effect.fnUntraced(function* (file: string) {
  const warehouse = yield* Warehouse;
  const stream = yield* warehouse.stream({
    account: "admin",
    sql: flights3mQuery(flights3mPath),
    format: "JSONEachRow",
    queryId: "bench",
    params: {},
    settings: {},
  });
  yield* Effect.promise(() => Bun.write(file, new Response(stream)));
});

/**
 * A project of the flights source alone, without the models above it, under a name of its own if it is given one: its group
 * has committed nothing yet. Its topic stays as it is.
 */
export function sourceOnly(dir: string, { name = "flight", topic = "flight" } = {}): string {
  const project = join(dir, `project_${name}`);
  mkdirSync(join(project, "ods"), { recursive: true });
  const text = readFileSync(join(projectDir, "ods", "flight.sql"), "utf8")
    .replace("ods.flight", `ods.${name}`)
    .replace("topic: flight", `topic: ${topic}`)
    .replace(/^retention:.*\n/m, "");
  writeFileSync(join(project, "ods", `${name}.sql`), text);
  return project;
}

/** Sends single events that wait until they can be queried, while `running` runs; milliseconds of each. */
export async function probe(
  door: DoorProcess,
  running: Promise<unknown>,
  heard: (ms: number) => void = () => {},
): Promise<number[]> {
  let isRunning = true;
  void running.then(() => {
    isRunning = false;
  });
  const latencies: number[] = [];
  for (let count = 0; isRunning; count++) {
    const event = {
      flight_id: `probe-${crypto.randomUUID()}`,
      departed_at: "2001-03-01T12:00:00.000Z",
      origin: "SFO",
      destination: "LAX",
      distance: 337,
      delay: count,
    };
    const startedMs = performance.now();
    const response = await door.post("/v1/ingest/flight?wait=1", JSON.stringify(event), {
      "content-type": "application/json",
    });
    if (response.status !== 200) throw new Error(`The probe was answered ${response.status}: ${await response.text()}`);
    const ms = performance.now() - startedMs;
    latencies.push(ms);
    heard(ms);
    await Bun.sleep(Math.random() * 40);
  }
  return latencies;
}

/** Runs the load in a process of its own; every request must be accepted. */
export async function load(
  door: DoorProcess,
  options: Omit<LoadOptions, "host" | "port" | "path" | "headers"> & { readonly path?: string },
): Promise<LoadResult> {
  const { hostname, port } = new URL(door.url);
  return await loadOf({
    path: "/v1/ingest/flight",
    ...options,
    host: hostname,
    port: Number(port),
    headers: { authorization: `Bearer ${door.token}`, "content-type": "application/x-ndjson" },
  });
}

/** Runs any load in a process of its own. */
export async function loadOf(all: LoadOptions): Promise<LoadResult> {
  const child = Bun.spawn([process.execPath, LOAD, JSON.stringify(all)], { stdout: "pipe", stderr: "inherit" });
  const result = JSON.parse(await new Response(child.stdout).text()) as LoadResult;
  if (result.failed > 0) throw new Error(`${result.failed} requests were not accepted`);
  return result;
}

/** Where the door's ClickHouse itself answers, and as which account its APIs ask it. */
export function engineOf(door: DoorProcess, dataDir: string): Pick<LoadOptions, "host" | "port" | "headers"> {
  const port = Number(/--http_port=(\d+)/.exec(readFileSync(`/proc/${door.engine()}/cmdline`, "latin1"))?.[1]);
  const { reader } = JSON.parse(readFileSync(join(dataDir, "clickhouse_passwords.json"), "utf8")) as { reader: string };
  return { host: "127.0.0.1", port, headers: { "x-clickhouse-user": "weir_reader", "x-clickhouse-key": reader } };
}

/** Waits until the engine has merged what a flood left: a steady rate is measured without it. */
export async function settled(door: DoorProcess): Promise<void> {
  const look = async () => Number((await door.sql<{ n: string }>("SELECT count() AS n FROM system.merges"))[0].n);
  await until("merges", look, { holds: (merges) => merges === 0, withinMs: 120_000 });
}

/** Rows of a source that have landed, by the batches' markers. */
export async function storedRows(door: DoorProcess, name = "flight"): Promise<number> {
  const [{ stored }] = await door.sql(`SELECT sum(stored) AS stored FROM weir.batch WHERE statement = 'ods.${name}'`);
  return Number(stored);
}

/** Every accepted event is exactly one row, and no two rows came from the same record. */
export async function audit(door: DoorProcess, accepted: number, name = "flight"): Promise<void> {
  const [{ rows, records }] = await door.sql(
    `SELECT count() AS rows, uniqExact(_epoch, _partition, _offset) AS records FROM ods.${name}`,
  );
  const [{ quarantined }] = await door.sql("SELECT count() AS quarantined FROM weir.quarantine");
  if (Number(rows) !== accepted || Number(records) !== accepted || Number(quarantined) !== 0) {
    throw new Error(
      `The audit failed: ${accepted} accepted, ${rows} rows, ${records} distinct records, ${quarantined} quarantined`,
    );
  }
}

/** The middle value. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which the share `q` lies; to a tenth. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0) * 10) / 10;
}
