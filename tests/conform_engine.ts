/**
 * An engine for the conform tests: a scratch ClickHouse on loopback.
 *
 * Stands alone until the project's own embedded ClickHouse takes its place: only
 * this file's body changes then, its shape stays.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** One running engine. */
export interface Engine {
  /** Runs one statement and returns its answer; with `body`, the statement is an insert that reads it. Throws the engine's message. */
  run(sql: string, about?: { body?: string; settings?: Readonly<Record<string, string | number>> }): Promise<string>;
  stop(): Promise<void>;
}

const LIBRARY = join(import.meta.dir, "../connectors/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so");
const START_MS_MAX = 15_000;
const STOP_MS_MAX = 5_000;

const CHILD = `import { dlopen, FFIType, ptr } from "bun:ffi";
const lib = dlopen(process.argv[2], { chdb_query_cmdline: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.ptr } });
const args = ["clickhouse", ...process.argv.slice(3)].map((arg) => Buffer.from(arg + "\\0"));
lib.symbols.chdb_query_cmdline(args.length, ptr(new BigUint64Array([...args.map((arg) => BigInt(ptr(arg))), 0n])));`;

const CONFIG = `<clickhouse><users><default><password></password><networks><ip>127.0.0.1</ip></networks>
<profile>default</profile><quota>default</quota></default></users><profiles><default/></profiles><quotas><default/></quotas></clickhouse>`;

/** Starts an engine of its own; throws if it does not answer in time. */
export async function engine(): Promise<Engine> {
  const folder = mkdtempSync(join(tmpdir(), "weir-conform-"));
  await Bun.write(join(folder, "config.xml"), CONFIG);
  await Bun.write(join(folder, "child.ts"), CHILD);
  const port = 20_000 + Math.floor(Math.random() * 10_000);
  const child = Bun.spawn(
    [
      process.execPath,
      join(folder, "child.ts"),
      LIBRARY,
      `--config-file=${join(folder, "config.xml")}`,
      `--path=${join(folder, "data")}`,
      "--listen_host=127.0.0.1",
      `--http_port=${port}`,
      "--history_file=/dev/null",
    ],
    { env: { TERM: "dumb" }, terminal: { data() {} } },
  );
  child.terminal?.write("SYSTEM START LISTEN HTTP;\n");
  const url = `http://127.0.0.1:${port}/`;
  await answering(url);
  return {
    run: (sql, about = {}) => ask(url, sql, about),
    stop: async () => {
      child.terminal?.write("exit\n");
      await Promise.race([child.exited, Bun.sleep(STOP_MS_MAX)]);
      child.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function ask(url: string, sql: string, about: Parameters<Engine["run"]>[1] = {}): Promise<string> {
  const parameters = new URLSearchParams({ wait_end_of_query: "1" });
  for (const [name, value] of Object.entries(about.settings ?? {})) parameters.set(name, String(value));
  if (about.body !== undefined) parameters.set("query", sql);
  const response = await fetch(`${url}?${parameters}`, { method: "POST", body: about.body ?? sql });
  const answer = await response.text();
  if (!response.ok) throw new Error(answer);
  return answer;
}

async function answering(url: string): Promise<void> {
  const deadline = performance.now() + START_MS_MAX;
  for (;;) {
    try {
      await fetch(`${url}ping`);
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await Bun.sleep(20);
    }
  }
}
