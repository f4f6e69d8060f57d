/**
 * Three brokers for tests, each of which is a controller too: what one of them holds is held by all.
 *
 *   startCluster ──▶ three folders, one quorum ──▶ addresses · kill one · stop
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts, listens } from "./kafka_broker_fixture.ts";

const NODES = 3;
const CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAAA";
const START_MS_MAX = 60_000;

/** A cluster in which every topic is kept three times, and acknowledged by two. */
export interface TestCluster {
  readonly addresses: readonly string[];
  /** Ends the broker of this number, from 1, as a power cut would. */
  readonly kill: (node: number) => Promise<void>;
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
    writeFileSync(properties, propertiesOf({ node, folder, port, controller: controllers[index]!, voters }));
    return properties;
  });
  const formatting = files.map(async (properties) => {
    const format = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", properties];
    const done = Bun.spawn([...java, ...format], { stdout: "ignore", stderr: "pipe" });
    if ((await done.exited) !== 0)
      throw new Error(`Cannot format a broker's folder: ${await new Response(done.stderr).text()}`);
  });
  await Promise.all(formatting);
  const children = files.map((properties) =>
    Bun.spawn([...java, "kafka.Kafka", properties], { stdout: "ignore", stderr: "ignore" }),
  );
  const kill = async (node: number) => {
    children[node - 1]!.kill("SIGKILL");
    await children[node - 1]!.exited;
  };
  const stop = async () => {
    await Promise.all(children.map((_, index) => kill(index + 1)));
    rmSync(folder, { recursive: true, force: true });
  };
  for (const port of brokers)
    for (const deadlineMs = Date.now() + START_MS_MAX; !(await listens(port)); await Bun.sleep(50)) {
      if (children.every(({ exitCode }) => exitCode === null) && Date.now() < deadlineMs) continue;
      await stop();
      throw new Error(`Cannot start the brokers: one ended, or did not listen within ${START_MS_MAX} ms.`);
    }
  return { addresses: brokers.map((port) => `127.0.0.1:${port}`), kill, stop };
}

function propertiesOf(of: {
  readonly node: number;
  readonly folder: string;
  readonly port: number;
  readonly controller: number;
  readonly voters: readonly string[];
}): string {
  return `process.roles=broker,controller
node.id=${of.node}
controller.quorum.voters=${of.voters}
listeners=BROKER://127.0.0.1:${of.port},CTL://127.0.0.1:${of.controller}
advertised.listeners=BROKER://127.0.0.1:${of.port}
listener.security.protocol.map=BROKER:PLAINTEXT,CTL:PLAINTEXT
controller.listener.names=CTL
inter.broker.listener.name=BROKER
log.dirs=${of.folder}/${of.node}
auto.create.topics.enable=false
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
`;
}
