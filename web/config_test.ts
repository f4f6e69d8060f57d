import { describe, expect, test } from "bun:test";
import { ConfigInvalid, readConfig } from "./config.ts";

const KAFKA = { KAFKA_BROKERS: "a:9092,b:9093" };
const REGISTRY = { SCHEMA_REGISTRY_URL: "http://registry:8081" };
const SHARED = { ...KAFKA, CLICKHOUSE_URL: "http://user:secret@host:8123" };

describe("readConfig()", () => {
  test("takes flags over the environment over defaults", () => {
    const { port, host, role } = readConfig({ port: "1" }, { WEIR_PORT: "2", WEIR_HOST: "::1", WEIR_ROLE: "" });
    expect({ port, host, role }).toEqual({ port: 1, host: "::1", role: "all" });
  });

  test("reads how to reach Kafka", () => {
    const login = { KAFKA_SASL_MECHANISM: "SCRAM-SHA-512", KAFKA_USERNAME: "u", KAFKA_PASSWORD: "p" };
    expect(readConfig({}, { ...KAFKA, ...login, KAFKA_TLS: "true" })).toMatchObject({
      ...{ kafkaBrokers: ["a:9092", "b:9093"], kafkaTls: true },
      ...{ kafkaMechanism: "scram-sha-512", kafkaUser: "u", kafkaPassword: "p" },
    });
  });

  test("reads how to reach a schema registry", () => {
    const env = {
      ...{ SCHEMA_REGISTRY_URL: "https://registry:8081/apis/ccompat/v7", SCHEMA_REGISTRY_CA_FILE: "ca.pem" },
      ...{ SCHEMA_REGISTRY_USERNAME: "u", SCHEMA_REGISTRY_PASSWORD: "p" },
    };
    expect(readConfig({}, env)).toMatchObject({
      ...{ schemaRegistryUrl: "https://registry:8081/apis/ccompat/v7", schemaRegistryCaFile: "ca.pem" },
      ...{ schemaRegistryUser: "u", schemaRegistryPassword: "p" },
    });
  });

  test("does not repeat a password that stands in an address", () => {
    const read = () => readConfig({}, { SCHEMA_REGISTRY_URL: "http://u:secret@registry" });
    expect(read).toThrow("Cannot use SCHEMA_REGISTRY_URL: its credentials belong into SCHEMA_REGISTRY_USERNAME");
    expect(read).not.toThrow("secret");
  });

  test.each([
    [
      "a registry of another protocol",
      { SCHEMA_REGISTRY_URL: "file:///etc" },
      "it is the address of a schema registry",
    ],
    [
      "half a login to a registry",
      { ...REGISTRY, SCHEMA_REGISTRY_PASSWORD: "p" },
      "Cannot log in to the schema registry",
    ],
    ["a registry without its address", { SCHEMA_REGISTRY_CA_FILE: "ca.pem" }, "set SCHEMA_REGISTRY_URL."],
    ["a port that is none", { WEIR_PORT: "70000" }, "Cannot use WEIR_PORT (--port) '70000': a port is"],
    ["brokers without ports", { KAFKA_BROKERS: "a,b" }, "Cannot use KAFKA_BROKERS 'a,b': brokers are written"],
    ["brokers with a protocol", { KAFKA_BROKERS: "kafka://a:1" }, "brokers are written host:port"],
    ["an unknown role", { WEIR_ROLE: "both" }, "Cannot use WEIR_ROLE (--role) 'both': a role is all, gateway, worker."],
    ["a role over the embedded log", { WEIR_ROLE: "worker" }, "Cannot start as worker: several processes need"],
    ["a role over the embedded ClickHouse", { ...KAFKA, WEIR_ROLE: "gateway" }, "Set KAFKA_BROKERS and CLICKHOUSE_URL"],
    ["a cluster", { CLICKHOUSE_CLUSTER: "main" }, "Set CLICKHOUSE_URL to the address of each shard"],
    ["half a login", { ...KAFKA, KAFKA_USERNAME: "u" }, "Cannot log in to Kafka: set KAFKA_SASL_MECHANISM"],
    ["half a broker", { ...KAFKA, KAFKA_REPLICATION: "1.5" }, "a number of brokers is a whole number from 1 to 15"],
    ["an unknown mechanism", { ...KAFKA, KAFKA_SASL_MECHANISM: "gssapi" }, "a mechanism is plain, scram-sha-256"],
  ])("refuses %s", (_, env, message) => {
    expect(() => readConfig({}, env)).toThrow(ConfigInvalid);
    expect(() => readConfig({}, env)).toThrow(message);
  });

  test("takes a role where log and warehouse are shared", () => {
    expect(readConfig({ role: "worker" }, SHARED).role).toBe("worker");
  });
});
