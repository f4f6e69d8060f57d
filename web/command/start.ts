/**
 * `weir start`: the whole platform in one process, behind one door.
 *
 *   layers ──▶ sources brought up ──▶ project applied ──▶ door open ──signal──▶ door closed, owners drained, parts closed
 *
 * @module
 */
import { Catalog, Refusals, Sources } from "@weir/actors";
import { Log, type LogFailed, Warehouse } from "@weir/connectors";
import { qualifiedName } from "@weir/sql";
import { Cause, Effect, Exit, type Layer, ManagedRuntime } from "effect";
import type { Config } from "../config.ts";
import { Counters } from "../counters.ts";
import type { Door } from "../door.ts";
import { app } from "../mod.ts";
import { readProject } from "../project.ts";
import { adminToken, removeDoorFile, ticketKey, writeDoorFile } from "../secrets.ts";
import { stderrLogger } from "../stderr_logger.ts";
import { keepTokens } from "../token_rows.ts";
import { Tokens } from "../tokens.ts";

/** The parts of a running platform. */
export type Parts = Log | Warehouse | Sources | Catalog | Refusals;

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
const STOP_MS_MAX = 3_000;

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
    const services = await runtime.runPromise(
      Effect.gen(function* () {
        const [log, warehouse, refusals] = [yield* Log, yield* Warehouse, yield* Refusals];
        return { log, warehouse, refusals, sources: yield* Sources, catalog: yield* Catalog };
      }),
    );
    const tokens = new Tokens([{ token, caller: { name: "admin", scopes: ["admin"] } }], {
      ticketKey: ticketKey(config.dataDir),
    });
    const closing = new AbortController();
    const door: Door = {
      ...services,
      apis: { get: services.catalog.api, all: services.catalog.apis },
      closing: closing.signal,
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
    return adminToken(dataDir);
  } catch (error) {
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
  const exit = await door.run(
    door.catalog.apply(readProject(projectDir), { author: "start", dryRun: false, allowDestructive: false }),
  );
  if (!Exit.isSuccess(exit)) {
    const why = messageOf(Cause.squash(exit.cause));
    if (door.sources.all().length === 0) throw new StartFailed(why);
    warn(`The project was not applied; what was applied before is served. ${why}`);
    return;
  }
  const { changes, errors, conflicts, done } = exit.value;
  if (done) return;
  for (const error of errors) warn(error.message);
  for (const { name, author, catalog } of conflicts)
    warn(
      `${name}: not applied, because '${author}' changed it (catalog ${catalog}). Run weir pull, or weir apply --force.`,
    );
  for (const { change } of changes) {
    const name = qualifiedName(change.definition);
    if (change.kind === "refuse") warn(`${name}: Cannot apply: ${change.reason}. ${change.hint}`);
    if (change.kind === "rebuild" && change.isDestructive)
      warn(
        `${name}: not applied, because it ${change.notes.join(", ")}. Run \`weir apply --allow-destructive\` if that is meant.`,
      );
  }
  if (door.sources.all().length === 0)
    throw new StartFailed(`Cannot start: nothing of '${projectDir}' could be applied, and nothing was applied before.`);
  warn("The project was not applied; what was applied before is served.");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String((error as LogFailed | undefined)?.message ?? error);
}
