/**
 * What tests of other rooms need of the outside: a real broker, a schema registry.
 *
 * @module
 */
export { type BrokerOptions, kafkaFor, startBroker, type TestBroker } from "./kafka_broker_fixture.ts";
export { type FakeRegistry, fakeRegistry } from "./schema_registry_fixture.ts";
