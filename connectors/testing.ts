/**
 * What tests of other rooms need of the outside: a real broker, ClickHouse servers that are shards, a schema registry.
 *
 * @module
 */

export { CLUSTER, openShards, type TestShards } from "./clickhouse_shards_fixture.ts";
export { type BrokerOptions, kafkaFor, startBroker, type TestBroker } from "./kafka_broker_fixture.ts";
export { type FakeRegistry, fakeRegistry } from "./schema_registry_fixture.ts";
