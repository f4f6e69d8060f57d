/**
 * A real broker for tests: Kafka 4.4 from Maven (or WEIR_KAFKA_VERSION), one node, in a temporary folder and on free
 * ports of the loopback.
 *
 *   kafkaFor(file) ──▶ jars, fetched once ──▶ startBroker ──▶ address · kill · restart · stop
 *
 * Without Java or Maven, or with WEIR_KAFKA=0, the tests say that they are skipped; WEIR_KAFKA=required makes that a failure.
 *
 * @module
 */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Kafka, logLevel } from "kafkajs";
import { freePorts } from "./free_ports_fixture.ts";

const VERSION = process.env.WEIR_KAFKA_VERSION ?? "4.4.0";
/** What Kafka's logging is written against, which 4.0 changed. */
const LOGGING = VERSION.startsWith("3.")
  ? { group: "org.slf4j", artifact: "slf4j-reload4j", version: "1.7.36" }
  : { group: "org.apache.logging.log4j", artifact: "log4j-slf4j-impl", version: "2.25.5" };
const CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAAA";
const START_MS_MAX = 30_000;

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>weir</groupId><artifactId>broker</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version></dependency>
<dependency><groupId>${LOGGING.group}</groupId><artifactId>${LOGGING.artifact}</artifactId><version>${LOGGING.version}</version></dependency>
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

/** Records of a partition `before` an offset. */
interface Records {
  readonly topic: string;
  readonly partition: number;
  readonly before: number;
}

/** A broker that answers; the same topics on each of its addresses. */
export interface TestBroker {
  /** For everybody, unencrypted. */
  readonly address: string;
  /** Addresses that want more, and what their callers need; only of a broker that guards. */
  readonly guarded?: GuardedAddresses;
  /** Where it keeps its topics: a folder `<topic>-<partition>` each. */
  readonly dataDir: string;
  /** Process id of the one that runs now, or ran last. */
  readonly pid: () => number;
  readonly ended: () => Promise<unknown>;
  /** Ends it as a power cut of the process would; what it has acknowledged stays. */
  readonly kill: () => Promise<void>;
  /** Removes the records of a partition before an offset, as `kafka-delete-records` does. */
  readonly deleteRecords: (of: Records) => Promise<void>;
  /** Starts it again, on the same data and ports. */
  readonly restart: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** What a broker listens to beside its open address. */
export interface GuardedAddresses {
  readonly tls: string;
  readonly login: string;
  readonly tlsLogin: string;
  /** PEM files: whom to trust, and somebody else. */
  readonly caFile: string;
  readonly otherCaFile: string;
  readonly username: string;
  readonly password: string;
}

/** How a broker differs from the usual one. */
export interface BrokerOptions {
  /** Port of the loopback under which clients are told to reach it, for example a proxy's; its own by default. */
  readonly advertisedPort?: number;
  /** Whether it has addresses that want TLS or a login. */
  readonly guards?: boolean;
}

/** Starts a broker with nothing in it. */
export async function startBroker(
  jars: string,
  { advertisedPort, guards = false }: BrokerOptions = {},
): Promise<TestBroker> {
  const folder = mkdtempSync(join(tmpdir(), "weir-kafka-"));
  const dataDir = join(folder, "data");
  const [port, controllerPort, ...guardPorts] = freePorts(guards ? 5 : 2) as [number, number, ...number[]];
  const guarded = guards ? guard(folder, guardPorts) : undefined;
  const properties = join(folder, "server.properties");
  const [address, controller] = [`127.0.0.1:${port}`, `127.0.0.1:${controllerPort}`];
  const advertised = `127.0.0.1:${advertisedPort ?? port}`;
  const more = guarded ? [`TLS://${guarded.tls}`, `LOGIN://${guarded.login}`, `TLSLOGIN://${guarded.tlsLogin}`] : [];
  const told = propertiesOf({
    ...{ node: 1, voters: [`1@${controller}`], controller, dataDir },
    ...{ listeners: [`BROKER://${address}`, ...more], advertised: [`BROKER://${advertised}`, ...more] },
    ...{ copies: { all: 1, inSync: 1 }, sessionMs: 2_000 },
  });
  writeFileSync(properties, guards ? told + guardedProperties(folder) : told);
  const java = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-cp", `${jars}/*`];
  const format = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", properties];
  for (const mechanism of guards ? SCRAM : [])
    format.push("--add-scram", `${mechanism}=[name=${USER.username},password=${USER.password}]`);
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
  const deleteRecords = async ({ topic, partition, before }: Records) => {
    const admin = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.fetchTopicOffsets(topic); // else it does not know who leads
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(before) }] });
    await admin.disconnect();
  };
  const running = { pid: () => child.pid, ended: () => child.exited };
  return { address, ...(guarded && { guarded }), dataDir, ...running, kill, deleteRecords, restart, stop };
}

const USER = { username: "weir", password: "right" } as const;
const SCRAM = ["SCRAM-SHA-256", "SCRAM-SHA-512"] as const;
const STORE_PASSWORD = "for-a-test";

/** Makes the broker's certificate, and another that nobody uses. */
function guard(folder: string, ports: readonly number[]): GuardedAddresses {
  const [tls, login, tlsLogin] = ports.map((port) => `127.0.0.1:${port}`);
  const [caFile, otherCaFile] = [makeCertificate(folder, "broker"), makeCertificate(folder, "other")];
  return { tls: tls!, login: login!, tlsLogin: tlsLogin!, caFile, otherCaFile, ...USER };
}

/** A key and its own certificate by Java's keytool, in `<name>.p12`; answers the certificate's PEM file. */
function makeCertificate(folder: string, name: string): string {
  const store = ["-alias", "one", "-keystore", join(folder, `${name}.p12`), "-storepass", STORE_PASSWORD];
  const about = ["-keyalg", "EC", "-dname", `CN=${name}`, "-ext", "san=ip:127.0.0.1", "-ext", "bc:c=ca:true"];
  const file = join(folder, `${name}.pem`);
  for (const command of [
    ["-genkeypair", ...store, ...about],
    ["-exportcert", "-rfc", "-file", file, ...store],
  ]) {
    const done = Bun.spawnSync(["keytool", ...command]);
    if (!done.success) throw new Error(`Cannot make a certificate: ${done.stdout}${done.stderr}`);
  }
  return file;
}

/** Whether somebody answers at a port of the loopback. */
export async function listens(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.end();
    return true;
  } catch {
    return false; // not yet
  }
}

/** What one broker is told, which is a controller too. */
interface BrokerProperties {
  readonly node: number;
  /** `<node>@<address>` of every controller. */
  readonly voters: readonly string[];
  /** Its own among them. */
  readonly controller: string;
  /** `<NAME>://<address>`: what it listens to, and what it tells clients. */
  readonly listeners: readonly string[];
  readonly advertised: readonly string[];
  readonly dataDir: string;
  /** How often everything is kept, and how many of these acknowledge it. */
  readonly copies: { readonly all: number; readonly inSync: number };
  readonly sessionMs: number;
}

/** The file that a broker is started with. */
export function propertiesOf(of: BrokerProperties): string {
  const { all, inSync } = of.copies;
  return `process.roles=broker,controller
node.id=${of.node}
controller.quorum.voters=${of.voters}
listeners=${[...of.listeners, `CTL://${of.controller}`]}
advertised.listeners=${of.advertised}
listener.security.protocol.map=BROKER:PLAINTEXT,CTL:PLAINTEXT,TLS:SSL,LOGIN:SASL_PLAINTEXT,TLSLOGIN:SASL_SSL
controller.listener.names=CTL
inter.broker.listener.name=BROKER
log.dirs=${of.dataDir}
auto.create.topics.enable=false
min.insync.replicas=${inSync}
offsets.topic.replication.factor=${all}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=${all}
transaction.state.log.min.isr=${inSync}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=${all}
share.coordinator.state.topic.min.isr=${inSync}
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=${of.sessionMs}
broker.heartbeat.interval.ms=500
`;
}

function guardedProperties(folder: string): string {
  const modules = "org.apache.kafka.common.security";
  const logins = ["login", "tlslogin"].flatMap((listener) => [
    `listener.name.${listener}.plain.sasl.jaas.config=${modules}.plain.PlainLoginModule required user_${USER.username}="${USER.password}";`,
    ...SCRAM.map(
      (mechanism) =>
        `listener.name.${listener}.${mechanism.toLowerCase()}.sasl.jaas.config=${modules}.scram.ScramLoginModule required;`,
    ),
  ]);
  return `sasl.enabled.mechanisms=PLAIN,${SCRAM}
ssl.keystore.type=PKCS12
ssl.keystore.location=${folder}/broker.p12
ssl.keystore.password=${STORE_PASSWORD}
${logins.join("\n")}
`;
}
