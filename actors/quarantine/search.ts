/**
 * Searching the log for replayed records, by the header that each of them carries.
 *
 *   ids, each with the places from which on it may lie ──read on to the end──▶ found · unclear (the log does not reach back)
 *
 * Only where an announcement is too old for the log's own keys, or the log keeps
 * none, so it may take as long as reading that part of the log takes.
 *
 * @module
 */
import { headersOf, type Log, type LogFailed, type TopicInfo } from "@weir/connectors";
import { Effect } from "effect";
import type { LogPlace, SearchFrom } from "./standing.ts";

/** Header of a replayed record: the id of the row that it came from. */
export const REPLAY_HEADER = "weir-replay-of";

const READ = { recordsMax: 10_000, bytesMax: 4 * 2 ** 20, waitMs: 0 } as const;

/** A record that is looked for. */
export interface Wanted {
  readonly head: { readonly id: string };
  readonly topic: string;
  readonly from: readonly SearchFrom[];
}

/** What was found; `unclear` may be in the log or have been. */
export interface Searched {
  readonly found: ReadonlyMap<string, LogPlace>;
  readonly unclear: ReadonlySet<string>;
}

/** Searches every place of every record, each partition once. */
export const search = Effect.fn("quarantine.search")(function* (
  log: Pick<Log["Service"], "offsets" | "read">,
  { topics, wanted }: { readonly topics: ReadonlyMap<string, TopicInfo>; readonly wanted: readonly Wanted[] },
): Effect.fn.Return<Searched, LogFailed> {
  const found = new Map<string, LogPlace>();
  const unclear = new Set<string>();
  const places = wanted.flatMap(({ head, topic, from }) =>
    from.map((place) => ({ id: head.id, name: topic, ...place })),
  );
  for (const some of Map.groupBy(places, ({ topic, partition }) => `${topic}/${partition}`).values()) {
    const { name, topic, partition } = some[0]!;
    const isSame = topics.get(name)?.id === topic;
    const from = Math.min(...some.map(({ offset }) => offset));
    const ids = new Set(some.map(({ id }) => id));
    const seen = isSame ? yield* searchPartition(log, { topic: name, partition, from, ids }) : undefined;
    if (seen === undefined) for (const id of ids) unclear.add(id);
    else for (const [id, offset] of seen) found.set(id, { partition, offset });
  }
  for (const id of found.keys()) unclear.delete(id);
  return { found, unclear };
});

/** The offsets of the records that were found; undefined if the log does not reach back to `from`. */
const searchPartition = Effect.fnUntraced(function* (
  log: Pick<Log["Service"], "offsets" | "read">,
  { topic, partition, from, ids }: { topic: string; partition: number; from: number; ids: ReadonlySet<string> },
): Effect.fn.Return<ReadonlyMap<string, number> | undefined, LogFailed> {
  const range = (yield* log.offsets(topic)).find((one) => one.partition === partition);
  if (range === undefined || range.earliest > from || range.latest < from) return undefined;
  const found = new Map<string, number>();
  for (let offset = from; offset < range.latest && found.size < ids.size; ) {
    const read = log.read({ topic, partition, offset, ...READ });
    const records = yield* Effect.catchTag(read, "OffsetGap", () => Effect.succeed(undefined));
    // Retention was faster than the search.
    if (records === undefined) return undefined;
    for (let index = 0; index < records.count; index++) {
      const id = headersOf(records, index)[REPLAY_HEADER];
      if (id !== undefined && ids.has(id) && !found.has(id)) found.set(id, records.offsets[index]!);
    }
    if (records.next <= offset) break;
    offset = records.next;
  }
  return found;
});
