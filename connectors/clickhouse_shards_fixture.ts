/**
 * ClickHouse servers that know each other as the shards of a cluster, for tests: embedded ones, in a temporary folder
 * and on free ports of the loopback.
 *
 *   openShards ──▶ one server each, with the same <remote_servers> ──▶ urls for CLICKHOUSE_URL
 *
 * @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type EngineProcess, spawnEngine } from "./clickhouse/engine_process.ts";
import { libraryPath } from "./clickhouse/library.ts";
import { freePorts } from "./free_ports_fixture.ts";

/** The name of the cluster, for CLICKHOUSE_CLUSTER. */
export const CLUSTER = "weir_test";
const USER = "weir";
const PASSWORD = "p,4$s";

/** Shards that answer. */
export interface TestShards {
  /** Of each shard, with its user and password; joined by commas for CLICKHOUSE_URL. */
  readonly urls: readonly string[];
  /** Asks one shard, counted from 0, past Weir; the answer's text. */
  readonly ask: (shard: number, sql: string) => Promise<string>;
  /** Ends one as a power cut of its process would. */
  readonly kill: (shard: number) => Promise<void>;
  /** Starts one again, on the same data and ports. */
  readonly restart: (shard: number) => Promise<void>;
  readonly stop: () => Promise<void>;
}

interface Ports {
  readonly http: number;
  readonly tcp: number;
}

/** Starts `count` servers on folders below `dir`. */
export async function openShards(dir: string, count: number): Promise<TestShards> {
  const free = freePorts(2 * count);
  const ports = Array.from(
    { length: count },
    (_, shard): Ports => ({ http: free[2 * shard]!, tcp: free[2 * shard + 1]! }),
  );
  const servers: EngineProcess[] = [];
  const ask: TestShards["ask"] = async (shard, sql) => {
    const headers = { "x-clickhouse-user": USER, "x-clickhouse-key": PASSWORD };
    const request = { method: "POST", body: sql, headers };
    // A connection that stays open keeps the engine from stopping for 5 s.
    const response = await fetch(`http://127.0.0.1:${ports[shard]!.http}`, { ...request, keepalive: false });
    const text = await response.text();
    if (!response.ok) throw new Error(`${text} in: ${sql}`);
    return text.trim();
  };
  const start = async (shard: number) => {
    servers[shard] = await startServer(join(dir, `shard_${shard + 1}`), { own: ports[shard]!, all: ports });
    await ask(shard, "SYSTEM START LISTEN TCP");
  };
  await Promise.all(ports.map((_, shard) => start(shard)));
  const kill = async (shard: number) => {
    process.kill(servers[shard]!.pid, "SIGKILL");
    await servers[shard]!.ended;
  };
  return {
    urls: ports.map(({ http }) => `http://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${http}`),
    ask,
    kill,
    restart: start,
    stop: async () => {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

async function startServer(dir: string, ports: { readonly own: Ports; readonly all: readonly Ports[] }) {
  const enginePath = join(dir, "data");
  mkdirSync(enginePath, { recursive: true });
  const configPath = join(dir, "clickhouse.xml");
  writeFileSync(configPath, configOf(configPath, ports));
  const server = spawnEngine({ library: libraryPath(), configPath, enginePath, port: ports.own.http });
  const problem = await server.started;
  if (problem !== undefined) throw new Error(`A shard did not start: ${problem.output}`);
  return server;
}

function configOf(path: string, { own, all }: { readonly own: Ports; readonly all: readonly Ports[] }): string {
  const shards = all.map(
    ({ tcp }) =>
      `<shard><internal_replication>true</internal_replication><replica><host>127.0.0.1</host><port>${tcp}</port><user>${USER}</user><password>${PASSWORD}</password></replica></shard>`,
  );
  const user = (name: string, password: string) =>
    `<${name}><password>${password}</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota><grants><query>GRANT ALL ON *.*</query></grants></${name}>`;
  return `<clickhouse><users_config>${path}</users_config><tcp_port>${own.tcp}</tcp_port>
<mark_cache_size>67108864</mark_cache_size><background_pool_size>4</background_pool_size>
<remote_servers><${CLUSTER}>${shards.join("")}</${CLUSTER}></remote_servers>
<profiles><default/></profiles><quotas><default/></quotas>
<users>${user("default", "")}${user(USER, PASSWORD)}</users></clickhouse>`;
}
