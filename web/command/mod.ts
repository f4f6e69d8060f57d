/**
 * The commands: `weir <command> [flags]`.
 *
 *   argv ──▶ command ──▶ start · demo (open a door) or init · plan · apply · … · sql · status · tail · position · quarantine · token · backup (ask a running one)
 *                └─misspelt──▶ 2, and what may have been meant       work failed ──▶ 1, and why
 *
 * @module
 */
import { Cause, Effect, Exit, Layer } from "effect";
import { CliConfig, CliError, Command, GlobalFlag } from "effect/cli";
import { ConfigInvalid } from "../config.ts";
import { ProjectUnreadable } from "../project.ts";
import { safeLines } from "../safe_text.ts";
import { VERSION } from "../version.ts";
import { backupCommand } from "./backup.ts";
import { ClientFailed } from "./client.ts";
import {
  applyCommand,
  checkCommand,
  initCommand,
  planCommand,
  pullCommand,
  resumeCommand,
} from "./definition_commands.ts";
import { demoCommand, type PartsOf, startCommand } from "./door_commands.ts";
import { platform } from "./platform.ts";
import { positionCommand } from "./position.ts";
import { presenting } from "./presenting.ts";
import { quarantineCommand } from "./quarantine.ts";
import { type EngineOn, restoreCommand } from "./restore.ts";
import { Ended, weir } from "./root.ts";
import { sqlCommand } from "./sql.ts";
import { StartFailed } from "./start.ts";
import { statusCommand } from "./status.ts";
import { tailCommand } from "./tail.ts";
import { tokenCommand } from "./token.ts";

/** How commands reach what they start; `main.ts` says. */
export interface Wire {
  readonly partsOf: PartsOf;
  readonly engineOn: EngineOn;
}

const DESCRIPTION = `Weir, a real-time data warehouse.

  start and demo open a door; the other commands ask a running one. They find it by WEIR_URL and WEIR_TOKEN, or by
  what start left in the data directory. CLICKHOUSE_URL=http://user:password@host:8123 uses a ClickHouse of your own.`;

/** The tree of all commands. */
const tree = ({ partsOf, engineOn }: Wire) =>
  weir.pipe(
    Command.withDescription(DESCRIPTION),
    Command.withSubcommands([
      { group: "Open a door", commands: [startCommand(partsOf), demoCommand(partsOf)] },
      { group: "Define", commands: [initCommand, planCommand, applyCommand, pullCommand, checkCommand, resumeCommand] },
      { group: "Ask", commands: [sqlCommand] },
      { group: "Operate", commands: [statusCommand, tailCommand, positionCommand, quarantineCommand, tokenCommand] },
      { group: "Keep", commands: [backupCommand, restoreCommand(engineOn)] },
    ]),
    Command.withExamples([
      { command: "weir start --project shop" },
      { command: 'weir sql "SELECT count() FROM ods.sale"' },
      { command: 'eval "$(weir --completions bash)"', description: "complete commands and flags in this shell" },
    ]),
  );

const settings = CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] });

/** Errors that are said in one line; any other one is a defect. */
const EXPECTED = [StartFailed, ConfigInvalid, ClientFailed, ProjectUnreadable];

/** Runs one command; answers the exit status. */
export async function run(argv: readonly string[], wire: Wire): Promise<number> {
  const work = Command.runWith(tree(wire), { version: VERSION })(argv);
  const exit = await Effect.runPromiseExit(Effect.provide(work, Layer.mergeAll(platform, presenting, settings)));
  if (Exit.isSuccess(exit)) return 0;
  const error = Cause.squash(exit.cause);
  if (error instanceof Ended) return error.status;
  // It is said already: what is wrong, or the help of a command that is none by itself.
  if (CliError.isCliError(error)) return 2;
  if (!EXPECTED.some((kind) => error instanceof kind)) throw error;
  // It may quote what somebody sent: a value, a column's name, a file's.
  console.error(safeLines((error as Error).message));
  return 1;
}
