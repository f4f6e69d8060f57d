/**
 * The commands: `weir <command> [flags]`.
 *
 *   argv ──▶ command ──▶ start · demo (open a door) or plan · apply · pull · check · resume · sql · token (ask a running one)
 *
 * @module
 */
import { parseArgs } from "node:util";
import type { Layer } from "effect";
import { type Config, ConfigInvalid, type Flags, readConfig } from "../config.ts";
import { ProjectUnreadable } from "../project.ts";
import { apply, check, pull, resume } from "./apply.ts";
import { ClientFailed, sql } from "./client.ts";
import { demo } from "./demo.ts";
import { serveUntilSignal } from "./serve.ts";
import { type Parts, type RunningDoor, StartFailed, startDoor } from "./start.ts";
import { token } from "./token.ts";

/** How a command's layers are made; `main.ts` says. */
export type Wire = (config: Config) => Layer.Layer<Parts, unknown>;

const HELP = `weir, a real-time data warehouse

  weir start    open the door: everything in one process
  weir demo     the same with real flights replayed into it
  weir plan     what applying a project would change
  weir apply    apply a project to a running door
  weir pull     write what is in force into a project's folder
  weir check    recompute a model over its sources and compare: weir check dwa.state_minute
  weir resume   make a suspended model anew: weir resume dwf.flight
  weir sql      ask a running door: weir sql "SELECT count() FROM ods.flight"
  weir token    who may come in: weir token create --name app --scope ingest:flight | list | revoke ID

  --data DIR     durable data                    (WEIR_DATA, .weir/data)
  --project DIR  definitions                     (WEIR_PROJECT)
  --port N       door's port, 0 for any          (WEIR_PORT, 8080)
  --host HOST    address to listen on            (WEIR_HOST, 127.0.0.1)
  --json         for scripts: one JSON line when the door is open, nothing else on stdout
  demo:  --once  replay once, compare with the file, end with 0 or 1   --stay  stay up afterwards   --rate N  events/s (50)
  plan:  --explain  why each model is kept as it is
  apply: --allow-destructive   --force  overwrite what others changed
  sql:   --format json|ndjson|csv
  token: --name N   --scope S (again for more)   --expires "30 days"   --origin https://app.example.com   --param tenant=a

CLICKHOUSE_URL=http://user:password@host:8123 uses a ClickHouse of your own. All but start and demo find the
door by WEIR_URL and WEIR_TOKEN, or by what start left in the data directory.
`;

const OPTIONS = {
  data: { type: "string" },
  project: { type: "string" },
  port: { type: "string" },
  host: { type: "string" },
  rate: { type: "string" },
  format: { type: "string" },
  name: { type: "string" },
  scope: { type: "string", multiple: true },
  expires: { type: "string" },
  origin: { type: "string", multiple: true },
  param: { type: "string", multiple: true },
  json: { type: "boolean" },
  once: { type: "boolean" },
  stay: { type: "boolean" },
  "allow-destructive": { type: "boolean" },
  explain: { type: "boolean" },
  force: { type: "boolean" },
  help: { type: "boolean" },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>>["values"];

/** Runs one command; answers the exit status. */
export async function run(argv: readonly string[], wire: Wire): Promise<number> {
  const parsed = parse(argv);
  if (parsed === undefined) return 2;
  const { values, positionals } = parsed;
  const [command, ...rest] = positionals;
  if (values.help || command === undefined) {
    console.log(HELP);
    return command === undefined && !values.help ? 2 : 0;
  }
  try {
    return await dispatch(command, { values, rest, wire });
  } catch (error) {
    const isExpected = [StartFailed, ConfigInvalid, ClientFailed, ProjectUnreadable].some(
      (kind) => error instanceof kind,
    );
    if (!isExpected) throw error;
    console.error((error as Error).message);
    return 1;
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    console.error(`${(error as Error).message.split(". ")[0]}. Run weir --help.`);
    return undefined;
  }
}

async function dispatch(
  command: string,
  { values, rest, wire }: { values: Values; rest: readonly string[]; wire: Wire },
): Promise<number> {
  const flags: Flags = { dataDir: values.data, projectDir: values.project, host: values.host, port: values.port };
  const open = (config: Config): Promise<RunningDoor> =>
    startDoor(config, wire(config), (message) => console.error(message));
  switch (command) {
    case "start":
      return serveUntilSignal(await open(readConfig(flags)), { isJson: values.json === true });
    case "demo":
      return demo({ ...demoOptions(values), port: values.port, dataDir: values.data }, (own) =>
        open(readConfig({ ...flags, ...own })),
      );
    case "plan":
    case "apply":
      return apply(readConfig(flags), {
        dryRun: command === "plan",
        allowDestructive: values["allow-destructive"] === true,
        isForced: values.force === true,
        isExplained: values.explain === true,
        isJson: values.json === true,
      });
    case "pull":
      return pull(readConfig(flags));
    case "check":
    case "resume": {
      const [name] = rest;
      if (name === undefined) throw new ClientFailed(`Say which model: weir ${command} dwa.state_minute`);
      const how = { name, isJson: values.json === true };
      return command === "check" ? check(readConfig(flags), how) : resume(readConfig(flags), how);
    }
    case "sql":
      return sql(readConfig(flags), { text: rest.join(" "), format: values.format ?? "json" });
    case "token":
      return token(readConfig(flags), rest, { ...values, isJson: values.json === true });
    default:
      console.error(`Cannot run '${command}': there is no such command. Run weir --help.`);
      return 2;
  }
}

function demoOptions(values: Values) {
  return {
    once: values.once === true,
    stay: values.stay === true,
    json: values.json === true,
    rate: Number(values.rate ?? 50),
  };
}
