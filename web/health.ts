/**
 * Health: is it alive, is it ready, what does it count.
 *
 *   /healthz (the process) · /readyz (warehouse, log, actors) · /metrics (Prometheus)
 *
 * Open to everybody who reaches the port, so nothing here names more than
 * sources and actors; versions are for administrators.
 *
 * @module
 */
import { Effect, Exit } from "effect";
import { Hono } from "hono";
import type { Sample } from "./counters.ts";
import type { Door, DoorEnv } from "./door.ts";
import { lagIn } from "./lag.ts";
import { Landed } from "./landed.ts";
import { mayDo } from "./tokens.ts";

/** How long a part may take to answer before the door says that it is not ready. */
const PART_MS_MAX = 2_000;
/** States of a table actor in which nothing lands any more. */
const DOWN: ReadonlySet<string> = new Set(["stopped", "failed"]);

/** `/healthz`, `/readyz` and `/metrics`. */
export function health(door: Door): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  const landed = new Landed(door.warehouse, Date.now());

  app.get("/healthz", async (c) => {
    const caller = c.get("caller");
    if (caller === undefined || !mayDo(caller, "admin")) return c.json({ status: "ok" });
    return c.json({ status: "ok", versions: { bun: Bun.version, clickhouse: await warehouseVersion(door) } });
  });

  app.get("/readyz", async (c) => {
    const reasons = await reasonsNotReady(door);
    if (reasons.length === 0) return c.json({ status: "ready" });
    return c.json({ status: "not ready", reasons }, 503, { "retry-after": "2" });
  });

  app.get("/metrics", async (c) => {
    await door.run(landed.refresh(Date.now()));
    const lags = await Promise.all(door.sources.all().map((running) => lagSamples(door, running)));
    const samples = [
      ...landed.samples(),
      ...lags.flat(),
      ...actorSamples(door),
      ...modelSamples(door),
      ...processSamples(door),
    ];
    return c.text(door.counters.text(samples), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
  });
  return app;
}

async function warehouseVersion({ warehouse, run }: Door): Promise<string | null> {
  const query = warehouse.rows<{ version: string }>("admin", "SELECT version() AS version", { readonly: 1 });
  const exit = await run(Effect.timeout(query, PART_MS_MAX));
  return Exit.isSuccess(exit) ? (exit.value[0]?.version ?? null) : null;
}

async function reasonsNotReady({ warehouse, log, sources, run }: Door): Promise<string[]> {
  const [answers, topics] = await Promise.all([
    run(warehouse.ready(PART_MS_MAX)),
    run(Effect.timeout(log.topics, PART_MS_MAX)),
  ]);
  const down = sources.registry.reports().filter(({ kind, state }) => kind === "table" && DOWN.has(state));
  return [
    ...(Exit.isSuccess(answers) && answers.value ? [] : ["the warehouse does not answer"]),
    ...(Exit.isSuccess(topics) ? [] : ["the log does not answer"]),
    ...down.map(({ address, state }) => `${address} is ${state}`),
  ];
}

async function lagSamples(
  { log, sources, run }: Door,
  running: ReturnType<Door["sources"]["all"]>[number],
): Promise<Sample[]> {
  const { applied, target } = running;
  const exit = await run(Effect.timeout(log.offsets(applied.source.topic), PART_MS_MAX));
  if (!Exit.isSuccess(exit)) return [];
  const visible = sources.visible.of(target.statement);
  const help = "Records in the log that cannot be queried yet.";
  return exit.value.map((range) => {
    const labels = { source: applied.source.name, partition: String(range.partition) };
    return { name: "weir_source_lag_records", type: "gauge", help, labels, value: lagIn(range, visible) };
  });
}

function actorSamples({ sources }: Door): Sample[] {
  return sources.registry.reports().flatMap(({ address, kind, state, rows, mailbox, restarts, lag }): Sample[] => {
    const labels = { actor: address, kind };
    return [
      {
        name: "weir_actor_up",
        type: "gauge",
        help: "1 unless the actor stopped or failed.",
        labels,
        value: DOWN.has(state) ? 0 : 1,
      },
      {
        name: "weir_actor_rows_total",
        type: "counter",
        help: "Rows finished since the actor started.",
        labels,
        value: rows ?? 0,
      },
      { name: "weir_actor_mailbox", type: "gauge", help: "Messages that wait.", labels, value: mailbox },
      { name: "weir_actor_restarts_total", type: "counter", help: "Restarts after failures.", labels, value: restarts },
      ...(lag === undefined
        ? []
        : [
            {
              name: "weir_actor_lag_records",
              type: "gauge",
              help: "Records that wait for the actor.",
              labels,
              value: lag,
            } as const,
          ]),
    ];
  });
}

function modelSamples({ catalog }: Door): Sample[] {
  const states = catalog.all().flatMap(({ definition, entry }) => (definition.kind === "model" ? [entry.state] : []));
  const help = "Models by state: a suspended one gets no rows until it is corrected or resumed.";
  return ["active", "building", "suspended"].map((state) => {
    const value = states.filter((one) => one === state).length;
    return { name: "weir_models", type: "gauge", help, labels: { state }, value };
  });
}

function processSamples({ refusals }: Door): Sample[] {
  const { rss, heapUsed } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const labels = {};
  return [
    {
      name: "weir_refusals_dropped_total",
      type: "counter",
      help: "Refused events that were counted but not kept.",
      labels,
      value: refusals.dropped(),
    },
    { name: "process_resident_memory_bytes", type: "gauge", help: "Memory of this process.", labels, value: rss },
    { name: "process_heap_bytes", type: "gauge", help: "JavaScript heap in use.", labels, value: heapUsed },
    {
      name: "process_cpu_seconds_total",
      type: "counter",
      help: "Processor time of this process.",
      labels,
      value: (user + system) / 1e6,
    },
    { name: "process_uptime_seconds", type: "gauge", help: "Age of this process.", labels, value: process.uptime() },
  ];
}
