/**
 * ClickHouse embedded: libchdb as a server on loopback, in a supervised child.
 *
 *   starting ──answers──▶ running ──ended──▶ waiting (backoff) ──▶ starting
 *       │                    └──scope closed──▶ stopped
 *       └──failed too often in a row──▶ fallen
 *
 * A restart keeps port and passwords, so clients only retry. MergeTree writes
 * whole parts: a killed child loses nothing that was acknowledged.
 *
 * @module
 */
import { randomInt } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { Clock, Deferred, Effect, type Scope } from "effect";
import { engineConfig, MEMORY_SHARE, USERS } from "./config.ts";
import type { ClickHouseConnection, ReaderLimits } from "./connection.ts";
import { type EngineOptions, type EngineProcess, type StartProblem, spawnEngine } from "./engine_process.ts";
import { libraryPath } from "./library.ts";
import { loadPasswords, type Passwords, passwordHashes } from "./passwords.ts";
import { ClickHouseStartFailed } from "./start_failed.ts";
import { forgetTornTokens } from "./torn_tokens.ts";

/** Where the data lives, and what tests shorten. */
export interface EmbeddedOptions {
  /** Holds `clickhouse/`, `backups/`, `clickhouse.xml` and `clickhouse_passwords.json`. */
  readonly dataDir: string;
  /** Where BACKUP may write and RESTORE may read; `backups` in the data directory by default. */
  readonly backupsDir?: string;
  /** Taken if it is free. */
  readonly portHint?: number;
  /** How long another process's lock on the data is waited for. */
  readonly lockWaitMs?: number;
  readonly restart?: RestartPolicy;
  /** Finds libchdb; throws ClickHouseStartFailed. */
  readonly library?: () => string;
}

/** When a fallen child is started again. */
export interface RestartPolicy {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  /** More falls in a row than this are given up. */
  readonly failuresInRowMax: number;
  /** A child that lived this long begins a new row. */
  readonly steadyMsMin: number;
}

/** The running engine. */
export interface EmbeddedClickHouse {
  readonly connection: ClickHouseConnection;
  /** Fails when the engine fell too often in a row and was given up. */
  readonly fallen: Effect.Effect<never, ClickHouseStartFailed>;
  /** Process id of the child that runs now, or ran last. */
  readonly pid: () => number;
  readonly restarts: () => number;
}

/** Restarts come after 0.1 s, 0.2 s ... 5 s; the eighth fall in a row, each within 30 s of its start, is the last. */
export const RESTART_POLICY: RestartPolicy = {
  delayMsMin: 100,
  delayMsMax: 5_000,
  failuresInRowMax: 7,
  steadyMsMin: 30_000,
};

const LOCK_WAIT_MS = 15_000;
const LOCK_POLL_MS = 200;
const PORT_TRIES_MAX = 50;
/** Below Linux's ephemeral ports (from 32768), so that no outgoing connection takes the port during a restart. */
const PORTS = { from: 20_000, below: 32_768 } as const;
/** Of the last output, shown in an error. */
const SHOWN_CHARS_MAX = 2_000;
const RESULT_ROWS_MAX = 10_000_000;
const EXECUTION_SECONDS_MAX = 60;
const QUERIES_MAX = 64;

/** Starts ClickHouse and keeps it running until the scope closes. */
export const embeddedClickHouse = Effect.fn("embeddedClickHouse")(function* (
  options: EmbeddedOptions,
): Effect.fn.Return<EmbeddedClickHouse, ClickHouseStartFailed, Scope.Scope> {
  const warnings: string[] = [];
  const prepared = yield* Effect.try({ try: () => prepare(options, warnings), catch: explain(options.dataDir) });
  for (const warning of warnings) yield* Effect.logWarning(warning);
  const fallen = yield* Deferred.make<never, ClickHouseStartFailed>();
  const engine = yield* Effect.acquireRelease(firstStart(prepared, options), (engine) => {
    engine.stopping = true;
    return Effect.promise(() => engine.child.stop());
  });
  yield* Effect.forkScoped(
    keepRunning(engine, options.restart ?? RESTART_POLICY).pipe(Effect.catch((error) => Deferred.fail(fallen, error))),
  );
  return {
    connection: connectionOf(engine.options.port, prepared.passwords),
    fallen: Deferred.await(fallen),
    pid: () => engine.child.pid,
    restarts: () => engine.restarts,
  };
});

/** The child that runs now; replaced by the supervisor. */
interface Engine {
  readonly options: EngineOptions;
  child: EngineProcess;
  restarts: number;
  stopping: boolean;
}

interface Prepared extends Omit<EngineOptions, "port"> {
  readonly dataDir: string;
  readonly passwords: Passwords;
}

/** Makes folders, passwords and the configuration. Throws. */
function prepare(options: EmbeddedOptions, warnings: string[]): Prepared {
  const library = (options.library ?? libraryPath)();
  mkdirSync(resolve(options.dataDir), { recursive: true, mode: 0o700 });
  const dataDir = realpathSync(options.dataDir);
  const enginePath = join(dataDir, "clickhouse");
  mkdirSync(enginePath, { recursive: true, mode: 0o700 });
  chmodSync(enginePath, 0o700);
  const passwords = loadPasswords(dataDir, (message) => warnings.push(message));
  const configPath = join(dataDir, "clickhouse.xml");
  const memoryBytes = machineMemoryBytes();
  const xml = engineConfig({
    configPath,
    backupsPath: join(options.backupsDir ?? join(dataDir, "backups"), "/"),
    passwordHashes: passwordHashes(passwords),
    memoryBytes,
    limits: readerLimits(memoryBytes),
  });
  const draft = `${configPath}.${process.pid}`;
  rmSync(draft, { force: true });
  writeFileSync(draft, xml, { mode: 0o600 });
  renameSync(draft, configPath);
  return { library, dataDir, enginePath, configPath, passwords };
}

function machineMemoryBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : totalmem();
}

/** One reader query may take a third of the engine's memory, so that inserts always have room. */
function readerLimits(memoryBytes: number): ReaderLimits {
  return {
    executionSecondsMax: EXECUTION_SECONDS_MAX,
    resultRowsMax: RESULT_ROWS_MAX,
    memoryBytesMax: Math.floor((memoryBytes * MEMORY_SHARE) / 3),
    threadsMax: Math.max(2, availableParallelism()),
    queriesMax: QUERIES_MAX,
  };
}

/** Turns what `prepare` throws into the one error of a start. */
function explain(dataDir: string): (cause: unknown) => ClickHouseStartFailed {
  return (cause) => {
    if (cause instanceof ClickHouseStartFailed) return cause;
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    return new ClickHouseStartFailed({
      message: `Cannot start ClickHouse: "${dataDir}" cannot be written (${code}). Give a data directory that this user may write.`,
    });
  };
}

function explainRepair(cause: unknown): ClickHouseStartFailed {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return new ClickHouseStartFailed({
    message: `Cannot start ClickHouse: it was killed, and the tokens of its inserts cannot be looked through (${code}). Give this user write permission on the data directory.`,
  });
}

function explainSpawn(cause: unknown): ClickHouseStartFailed {
  return new ClickHouseStartFailed({
    message: `Cannot start ClickHouse: its process cannot be spawned (${cause}). Use Bun 1.4 or newer on Linux or macOS, or set CLICKHOUSE_URL.`,
  });
}

/** Starts the first child: waits for a lock that is going away, changes the port when it is taken. */
const firstStart = Effect.fn("firstStart")(function* (prepared: Prepared, options: EmbeddedOptions) {
  const deadline = (yield* Clock.currentTimeMillis) + (options.lockWaitMs ?? LOCK_WAIT_MS);
  for (let tries = 0; tries < PORT_TRIES_MAX; ) {
    const hint = tries === 0 ? options.portHint : undefined;
    const port = hint ?? randomInt(PORTS.from, PORTS.below);
    if (!(yield* Effect.promise(() => isFree(port)))) {
      tries += 1;
      continue;
    }
    const child = yield* spawned({ ...prepared, port });
    const problem = yield* startedOf(child);
    if (problem === undefined) return { options: { ...prepared, port }, child, restarts: 0, stopping: false } as Engine;
    if (problem.kind === "failed") return yield* failedStart(problem);
    if (problem.kind === "port taken") tries += 1;
    if (problem.kind === "locked") {
      if ((yield* Clock.currentTimeMillis) >= deadline) return yield* locked(prepared);
      yield* Effect.sleep(LOCK_POLL_MS);
    }
  }
  return yield* new ClickHouseStartFailed({
    message: `Cannot start ClickHouse: ${PORT_TRIES_MAX} ports of ${PORTS.from}-${PORTS.below - 1} in a row were taken. Stop what holds them.`,
  });
});

/** Spawns a child; what it would wrongly believe to be stored after a kill is forgotten before. */
const spawned = Effect.fn("spawned")(function* (options: EngineOptions) {
  const torn = yield* Effect.try({ try: () => forgetTornTokens(options.enginePath), catch: explainRepair });
  if (torn.length > 0)
    yield* Effect.logWarning(
      `ClickHouse was killed between a part's token and the part (${torn.join(", ")}): an insert that is repeated stores it.`,
    );
  return yield* Effect.try({ try: () => spawnEngine(options), catch: explainSpawn });
});

/** Waits for the child's verdict; a child that failed, or whose start was interrupted, is ended. */
function startedOf(child: EngineProcess): Effect.Effect<StartProblem | undefined> {
  return Effect.promise(() => child.started).pipe(
    Effect.tap((problem) => (problem === undefined ? Effect.void : Effect.promise(() => child.stop()))),
    Effect.interruptible,
    Effect.onInterrupt(() => Effect.promise(() => child.stop())),
  );
}

/** Process id in the engine's status file, if that process lives. */
function lockHolder(enginePath: string): number | undefined {
  try {
    const pid = Number(/PID: (\d+)/.exec(readFileSync(join(enginePath, "status"), "utf8"))?.[1]);
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    // EPERM: it lives and is another user's. Anything else: no such process, or no status file.
    return (error as NodeJS.ErrnoException).code === "EPERM" ? Number.NaN : undefined;
  }
}

function locked({ dataDir, enginePath }: Prepared): ClickHouseStartFailed {
  const pid = lockHolder(enginePath);
  const holder = pid === undefined || Number.isNaN(pid) ? "another process" : `process ${pid}`;
  return new ClickHouseStartFailed({
    message: `Cannot start ClickHouse: "${dataDir}" is used by ${holder}. Stop it, or give another data directory.`,
  });
}

function failedStart({ output }: StartProblem): ClickHouseStartFailed {
  return new ClickHouseStartFailed({
    message: `Cannot start ClickHouse: it printed "${lastWords(output)}". Correct that, or set CLICKHOUSE_URL to a ClickHouse server.`,
  });
}

function lastWords(output: string): string {
  return output
    .replace(/^.*SYSTEM START LISTEN HTTP.*$/gm, "")
    .replace(/\n\s*\n+/g, "\n")
    .trim()
    .slice(-SHOWN_CHARS_MAX);
}

/** Waits for the child's end and starts the next one, until they fall too often or the scope closes. */
const keepRunning = Effect.fn("keepRunning")(function* (engine: Engine, policy: RestartPolicy) {
  let failures = 0;
  let bornMs = yield* Clock.currentTimeMillis;
  for (;;) {
    yield* Effect.promise(() => engine.child.ended);
    if (engine.stopping) return yield* Effect.never;
    const next = afterFall(failures, { livedMs: (yield* Clock.currentTimeMillis) - bornMs, policy });
    if (next === "exceeded") {
      return yield* new ClickHouseStartFailed({
        message: `Cannot start ClickHouse: it ended ${failures + 1} times in a row, last with "${lastWords(engine.child.output())}". Correct that and start again; the data is kept.`,
      });
    }
    failures = next.failures;
    yield* Effect.logWarning(
      `ClickHouse (process ${engine.child.pid}) ended; starting it again in ${next.delayMs} ms.`,
    );
    yield* Effect.sleep(next.delayMs);
    bornMs = yield* Clock.currentTimeMillis;
    engine.restarts += 1;
    engine.child = yield* spawned(engine.options);
    yield* startedOf(engine.child);
  }
});

/** What follows a fall: the length of the row and the delay, or the end. Pure. */
export function afterFall(
  failures: number,
  { livedMs, policy }: { readonly livedMs: number; readonly policy: RestartPolicy },
): { readonly failures: number; readonly delayMs: number } | "exceeded" {
  const row = livedMs >= policy.steadyMsMin ? 1 : failures + 1;
  if (row > policy.failuresInRowMax) return "exceeded";
  return { failures: row, delayMs: Math.min(policy.delayMsMin * 2 ** (row - 1), policy.delayMsMax) };
}

function connectionOf(port: number, passwords: Passwords): ClickHouseConnection {
  return {
    url: `http://127.0.0.1:${port}`,
    accounts: {
      writer: { user: USERS.writer, password: passwords.writer },
      reader: { user: USERS.reader, password: passwords.reader },
      admin: { user: USERS.admin, password: passwords.admin },
    },
    readerSettings: { cancel_http_readonly_queries_on_client_close: 1 },
  };
}

/** Whether nothing listens on the loopback port. */
function isFree(port: number): Promise<boolean> {
  const { promise, resolve: answer } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => answer(false));
  server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => answer(true)));
  return promise;
}
