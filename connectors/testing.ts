/**
 * What tests of other rooms need of the outside: real brokers, and networks that fail.
 *
 * @module
 */
export { type BrokerOptions, kafkaFor, startBroker, type TestBroker } from "./kafka_broker_fixture.ts";
export { clusterFor, startCluster, type TestCluster } from "./kafka_cluster_fixture.ts";
export { type Passage, TcpProxy } from "./tcp_proxy_fixture.ts";
