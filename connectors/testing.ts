/**
 * What tests of other rooms need of the outside: real brokers, ClickHouse servers that are shards, a schema registry, and
 * networks that fail.
 *
 * @module
 */

export { CLUSTER, openShards, type TestShards } from "./clickhouse_shards_fixture.ts";
export { type BrokerOptions, kafkaFor, startBroker, type TestBroker } from "./kafka_broker_fixture.ts";
export { clusterFor, startCluster, type TestCluster } from "./kafka_cluster_fixture.ts";
export { type FakeRegistry, fakeRegistry } from "./schema_registry_fixture.ts";
export { type Passage, TcpProxy } from "./tcp_proxy_fixture.ts";
