/**
 * The topic of a source: Weir's own, or others' who write into it.
 *
 *   not there ──▶ made, with what the definition says over NEW_TOPIC
 *   there ──at every start──▶ as it is
 *         └──at an apply──▶ changed as far as the definition says something else; never by a new source to keep less
 *
 * A company's topic has other readers: what nobody wrote into a definition must
 * not delete their records, nor move their keys to other partitions.
 *
 * @module
 */
import { Log, type LogFailed, type Retention, type TopicInfo } from "@weir/connectors";
import { NEW_TOPIC, type Source } from "@weir/sql";
import { Effect } from "effect";

/** Makes sure that a source's topic is there. */
export const ensureTopic = Effect.fnUntraced(function* (source: Source): Effect.fn.Return<TopicInfo, LogFailed, Log> {
  const { topic } = yield* Log;
  return (yield* topic(source.topic)) ?? (yield* makeTopic(source));
});

/** Makes a topic, or brings the one that is there to what its definition says, as far as that says anything. */
export const settleTopic = Effect.fnUntraced(function* (
  source: Source,
  known: TopicInfo | undefined,
): Effect.fn.Return<TopicInfo, LogFailed, Log> {
  if (known === undefined) return yield* makeTopic(source);
  const log = yield* Log;
  const partitions = Math.max(source.partitions ?? 0, known.partitions);
  const retention = retentionOver(known.retention, source);
  const isSettled = partitions === known.partitions && Bun.deepEquals(retention, known.retention);
  return isSettled ? known : yield* log.alterTopic({ name: known.name, partitions, retention });
});

const makeTopic = Effect.fnUntraced(function* (source: Source): Effect.fn.Return<TopicInfo, LogFailed, Log> {
  const log = yield* Log;
  const { topic: name, partitions = NEW_TOPIC.partitions } = source;
  return yield* log.createTopic({ name, partitions, retention: retentionOver(NEW_TOPIC.retention, source) });
});

/** Whether a source asks its topic to keep less than it does. */
export function keepsLess(known: Retention, { retention }: Pick<Source, "retention">): boolean {
  const less = (said: number | undefined, now: number | undefined) => (said ?? now ?? UNBOUNDED) < (now ?? UNBOUNDED);
  return less(retention.ageMsMax, known.ageMsMax) || less(retention.bytesMax, known.bytesMax);
}

const UNBOUNDED = Number.POSITIVE_INFINITY;

/** What a source says of its topic's retention, over what holds where it says nothing. */
function retentionOver({ ageMsMax, bytesMax }: Retention, { retention }: Pick<Source, "retention">): Retention {
  const own = { ageMsMax: retention.ageMsMax ?? ageMsMax, bytesMax: retention.bytesMax ?? bytesMax };
  return {
    ...(own.ageMsMax === undefined ? {} : { ageMsMax: own.ageMsMax }),
    ...(own.bytesMax === undefined ? {} : { bytesMax: own.bytesMax }),
  };
}
