/**
 * Commands that open a door: start, demo.
 *
 * @module
 */
import { Effect, type Layer } from "effect";
import { Command, Flag } from "effect/cli";
import { type Config, readConfig } from "../config.ts";
import { safeLines } from "../safe_text.ts";
import { demo } from "./demo.ts";
import { answering, jsonFlag, projectFlag, switchFlag, textFlag, weir } from "./root.ts";
import { serveUntilSignal } from "./serve.ts";
import { type Parts, type RunningDoor, StartFailed, startDoor } from "./start.ts";
import { watchProject } from "./watch.ts";

/** Everything behind a door; `main.ts` says how it is made. */
export type PartsOf = (config: Config) => Layer.Layer<Parts, unknown>;

const door = {
  port: textFlag("port", { metavar: "N", doc: "port of the door, 0 for any that is free (WEIR_PORT, 8080)" }),
  host: textFlag("host", { metavar: "HOST", doc: "address to listen on (WEIR_HOST, 127.0.0.1)" }),
  json: jsonFlag.pipe(Flag.withDescription("for scripts: one JSON line when the door is open, nothing else on stdout")),
};

// Problems quote what files and events hold.
const warn = (message: string) => console.error(safeLines(message));

const startFlags = {
  ...door,
  project: projectFlag.pipe(Flag.withDescription("folder of definitions to apply first (WEIR_PROJECT, none)")),
  backups: textFlag("backups", {
    metavar: "DIR",
    doc: "folder of backups (WEIR_BACKUPS, backups in the data directory)",
  }),
  role: textFlag("role", {
    metavar: "ROLE",
    doc: "all, gateway (the door) or worker (the landing); several processes share Kafka and ClickHouse (WEIR_ROLE, all)",
  }),
  watch: switchFlag("watch", { doc: "go on applying the project's files as they are saved" }),
};

/** `weir start`. */
export const startCommand = (partsOf: PartsOf) =>
  Command.make("start", startFlags, ({ port, host, json, project, backups, role, watch }) =>
    answering({ port, host, projectDir: project, backupsDir: backups, role }, async (config) => {
      const open = watch ? openWatching : openOnce;
      return serveUntilSignal(await open(config, partsOf, json ? warn : (line) => console.log(safeLines(line))), {
        isJson: json,
      });
    }),
  ).pipe(
    Command.withDescription("Open the door: everything in one process, until it is told to stop"),
    Command.withExamples([
      { command: "weir start --project shop", description: "apply the definitions of a folder, then serve" },
      { command: "weir start --project shop --watch" },
      { command: "weir start --data /var/lib/weir --host 0.0.0.0" },
    ]),
  );

const openOnce = (config: Config, partsOf: PartsOf): Promise<RunningDoor> => startDoor(config, partsOf(config), warn);

/** Opens a door whose project is applied by the watch, at first and whenever it changes. */
async function openWatching(config: Config, partsOf: PartsOf, say: (line: string) => void): Promise<RunningDoor> {
  const { projectDir } = config;
  if (projectDir === undefined)
    throw new StartFailed("Cannot watch: no project is named. Name its folder with --project.");
  const running = await openOnce({ ...config, projectDir: undefined }, partsOf);
  try {
    await watchProject(running, { projectDir, say, warn });
    return running;
  } catch (error) {
    await running.stop();
    throw error;
  }
}

const demoFlags = {
  ...door,
  once: switchFlag("once", { doc: "replay the file once, compare every table with it, end with 0 or 1" }),
  stay: switchFlag("stay", { doc: "with --once: stay open after the comparison" }),
  rate: textFlag("rate", { metavar: "N", doc: "events a second (50)" }),
};

/** `weir demo`. */
export const demoCommand = (partsOf: PartsOf) =>
  Command.make("demo", demoFlags, ({ port, host, json, once, stay, rate = "50" }) =>
    Effect.flatMap(weir, ({ data }) =>
      answering({}, () =>
        demo({ once, stay, json, rate: Number(rate), port, dataDir: data }, (own): Promise<RunningDoor> => {
          return openOnce(readConfig({ dataDir: data, port, host, ...own }), partsOf);
        }),
      ),
    ),
  ).pipe(
    Command.withDescription("Open the door with real flights replayed into it"),
    Command.withExamples([
      { command: "weir demo --rate 500" },
      { command: "weir demo --once", description: "prove every table against the file" },
    ]),
  );
