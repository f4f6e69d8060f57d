/**
 * Metrics: what this door counts and how it is, for Prometheus. The alert rules in `alerts/` ask for them.
 *
 *   counters · markers · log · actors · models · status ──▶ /metrics
 *
 * Open to everybody who reaches the port, so nothing here names more than
 * sources and actors, and what costs queries is looked at once a second at most.
 *
 * @module
 */
import type { RunningSource } from "@weir/actors";
import { Effect, Exit } from "effect";
import { Hono } from "hono";
import { atMostEvery } from "./at_most_every.ts";
import type { Labels, Sample } from "./counters.ts";
import type { Door, DoorEnv } from "./door.ts";
import { DOWN } from "./health.ts";
import { lagOf, PART_MS_MAX } from "./lag.ts";
import { Landed } from "./landed.ts";
import { type Status, statusOf } from "./status.ts";

/** For so long the last look is good enough. */
const LOOK_MS_MIN = 1_000;

/** `/metrics`. */
export function metrics(door: Door): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  const landed = new Landed(door.warehouse, Date.now());
  const look = atMostEvery(LOOK_MS_MIN, () => samplesOf(door, landed));

  app.get("/metrics", async (c) => {
    const text = door.counters.text(await look());
    return c.text(text, 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
  });
  return app;
}

async function samplesOf(door: Door, landed: Landed): Promise<readonly Sample[]> {
  const [status, backups, lags] = await Promise.all([
    statusOf(door),
    backupSamples(door),
    Promise.all(door.sources.all().map((running) => lagSamples(door, running))),
    door.run(Effect.timeout(landed.refresh(Date.now()), PART_MS_MAX)),
  ]);
  return [
    ...landed.samples(),
    ...lags.flat(),
    ...actorSamples(door),
    ...modelSamples(status),
    ...statusSamples(status),
    ...backups,
    ...processSamples(door),
  ];
}

async function lagSamples(door: Door, running: RunningSource): Promise<Sample[]> {
  const help = "Records in the log that cannot be queried yet.";
  return ((await lagOf(door, running)) ?? []).map(({ partition, lag }) => {
    const labels = { source: running.applied.source.name, partition: String(partition) };
    return { name: "weir_source_lag_records", type: "gauge", help, labels, value: lag };
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

function modelSamples({ models: { active, building, suspended } }: Status): Sample[] {
  const help = "Models by state: a suspended one gets no rows until it is corrected or resumed.";
  return Object.entries({ active, building, suspended: suspended.length }).map(([state, value]) => ({
    ...{ name: "weir_models", type: "gauge" as const, help, labels: { state }, value },
  }));
}

/** What an operator is told at a glance, as far as alerts ask for it. */
function statusSamples({ ready, disk, sources, actors }: Status): Sample[] {
  const gauge = (name: string, help: string, value: number | null, labels: Labels = {}): Sample[] =>
    value === null ? [] : [{ name, type: "gauge", help, labels, value }];
  const atGaps = "Partitions that stand still at records which the log no longer has.";
  const asking = "Partitions that wait for what a schema registry says.";
  const waiting = (source: string) =>
    actors.waiting.filter(({ address }) => address.startsWith(`table/ods.${source}/`));
  const lost = "Records that the log no longer had before they landed, accepted as lost.";
  const evolved = "Columns that `drift: evolve` has added and that nobody has made his own since.";
  const seconds = "Age of the oldest record that cannot be queried yet.";
  return [
    ...gauge("weir_ready", "1 if /readyz says so.", ready ? 1 : 0),
    ...gauge("weir_log_bytes", "Size of the log on disk.", disk.log_bytes),
    ...gauge("weir_warehouse_bytes", "Size of the tables on disk.", disk.warehouse_bytes),
    ...gauge("weir_disk_free_bytes", "Free space on the warehouse's disk.", disk.warehouse_free_bytes),
    ...sources.flatMap(({ source, lag_seconds, stopped, lost_records, evolved_columns }) => [
      ...gauge("weir_source_lag_seconds", seconds, lag_seconds, { source }),
      ...gauge("weir_source_evolved_columns", evolved, evolved_columns, { source }),
      ...gauge("weir_source_stopped_partitions", atGaps, stopped?.length ?? null, { source }),
      ...gauge("weir_source_waiting_partitions", asking, waiting(source).length, { source }),
      ...gauge("weir_lost_records_total", lost, lost_records, { source }).map((one) => ({
        ...one,
        type: "counter" as const,
      })),
    ]),
  ];
}

async function backupSamples({ backups, run }: Door): Promise<Sample[]> {
  const exit = await run(Effect.timeout(backups.all, PART_MS_MAX));
  if (!Exit.isSuccess(exit) || exit.value === undefined) return [];
  const made = exit.value.map((backup) => ("manifest" in backup ? Date.parse(backup.manifest.made_at) / 1_000 : 0));
  const help = "When the newest backup was made, in seconds since 1970; 0 if there is none.";
  return [{ name: "weir_backup_made_at_seconds", type: "gauge", help, labels: {}, value: Math.max(0, ...made) }];
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
