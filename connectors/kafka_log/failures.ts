/**
 * What can go wrong between this log and its brokers, in the port's words.
 *
 *   kafkajs's error ──root cause──▶ its protocol type ──▶ LogFailed: reason, retriable, what to do
 *
 * kafkajs's own texts name hosts, so they stay in `cause`, which no answer shows.
 *
 * @module
 */
import { LogFailed } from "../log.ts";

/** A call that can never succeed as it is. */
export function invalid(message: string, cause?: unknown): LogFailed {
  return new LogFailed({ reason: "invalid", message, retriable: false, cause });
}

export function unknownTopic(name: string): LogFailed {
  return new LogFailed({
    reason: "unknown topic",
    message: `Cannot find the topic '${name}': it does not exist. Create it first.`,
    retriable: false,
  });
}

/** A LogFailed for what may work a little later. */
export function unavailable(why: string, cause?: unknown): LogFailed {
  return new LogFailed({
    reason: "unavailable",
    message: `Cannot use the log: ${why}. Try again in a moment.`,
    retriable: true,
    cause,
  });
}

/** Names of errors that kafkajs calls final, though another call may succeed. */
const LATER = new Set(["KafkaJSLockTimeout", "KafkaJSTimeout", "KafkaJSGroupCoordinatorNotFound"]);
const REFUSED = /AUTHORIZATION_FAILED|^SASL_|^UNSUPPORTED_SASL/;
const IMPOSSIBLE = new Set([
  ...["INVALID_TOPIC_EXCEPTION", "INVALID_PARTITIONS", "INVALID_REPLICATION_FACTOR", "INVALID_CONFIG"],
  ...["POLICY_VIOLATION", "MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE", "INVALID_TIMESTAMP", "INVALID_RECORD"],
  ...["INVALID_REQUEST", "INVALID_GROUP_ID", "INVALID_SESSION_TIMEOUT", "UNSUPPORTED_VERSION"],
]);

/** Translates what kafkajs threw while it was to `doing`; about `topic` if it was about one. */
export function failureOf(error: unknown, { doing, topic = "" }: { doing: string; topic?: string }): LogFailed {
  if (error instanceof LogFailed) return error;
  const root = rootOf(error);
  const type = typeOf(root);
  if (type === "UNKNOWN_TOPIC_OR_PARTITION" || type === "UNKNOWN_TOPIC_ID") return unknownTopic(topic);
  if (type === "TOPIC_ALREADY_EXISTS") return topicExists(topic);
  if (REFUSED.test(type) || nameOf(root) === "KafkaJSSASLAuthenticationError")
    return new LogFailed({
      reason: "unavailable",
      message: `Cannot ${doing}: Kafka refuses this user (${type || "SASL"}). Check the user, its password and its ACLs.`,
      retriable: false,
      cause: error,
    });
  if (IMPOSSIBLE.has(type))
    return invalid(`Cannot ${doing}: Kafka refuses it (${type}). Change what is asked, or the broker's limit.`, error);
  const says = type || codeOf(root) || nameOf(root);
  if (isRetriable(root)) return unavailable(`Kafka could not ${doing} (${says})`, error);
  return new LogFailed({
    reason: "unavailable",
    message: `Cannot ${doing}: Kafka answered ${says}. Look into the broker's log.`,
    retriable: false,
    cause: error,
  });
}

export function topicExists(name: string): LogFailed {
  return new LogFailed({
    reason: "topic exists",
    message: `Cannot create the topic '${name}': it exists already. Choose another name, or alter it.`,
    retriable: false,
  });
}

/** The protocol's name of an error, for example `NOT_LEADER_FOR_PARTITION`; empty if the broker did not say one. */
export function typeOf(error: unknown): string {
  return textOf(rootOf(error), "type");
}

/** Unwraps "the retries are used up" and "these failed" down to the error that says why. */
function rootOf(error: unknown): unknown {
  const { cause, errors } = (error ?? {}) as { readonly cause?: unknown; readonly errors?: readonly unknown[] };
  if (textOf(error, "type") !== "") return error;
  const inner = cause ?? errors?.[0];
  return inner === undefined || inner === error ? error : rootOf(inner);
}

function isRetriable(error: unknown): boolean {
  return (error as { readonly retriable?: unknown }).retriable === true || LATER.has(nameOf(error));
}

const nameOf = (error: unknown) => textOf(error, "name");
const codeOf = (error: unknown) => textOf(error, "code");

function textOf(error: unknown, field: "type" | "name" | "code"): string {
  const value = (error as Readonly<Record<string, unknown>> | undefined)?.[field];
  return typeof value === "string" ? value : "";
}
