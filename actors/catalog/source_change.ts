/**
 * Changing a source: its table is created, or made anew beside the old one with the rows copied over.
 *
 *   create, describe ──tryOut──▶ catalog row ──▶ owner started
 *   rebuild ──at the barrier──▶ next table, rows copied ──▶ catalog row, with those of the models above ──▶ owner started
 *   reset (reset.ts) ──at the barrier──▶ next table, empty ──▶ the same
 *
 * Where repeats are dropped by another column from now on, or for the first time,
 * the stored rows of the window are remembered first, at the same barrier: an event
 * that was sent before the change and again after it is known.
 *
 * The catalog row is the point of no return: killed before it, the next apply
 * begins anew; killed after it, the next start finishes the view.
 *
 * @module
 */
import { Log, type LogFailed, type TopicInfo, Warehouse, type WarehouseFailed } from "@weir/connectors";
import {
  type AppliedSource,
  blamePartitions,
  blameRetention,
  blameValues,
  conform,
  copyColumns,
  copyGuards,
  createStateTable,
  type DefinitionError,
  identifier,
  misfits,
  mustRecall,
  readSource,
  recallIdentities,
  type Source,
  stateTable,
} from "@weir/sql";
import { Effect } from "effect";
import { AWAY_RETRY } from "../away_retry.ts";
import { bringUp, type Owners } from "../owners.ts";
import { onFirstShard, wholeOf } from "../shards.ts";
import { keepsLess, settleTopic } from "../source_topic.ts";
import { type Entry, enter } from "./entries.ts";

/** A source's next version. */
export interface SourceChange {
  readonly source: Source;
  readonly entry: Entry;
}

/** Creates table and topic and tries the strict insert without rows: what is refused must not come into force. */
const tryOut = Effect.fnUntraced(function* (change: SourceChange, before: Source | undefined) {
  const warehouse = yield* Warehouse;
  const { source, entry } = change;
  const log = yield* Log;
  const known = yield* log.topic(source.topic);
  if (known !== undefined) yield* spareTopic(known, change, before);
  yield* warehouse.command("admin", createStateTable(source, entry.version));
  const topic = yield* settleTopic(source, known);
  const projection = conform(source);
  const statement = projection.probe({ topic: source.topic, epoch: 1, salt: "tryout" });
  yield* warehouse.insert({ statement, body: [], settings: { ...projection.settings, async_insert: 0 } });
  return topic;
});

/** Fails if a new source would delete what is in a topic that was there before it, or one would have fewer partitions. */
const spareTopic = Effect.fnUntraced(function* (
  known: TopicInfo,
  { source, entry }: SourceChange,
  before: Source | undefined,
): Effect.fn.Return<void, DefinitionError> {
  const draft = readSource(entry.file, entry.text);
  if (before === undefined && keepsLess(known.retention, source)) yield* Effect.fail(blameRetention(draft, source));
  const { partitions = known.partitions } = source;
  if (before !== undefined && source.partitions !== before.partitions && partitions < known.partitions)
    yield* Effect.fail(blamePartitions(draft, known));
});

/** Creates the next physical table, without a row; at the barrier. */
export const emptyTable = Effect.fnUntraced(function* ({ source, entry }: SourceChange) {
  const warehouse = yield* Warehouse;
  yield* warehouse.command("admin", `DROP TABLE IF EXISTS ${stateTable(source, entry.version)} SYNC`);
  yield* tryOut({ source, entry }, source);
});

/** Remembers the stored rows of the window, if they were not, or not in this way. What an earlier try remembered does no harm. */
const recall = Effect.fnUntraced(function* (
  { source, entry }: SourceChange,
  { before, topic }: { readonly before: Source | undefined; readonly topic: TopicInfo },
): Effect.fn.Return<void, WarehouseFailed, Warehouse> {
  const from = yield* wholeOf(stateTable(source, entry.version));
  const { partitions, retention } = topic;
  const statement = recallIdentities({ source, from, partitions, logAgeMsMax: retention.ageMsMax });
  if (statement === undefined || !mustRecall(before, source)) return;
  yield* onFirstShard(Effect.flatMap(Warehouse, ({ command }) => command("admin", statement, COPY_SETTINGS)));
});

/** One long insert of rows that are there already. */
const COPY_SETTINGS = {
  async_insert: 0,
  insert_deduplicate: 0,
  max_execution_time: 0,
  max_partitions_per_insert_block: 0,
} as const;

/** Brings a source's definition into force while its table stays or is new; at rest if it has an owner. */
export const changeSource = Effect.fnUntraced(function* (owners: Owners, change: SourceChange, before?: Source) {
  const topic = yield* tryOut(change, before);
  yield* recall(change, { before, topic });
  yield* enter([change.entry]);
  yield* startSource(owners, change);
});

/** Starts the owner of what the catalog now says; only the new one may be started from here on, so it is tried until it works. */
export const startSource = (owners: Owners, { source, entry }: SourceChange) => {
  const applied: AppliedSource = { source, text: entry.text, version: entry.version, catalog: entry.catalog };
  return bringUp(owners, applied).pipe(
    Effect.tapError(({ message }) => Effect.logWarning(`ods.${source.name} cannot go on yet: ${message}`)),
    Effect.retry(AWAY_RETRY),
  );
};

/** The version of a source that another one replaces. */
interface Before {
  readonly source: Source;
  readonly version: number;
}

/** Creates the next physical table and copies the rows of the one before; at the barrier. */
export const rebuildTable = Effect.fnUntraced(function* (
  change: SourceChange,
  before: Before,
): Effect.fn.Return<void, WarehouseFailed | LogFailed | DefinitionError, Warehouse | Log> {
  const { source, entry } = change;
  const warehouse = yield* Warehouse;
  const columns = copyColumns(before.source, source);
  const table = stateTable(source, entry.version);
  yield* warehouse.command("admin", `DROP TABLE IF EXISTS ${table} SYNC`);
  const topic = yield* tryOut(change, before.source);
  const names = columns.map((column) => identifier(column.name)).join(", ");
  const expressions = columns.map((column) => column.expression).join(", ");
  const guards = copyGuards(before.source, source);
  const where = guards.length === 0 ? "" : ` WHERE NOT ignore(${guards.join(", ")})`;
  const copied = warehouse.command(
    "admin",
    `INSERT INTO ${table} (${names}) SELECT ${expressions} FROM ${stateTable(before.source, before.version)}${where}`,
    COPY_SETTINGS,
  );
  yield* Effect.catchIf(
    copied,
    ({ outcome }) => outcome === "refused",
    (failed) => Effect.andThen(blamed(change, before), Effect.fail(failed)),
  );
  yield* recall(change, { before: before.source, topic });
});

/** Fails with the first column whose stored values do not fit; succeeds if there is none that can be counted. */
const blamed = Effect.fnUntraced(function* (
  { source, entry }: SourceChange,
  before: Before,
): Effect.fn.Return<void, DefinitionError, Warehouse> {
  const warehouse = yield* Warehouse;
  const table = yield* wholeOf(stateTable(before.source, before.version));
  for (const { name, condition } of misfits(before.source, source)) {
    const sql = `SELECT countIf(${condition}) AS count FROM ${table}`;
    // Casts that the engine does not offer with null for a failure cannot be counted: its own words must do.
    const [row] = yield* Effect.orElseSucceed(warehouse.rows<{ count: number }>("admin", sql, COUNTING), () => []);
    const rows = Number(row?.count ?? 0);
    if (rows > 0) yield* Effect.fail(blameValues(readSource(entry.file, entry.text), { name, rows }));
  }
});

/** Events wait meanwhile. */
const COUNTING = { max_execution_time: 60 } as const;
