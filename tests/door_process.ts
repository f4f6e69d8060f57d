/**
 * A real door in a process of its own, for tests and benchmarks that kill, stop or load it.
 *
 *   startProcess ──▶ bun web/main.ts start --json ──ready line──▶ url, token, pid
 *
 * @module
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MAIN = new URL("../web/main.ts", import.meta.url).pathname;

/** A running door process. */
export interface DoorProcess {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
  /** Process id of its ClickHouse. */
  readonly engine: () => number;
  /** Resident memory of the door's own process, in MiB. */
  readonly memoryMiB: () => number;
  readonly sql: <Row = Record<string, string>>(text: string) => Promise<readonly Row[]>;
  readonly post: (
    path: string,
    body: string | Uint8Array,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Response>;
  readonly get: (path: string) => Promise<Response>;
  /** What the process wrote to stderr so far. */
  readonly stderr: () => string;
  readonly stop: () => Promise<void>;
  /** Ends it as a power cut of the process would. */
  readonly kill: () => Promise<void>;
}

/** A folder that is removed when the caller says so. */
export function temporaryFolder(name: string): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), `weir-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Starts `weir start` on a data directory and waits for its ready line. */
export async function startProcess(options: {
  readonly dataDir: string;
  readonly projectDir?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** A file that is run before it, in its process. */
  readonly preload?: string | undefined;
}): Promise<DoorProcess> {
  const project = options.projectDir === undefined ? [] : ["--project", options.projectDir];
  const args = [MAIN, "start", "--json", "--port", "0", "--data", options.dataDir, ...project, ...(options.args ?? [])];
  const preload = options.preload === undefined ? [] : ["--preload", options.preload];
  const child = Bun.spawn([process.execPath, ...preload, ...args], {
    env: { ...process.env, ...options.env },
    stdout: "pipe",
    stderr: "pipe",
  });
  let errors = "";
  const reading = (async () => {
    for await (const chunk of child.stderr) errors = (errors + new TextDecoder().decode(chunk)).slice(-100_000);
  })();
  const line = await firstLine(child.stdout);
  if (line === undefined) {
    await reading;
    throw new Error(`The door did not open: ${errors}`);
  }
  const { url, admin_token: token, pid } = JSON.parse(line) as { url: string; admin_token: string; pid: number };
  const headers = { authorization: `Bearer ${token}` };
  const post: DoorProcess["post"] = (path, body, more = {}) =>
    fetch(`${url}${path}`, { method: "POST", body, headers: { ...headers, ...more } });
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await child.exited;
  };
  return {
    url,
    token,
    pid,
    post,
    engine: () => childOf(pid, "libchdb"),
    memoryMiB: () => memoryOf(pid),
    get: (path) => fetch(`${url}${path}`, { headers }),
    sql: async <Row>(text: string) => {
      const response = await post("/v1/sql", text);
      const answer = (await response.json()) as { data: readonly Row[]; error?: { message: string } };
      if (!response.ok) throw new Error(`${answer.error?.message} in: ${text}`);
      return answer.data;
    },
    stderr: () => errors,
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
  };
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string | undefined> {
  const reader = stream.getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (value !== undefined) text += new TextDecoder().decode(value);
    const end = text.indexOf("\n");
    if (end >= 0) {
      reader.releaseLock();
      return text.slice(0, end);
    }
    if (done) return undefined;
  }
}

/** The child of a process whose command line has these words, for example its ClickHouse. Throws if there is none. */
export function childOf(pid: number, words: string): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(/\s+/).map(Number);
  const found = children.find((child) => readFileSync(`/proc/${child}/cmdline`, "latin1").includes(words));
  if (found === undefined) throw new Error(`Process ${pid} has no child with ${words}`);
  return found;
}

function memoryOf(pid: number): number {
  const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Math.round(Number(match?.[1] ?? 0) / 1024);
}

/** Waits until a condition holds; a look that throws has not seen it. Fails with the last sight when the deadline passes. */
export async function until<A>(
  what: string,
  look: () => Promise<A> | A,
  options: { holds: (seen: A) => boolean; withinMs: number; everyMs?: number },
): Promise<A> {
  const deadlineMs = Date.now() + options.withinMs;
  for (;;) {
    let last: unknown;
    try {
      const seen = await look();
      if (options.holds(seen)) return seen;
      last = seen;
    } catch (error) {
      last = error instanceof Error ? error.message : error;
    }
    if (Date.now() > deadlineMs)
      throw new Error(`${what} did not happen within ${options.withinMs} ms; last seen: ${JSON.stringify(last)}`);
    await Bun.sleep(options.everyMs ?? 20);
  }
}
