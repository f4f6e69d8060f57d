/**
 * A real broker for tests: Kafka 4.4 from Maven, one node, in a temporary folder and on free ports of the loopback.
 *
 *   kafkaFor(file) ──▶ jars, fetched once ──▶ startBroker ──▶ address · kill · restart · stop
 *
 * Tried when WEIR_KAFKA is set, while nothing can be run on Kafka yet; otherwise, and without Java or Maven, the tests say
 * that they are skipped. WEIR_KAFKA=required makes that a failure.
 *
 * @module
 */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";

const VERSION = "4.4.0";
const CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAAA";
const START_MS_MAX = 30_000;

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>weir</groupId><artifactId>broker</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.5</version></dependency>
</dependencies></project>`;

/** The folder of the broker's jars; undefined if there can be none, which is said once for the file that asks. */
export function kafkaFor(file: string): string | undefined {
  const jars = process.env.WEIR_KAFKA_JARS ?? join(homedir(), ".cache", "weir", `kafka-${VERSION}`);
  const why =
    process.env.WEIR_KAFKA === "0"
      ? "WEIR_KAFKA=0 says so"
      : existsSync(jars)
        ? missing("java")
        : (missing("java", "mvn") ?? fetchJars(jars));
  if (why === undefined) return jars;
  if (process.env.WEIR_KAFKA === "required")
    throw new Error(`Kafka cannot be tried here: ${why}. WEIR_KAFKA=required says that it must be.`);
  console.log(`skipped: ${file}, because ${why}`);
  return undefined;
}

/** Which of these commands is not here, as a reason. */
function missing(...names: readonly string[]): string | undefined {
  const gone = names.filter((name) => Bun.which(name) === null);
  return gone.length === 0 ? undefined : `there is no ${gone.join(" and ")} here`;
}

/** Fetches the jars by Maven, all or nothing; answers why that failed. */
function fetchJars(jars: string): string | undefined {
  mkdirSync(dirname(jars), { recursive: true });
  // Beside its place: a rename does not cross disks.
  const folder = mkdtempSync(`${jars}.fetching-`);
  try {
    writeFileSync(join(folder, "pom.xml"), POM);
    const goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", `-DoutputDirectory=${folder}/jars`];
    const done = Bun.spawnSync(["mvn", "-q", "-B", ...goal], { cwd: folder });
    if (!done.success) return `Maven could not fetch it: ${`${done.stdout}${done.stderr}`.trim().slice(0, 300)}`;
    if (!existsSync(jars)) renameSync(join(folder, "jars"), jars);
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A broker that answers. */
export interface TestBroker {
  /** Where it listens. */
  readonly address: string;
  /** Ends it as a power cut of the process would; what it has acknowledged stays. */
  readonly kill: () => Promise<void>;
  /** Starts it again, on the same data and ports. */
  readonly restart: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** How a broker differs from the usual one. */
export interface BrokerOptions {
  /** Port of the loopback under which clients are told to reach it, for example a proxy's; its own by default. */
  readonly advertisedPort?: number;
}

/** Starts a broker with nothing in it. */
export async function startBroker(jars: string, options: BrokerOptions = {}): Promise<TestBroker> {
  const folder = mkdtempSync(join(tmpdir(), "weir-kafka-"));
  const [port, controllerPort] = freePorts(2) as [number, number];
  const properties = join(folder, "server.properties");
  const ports = { port, controllerPort, advertisedPort: options.advertisedPort ?? port };
  writeFileSync(properties, propertiesOf({ folder, ...ports }));
  const java = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-cp", `${jars}/*`];
  const format = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", properties];
  const formatted = Bun.spawnSync([...java, ...format]);
  if (!formatted.success) throw new Error(`Cannot format the broker's folder: ${formatted.stdout}${formatted.stderr}`);
  const spawn = () => Bun.spawn([...java, "kafka.Kafka", properties], { stdout: "ignore", stderr: "ignore" });
  let child = spawn();
  const kill = async () => {
    child.kill("SIGKILL");
    await child.exited;
  };
  const stop = async () => {
    await kill();
    rmSync(folder, { recursive: true, force: true });
  };
  const answers = async () => {
    for (const deadlineMs = Date.now() + START_MS_MAX; !(await listens(port)); await Bun.sleep(50)) {
      if (child.exitCode === null && Date.now() < deadlineMs) continue;
      await stop();
      throw new Error(`Cannot start the broker: it ended, or did not listen within ${START_MS_MAX} ms.`);
    }
  };
  const restart = async () => {
    child = spawn();
    await answers();
  };
  await answers();
  return { address: `127.0.0.1:${port}`, kill, restart, stop };
}

function freePorts(count: number): readonly number[] {
  const taken = Array.from({ length: count }, () =>
    Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }),
  );
  const ports = taken.map(({ port }) => port);
  for (const listener of taken) listener.stop(true);
  return ports;
}

async function listens(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.end();
    return true;
  } catch {
    return false; // not yet
  }
}

function propertiesOf(of: { folder: string; port: number; controllerPort: number; advertisedPort: number }): string {
  const [broker, controller] = [`127.0.0.1:${of.port}`, `127.0.0.1:${of.controllerPort}`];
  return `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@${controller}
listeners=BROKER://${broker},CTL://${controller}
advertised.listeners=BROKER://127.0.0.1:${of.advertisedPort}
listener.security.protocol.map=BROKER:PLAINTEXT,CTL:PLAINTEXT
controller.listener.names=CTL
inter.broker.listener.name=BROKER
log.dirs=${of.folder}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
`;
}
