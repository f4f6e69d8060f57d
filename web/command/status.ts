/**
 * `weir status`: whether all is well, on one screen.
 *
 *   GET /v1/admin/status ──▶ readiness · sources · models · actors · disk ──▶ terminal, once or every second (--watch)
 *
 * Ends with 1 if the door is not ready.
 *
 * @module
 */
import { Command } from "effect/cli";
import type { Config } from "../config.ts";
import { safeLines, safeText } from "../safe_text.ts";
import type { Status } from "../status.ts";
import { askJson, ClientFailed, doorUrl } from "./client.ts";
import { answering, jsonFlag, switchFlag } from "./root.ts";
import { tableText } from "./table_text.ts";

const WATCH_EVERY_MS = 1_000;
const WIDTH_ELSE = 160;

const flags = { json: jsonFlag, watch: switchFlag("watch", { doc: "show it anew every second, until it is stopped" }) };

/** `weir status`. */
export const statusCommand = Command.make("status", flags, ({ json, watch }) =>
  answering({}, async (config) => {
    if (watch) return watchStatus(config, { isJson: json });
    const status = await askJson<Status>(config, "/v1/admin/status");
    console.log(json ? JSON.stringify(status) : statusText(status, look(config)));
    return status.ready ? 0 : 1;
  }),
).pipe(
  Command.withDescription("Whether all is well: readiness, lag, quarantine, models, disk; ends with 1 if not ready"),
  Command.withExamples([{ command: "weir status" }, { command: "weir status --watch" }]),
);

/** Shows it over and over; a door that does not answer for a while is waited for. */
async function watchStatus(config: Config, { isJson }: { readonly isJson: boolean }): Promise<number> {
  for (;;) {
    const shown = await askJson<Status>(config, "/v1/admin/status").catch((error: unknown) => {
      if (error instanceof ClientFailed) return error;
      throw error;
    });
    const isAway = shown instanceof ClientFailed;
    const clear = process.stdout.isTTY ? "\x1b[H\x1b[2J" : "";
    if (isJson) console.log(JSON.stringify(isAway ? { ready: false, reasons: [shown.message] } : shown));
    else console.log(`${clear}${isAway ? safeLines(shown.message) : statusText(shown, look(config))}`);
    await Bun.sleep(WATCH_EVERY_MS);
  }
}

/** Where the door is and how wide a line may be. */
interface Look {
  readonly url: string;
  readonly width: number;
}

const look = (config: Config): Look => ({ url: doorUrl(config) ?? "", width: process.stdout.columns ?? WIDTH_ELSE });

/** The screen. */
export function statusText(status: Status, { url, width }: Look): string {
  const { version, uptime_seconds, ready, reasons, sources, models, actors, disk } = status;
  const lines = [`Weir ${version} at ${url}, up ${span(uptime_seconds)}`];
  lines.push(ready ? "ready" : `NOT READY: ${reasons.join("; ")}`, "");
  if (sources.length === 0) lines.push("No source is applied yet: weir apply --project DIR");
  else lines.push(tableText(sources.map(sourceRow), width));
  for (const { source, stopped, lost_records, evolved_columns, left_out } of sources) {
    for (const { note } of stopped ?? []) lines.push(`STOPPED ${source}: ${safeText(note)}`);
    if ((lost_records ?? 0) > 0) lines.push(`${source}: ${count(lost_records)} records were accepted as lost`);
    const [columns, them] = evolved_columns === 1 ? ["column", "it"] : ["columns", "them"];
    if (evolved_columns > 0)
      lines.push(`${source}: evolve added ${evolved_columns} ${columns}; weir pull writes ${them} down`);
    if (left_out.length > 0) lines.push(`${source}: evolve leaves out ${safeText(left_out.join(", "))}`);
  }
  // Who answers owns all of it, where nothing else is said.
  const isShared = actors.running === 0 || sources.some(({ owners }) => owners !== null && owners.length !== 1);
  if (isShared && sources.length > 0) lines.push("", tableText(sources.flatMap(ownerRows), width));
  const building = models.building === 0 ? "" : `, ${models.building} being built`;
  lines.push("", `models  ${models.active} active${building}, ${models.suspended.length} suspended`);
  for (const { name, note } of models.suspended) lines.push(`        ${name}: ${safeText(note)}`);
  lines.push(`actors  ${actors.running} running, ${actors.restarted.length} restarted`);
  for (const { address, state, note } of actors.stopped)
    lines.push(`        ${address} is ${state}: ${safeText(note ?? "no reason is known")}`);
  for (const { address, note } of actors.waiting)
    lines.push(`        ${address} waits: ${safeText(note ?? "no reason is known")}`);
  for (const { address, state, restarts, last_error } of actors.restarted)
    lines.push(`        ${address} is ${state}, ${restarts} restarts: ${safeText(last_error ?? "no reason is known")}`);
  const free = disk.warehouse_free_bytes === null ? "" : `, ${bytes(disk.warehouse_free_bytes)} free`;
  lines.push(`disk    log ${bytes(disk.log_bytes)}, warehouse ${bytes(disk.warehouse_bytes)}${free}`);
  return safeLines(lines.join("\n"));
}

function sourceRow(source: Status["sources"][number]) {
  const {
    rows,
    events_per_second,
    lag_records,
    lag_seconds,
    duplicates_last_hour,
    quarantined_last_hour,
    refused_last_hour,
  } = source;
  return {
    source: source.source,
    topic: source.topic,
    rows: count(rows),
    "events/s": events_per_second === null ? "?" : events_per_second.toFixed(1),
    lag: count(lag_records),
    behind: lag_seconds === null ? "?" : `${lag_seconds.toFixed(1)} s`,
    intents: count(source.open_intents),
    "duplicates/h": count(duplicates_last_hour),
    "quarantined/h": count(quarantined_last_hour),
    "refused/h": count(refused_last_hour),
  };
}

/** Who lands a source. */
function ownerRows({ source, owners }: Status["sources"][number]) {
  if (owners === null) return [{ source, owner: "?", partitions: "?" }];
  if (owners.length === 0) return [{ source, owner: "nobody", partitions: "" }];
  return owners.map(({ name, partitions }) => ({ source, owner: name, partitions: partitions.join(" ") || "none" }));
}

const count = (number: number | null) => number?.toLocaleString("en") ?? "?";

/** `3 d 4 h`, `12 min`, `5 s`. */
export function span(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  const hours = Math.floor(seconds / 3_600);
  return hours < 24 ? `${hours} h` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `1.5 GiB`; a question mark for what is not known. */
export function bytes(number: number | null): string {
  if (number === null) return "?";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const unit = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, number)) / 10)));
  return `${(number / 2 ** (10 * unit)).toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}
