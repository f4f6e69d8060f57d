/**
 * Retention: removes the oldest blobs of each partition, whole ones only, and
 * gives pages back to the disk.
 *
 *   idle ──every retentionEveryMs, or a deleted topic, or a full disk──▶ passing ──more?──▶ passing ──▶ idle
 *
 * One pass is one transaction of at most `BLOBS_MAX` blobs and `BYTES_MAX` bytes, so
 * appends wait little. Removed pages are used again; beyond `FREE_BYTES_KEPT` the
 * file shrinks. A partition that is emptied keeps its latest offset.
 *
 * @module
 */
import type { Held, Store } from "./store.ts";

const BLOBS_MAX = 2_000;
const BYTES_MAX = 64 << 20;
const ONCE_ROWS_MAX = 5_000;
const FREE_BYTES_KEPT = 256 << 20;
const VACUUM_PAGES_MAX = 2_000;

/** What one pass did. */
export interface RetentionPass {
  readonly trimmed: readonly (readonly [key: number, earliest: number])[];
  /** True when there may be more to remove. */
  readonly more: boolean;
}

interface Rule {
  readonly key: number;
  readonly topic_id: string | null;
  readonly age_ms_max: number | null;
  readonly bytes_max: number | null;
}

interface Budget {
  blobs: number;
  bytes: number;
}

interface Cut {
  readonly held: Held;
  readonly earliest: number;
  readonly bytes: number;
  readonly lastBase: number;
  readonly gone: boolean;
}

/** Removes what is beyond its topic's retention, up to the bounds of one pass. */
export function retain(store: Store, options: { readonly nowMs: number; readonly onceMsMin: number }): RetentionPass {
  const { nowMs, onceMsMin } = options;
  const budget: Budget = { blobs: BLOBS_MAX, bytes: BYTES_MAX };
  const cuts: Cut[] = [];
  const rules = store.db
    .query<Rule, []>(
      `SELECT key, topic_id, age_ms_max, bytes_max FROM partition LEFT JOIN topic ON topic.id = topic_id
       WHERE topic_id IS NULL OR age_ms_max IS NOT NULL OR bytes_max IS NOT NULL`,
    )
    .all();
  for (const rule of rules) {
    const cut = cutOf(store, rule, { nowMs, budget });
    if (cut !== undefined) cuts.push(cut);
  }
  const onceRemoved = removeOnce(store, nowMs - onceMsMin);
  if (cuts.length > 0) applyCuts(store, cuts);
  const vacuumed = shrink(store);
  return {
    trimmed: cuts.filter((cut) => !cut.gone).map((cut) => [cut.held.key, cut.earliest] as const),
    more: budget.blobs <= 0 || budget.bytes <= 0 || onceRemoved === ONCE_ROWS_MAX || vacuumed,
  };
}

/** Decides how far one partition is cut. */
function cutOf(store: Store, rule: Rule, { nowMs, budget }: { nowMs: number; budget: Budget }): Cut | undefined {
  const held = store.held.get(rule.key);
  if (held === undefined || budget.blobs <= 0 || budget.bytes <= 0) return undefined;
  const deleted = rule.topic_id === null;
  const oldestMs = rule.age_ms_max === null ? Number.NEGATIVE_INFINITY : nowMs - rule.age_ms_max;
  let { earliest, bytes } = held;
  let lastBase = -1;
  for (const { base, count, newest_ms: newestMs, size } of oldestBlobs(store, rule.key)) {
    const isNewest = base + count === held.latest;
    const tooMuch = rule.bytes_max !== null && bytes > rule.bytes_max && !isNewest;
    if (!(deleted || newestMs < oldestMs || tooMuch) || budget.blobs <= 0 || budget.bytes <= 0) break;
    earliest = base + count;
    bytes -= size;
    lastBase = base;
    budget.blobs -= 1;
    budget.bytes -= size;
  }
  const gone = deleted && earliest === held.latest;
  return lastBase < 0 && !gone ? undefined : { held, earliest, bytes, lastBase, gone };
}

interface OldBlob {
  readonly base: number;
  readonly count: number;
  readonly newest_ms: number;
  readonly size: number;
}

/** The blobs of a partition, oldest first, a few at a time: mostly the first one ends the search. */
function* oldestBlobs(store: Store, key: number): Generator<OldBlob> {
  const some = store.db.query<OldBlob, [number, number, number]>(
    `SELECT base, count, newest_ms, length(packed) AS size FROM blob
     WHERE partition_key = ? AND base > ? ORDER BY base LIMIT ?`,
  );
  let after = -1;
  for (let limit = 1; ; limit = Math.min(limit * 4, 256)) {
    const blobs = some.all(key, after, limit);
    yield* blobs;
    if (blobs.length < limit) return;
    after = blobs[blobs.length - 1].base;
  }
}

function applyCuts(store: Store, cuts: readonly Cut[]): void {
  store.durably(() => {
    const removeBlobs = store.db.query("DELETE FROM blob WHERE partition_key = ? AND base <= ?");
    const movePartition = store.db.query("UPDATE partition SET earliest = ?, bytes = ? WHERE key = ?");
    const removePartition = store.db.query("DELETE FROM partition WHERE key = ?");
    for (const { held, earliest, bytes, lastBase, gone } of cuts) {
      removeBlobs.run(held.key, lastBase);
      if (gone) removePartition.run(held.key);
      else movePartition.run(earliest, bytes, held.key);
    }
  });
  for (const { held, earliest, bytes, gone } of cuts) {
    if (gone) store.held.delete(held.key);
    held.earliest = earliest;
    held.bytes = bytes;
  }
}

/** Forgets idempotency keys above their age, oldest first. */
function removeOnce(store: Store, beforeMs: number): number {
  const oldest = store.db.query<{ at_ms: number }, []>("SELECT at_ms FROM once ORDER BY id LIMIT 1").get();
  if (oldest === null || oldest.at_ms >= beforeMs) return 0;
  return store.durably(
    () =>
      store.db
        .query("DELETE FROM once WHERE id IN (SELECT id FROM once ORDER BY id LIMIT ?) AND at_ms < ?")
        .run(ONCE_ROWS_MAX, beforeMs).changes,
  );
}

/** Gives free pages back once there are many; true when there are still many. */
function shrink(store: Store): boolean {
  const read = (pragma: string) => Object.values(store.db.query(`PRAGMA ${pragma}`).get() as object)[0] as number;
  const excess = read("freelist_count") - Math.ceil(FREE_BYTES_KEPT / read("page_size"));
  if (excess <= 0) return false;
  store.db.query(`PRAGMA incremental_vacuum(${Math.min(excess, VACUUM_PAGES_MAX)})`).all();
  return excess > VACUUM_PAGES_MAX;
}
