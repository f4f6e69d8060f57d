/**
 * What tests of other rooms need of the outside: a real broker.
 *
 * @module
 */
export { type BrokerOptions, kafkaFor, startBroker, type TestBroker } from "./kafka_broker_fixture.ts";
