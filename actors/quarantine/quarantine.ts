/**
 * Replay and drop: what becomes of the quarantine once somebody has looked at it.
 *
 *   rows ──judged anew──▶ still bad: stays, with the new reason
 *             └──good──▶ announced (weir.quarantine_action) ──▶ Log.append(once: the row's id) ──▶ replayed (with its new place)
 *
 * A record is in the log again exactly once, whatever dies in between:
 *
 * - Every append carries the row's id as its key. A log that keeps keys has it in the append's own transaction for
 *   at least 24 hours, so until then a repeat, or somebody else's append at the same time, adds nothing and answers
 *   with the place of the first. In a log that keeps none a second record may follow; it says that it is the same one
 *   and is dropped as a duplicate when it lands. The place that is told may then be that of the second.
 * - Before the append it is announced, with how far the log had come. Died before the announcement: nothing was
 *   done, the row waits. Died between announcement and `replayed`: the next replay appends again under the same key.
 * - An announcement that is older than half of the 24 hours is no longer answered by the key, and without keys none
 *   ever is. Then the log is searched from the announced place on, by the header that each of these records carries:
 *   found, it only becomes `replayed`; not found, it is appended, again under the key. If the log no longer reaches
 *   back that far, nothing is appended and the answer says so: never guess.
 * - What a search or a read of the standing said counts for `ATTEMPT_MS_MAX`, far less than a key is kept: an
 *   attempt that was suspended for longer gives up before it appends.
 * - `replayed` and `dropped` outlive the row; a row that has either is not appended. A drop and a replay of one
 *   process take turns; of two processes, `replayed` wins over `dropped`. What was announced is dropped only after
 *   the log was searched for it.
 *
 * A replayed record is a new record of the log, with the time of now: it is counted as accepted and, when it lands,
 * as stored, or as a duplicate if its source drops repeats and its event was stored meanwhile. The row that it came from stays counted as quarantined, under its own offset.
 *
 * @module
 */
import type { Log, LogFailed, TopicInfo, Warehouse, WarehouseFailed } from "@weir/connectors";
import type { SchemaOf } from "@weir/sql";
import { Effect, Semaphore } from "effect";
import type { Sources } from "../catalog/catalog.ts";
import { type Good, judged, type Known, writeOf } from "./judged.ts";
import { type QuarantineFilter, type QuarantineHead, readActions, readHeads, readRaws, writeActions } from "./rows.ts";
import { search, type Wanted } from "./search.ts";
import { type LogPlace, type QuarantineAction, standingOf, stepOf } from "./standing.ts";

/** How old the reading of a standing may be when its record is appended. */
const ATTEMPT_MS_MAX = 10 * 60_000;
/** Partitions to which one replay appends at the same time; within each, in order. */
const LANES_MAX = 16;

/** What became of one row. */
export type Outcome =
  | "replayed" // in the log again, now or by an earlier replay whose end was not written
  | "would be replayed" // a dry run, as is the next one
  | "would be dropped"
  | "dropped"
  | "already replayed"
  | "already dropped"
  | "still bad"
  | "cut" // only its beginning was kept
  | "no source"
  | "unclear"; // cannot say whether an earlier replay got into the log

/** One row's outcome, with the reason where there is one, and its new place. */
export interface RowOutcome {
  readonly id: string;
  readonly outcome: Outcome;
  readonly column?: string | undefined;
  readonly reason?: string | undefined;
  readonly place?: LogPlace | undefined;
  /** Appended by this very call. */
  readonly isNew?: boolean;
}

/** A page's outcomes; `next` is where the next page begins. */
export interface QuarantineReport {
  readonly rows: readonly RowOutcome[];
  readonly next: string | undefined;
}

/** What is to be replayed or dropped, page by page, and who asks. */
export interface QuarantineAsk {
  readonly filter: QuarantineFilter;
  readonly after: string | undefined;
  readonly isDryRun: boolean;
  readonly author: string;
}

/** What the quarantine works with. */
export interface QuarantineParts {
  readonly log: Log["Service"];
  readonly warehouse: Warehouse["Service"];
  readonly sources: Pick<Sources["Service"], "get">;
  readonly nowMs?: () => number;
}

type Failed = LogFailed | WarehouseFailed;

/** Replays and drops rows of the quarantine, one page at a time. */
export interface Quarantine {
  /** Judges rows against their sources as they are in force now, and appends what they take. */
  readonly replay: (ask: QuarantineAsk) => Effect.Effect<QuarantineReport, Failed>;
  /** Marks rows as dropped: they are no longer listed. What may be in the log again is left alone. */
  readonly drop: (ask: QuarantineAsk) => Effect.Effect<QuarantineReport, Failed>;
}

/** The quarantine of one process: its replays and drops take turns. */
export function quarantineOf(parts: QuarantineParts): Quarantine {
  const turn = Semaphore.makeUnsafe(1);
  return {
    replay: (ask) => turn.withPermit(replay(parts, ask)),
    drop: (ask) => turn.withPermit(drop(parts, ask)),
  };
}

const replay = Effect.fn("quarantine.replay")(function* (
  parts: QuarantineParts,
  ask: QuarantineAsk,
): Effect.fn.Return<QuarantineReport, Failed> {
  const { log, warehouse, sources, nowMs = Date.now } = parts;
  const startedMs = nowMs();
  const { heads, next } = yield* readHeads(warehouse, ask);
  const ids = heads.map(({ id }) => id);
  const actions = yield* readActions(warehouse, ids);
  const raws = yield* readRaws(warehouse, ids);
  const kept = heads.map((head) => ({ head, raw: raws.get(head.id) ?? new Uint8Array(0) }));
  const schemas = yield* schemasNow(sources, kept, startedMs);
  const rows = kept.map(({ head, raw }) => {
    const standing = standingOf(actions.get(head.id) ?? []);
    const schemaOf = schemas.get(head.source);
    return judged({ head, standing, source: sources.get(head.source), raw, schemaOf, nowMs: startedMs });
  });
  const topics = yield* topicsOf(
    log,
    rows.map(({ topic }) => topic),
  );
  const searched = yield* search(log, {
    topics,
    wanted: rows.flatMap((row) => unsure(row, { nowMs: startedMs, keepsKeys: log.keepsKeys })),
  });
  const outcomes = new Map<string, RowOutcome>();
  const goods: Good[] = [];
  for (const row of rows) {
    const { id } = row.head;
    const place = searched.found.get(id);
    if (place !== undefined) outcomes.set(id, { id, outcome: "replayed", place });
    else if (searched.unclear.has(id)) outcomes.set(id, { id, outcome: "unclear", reason: UNCLEAR });
    else if (row.kind === "outcome") outcomes.set(id, row.outcome);
    else if (ask.isDryRun) outcomes.set(id, { id, outcome: "would be replayed" });
    else goods.push(row);
  }
  const found = [...searched.found].map(([id, place]) => ({ id, place }));
  const write = (action: QuarantineAction["action"], places: readonly { id: string; place: LogPlace }[]) => {
    const by = { action, author: ask.author, at_ms: nowMs() };
    const topicOf = (id: string) => topics.get(rows.find(({ head }) => head.id === id)!.topic)?.id ?? "";
    return writeActions(
      warehouse,
      places.map(({ id, place }) => ({ id, ...by, ...place, topic: topicOf(id) })),
    );
  };
  if (!ask.isDryRun) yield* write("replayed", found);
  yield* write("announced", yield* ends(log, goods));
  const appended = yield* append({ log, nowMs, startedMs }, goods);
  yield* write(
    "replayed",
    appended.rows.flatMap(({ id, place }) => (place === undefined ? [] : [{ id, place }])),
  );
  if (appended.failed !== undefined) return yield* Effect.fail(appended.failed);
  for (const row of appended.rows) outcomes.set(row.id, row);
  return { rows: heads.map(({ id }) => outcomes.get(id)!), next };
});

/** What the ids of rows mean now, by source: a schema registry is asked again for those that it did not know. */
const schemasNow = Effect.fn("quarantine.schemas")(function* (
  sources: QuarantineParts["sources"],
  rows: readonly { readonly head: QuarantineHead; readonly raw: Uint8Array }[],
  nowMs: number,
) {
  const schemas = new Map<string, SchemaOf>();
  for (const [name, own] of Map.groupBy(rows, ({ head }) => head.source)) {
    const of = sources.get(name)?.target.schemas;
    if (of === undefined) continue;
    const at = yield* of.now(own.map(({ raw }) => ({ value: raw, timestampMs: nowMs })));
    schemas.set(name, at(nowMs));
  }
  return schemas;
});

const UNCLEAR =
  "an earlier replay was cut off, and the log no longer reaches back to where its record would lie; look for it in the table, then drop this row or send the event again";

/** A row of which only the log can say if an earlier replay got into it: no key says so any more, or it is not to be appended now. */
function unsure(row: Good | Known, now: { readonly nowMs: number; readonly keepsKeys: boolean }): Wanted[] {
  const { head, topic, standing } = row;
  if (standing.kind !== "announced") return [];
  const isSure = row.kind === "good" && stepOf(standing, now) === "append";
  return isSure ? [] : [{ head, topic, from: standing.from }];
}

const drop = Effect.fn("quarantine.drop")(function* (
  { log, warehouse, sources, nowMs = Date.now }: QuarantineParts,
  { filter, after, author, isDryRun }: QuarantineAsk,
): Effect.fn.Return<QuarantineReport, Failed> {
  const { heads, next } = yield* readHeads(warehouse, { filter, after });
  const actions = yield* readActions(
    warehouse,
    heads.map(({ id }) => id),
  );
  const rows = heads.map((head) => ({ head, standing: standingOf(actions.get(head.id) ?? []) }));
  const wanted = rows.flatMap(({ head, standing }): Wanted[] => {
    const topic = sources.get(head.source)?.applied.source.topic ?? "";
    return standing.kind === "announced" ? [{ head, topic, from: standing.from }] : [];
  });
  const topics = yield* topicsOf(
    log,
    wanted.map(({ topic }) => topic),
  );
  const { found } = yield* search(log, { topics, wanted });
  const outcomes = rows.map(({ head: { id }, standing }): RowOutcome => {
    const place = standing.kind === "replayed" ? standing.place : found.get(id);
    if (place !== undefined) return { id, outcome: "already replayed", place };
    if (standing.kind === "dropped") return { id, outcome: "already dropped" };
    return { id, outcome: isDryRun ? "would be dropped" : "dropped" };
  });
  const dropped = outcomes.filter(({ outcome }) => outcome === "dropped");
  const nowhere = { action: "dropped", topic: "", partition: -1, offset: -1 } as const;
  yield* writeActions(
    warehouse,
    dropped.map(({ id }) => ({ id, ...nowhere, author, at_ms: nowMs() })),
  );
  return { rows: outcomes, next };
});

/** The topics of these names as they are now, by name. */
const topicsOf = Effect.fnUntraced(function* (log: Log["Service"], names: readonly string[]) {
  const topics = new Map<string, TopicInfo>();
  for (const name of new Set(names)) {
    const topic = yield* log.topic(name);
    if (topic !== undefined) topics.set(name, topic);
  }
  return topics;
});

/** For each row, how far the log has come in the partition that it goes to: its record will not lie before that. */
const ends = Effect.fn("quarantine.ends")(function* (log: Log["Service"], goods: readonly Good[]) {
  const latest = new Map<string, number>();
  for (const topic of new Set(goods.map((good) => good.topic))) {
    for (const range of yield* log.offsets(topic)) latest.set(`${topic}/${range.partition}`, range.latest);
  }
  return goods.map(({ head, topic, partition }) => ({
    id: head.id,
    place: { partition, offset: latest.get(`${topic}/${partition}`) ?? 0 },
  }));
});

interface Attempt {
  readonly log: Log["Service"];
  readonly nowMs: () => number;
  readonly startedMs: number;
}

/** Appends rows, those of a partition in order; a failure ends it, and what was appended before is told with it. */
const append = Effect.fn("quarantine.append")(function* (attempt: Attempt, goods: readonly Good[]) {
  const done: RowOutcome[] = [];
  const lanes = [...Map.groupBy(goods, ({ topic, partition }) => `${topic}/${partition}`).values()];
  const lane = (some: readonly Good[]) =>
    Effect.forEach(some, (good) => Effect.map(appendOne(attempt, good), (row) => void done.push(row)), {
      discard: true,
    });
  const failed = yield* Effect.forEach(lanes, lane, { concurrency: LANES_MAX, discard: true }).pipe(
    Effect.as(undefined),
    Effect.catch((failure) => Effect.succeed(failure)),
  );
  return { rows: done, failed };
});

const appendOne = Effect.fnUntraced(function* ({ log, nowMs, startedMs }: Attempt, good: Good) {
  const { id } = good.head;
  const ageMs = nowMs() - startedMs;
  if (ageMs < 0 || ageMs > ATTEMPT_MS_MAX)
    return { id, outcome: "unclear", reason: "it took too long; replay it again" } satisfies RowOutcome;
  const once = { key: `quarantine\n${id}`, fingerprint: fingerprintOf(good.raw), answer: "" };
  const write = writeOf(good, nowMs());
  const receipt = yield* Effect.catchTag(log.append([write], once), "KeyReused", () => Effect.succeed(undefined));
  const [at] = receipt?.appended ?? [];
  if (receipt === undefined || at === undefined)
    return { id, outcome: "unclear", reason: "the log knows its key for other bytes" } satisfies RowOutcome;
  const place = { partition: at.partition, offset: at.first };
  return { id, outcome: "replayed", place, isNew: !receipt.repeated } satisfies RowOutcome;
});

function fingerprintOf(raw: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(raw).digest("base64url");
}
