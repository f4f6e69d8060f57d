/**
 * Three brokers for tests, each of which is a controller too: what one of them holds is held by all.
 *
 *   clusterFor(file) ──▶ jars, if three brokers are asked for ──▶ startCluster ──▶ addresses · kill one · restart it · stop
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Kafka, logLevel } from "kafkajs";
import { freePorts } from "./free_ports_fixture.ts";
import { kafkaFor, listens, propertiesOf } from "./kafka_broker_fixture.ts";

const NODES = 3;
const CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAAA";
const START_MS_MAX = 60_000;

/** Three brokers are half a minute of two cores, so they are asked for; undefined if they are not, which is said once. */
export function clusterFor(file: string): string | undefined {
  if (process.env.WEIR_KAFKA_CLUSTER === "1") return kafkaFor(file);
  console.log(`skipped: ${file}, because WEIR_KAFKA_CLUSTER=1 does not ask for three brokers`);
  return undefined;
}

/** A cluster in which every topic is kept three times, and acknowledged by two. */
export interface TestCluster {
  readonly addresses: readonly string[];
  /** Ends the broker of this number, from 1, as a power cut would. */
  readonly kill: (node: number) => Promise<void>;
  /** Starts a broker again, on the same data and port; resolves once it listens. */
  readonly restart: (node: number) => Promise<void>;
  /** Whether every broker keeps every partition and has all of it: another one may be killed then. */
  readonly isInSync: () => Promise<boolean>;
  readonly stop: () => Promise<void>;
}

/** Starts three brokers with nothing in them. */
export async function startCluster(jars: string): Promise<TestCluster> {
  const folder = mkdtempSync(join(tmpdir(), "weir-kafka-cluster-"));
  const ports = freePorts(2 * NODES);
  const [brokers, controllers] = [ports.slice(0, NODES), ports.slice(NODES)];
  const voters = controllers.map((port, index) => `${index + 1}@127.0.0.1:${port}`);
  const java = ["java", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", `${jars}/*`];
  const files = brokers.map((port, index) => {
    const node = index + 1;
    const properties = join(folder, `${node}.properties`);
    const listeners = [`BROKER://127.0.0.1:${port}`];
    const told = propertiesOf({
      ...{ node, voters, controller: `127.0.0.1:${controllers[index]}`, dataDir: `${folder}/${node}` },
      ...{ listeners, advertised: listeners, copies: { all: NODES, inSync: NODES - 1 }, sessionMs: 3_000 },
    });
    writeFileSync(properties, told);
    return properties;
  });
  const formatting = files.map(async (properties) => {
    const format = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", properties];
    const done = Bun.spawn([...java, ...format], { stdout: "ignore", stderr: "pipe" });
    if ((await done.exited) !== 0)
      throw new Error(`Cannot format a broker's folder: ${await new Response(done.stderr).text()}`);
  });
  await Promise.all(formatting);
  const spawn = (properties: string) =>
    Bun.spawn([...java, "kafka.Kafka", properties], { stdout: "ignore", stderr: "ignore" });
  const children = files.map(spawn);
  const kill = async (node: number) => {
    children[node - 1]!.kill("SIGKILL");
    await children[node - 1]!.exited;
  };
  const stop = async () => {
    await Promise.all(children.map((_, index) => kill(index + 1)));
    rmSync(folder, { recursive: true, force: true });
  };
  const answers = async (index: number) => {
    for (const deadlineMs = Date.now() + START_MS_MAX; !(await listens(brokers[index]!)); await Bun.sleep(50)) {
      if (children[index]!.exitCode === null && Date.now() < deadlineMs) continue;
      await stop();
      throw new Error(`Cannot start the brokers: one ended, or did not listen within ${START_MS_MAX} ms.`);
    }
  };
  const restart = async (node: number) => {
    children[node - 1] = spawn(files[node - 1]!);
    await answers(node - 1);
  };
  for (const index of brokers.keys()) await answers(index);
  const addresses = brokers.map((port) => `127.0.0.1:${port}`);
  return { addresses, kill, restart, isInSync: () => isInSync(addresses), stop };
}

async function isInSync(brokers: readonly string[]): Promise<boolean> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  try {
    await admin.connect();
    const { topics } = await admin.fetchTopicMetadata();
    return topics.every(({ partitions }) => partitions.every(({ isr }) => isr.length === NODES));
  } finally {
    await admin.disconnect();
  }
}
