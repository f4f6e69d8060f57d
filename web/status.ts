/**
 * Status: all that an operator wants to know at a glance, computed in one place.
 *
 *   GET /v1/admin/status ──▶ readiness · sources (log, commits, markers) · models · actors · disk ──▶ weir status
 *
 * An operator looks here when things are broken: what a part does not answer is
 * null, and the rest is shown.
 *
 * @module
 */
import { decodeMark, groupOf, type RunningSource, tokenOf } from "@weir/actors";
import type { WarehouseFailed } from "@weir/connectors";
import { evolvedColumns, qualifiedName } from "@weir/sql";
import { Effect, Exit } from "effect";
import type { Door } from "./door.ts";
import { GAPS, type GapsRow, gapsOf } from "./gaps.ts";
import { reasonsNotReady, tablesDown } from "./health.ts";
import { lagOf, PART_MS_MAX } from "./lag.ts";
import { VERSION } from "./version.ts";

/** Events a second are those of the last so many seconds. */
const RATE_SECONDS = 60;

/** Everything at a glance. */
export type Status = Awaited<ReturnType<typeof statusOf>>;

/** What the door knows of itself now. */
export async function statusOf(door: Door) {
  const nowMs = Date.now();
  const [reasons, tables, landed, quarantined, disk, gaps] = await Promise.all([
    reasonsNotReady(door),
    rowsOf<TableRow>(door, TABLES, { everywhere: true }),
    rowsOf<LandedRow>(door, LANDED),
    rowsOf<QuarantineRow>(door, QUARANTINED),
    rowsOf<DiskRow>(door, DISK, { everywhere: true }),
    rowsOf<GapsRow>(door, GAPS),
  ]);
  const sources = await Promise.all(
    door.sources.all().map(async (running) => {
      const { source } = running.applied;
      const parts = tables?.filter(({ name }) => name === running.target.table);
      const mine = landed?.find(({ statement }) => statement === running.target.statement);
      const bad = quarantined?.find((row) => row.source === source.name);
      return {
        source: source.name,
        topic: source.topic,
        rows: parts?.reduce((sum, { rows }) => sum + rows, 0) ?? null,
        events_per_second: landed === undefined ? null : (mine?.events ?? 0) / RATE_SECONDS,
        ...(await positionOf(door, running, nowMs)),
        duplicates_last_hour: landed === undefined ? null : (mine?.duplicates ?? 0),
        quarantined_last_hour: quarantined === undefined ? null : (bad?.quarantined ?? 0),
        refused_last_hour: quarantined === undefined ? null : (bad?.refused ?? 0),
        ...gapsOf(gaps, running.target.statement),
        evolved_columns: evolvedColumns(source),
        left_out: source.leaveOut ?? [],
      };
    }),
  );
  const logBytes = await door.run(Effect.timeout(door.log.diskBytes, PART_MS_MAX));
  return {
    version: VERSION,
    started_at: new Date(nowMs - process.uptime() * 1_000).toISOString(),
    uptime_seconds: Math.floor(process.uptime()),
    ready: reasons.length === 0,
    reasons,
    sources,
    models: modelsOf(door),
    actors: actorsOf(door),
    shards: door.warehouse.cluster?.shards.length ?? 1,
    disk: {
      log_bytes: Exit.isSuccess(logBytes) ? (logBytes.value ?? null) : null,
      warehouse_bytes: tables?.reduce((sum, { bytes }) => sum + bytes, 0) ?? null,
      warehouse_free_bytes: disk === undefined ? null : Math.min(...disk.map(({ free }) => free)),
    },
  };
}

interface TableRow {
  readonly name: string;
  readonly rows: number;
  readonly bytes: number;
}

interface LandedRow {
  readonly statement: string;
  /** Of the last RATE_SECONDS. */
  readonly events: number;
  /** Of the last hour. */
  readonly duplicates: number;
}

interface QuarantineRow {
  readonly source: string;
  readonly quarantined: number;
  readonly refused: number;
}

interface DiskRow {
  readonly free: number;
}

const TABLES = `SELECT concat(database, '.', table) AS name, sum(rows) AS rows, sum(bytes_on_disk) AS bytes
FROM system.parts WHERE active AND database IN ('weir_state', 'weir', 'dim') GROUP BY name`;
const LANDED = `SELECT statement, sum(duplicate) AS duplicates,
  sumIf(stored + duplicate + quarantined, landed_at > now64(3) - INTERVAL ${RATE_SECONDS} SECOND) AS events
FROM weir.batch WHERE landed_at > now64(3) - INTERVAL 1 HOUR GROUP BY statement`;
const QUARANTINED = `SELECT source, countIf(offset >= 0) AS quarantined, countIf(offset < 0) AS refused
FROM weir.quarantine WHERE quarantined_at > now64(3) - INTERVAL 1 HOUR GROUP BY source`;
const DISK = "SELECT min(free_space) AS free FROM system.disks";

/** A small answer of the warehouse; undefined if it does not come. `everywhere` has the rows of each shard. */
async function rowsOf<Row>(
  { warehouse, run }: Door,
  sql: string,
  { everywhere = false } = {},
): Promise<readonly Row[] | undefined> {
  const settings = { readonly: 1, output_format_json_quote_64bit_integers: 0, max_execution_time: PART_MS_MAX / 1_000 };
  const servers = (everywhere ? warehouse.cluster?.shards : undefined) ?? [warehouse];
  const asked = servers.map(({ rows }) => rows<Row>("admin", sql, settings));
  const query: Effect.Effect<readonly Row[], WarehouseFailed> = Effect.map(
    Effect.all(asked, { concurrency: "unbounded" }),
    (answers) => answers.flat(),
  );
  const exit = await run(Effect.timeout(query, PART_MS_MAX));
  return Exit.isSuccess(exit) ? exit.value : undefined;
}

/** How far a source is behind, in records and seconds, how many batches are announced and not finished, and who lands it. */
async function positionOf(door: Door, running: RunningSource, nowMs: number) {
  const { applied, target } = running;
  const { topic } = applied.source;
  const partitions = await lagOf(door, running);
  const owners = await ownersOf(door, running);
  if (partitions === undefined) return { lag_records: null, lag_seconds: null, open_intents: null, owners };
  const behind = partitions.filter(({ lag }) => lag > 0);
  const oldest = await Promise.all(
    behind.map(async ({ partition, earliest, visible }) => {
      const offset = Math.max(earliest, visible ?? 0);
      const read = door.log.read({ topic, partition, offset, recordsMax: 1, bytesMax: 1, waitMs: 0 });
      const exit = await door.run(Effect.timeout(read, PART_MS_MAX));
      return Exit.isSuccess(exit) && exit.value.count > 0 ? [exit.value.timestamps[0]!] : [];
    }),
  );
  const commits = await door.run(Effect.timeout(door.log.committed({ group: groupOf(applied), topic }), PART_MS_MAX));
  const intents = Exit.isSuccess(commits)
    ? commits.value.flatMap(({ metadata }) => decodeMark(metadata)?.intent ?? [])
    : undefined;
  return {
    lag_records: behind.reduce((sum, { lag }) => sum + lag, 0),
    lag_seconds: Math.max(0, ...oldest.flat().map((ms) => (nowMs - ms) / 1_000)),
    // One intent is in the metadata of every partition that it announces.
    open_intents: intents === undefined ? null : new Set(intents.map((one) => tokenOf(target.statement, one))).size,
    owners,
  };
}

/** Which process lands which partitions, as the log's group says; null if it does not answer. */
async function ownersOf({ log, run }: Door, { applied }: RunningSource) {
  const members = log.members({ group: groupOf(applied), topic: applied.source.topic });
  const exit = await run(Effect.timeout(members, PART_MS_MAX));
  return Exit.isSuccess(exit) ? exit.value.map(({ name, partitions }) => ({ name, partitions })) : null;
}

function modelsOf({ catalog }: Door) {
  const models = catalog.all().filter(({ definition }) => definition.kind === "model");
  const suspended = models.filter(({ entry }) => entry.state === "suspended");
  return {
    active: models.filter(({ entry }) => entry.state === "active").length,
    building: models.filter(({ entry }) => entry.state === "building").length,
    suspended: suspended.map(({ definition, entry }) => ({ name: qualifiedName(definition), note: entry.note })),
  };
}

function actorsOf({ sources }: Door) {
  const reports = sources.registry.reports();
  const restarted = reports.filter(({ restarts }) => restarts > 0);
  const stopped = tablesDown(reports);
  const waiting = reports.filter(
    ({ kind, state }) => (kind === "partition" && state === "asking") || (kind === "table" && state === "evolving"),
  );
  return {
    running: reports.length,
    stopped: stopped.map(({ address, state, note }) => ({ address, state, note: note ?? null })),
    waiting: waiting.map(({ address, note }) => ({ address, note: note ?? null })),
    restarted: restarted.map(({ address, state, restarts, lastError }) => ({
      ...{ address, state, restarts, last_error: lastError ?? null },
    })),
  };
}
