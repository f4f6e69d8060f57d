/**
 * The Log of production: Kafka 3.1 or newer, spoken to through kafkajs's connections.
 *
 *   Log ──▶ layer.ts ──▶ appends · reads · groups · topics ──▶ catalog · wire ──▶ brokers
 *
 * @module
 */
export type { KafkaLogOptions } from "./client.ts";
export { kafkaLog } from "./layer.ts";
