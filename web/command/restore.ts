/**
 * `weir restore`: a backup's folder becomes a new data directory, which `weir start` then opens.
 *
 *   manifest read ──▶ log's copy, proven by its checksum ──▶ tables, proven by their rows ──▶ durable ──▶ renamed into place
 *
 * Runs beside any running door: it touches the backup and the new directory only.
 * Cut off, it leaves `<data>.restoring-…`, never half a data directory.
 *
 * @module
 */
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { restoreWarehouse } from "@weir/actors";
import { type Backup, readBackup, sha256Of, stampDataDirectory, syncTree, type Warehouse } from "@weir/connectors";
import { Effect, type Layer } from "effect";
import { Argument, Command } from "effect/cli";
import { stderrLogger } from "../stderr_logger.ts";
import { answering, jsonFlag } from "./root.ts";
import { StartFailed } from "./start.ts";

/** An engine of its own on a data directory, whose folder of backups is given. */
export type EngineOn = (at: {
  readonly dataDir: string;
  readonly backupsDir: string;
}) => Layer.Layer<Warehouse, unknown>;

/** `weir restore`. */
export const restoreCommand = (engineOn: EngineOn) =>
  Command.make("restore", { from: fromArgument, json: jsonFlag }, ({ from, json }) =>
    answering({}, async ({ dataDir }) => {
      const { manifest } = await restore(dataDir, { from, engineOn });
      const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
      const said = { data: dataDir, made_at: manifest.made_at, tables: manifest.tables.length, rows };
      console.log(
        json
          ? JSON.stringify(said)
          : `restored to ${dataDir} as of ${said.made_at}: ${said.tables} tables, ${rows.toLocaleString("en")} rows\nweir start --data ${dataDir}`,
      );
      return 0;
    }),
  ).pipe(
    Command.withDescription("Make a new data directory (--data) out of a backup"),
    Command.withExamples([
      { command: "weir restore .weir/data/backups/20261122T210501Z --data /srv/restored" },
      { command: "weir start --data /srv/restored", description: "what the log held beyond the tables lands now" },
    ]),
  );

const fromArgument = Argument.String("folder").pipe(Argument.withDescription("a backup's folder"));

/** Makes `dataDir` out of the backup in `from`. */
async function restore(
  dataDir: string,
  { from, engineOn }: { readonly from: string; readonly engineOn: EngineOn },
): Promise<Backup> {
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0)
    throw new StartFailed(`Cannot restore into '${dataDir}': it is not empty. Name a new directory with --data.`);
  if (!existsSync(from)) throw new StartFailed(`Cannot restore '${from}': there is no such folder.`);
  const backup = await orFailed(readBackup(realpathSync(from)));
  mkdirSync(dirname(dataDir), { recursive: true });
  const staging = mkdtempSync(`${dataDir}.restoring-`);
  try {
    await fill(staging, { backup, engineOn });
    await syncTree(staging);
    if (existsSync(dataDir)) rmdirSync(dataDir);
    renameSync(staging, dataDir);
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    throw error;
  }
  return backup;
}

async function fill(staging: string, { backup, engineOn }: { readonly backup: Backup; readonly engineOn: EngineOn }) {
  const { path, manifest } = backup;
  stampDataDirectory(staging, manifest.data_format);
  const log = join(staging, "log.db");
  const found = lstatSync(join(path, "log.db"), { throwIfNoEntry: false });
  // A link is not followed: what it leads to is not the backup's, and may never end.
  const isWhole = found?.isFile() === true && found.size === manifest.log.bytes;
  if (isWhole) copyFileSync(join(path, "log.db"), log);
  if (!isWhole || sha256Of(log) !== manifest.log.sha256)
    throw new StartFailed(`Cannot restore '${path}': its log.db is damaged. Use another backup.`);
  const engine = engineOn({ dataDir: staging, backupsDir: dirname(path) });
  const folder = `${basename(path)}/warehouse`;
  await orFailed(restoreWarehouse({ folder, manifest }).pipe(Effect.provide(engine), Effect.provide(stderrLogger)));
}

/** What it fails with has a message that says what to do. */
async function orFailed<A>(work: Effect.Effect<A, unknown>): Promise<A> {
  const exit = await Effect.runPromise(Effect.result(work));
  if (exit._tag === "Success") return exit.success;
  const { message, hint = "" } = exit.failure as { readonly message: string; readonly hint?: string };
  throw new StartFailed(`${message} ${hint}`.trim());
}
