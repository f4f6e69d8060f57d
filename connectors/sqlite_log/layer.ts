/**
 * The embedded Log as a layer: lock, two Workers and the parts between them.
 *
 *   Log ──append, commit──▶ Appends ──▶ writing Worker ──▶ log.db (WAL)
 *       ──read──▶ Reads ──▶ reading Worker ──────────────────┘
 *       ──join──▶ Groups          topics, offsets ──▶ Catalog
 *
 * Closing the scope refuses what is new, makes what was queued durable, then
 * ends both Workers and releases the directory.
 *
 * @module
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { Effect, Layer, Queue } from "effect";
import { upgradeDataDirectory } from "../data_directory.ts";
import {
  type AppendReceipt,
  type Commit,
  type KeyReused,
  Log,
  LogFailed,
  type Membership,
  type MembershipEvent,
  type OffsetGap,
  type Once,
  type ReadAt,
  type Topic,
  type TopicInfo,
  type Write,
} from "../log.ts";
import type { Records } from "../records.ts";
import { Appends } from "./appends.ts";
import { Catalog, invalid, unknownTopic } from "./catalog.ts";
import { copyLog } from "./copy.ts";
import { Groups } from "./groups.ts";
import { Link } from "./link.ts";
import { lockDirectory } from "./lock.ts";
import type { OpenCall, ReaderCalls, SqliteLogOptions, Trimmed, WriterCalls } from "./protocol.ts";
import { Reads } from "./reads.ts";

const PENDING_BYTES_MAX = 64 << 20;
const RETENTION_EVERY_MS = 30_000;
const RELEASE_MS_MAX = 60_000;
/** How long closing waits for what was queued. */
const FLUSH_MS_MAX = 10_000;
const ONCE_MS_MIN = 24 * 3_600_000;
const PARTITIONS_MAX = 1_024;
const TOPIC_NAME = /^[a-zA-Z0-9._-]{1,249}$/;

/** The embedded log in `options.dir`; fails with LogFailed("unavailable") when another process has it. */
export const sqliteLog = (options: SqliteLogOptions): Layer.Layer<Log, LogFailed> =>
  Layer.effect(
    Log,
    Effect.map(openSqliteLog(options), (parts) => serviceOf(parts)),
  );

/** The parts of an open log; the tests reach them to crash a Worker. */
export interface SqliteLogParts {
  readonly file: string;
  readonly catalog: Catalog;
  readonly writer: Link<WriterCalls>;
  readonly reader: Link<ReaderCalls>;
  readonly appends: Appends;
  readonly reads: Reads;
  readonly groups: Groups;
}

/** Opens the log until the scope closes. */
export const openSqliteLog = Effect.fn("openSqliteLog")(function* (options: SqliteLogOptions) {
  yield* lockDirectory(options.dir);
  yield* Effect.try({ try: () => upgradeDataDirectory(options.dir), catch: refused });
  const open: OpenCall = {
    file: join(options.dir, "log.db"),
    retentionEveryMs: options.retentionEveryMs ?? RETENTION_EVERY_MS,
    onceMsMin: options.onceMsMin ?? ONCE_MS_MIN,
    fsyncDelayMs: options.fsyncDelayMs ?? 0,
    pagesMax: options.pagesMax,
  };
  const catalog = new Catalog();
  const writer = new Link<WriterCalls>({
    url: new URL("./writer.ts", import.meta.url),
    open,
    onOpened: (topics) => catalog.replace(topics),
    onNotice: (notice) => catalog.trim(notice as Trimmed),
  });
  const reader = new Link<ReaderCalls>({ url: new URL("./reader.ts", import.meta.url), open, onOpened: () => {} });
  yield* started(writer);
  yield* started(reader);
  const { pendingBytesMax = PENDING_BYTES_MAX, releaseMsMax = RELEASE_MS_MAX } = options;
  const appends = new Appends(catalog, (group, transfer, done) => writer.call("commit", group, done, transfer), {
    pendingBytesMax,
  });
  const groups = new Groups(
    catalog,
    (done) => {
      appends.flush();
      writer.call("nextGeneration", undefined, done);
    },
    { releaseMsMax },
  );
  const reads = new Reads(catalog, reader);
  yield* Effect.addFinalizer(() =>
    Effect.callback<void>((resume) => {
      reads.close();
      groups.close();
      appends.close(() => resume(Effect.void));
    }).pipe(Effect.interruptible, Effect.timeoutOption(FLUSH_MS_MAX)),
  );
  return { file: open.file, catalog, writer, reader, appends, reads, groups } satisfies SqliteLogParts;
});

const refused = (cause: unknown) =>
  new LogFailed({ reason: "invalid", message: (cause as Error).message, retriable: false, cause });

const started = <C extends WriterCalls | ReaderCalls>(link: Link<C>) =>
  Effect.acquireRelease(
    Effect.callback<void, LogFailed>((resume) =>
      link.start((failure) => resume(failure === undefined ? Effect.void : Effect.fail(failure))),
    ),
    () => Effect.callback<void>((resume) => link.close(() => resume(Effect.void))),
  );

/** The file, and what was written since it was last tidied. */
function diskBytes(file: string): number {
  return [file, `${file}-wal`].reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);
}

/** The service over open parts. */
export function serviceOf(parts: SqliteLogParts): Log["Service"] {
  const { catalog, appends, reads } = parts;
  return {
    isShared: false,
    createTopic: (topic) => changeTopic(parts, "createTopic", topic),
    alterTopic: (topic) => changeTopic(parts, "alterTopic", topic),
    deleteTopic: (name) => changed(parts, "deleteTopic", { name, partitions: 0, retention: {} }),
    topic: (name) => Effect.sync(() => catalog.topic(name)?.info),
    offsets: (topic) => Effect.suspend(() => orFail(catalog.offsets(topic))),
    keepsKeys: true,
    append: (writes, once) => append(appends, writes, once),
    read: (at) => read(reads, at),
    join: (group, topic, { exclusive = false } = {}) => joinGroup(parts, { group, topic, exclusive }),
    members: ({ group, topic }) =>
      Effect.sync(() => {
        const partitions = parts.groups.owned(group, topic);
        return partitions.length === 0 ? [] : [{ name: `pid ${process.pid}`, partitions }];
      }),
    commit: (of, commits) => commit(parts, of, commits),
    committed: (of) => committed(parts, of),
    diskBytes: Effect.sync(() => diskBytes(parts.file)),
    copy: (to) => copyLog(parts.writer, { file: parts.file, to }),
  };
}

function append(appends: Appends, writes: readonly Write[], once: Once | undefined) {
  return Effect.callback<AppendReceipt, LogFailed | KeyReused>((resume) => {
    const queued = appends.append(writes, once, (failure, receipt) => {
      resume(failure === undefined ? Effect.succeed(receipt!) : Effect.fail(failure));
    });
    if (queued === undefined) return;
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

const changeTopic = Effect.fn("changeTopic")(function* (
  parts: SqliteLogParts,
  kind: "createTopic" | "alterTopic",
  topic: Topic,
) {
  const before = parts.catalog.topic(topic.name)?.info;
  if (kind === "alterTopic" && before === undefined) return yield* unknownTopic(topic.name);
  const wrong = topicFailure(topic, kind === "alterTopic" ? before!.partitions : 1);
  if (wrong !== undefined) return yield* wrong;
  yield* changed(parts, kind, { name: topic.name, partitions: topic.partitions, retention: topic.retention });
  const after: TopicInfo | undefined = parts.catalog.topic(topic.name)?.info;
  return after ?? (yield* unknownTopic(topic.name));
});

/** Asks the writer after everything queued, and takes over the catalog it answers with. */
function changed(
  { appends, catalog, groups, writer }: SqliteLogParts,
  kind: "createTopic" | "alterTopic" | "deleteTopic",
  ask: WriterCalls["createTopic"]["ask"],
) {
  return Effect.callback<void, LogFailed>((resume) => {
    appends.flush();
    writer.call(kind, ask, (failure, topics) => {
      if (failure !== undefined) return resume(Effect.fail(failure));
      catalog.replace(topics);
      groups.topicsChanged();
      resume(Effect.void);
    });
  });
}

const joinGroup = Effect.fn("joinGroup")(function* (
  parts: SqliteLogParts,
  { group, topic, exclusive }: { readonly group: string; readonly topic: string; readonly exclusive: boolean },
) {
  if (parts.catalog.topic(topic) === undefined) return yield* unknownTopic(topic);
  const { groups } = parts;
  const events = yield* Queue.unbounded<MembershipEvent>();
  const member = yield* Effect.acquireRelease(
    Effect.sync(() => groups.join(group, topic, { events, exclusive })),
    (joined) => Effect.sync(() => groups.leave(group, topic, joined)),
  );
  const membership: Membership = {
    events,
    released: (partitions) => Effect.sync(() => groups.released(group, topic, { member, partitions })),
    heldUntilMs: () => (groups.isOwner(group, topic, member) ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY),
  };
  return membership;
});

function commit(
  { appends, catalog, groups }: SqliteLogParts,
  of: { readonly group: string; readonly topic: string; readonly generation: number },
  commits: readonly Commit[],
) {
  return Effect.callback<ReturnType<Groups["admit"]>["answers"], LogFailed>((resume) => {
    if (catalog.topic(of.topic) === undefined) return resume(Effect.fail(unknownTopic(of.topic)));
    const wrong = commits.find(({ offset }) => !Number.isSafeInteger(offset) || offset < 0);
    if (wrong !== undefined) {
      return resume(
        Effect.fail(invalid(`Cannot commit '${of.topic}'/${wrong.partition}: ${wrong.offset} is no offset.`)),
      );
    }
    const { answers, admitted } = groups.admit(of, commits);
    if (admitted.length === 0) return resume(Effect.succeed(answers));
    appends.commit(admitted, (failure) => {
      resume(failure === undefined ? Effect.succeed(answers) : Effect.fail(failure));
    });
  });
}

function committed(
  { appends, catalog, writer }: SqliteLogParts,
  of: { readonly group: string; readonly topic: string },
) {
  return Effect.callback<readonly Commit[], LogFailed>((resume) => {
    const topic = catalog.topic(of.topic);
    if (topic === undefined) return resume(Effect.fail(unknownTopic(of.topic)));
    appends.flush();
    writer.call("committed", { group: of.group, topicId: topic.info.id }, (failure, rows) => {
      if (failure !== undefined) return resume(Effect.fail(failure));
      resume(Effect.succeed(rows.map(({ partition, offset, metadata }) => ({ partition, offset, metadata }))));
    });
  });
}

function topicFailure({ name, partitions }: Topic, partitionsMin: number): LogFailed | undefined {
  if (!TOPIC_NAME.test(name)) {
    return invalid(`Cannot keep a topic named '${name}': use 1 to 249 of the characters a-z A-Z 0-9 . _ -`);
  }
  if (!Number.isInteger(partitions) || partitions < partitionsMin || partitions > PARTITIONS_MAX) {
    const hint = `a number from ${partitionsMin} to ${PARTITIONS_MAX}`;
    return invalid(`Cannot give the topic '${name}' ${partitions} partitions: choose ${hint} (it never shrinks).`);
  }
  return undefined;
}

function orFail<A>(answer: A | LogFailed): Effect.Effect<A, LogFailed> {
  return isFailed(answer) ? Effect.fail(answer) : Effect.succeed(answer);
}

function isFailed(answer: unknown): answer is LogFailed {
  return typeof answer === "object" && answer !== null && "_tag" in answer && answer._tag === "LogFailed";
}
