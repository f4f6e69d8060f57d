/**
 * What tests of other rooms need of the outside: a real broker, and ClickHouse servers that are shards.
 *
 * @module
 */

export { CLUSTER, openShards, type TestShards } from "./clickhouse_shards_fixture.ts";
export { type BrokerOptions, kafkaFor, startBroker, type TestBroker } from "./kafka_broker_fixture.ts";
