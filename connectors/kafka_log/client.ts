/**
 * The way to the brokers: kafkajs's connections, of which every kind of work has its own.
 *
 *   Clients.cluster() ──▶ Cluster ──findBroker──▶ Broker ──▶ topics · appends · reads · members of groups
 *   Clients.kafka     ──▶ Admin
 *
 * A broker answers one request of a connection after the other, so whatever waits inside the broker (a long poll, a
 * rebalance) must not share a connection with what cannot wait.
 *
 * @module
 */
import { Kafka, type KafkaConfig, logLevel } from "kafkajs";
import Cluster from "kafkajs/src/cluster/index.js";
import socketFactory from "kafkajs/src/network/socketFactory.js";
import { authoritiesOf } from "../authorities.ts";
import { unavailable } from "./failures.ts";
import "./connection_repairs.ts";

/** How to reach Kafka, and as whom. */
export interface KafkaLogOptions {
  /** Addresses as `host:port`; any of the cluster's brokers will do. */
  readonly brokers: readonly string[];
  /** How the brokers' logs and quotas name this client. */
  readonly clientId?: string;
  readonly tls?: boolean;
  /** On how many brokers new topics are kept; the brokers' own default otherwise. */
  readonly replication?: number | undefined;
  /** PEM file of the authorities that the brokers' certificates are checked against; the machine's own by default. */
  readonly caFile?: string | undefined;
  readonly sasl?:
    | {
        readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
        readonly username: string;
        readonly password: string;
      }
    | undefined;
}

/** Until a connection is there; a lost one is given up a little later at the latest. */
const CONNECT_MS_MAX = 5_000;
const REQUEST_MS_MAX = 30_000;
const METADATA_AGE_MS_MAX = 60_000;
/** Tries until about four seconds have passed; then the caller decides. */
const RETRY = { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5 };

/** Makes clients of the same brokers. */
export class Clients {
  readonly kafka: Kafka;
  readonly #config: KafkaConfig;

  /** Throws if `caFile` cannot be read, or holds no certificate. */
  constructor({ brokers, clientId = "weir", tls = false, caFile, sasl }: KafkaLogOptions) {
    const ssl = tls && caFile !== undefined ? { ca: [authoritiesOf(caFile)] } : tls;
    this.#config = {
      ...{ brokers: [...brokers], clientId, ssl, retry: RETRY },
      ...{ connectionTimeout: CONNECT_MS_MAX, requestTimeout: REQUEST_MS_MAX, enforceRequestTimeout: true },
      ...(sasl === undefined ? {} : { sasl: sasl as KafkaConfig["sasl"] }),
    };
    // What fails is answered as a LogFailed; kafkajs would also print each of its tries.
    this.kafka = new Kafka({ ...this.#config, logLevel: logLevel.NOTHING });
  }

  /** Opens connections of their own. */
  async cluster(): Promise<Cluster> {
    const cluster = new Cluster({
      ...this.#config,
      ...{ logger: this.kafka.logger(), socketFactory: socketFactory() },
      ...{ allowAutoTopicCreation: false, metadataMaxAge: METADATA_AGE_MS_MAX },
    });
    await cluster.connect();
    await cluster.refreshMetadata();
    return cluster;
  }
}

/** Any broker that answers: for requests which every broker can answer. */
export async function anyBroker(cluster: Cluster) {
  // Brokers that have only just started do not tell of themselves yet, and nothing else asks them again.
  if (cluster.getNodeIds().length === 0) await cluster.refreshMetadata();
  let failure: unknown;
  for (const nodeId of cluster.getNodeIds()) {
    try {
      return await cluster.findBroker({ nodeId });
    } catch (error) {
      failure = error;
    }
  }
  throw failure ?? unavailable("no broker is known yet");
}
