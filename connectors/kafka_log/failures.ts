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
/** What TLS says of a certificate that it does not believe. */
const DISTRUSTED = /CERT|SIGNATURE|UNABLE_TO_GET|HOSTNAME/;
const ENDED = /^ECONNRESET$|^EPIPE$|^KafkaJSConnectionClosedError$/;
const ABSENT = /^ECONNREFUSED$|^ENOTFOUND$|^EAI_AGAIN$|^EHOSTUNREACH$|^ENETUNREACH$|^ETIMEDOUT$/;
const IMPOSSIBLE = new Set([
  ...["INVALID_TOPIC_EXCEPTION", "INVALID_PARTITIONS", "INVALID_REPLICATION_FACTOR", "INVALID_CONFIG"],
  ...["POLICY_VIOLATION", "INVALID_RECORD"],
  ...["INVALID_REQUEST", "INVALID_GROUP_ID", "INVALID_SESSION_TIMEOUT", "UNSUPPORTED_VERSION"],
]);

/** Translates what kafkajs threw while it was to `doing`; about `topic` if it was about one. */
export function failureOf(error: unknown, { doing, topic = "" }: { doing: string; topic?: string }): LogFailed {
  if (error instanceof LogFailed) return error;
  const root = rootOf(error);
  const type = typeOf(root);
  if (type === "UNKNOWN_TOPIC_OR_PARTITION" || type === "UNKNOWN_TOPIC_ID") return unknownTopic(topic);
  if (type === "TOPIC_ALREADY_EXISTS") return topicExists(topic);
  const says = type || codeOf(root) || nameOf(root);
  const wrong = wrongLogin(says);
  if (wrong !== undefined)
    return new LogFailed({ ...UNAVAILABLE, message: `Cannot ${doing}: ${wrong}`, retriable: false, cause: error });
  const unmet = doing === CONNECT ? unmetBroker(says) : undefined;
  if (unmet !== undefined)
    return new LogFailed({ ...UNAVAILABLE, message: `Cannot ${doing}: ${unmet}`, retriable: true, cause: error });
  if (isTooLarge(error))
    return invalid(`Cannot ${doing}: a record is larger than the topic '${topic}' takes. ${ROOM}`, error);
  if (type === "INVALID_TIMESTAMP")
    return new LogFailed({ ...UNAVAILABLE, message: `Cannot ${doing}: ${CLOCK}`, retriable: false, cause: error });
  if (IMPOSSIBLE.has(type))
    return invalid(`Cannot ${doing}: Kafka refuses it (${type}). Change what is asked, or the broker's limit.`, error);
  if (isRetriable(root)) return unavailable(`Kafka could not ${doing} (${says})`, error);
  const message = `Cannot ${doing}: Kafka answered ${says}. Look into the broker's log.`;
  return new LogFailed({ ...UNAVAILABLE, message, retriable: false, cause: error });
}

/** What brokers say of a batch that is larger than its topic's `max.message.bytes`, or than a segment. */
const TOO_LARGE = new Set(["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"]);
const CLOCK =
  "Kafka refuses the records' time. Check this machine's clock, and the topic's message.timestamp.before.max.ms and .after.max.ms.";
const ROOM = "Send smaller ones, or raise its max.message.bytes.";

export function isTooLarge(error: unknown): boolean {
  return TOO_LARGE.has(typeOf(error));
}

/** What a broker says of records that their topic does not take, before it looks at who sends them. */
const REFUSALS = new Set([...TOO_LARGE, "INVALID_RECORD", "INVALID_TIMESTAMP"]);

/** Whether it is the records that the brokers do not take, whoever sends them and whenever. */
export function isRefusal(error: unknown): boolean {
  return REFUSALS.has(typeOf(error));
}

/** What a call that only connects calls itself. */
export const CONNECT = "connect to Kafka";
const UNAVAILABLE = { reason: "unavailable" } as const;

/** Why the brokers and this client do not trust each other, which no repeat changes. */
function wrongLogin(says: string): string | undefined {
  if (says === "ILLEGAL_SASL_STATE")
    return "this listener takes no login. Leave KAFKA_SASL_MECHANISM out, or use the listener that asks for one.";
  if (REFUSED.test(says) || says === "KafkaJSSASLAuthenticationError")
    return `Kafka refuses this user (${says.startsWith("KafkaJS") ? "SASL" : says}). Check the mechanism, the user, its password and its ACLs.`;
  if (DISTRUSTED.test(says))
    return `the brokers' certificate is not trusted (${says}). Set KAFKA_CA_FILE to the authorities that signed it, and use the names it is made out to.`;
  return undefined;
}

/** Why a broker did not answer at all: it may be a moment's matter, or a setting. */
function unmetBroker(says: string): string | undefined {
  if (ENDED.test(says))
    return `the brokers end the connection before they answer (${says}). Check that KAFKA_TLS and KAFKA_SASL_MECHANISM are what this listener expects.`;
  if (ABSENT.test(says)) return `no broker answers (${says}). Check KAFKA_BROKERS, and that the brokers run.`;
  return undefined;
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
