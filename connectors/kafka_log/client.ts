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
import Connection from "kafkajs/src/network/connection.js";
import RequestQueue from "kafkajs/src/network/requestQueue/index.js";
import socketFactory from "kafkajs/src/network/socketFactory.js";
import { authoritiesOf } from "../authorities.ts";
import { unavailable } from "./failures.ts";

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

/**
 * kafkajs 2.2.4 looks for waiting requests after each answer by a timer of a negative delay, even when there are none;
 * a runtime warns of it, and it wakes the process for nothing.
 */
const schedule = RequestQueue.prototype.scheduleCheckPendingRequests;
RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
  if (this.pending.length > 0) schedule.call(this);
};

/**
 * kafkajs 2.2.4 takes a connection that has just broken for one that is closing in good order: who repeats a request at
 * once sends it there, and closing waits for its answer, 30 s or for ever. A broken one is closed without waiting, and
 * what is sent next opens another.
 */
const { rejectRequests, disconnect } = Connection.prototype;
Connection.prototype.rejectRequests = function (this: Connection, error: Error) {
  this.connectionStatus = "disconnected";
  rejectRequests.call(this, error);
};
Connection.prototype.disconnect = async function (this: Connection) {
  if (this.connectionStatus !== "disconnected") return disconnect.call(this);
  this.socket?.end();
  this.socket?.unref();
  return true;
};
