/**
 * One child process that is ClickHouse, and the pseudo-terminal it sits on.
 *
 *   spawned ──"Ok."──▶ answers ──exit or crash──▶ ended
 *      └──message, exit or time-out──▶ problem (locked · port taken · failed)
 *
 * The terminal matters: without one on its stdin the engine aborts at the first
 * malformed connection (upstream issue 115666); it ends the child (SIGHUP) when
 * this process dies, however it dies; and `exit` typed into it ends it cleanly.
 *
 * @module
 */
import { join } from "node:path";

/** What a child needs; paths are absolute. */
export interface EngineOptions {
  readonly library: string;
  readonly configPath: string;
  readonly enginePath: string;
  readonly port: number;
}

/** Why a child does not answer. */
export type StartProblem = { readonly kind: "locked" | "port taken" | "failed"; readonly output: string };

/** A child; `started` and `ended` never reject. */
export interface EngineProcess {
  readonly pid: number;
  /** Undefined once it listens. */
  readonly started: Promise<StartProblem | undefined>;
  readonly ended: Promise<void>;
  /** The end of what it printed, without terminal codes. */
  readonly output: () => string;
  /** Types `exit`; kills what has not gone after `STOP_MS_MAX`. */
  readonly stop: () => Promise<void>;
}

/** What it prints is kept up to here; the newest stays. */
export const OUTPUT_BYTES_MAX = 64 * 1024;
/** A start that loads much data takes long; longer than this is a failure. */
const START_MS_MAX = 120_000;
/** A clean stop gets this long, then SIGKILL. */
const STOP_MS_MAX = 10_000;
const STOP_TYPE_MS = 100;

/** Spawns a child and tells it to listen on loopback. Throws when it cannot be spawned. */
export function spawnEngine(options: EngineOptions): EngineProcess {
  const { promise: printed, resolve: onEnd } = Promise.withResolvers<void>();
  const { promise: started, resolve } = Promise.withResolvers<StartProblem | undefined>();
  let judged = false;
  let raw = "";
  const output = () => stripCodes(raw);
  const judge = (problem: StartProblem | undefined) => {
    judged = true;
    clearTimeout(clock);
    resolve(problem);
  };
  const clock = setTimeout(
    () => judge({ kind: "failed", output: `no answer in ${START_MS_MAX} ms. ${output()}` }),
    START_MS_MAX,
  );
  const decoder = new TextDecoder();
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "child.ts"), ...engineArguments(options)], {
    cwd: options.enginePath,
    // TZ, because `clickhouse local` ignores <timezone>.
    env: { TERM: "dumb", TZ: "UTC" },
    terminal: {
      cols: 1000,
      name: "dumb",
      data(_, bytes) {
        raw = keepEnd(raw + decoder.decode(bytes, { stream: true }), OUTPUT_BYTES_MAX);
        if (judged) return;
        const verdict = judgeOutput(output());
        if (verdict === "answers") judge(undefined);
        else if (verdict !== undefined) judge({ kind: verdict, output: output() });
      },
      exit: () => onEnd(),
    },
  });
  const { terminal } = child;
  if (terminal === undefined) throw new Error("Bun gave no terminal");
  terminal.write("SYSTEM START LISTEN HTTP;\n");
  // What it said last may arrive after its exit: wait for the terminal's end, but not for ever.
  const ended = child.exited.then(async () => {
    await Promise.race([printed, Bun.sleep(500)]);
    terminal.close();
    judge({ kind: "failed", output: output() || `exit ${child.signalCode ?? child.exitCode} without a word` });
  });
  const stop = async () => {
    const leave = () => terminal.closed || terminal.write("exit\n");
    // Again and again: while a statement runs, its progress display swallows what is typed.
    const typist = setInterval(leave, STOP_TYPE_MS);
    const killer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
    leave();
    await ended;
    clearInterval(typist);
    clearTimeout(killer);
  };
  return { pid: child.pid, started, ended, output, stop };
}

function engineArguments({ library, configPath, enginePath, port }: EngineOptions): readonly string[] {
  return [
    library,
    `--config-file=${configPath}`,
    `--path=${enginePath}`,
    "--listen_host=127.0.0.1",
    `--http_port=${port}`,
    "--history_file=/dev/null",
  ];
}

/** What the printed text says about the start; undefined while it says nothing. Pure. */
export function judgeOutput(text: string): "answers" | StartProblem["kind"] | undefined {
  if (/Cannot lock file .*status/s.test(text)) return "locked";
  if (/Address already in use/.test(text)) return "port taken";
  if (/Code: \d+\. DB::|Authentication failed/.test(text)) return "failed";
  return /^Ok\.\s*$/m.test(text) ? "answers" : undefined;
}

/** Takes out what is for terminals only: escape sequences and carriage returns. Pure. */
export function stripCodes(text: string): string {
  return text.replace(/\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r/g, "");
}

function keepEnd(text: string, bytesMax: number): string {
  return text.length > bytesMax ? text.slice(-bytesMax) : text;
}
