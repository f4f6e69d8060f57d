/**
 * `weir start`: the whole platform in one process, behind one door.
 *
 *   layers ──▶ sources brought up ──▶ project applied ──▶ door open ──signal──▶ door closed, owners drained, parts closed
 *
 * @module
 */
import { checkDataDirectory, DataDirectoryRefused, type LogFailed } from "@weir/connectors";
import { Cause, Effect, Exit, type Layer, ManagedRuntime } from "effect";
import { applyReport, problemLine } from "../apply_report.ts";
import type { Config } from "../config.ts";
import { Counters } from "../counters.ts";
import type { Door } from "../door.ts";
import { app } from "../mod.ts";
import { type Parts, partsOfDoor } from "../parts.ts";
import { readProject } from "../project.ts";
import { adminToken, removeDoorFile, ticketKey, writeDoorFile } from "../secrets.ts";
import { stderrLogger } from "../stderr_logger.ts";
import { keepTokens } from "../token_rows.ts";
import { Tokens } from "../tokens.ts";

export type { Parts } from "../parts.ts";

/** A door that is open. */
export interface RunningDoor {
  readonly url: string;
  readonly adminToken: string;
  readonly door: Door;
  /** Closes the door, lets the owners finish, closes the parts. */
  readonly stop: () => Promise<void>;
}

/** Something that keeps the door from opening; the message says what to do. */
export class StartFailed extends Error {
  override readonly name = "StartFailed";
}

/** How long answers under way may take when the door closes. */
const STOP_MS_MAX = 2_000;

/** Largest body that the server takes in at all; routes have their own bounds below it. */
const BODY_BYTES_MAX = 128 * 2 ** 20;

/** Opens the door. `warn` hears what an operator should know, for example that the project was not applied. */
export async function startDoor(
  config: Config,
  parts: Layer.Layer<Parts, unknown>,
  warn: (message: string) => void,
): Promise<RunningDoor> {
  const token = tokenOf(config);
  const runtime = ManagedRuntime.make(parts);
  try {
    const services = await runtime.runPromise(partsOfDoor);
    const tokens = new Tokens([{ token, caller: { name: "admin", scopes: ["admin"] } }], {
      ticketKey: ticketKey(config.dataDir),
    });
    const closing = new AbortController();
    const door: Door = {
      ...services,
      closing: closing.signal,
      role: config.role,
      tokens,
      counters: new Counters(),
      takesAnyHost: !isLoopback(config.host),
      run: (effect) => Effect.runPromiseExit(effect),
    };
    await keepTokens(door, { until: closing.signal });
    if (config.projectDir !== undefined) await applyProject(door, config.projectDir, warn);
    const server = serve(config, door);
    const url = `http://${config.host.includes(":") ? `[${config.host}]` : config.host}:${server.port}`;
    writeDoorFile(config.dataDir, { url, token, pid: process.pid });
    const stop = async () => {
      removeDoorFile(config.dataDir);
      closing.abort();
      // Answers under way get a moment; what is durable needs no answer.
      const closed = server.stop();
      await Promise.race([closed, Bun.sleep(STOP_MS_MAX)]);
      await server.stop(true);
      await Effect.runPromise(Effect.provide(services.sources.drain, stderrLogger));
      await runtime.dispose();
    };
    return { url, adminToken: token, door, stop };
  } catch (error) {
    await runtime.dispose().catch((second: unknown) => warn(`The parts did not close cleanly: ${messageOf(second)}`));
    throw error instanceof StartFailed ? error : new StartFailed(messageOf(error));
  }
}

/** True for addresses that only this machine can reach. */
function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function tokenOf({ dataDir }: Config): string {
  try {
    checkDataDirectory(dataDir);
    return adminToken(dataDir);
  } catch (error) {
    if (error instanceof DataDirectoryRefused) throw new StartFailed(error.message);
    throw new StartFailed(
      `Cannot use the data directory '${dataDir}': ${messageOf(error)}. Name another one with --data.`,
    );
  }
}

function serve({ host, port }: Config, door: Door) {
  const { fetch } = app(door);
  try {
    return Bun.serve({
      hostname: host,
      port,
      fetch: (request, server) => fetch(request, { server }),
      maxRequestBodySize: BODY_BYTES_MAX,
      idleTimeout: 120,
    });
  } catch (error) {
    const isTaken = (error as { code?: string }).code === "EADDRINUSE";
    throw new StartFailed(
      isTaken
        ? `Cannot open the door: port ${port} is taken. Choose another with --port.`
        : `Cannot open the door on ${host}:${port}: ${messageOf(error)}.`,
    );
  }
}

/** Applies the project unless that would be destructive or impossible; then it says so and serves what is there. */
async function applyProject(door: Door, projectDir: string, warn: (message: string) => void): Promise<void> {
  const place = { dir: projectDir, from: process.cwd() };
  const exit = await door.run(
    door.catalog.apply(readProject(projectDir), { author: "start", dryRun: false, allowDestructive: false }),
  );
  const problems = Exit.isSuccess(exit)
    ? applyReport(exit.value, place).problems
    : [problemLine(Cause.squash(exit.cause), place)];
  if (problems.length === 0) return;
  for (const problem of problems) warn(problem);
  if (door.sources.all().length === 0)
    throw new StartFailed(`Cannot start: nothing of '${projectDir}' could be applied, and nothing was applied before.`);
  warn("The project was not applied; what was applied before is served.");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String((error as LogFailed | undefined)?.message ?? error);
}
