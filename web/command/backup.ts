/**
 * `weir backup`: asks a running door for a backup, and waits for it.
 *
 *   POST /v1/admin/backups ──progress──▶ terminal ──▶ the folder's path
 *
 * @module
 */
import { Command } from "effect/cli";
import type { Config } from "../config.ts";
import { safeText } from "../safe_text.ts";
import { ask, askJson, ClientFailed, linesOf, type Refused, refused } from "./client.ts";
import { answering, jsonFlag, textFlag } from "./root.ts";

/** A backup as the door tells it. */
interface Told {
  readonly name: string;
  readonly path: string;
  readonly made_at: string;
  readonly tables: number;
  readonly rows: number;
  readonly records: Readonly<Record<string, number>>;
  readonly log_bytes: number;
  readonly elapsed_ms?: number;
}

/** A folder among the backups that is none. */
interface Unreadable {
  readonly problem: string;
}

const PATH = "/v1/admin/backups";

/** Makes a backup; prints where it is. */
async function make(config: Config, { name, json }: { readonly name: string | undefined; readonly json: boolean }) {
  const headers = { "content-type": "application/json", accept: "application/x-ndjson" };
  const response = await ask(config, PATH, { method: "POST", headers, body: JSON.stringify({ name }) });
  if (!response.ok) throw refused((await response.json()) as Refused);
  const isShown = !json && process.stderr.isTTY;
  for await (const text of linesOf(response)) {
    const { progress, answer } = JSON.parse(text) as Line;
    if (isShown && progress !== undefined)
      process.stderr.write(`\r\x1b[Kbacking up, ${Math.round(progress.elapsed_ms / 1_000)} s`);
    if (answer === undefined) continue;
    if (isShown) process.stderr.write("\r\x1b[K");
    if ("error" in answer) throw refused(answer);
    console.log(json ? JSON.stringify(answer) : shown(answer));
    return 0;
  }
  throw new ClientFailed("The door closed before the backup was finished: there is none. Make it again.");
}

interface Line {
  readonly progress?: { readonly elapsed_ms: number };
  readonly answer?: Told | Refused;
}

/** `weir backup list`. */
const list = Command.make("list", { json: jsonFlag }, ({ json }) =>
  answering({}, async (config) => {
    const answer = await askJson<{ readonly backups: readonly (Told | Unreadable)[] }>(config, PATH);
    if (json) console.log(JSON.stringify(answer));
    else for (const told of answer.backups) console.log("problem" in told ? safeText(told.problem) : shown(told));
    return 0;
  }),
).pipe(Command.withDescription("List the backups in the door's folder"));

const backupFlags = {
  name: textFlag("name", { metavar: "NAME", doc: "name of its folder (the time)" }),
  json: jsonFlag,
};

/** `weir backup`. */
export const backupCommand = Command.make("backup", backupFlags, (flags) =>
  answering({}, (config) => make(config, flags)),
).pipe(
  Command.withDescription("Back everything up, tables, catalog, positions and log, as of one moment"),
  Command.withExamples([
    { command: "weir backup", description: "a new folder in the door's folder of backups (start --backups DIR)" },
    { command: "weir restore .weir/data/backups/20261122T210501Z --data /srv/restored" },
  ]),
  Command.withSubcommands([list]),
);

/** `/data/backups/20261122T210501Z  2026-11-22T21:05:01.000Z  22 tables, 1,403,219 rows, 500,000 records of the log` */
function shown({ path, made_at, tables, rows, records, elapsed_ms }: Told): string {
  const kept = Object.values(records).reduce((sum, count) => sum + count, 0);
  const took = elapsed_ms === undefined ? "" : `, in ${(elapsed_ms / 1_000).toFixed(1)} s`;
  const size = `${tables} tables, ${rows.toLocaleString("en")} rows, ${kept.toLocaleString("en")} records of the log`;
  return `${path}  ${made_at}  ${size}${took}`;
}
