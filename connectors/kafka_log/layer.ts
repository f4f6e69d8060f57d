/**
 * The Log on Kafka as a layer: the parts over their connections.
 *
 *   Log ──append──▶ Appends ──▶ IdempotentProducer            topics ──▶ Topics ──▶ Admin
 *       ──read──▶ Reads ──▶ fetches by leader                 offsets, ids ──▶ Catalog
 *       ──join, commit──▶ Members ──▶ the group's coordinator
 *
 * Closing the scope refuses what is new, sends what was queued, leaves the groups, then closes the connections.
 *
 * @module
 */

import { Effect, Layer, Queue } from "effect";
import type { Admin } from "kafkajs";
import type Cluster from "kafkajs/src/cluster/index.js";
import {
  type AppendReceipt,
  type Commit,
  Log,
  type LogFailed,
  type Membership,
  type MembershipEvent,
  type OffsetGap,
  type Once,
  type ReadAt,
  type Write,
} from "../log.ts";
import type { Records } from "../records.ts";
import { Appends } from "./appends.ts";
import { Catalog } from "./catalog.ts";
import { Clients, type KafkaLogOptions } from "./client.ts";
import { CONNECT, failureOf, invalid } from "./failures.ts";
import { Groups } from "./groups.ts";
import { Reads } from "./reads.ts";
import { Topics } from "./topics.ts";

/** How long closing waits for what was queued, and for the goodbyes. */
const CLOSE_MS_MAX = 10_000;

/** The log on the brokers of `options`; fails with LogFailed("unavailable") when none can be reached. */
export const kafkaLog = (options: KafkaLogOptions): Layer.Layer<Log, LogFailed> =>
  Layer.effect(
    Log,
    Effect.map(openKafkaLog(options), (parts) => serviceOf(parts)),
  );

interface KafkaLogParts {
  readonly cluster: Cluster;
  readonly topics: Topics;
  readonly appends: Appends;
  readonly reads: Reads;
  readonly groups: Groups;
}

const openKafkaLog = Effect.fn("openKafkaLog")(function* (options: KafkaLogOptions) {
  const clients = yield* Effect.try({ try: () => new Clients(options), catch: unreadable });
  const cluster = yield* Effect.acquireRelease(
    attempt(CONNECT, () => clients.cluster()),
    (open) => closed(() => open.disconnect()),
  );
  const admin: Admin = clients.kafka.admin();
  yield* Effect.acquireRelease(
    attempt(CONNECT, () => admin.connect()),
    () => closed(() => admin.disconnect()),
  );
  const catalog = new Catalog(cluster);
  const topics = new Topics({ admin, cluster, catalog, replication: options.replication });
  const appends = new Appends(clients, catalog);
  const reads = new Reads(clients, catalog, (topic) => topics.offsets(topic));
  const groups = new Groups({ clients, catalog, cluster });
  yield* Effect.addFinalizer(() => closed(() => Promise.all([reads.close(), groups.close(), appends.close()])));
  return { cluster, topics, appends, reads, groups } satisfies KafkaLogParts;
});

/** The only thing that can fail before anything is connected. */
const unreadable = (error: unknown) =>
  invalid(
    `Cannot read the file of authorities: ${error instanceof Error ? error.message : String(error)}. Set KAFKA_CA_FILE to a PEM file of certificates.`,
    error,
  );

function attempt<A>(doing: string, call: () => Promise<A>, topic?: string): Effect.Effect<A, LogFailed> {
  return Effect.tryPromise({ try: call, catch: (error) => failureOf(error, { doing, topic }) });
}

/** What fails while it closes is closed as well. */
function closed(close: () => Promise<unknown>): Effect.Effect<void> {
  return Effect.promise(() => close().catch(() => {})).pipe(
    Effect.interruptible,
    Effect.timeoutOption(CLOSE_MS_MAX),
    Effect.asVoid,
  );
}

function serviceOf({ topics, appends, reads, groups }: KafkaLogParts): Log["Service"] {
  return {
    isShared: true,
    createTopic: (topic) => attempt("create a topic", () => topics.create(topic), topic.name),
    alterTopic: (topic) => attempt("alter a topic", () => topics.alter(topic), topic.name),
    deleteTopic: (name) => attempt("delete a topic", () => topics.delete(name), name),
    topic: (name) => attempt("look at a topic", () => topics.find(name), name),
    offsets: (topic) => attempt("read offsets", () => topics.offsets(topic), topic),
    keepsKeys: false,
    append: (writes, once) => append(appends, writes, once),
    read: (at) => read(reads, at),
    join: (group, topic, { exclusive = false } = {}) => joinGroup(groups, { group, topic, exclusive }),
    members: (of) => attempt("list a group's members", () => groups.members(of), of.topic),
    commit: (of, commits) => commit(groups, of, commits),
    committed: (of) => attempt("read committed offsets", () => groups.committed(of), of.topic),
    diskBytes: Effect.succeed(undefined),
    copy: () =>
      Effect.fail(
        invalid("Cannot copy the log: Kafka keeps it. Back it up by Kafka's own means, such as MirrorMaker."),
      ),
  };
}

function append(appends: Appends, writes: readonly Write[], once: Once | undefined) {
  return Effect.callback<AppendReceipt, LogFailed>((resume) => {
    const queued = appends.append(writes, once, (failure, receipt) => {
      resume(failure === undefined ? Effect.succeed(receipt!) : Effect.fail(failure));
    });
    return Effect.sync(() => {
      queued.cancelled = true;
    });
  });
}

function read(reads: Reads, at: ReadAt) {
  return Effect.callback<Records, LogFailed | OffsetGap>((resume) => {
    const stop = reads.read(at, (failure, records) => {
      resume(failure === undefined ? Effect.succeed(records!) : Effect.fail(failure));
    });
    return Effect.sync(stop);
  });
}

const joinGroup = Effect.fn("joinGroup")(function* (
  groups: Groups,
  of: { readonly group: string; readonly topic: string; readonly exclusive: boolean },
) {
  yield* attempt("join a group", () => groups.find(of.topic), of.topic);
  const events = yield* Queue.unbounded<MembershipEvent>();
  const member = yield* Effect.acquireRelease(
    Effect.sync(() => groups.join(of, events)),
    (joined) => closed(() => groups.leave(joined)),
  );
  const membership: Membership = {
    events,
    released: (partitions) => Effect.sync(() => member.released(partitions)),
    heldUntilMs: () => member.heldUntilMs(),
  };
  return membership;
});

const commit = Effect.fn("commit")(function* (
  groups: Groups,
  of: { readonly group: string; readonly topic: string; readonly generation: number },
  commits: readonly Commit[],
) {
  const wrong = commits.find(({ offset }) => !Number.isSafeInteger(offset) || offset < 0);
  if (wrong !== undefined)
    return yield* invalid(`Cannot commit '${of.topic}'/${wrong.partition}: ${wrong.offset} is no offset.`);
  return yield* attempt("commit", () => groups.commit(of, commits), of.topic);
});
