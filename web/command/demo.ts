/**
 * `weir demo`: the platform with real flights in it.
 *
 *   start ──▶ door open ──▶ replay for ever ──first rows──▶ address, token, things to try ──signal──▶ stop
 *                       └─▶ --once: replay, compare with the file ──▶ 0 or 1      (--stay: things to try ──signal──▶ stop)
 *
 * With `--json` stdout has one line when the door is open,
 * `{"ready":true,"url":…,"admin_token":…,"pid":…}`, and with `--once --json` a second one
 * with the comparison, `{"compared":true,"equal":…,"expected":…,"found":…,"groups":…,"differences":[…],"differences_total":…}`;
 * everything else goes to stderr.
 *
 * @module
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Flight, flights20kPath, parseFlights, projectDir } from "@weir/flights";
import { differencesOf, foundIn, reportJson, reportText, rows, tallyOf, waitForRows } from "./demo_check.ts";
import { checkModels, modelsEqual, modelsReport, modelsText } from "./demo_oracle/check.ts";
import { type DoorAddress, pause, type ReplayCounts, ReplayFailed, replayEndless, replayOnce } from "./replay.ts";
import { readyLine, signalled } from "./serve.ts";
import type { RunningDoor as WholeDoor } from "./start.ts";

/** What the command line says. */
export interface DemoOptions {
  readonly once: boolean;
  /** With `once`: stay open after the comparison. */
  readonly stay: boolean;
  readonly json: boolean;
  /** Events a second. */
  readonly rate: number;
  readonly port: string | undefined;
  readonly dataDir: string | undefined;
}

/** What the demo says about the door to be opened; what it leaves out is the configuration's. */
export interface DemoDoor {
  readonly projectDir: string;
  readonly dataDir?: string;
  readonly port?: string;
}

/** What the demo needs of an open door. */
export type RunningDoor = Pick<WholeDoor, "url" | "adminToken" | "stop">;

const RATE_MAX = 100_000;
const VISIBLE_MS_MAX = 60_000;
const FIRST_ROWS_POLL_MS = 100;
const STATUS_EVERY_MS = 3_000;

/** Runs the demo until it has compared (`once`) or is signalled; answers the exit status. */
export async function demo(options: DemoOptions, start: (door: DemoDoor) => Promise<RunningDoor>): Promise<number> {
  if (!(options.rate > 0 && options.rate <= RATE_MAX)) {
    console.error(`Cannot use --rate: it must be a number above 0 and at most ${RATE_MAX} events a second.`);
    return 2;
  }
  const stop = new AbortController();
  void signalled().then(() => stop.abort());
  const ownDir = options.once && options.dataDir === undefined ? mkdtempSync(join(tmpdir(), "weir-demo-")) : undefined;
  try {
    const running = await start(doorOf(options, ownDir));
    try {
      if (options.json) console.log(readyLine(running));
      return await (options.once ? once(running, options, stop.signal) : endless(running, options, stop.signal));
    } finally {
      stop.abort();
      await running.stop();
    }
  } catch (error) {
    if (!(error instanceof ReplayFailed)) throw error;
    console.error(error.message);
    return 1;
  } finally {
    if (ownDir !== undefined) rmSync(ownDir, { recursive: true, force: true });
  }
}

/** A demo that only compares needs nobody to find it: any free port will do, unless one is named. */
function doorOf({ once, stay, port, dataDir }: DemoOptions, ownDir: string | undefined): DemoDoor {
  const data = dataDir ?? ownDir;
  const at = port ?? (once && !stay ? "0" : undefined);
  return { projectDir, ...(data === undefined ? {} : { dataDir: data }), ...(at === undefined ? {} : { port: at }) };
}

/** Replays once and compares. A signal before the comparison is a failure: nothing was shown. */
async function once(running: RunningDoor, { json, stay }: DemoOptions, signal: AbortSignal): Promise<number> {
  const door = addressOf(running);
  const text = readFileSync(flights20kPath, "utf8");
  const flights = parseFlights(text);
  const bar = progressBar("replaying", flights.length);
  const counts = await replayOnce(door, flights, {
    signal,
    onSent: ({ accepted, rejected }) => bar(accepted + rejected),
  });
  await waitForRows(door, counts.accepted, { waitMsMax: VISIBLE_MS_MAX, signal });
  if (signal.aborted) {
    console.error("Stopped before the comparison.");
    return 1;
  }
  const expected = tallyOf(text);
  const found = await foundIn(door);
  const models = await checkModels(door, signal);
  if (json) console.log(reportJson(expected, found, { models: modelsReport(models) }));
  else console.log(`${reportText(expected, found)}\n${modelsText(models)}`);
  if (stay) {
    if (!json) console.log(`\n${thingsToTry(door, new Date())}`);
    await pauseUntil(signal);
  }
  return differencesOf(expected, found).length === 0 && modelsEqual(models) ? 0 : 1;
}

/** Replays for ever, in loops after those that the table already has. */
async function endless(running: RunningDoor, { json, rate }: DemoOptions, signal: AbortSignal): Promise<number> {
  const door = addressOf(running);
  const flights = parseFlights(readFileSync(flights20kPath, "utf8"));
  const loop = (await lastLoop(door)) + 1;
  const ended = new AbortController();
  const shared: Shared = {
    door,
    loop,
    since: new Date().toISOString(),
    signal: AbortSignal.any([signal, ended.signal]),
  };
  const counted = { accepted: 0, rejected: 0 };
  const sending = send(shared, { flights, rate, counted }).finally(() => ended.abort());
  const showing = show(shared, { json, counted }).finally(() => ended.abort());
  await Promise.all([sending, showing]);
  return 0;
}

/** What sending and showing have in common. */
interface Shared {
  readonly door: DoorAddress;
  readonly loop: number;
  /** When this demo began, RFC 3339. */
  readonly since: string;
  readonly signal: AbortSignal;
}

type Counted = { -readonly [name in keyof ReplayCounts]: ReplayCounts[name] };

async function send(
  { door, loop, signal }: Shared,
  run: { flights: readonly Flight[]; rate: number; counted: Counted },
): Promise<void> {
  const onSent = (counts: ReplayCounts) => Object.assign(run.counted, counts);
  await orStopped(
    signal,
    replayEndless(door, run.flights, { rate: run.rate, loop, runId: crypto.randomUUID(), signal, onSent }),
  );
}

/** Says where the door is once there is something to see; then, for people, how it goes. */
async function show(shared: Shared, { json, counted }: { json: boolean; counted: Counted }): Promise<void> {
  const { door, since, signal } = shared;
  while (!signal.aborted && (await orStopped(signal, storedCount(shared))) === 0)
    await pause(FIRST_ROWS_POLL_MS, signal);
  if (signal.aborted) return;
  if (!json) console.log(thingsToTry(door, new Date()));
  while (!signal.aborted && process.stderr.isTTY) {
    const stored = await orStopped(signal, storedCount(shared));
    const quarantined = await orStopped(signal, quarantinedCount(door, since));
    const { accepted, rejected } = counted;
    const refused = rejected === 0 ? "" : ` · rejected ${grouped(rejected)}`;
    if (!signal.aborted)
      rewrite(
        `accepted ${grouped(accepted)} · stored ${grouped(stored)} · quarantined ${grouped(quarantined)}${refused}`,
      );
    await pause(STATUS_EVERY_MS, signal);
  }
  if (process.stderr.isTTY) process.stderr.write("\n");
  await pauseUntil(signal);
}

/** The value; what fails because the demo is being stopped is no failure. */
async function orStopped<A>(signal: AbortSignal, value: Promise<A>): Promise<A | undefined> {
  try {
    return await value;
  } catch (error) {
    if (error instanceof ReplayFailed && signal.aborted) return undefined;
    throw error;
  }
}

async function lastLoop(door: DoorAddress): Promise<number> {
  const isReplayed = "match(flight_id, '^[0-9]{1,9}-[0-9]+$')";
  const sql = `SELECT max(toUInt32OrZero(splitByChar('-', flight_id)[1])) AS loop FROM ods.flight WHERE ${isReplayed}`;
  return Number((await rows(door, sql))[0]?.loop ?? 0);
}

/** Rows of this demo's own loops that can be queried; events that people sent beside it are not among them. */
async function storedCount({ door, loop, since, signal }: Shared): Promise<number> {
  const isOwn = `match(flight_id, '^[0-9]{1,9}-[0-9]+$') AND toUInt32OrZero(splitByChar('-', flight_id)[1]) >= ${loop}`;
  const sql = `SELECT count() AS n FROM ods.flight WHERE _event_time >= toDateTime64('${since.slice(0, -1)}', 3, 'UTC') AND ${isOwn}`;
  return Number((await rows(door, sql, signal))[0]?.n);
}

/** Events that were accepted since and could not be stored; what the door refused at once was never accepted. */
async function quarantinedCount(door: DoorAddress, since: string): Promise<number> {
  const isSince = `quarantined_at >= toDateTime64('${since.slice(0, -1)}', 3, 'UTC')`;
  const sql = `SELECT count() AS n FROM weir.quarantine WHERE source = 'flight' AND offset >= 0 AND ${isSince}`;
  return Number((await rows(door, sql))[0]?.n);
}

/** Address, token, and what works as it stands. */
export function thingsToTry({ url, token }: DoorAddress, now: Date): string {
  const auth = `-H 'Authorization: Bearer ${token}'`;
  const own = {
    flight_id: "mine-1",
    departed_at: now.toISOString(),
    origin: "SFO",
    destination: "JFK",
    distance: 2586,
    delay: -7,
  };
  const busiest =
    "SELECT origin, count() AS flights, round(avg(delay), 1) AS delay FROM ods.flight GROUP BY origin ORDER BY flights DESC LIMIT 5";
  return `Weir is open at ${url}
admin token: ${token}

Ask in SQL:
  curl -s ${url}/v1/sql ${auth} -H 'Content-Type: text/plain' --data-binary '${busiest}'

Send an event of your own; it is answered when it can be queried:
  curl -s '${url}/v1/ingest/flight?wait=1' ${auth} -H 'Content-Type: application/json' --data-binary '${JSON.stringify(own)}'

Ask a published API; the models behind it were up to date when the event above was answered:
  curl -s '${url}/v1/api/state_minute?state=CA&limit=5' ${auth}

Watch flights land in a browser:
  ${url}/#token=${token}
`;
}

function addressOf({ url, adminToken }: RunningDoor): DoorAddress {
  return { url, token: adminToken };
}

function pauseUntil(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

const BAR_WIDTH = 30;

/** Draws how far it is, on a terminal only. */
function progressBar(what: string, total: number): (done: number) => void {
  if (!process.stderr.isTTY) return () => {};
  return (done) => {
    const filled = Math.floor((Math.min(done, total) / total) * BAR_WIDTH);
    rewrite(`${what} ${"█".repeat(filled)}${"░".repeat(BAR_WIDTH - filled)} ${grouped(done)} of ${grouped(total)}`);
    if (done >= total) process.stderr.write("\n");
  };
}

/** Writes the terminal's current line anew. */
function rewrite(line: string): void {
  process.stderr.write(`\r\x1b[2K${line}`);
}

function grouped(count: number | undefined): string {
  return (count ?? 0).toLocaleString("en-US");
}
