/**
 * A reset: a source begins anew at other positions, in a new epoch, with a table of its own.
 *
 *   held ──▶ next table, empty ──▶ rows in weir.reset ──▶ catalog rows of source and models ──▶ commits ──released──▶ landing
 *                                                          └─ the point of no return
 *
 * Rows of two epochs never share a table, so the source's table is made anew, and
 * the models above it, all empty: everything else of it is a build (build.ts). The
 * ledger counts a reset's positions once the catalog has the version that they
 * belong to. So both come into force with one insert: killed before it, the
 * number of that version is never used again; killed after it, whoever starts next
 * finds catalog and positions. Epochs only grow; what an older one announced and
 * did not finish ended with it.
 *
 * @module
 */
import {
  Log,
  type LogFailed,
  type OffsetGap,
  type OffsetRange,
  Warehouse,
  type WarehouseFailed,
} from "@weir/connectors";
import { Effect } from "effect";
import { type PositionFailures, PositionRefused } from "../gap.ts";
import { insertHeld } from "../held_insert.ts";
import type { Ledger } from "../ledger.ts";
import { type LocatedOf, locateAll, type PartitionAt, recordAt } from "../locating.ts";
import type { LedgerPosition } from "../position.ts";
import { NUMBERS } from "../read_settings.ts";
import { seek } from "../seek.ts";
import { wholeOf } from "../shards.ts";
import { POSITION_TYPE, positionRow } from "../warehouse_ledger.ts";

/** Where a source begins anew: the first record of that time or later (milliseconds since 1970), or an offset of each partition. */
export type ResetTo =
  | { readonly kind: "earliest" | "latest" }
  | { readonly kind: "time"; readonly ms: number }
  | { readonly kind: "offsets"; readonly offsets: ReadonlyMap<number, number> };

/** A reset of one source. */
export interface Reset {
  readonly to: ResetTo;
  readonly author: string;
}

/** One partition of a reset. */
export interface ResetPartition extends LedgerPosition {
  /** Where it stood; null if it had not begun. */
  readonly from: number | null;
  /** Offsets that have not landed, and never will. */
  readonly skipped: number;
  /** Offsets that the log has from `next` on. */
  readonly toRead: number;
  /** When the log took the first of them, milliseconds since 1970; null if there is none. */
  readonly sinceMs: number | null;
}

/** What a reset takes away. */
export interface ResetLoss {
  /** Rows in the source's table now. */
  readonly rows: number;
  /** Those of them whose records will not be read again. */
  readonly rowsGone: number;
}

/** Where each partition would begin now. Fails if what is asked for is not in the log. */
export const resetPartitions = Effect.fnUntraced(function* (
  of: LocatedOf,
  to: ResetTo,
): Effect.fn.Return<readonly ResetPartition[], PositionFailures, Log | Ledger> {
  const log = yield* Log;
  const { topic } = of;
  const all = yield* locateAll(of);
  yield* refuseOffsets(of, all, to);
  const epoch = all.reduce((newest, at) => Math.max(newest, at.epoch), 1) + 1;
  return yield* Effect.forEach(all, (at) =>
    Effect.gen(function* () {
      const { range } = at;
      const next = to.kind === "time" ? yield* seek(log, { topic, range, timeMs: to.ms }) : offsetIn(at, to);
      const from = positionOf(at);
      return {
        ...{ partition: range.partition, epoch, next, from, toRead: range.latest - next },
        skipped: Math.max(0, next - (from ?? range.earliest)),
        last: yield* recordAt({ topic, offset: next - 1 }, range),
        sinceMs: yield* timeAt({ topic, offset: next }, range),
      };
    }),
  );
});

/** Where an offset is said, or an end of the log. */
function offsetIn({ range: { partition, earliest, latest } }: PartitionAt, to: ResetTo): number {
  if (to.kind === "offsets") return to.offsets.get(partition)!;
  return to.kind === "latest" ? latest : earliest;
}

/** The next offset to land, as far as anybody knows. */
export function positionOf({ commit, ledger, located }: PartitionAt): number | null {
  if (located.kind === "place") return located.offset;
  const known = Math.max(located.gap?.from ?? -1, commit?.offset ?? -1, ledger?.next ?? -1);
  return known < 0 ? null : known;
}

const timeAt = Effect.fnUntraced(function* (
  at: { readonly topic: string; readonly offset: number },
  { partition, latest }: OffsetRange,
): Effect.fn.Return<number | null, LogFailed | OffsetGap, Log> {
  if (at.offset >= latest) return null;
  const log = yield* Log;
  const records = yield* log.read({ ...at, partition, recordsMax: 1, bytesMax: 1, waitMs: 0 });
  return records.count === 0 ? null : records.timestamps[0];
});

/** Partitions named in a refusal. */
const NAMED_MAX = 8;

const refuseOffsets = Effect.fnUntraced(function* (
  { topic, statement }: LocatedOf,
  all: readonly PartitionAt[],
  to: ResetTo,
): Effect.fn.Return<void, PositionRefused> {
  if (to.kind !== "offsets") return;
  const message = (state: string) => `Cannot reset ${statement}: ${state}.`;
  const known = new Set(all.map(({ range }) => range.partition));
  const unknown = [...to.offsets.keys()].find((partition) => !known.has(partition));
  if (unknown !== undefined) {
    const hint = `Say partitions 0 to ${all.length - 1}.`;
    return yield* new PositionRefused({ message: message(`${topic} has no partition ${unknown}`), hint });
  }
  const missing = [...known].filter((partition) => !to.offsets.has(partition));
  if (missing.length > 0) {
    const state = `no offset is said for partition ${missing.slice(0, NAMED_MAX).join(", ")}`;
    const hint = "The whole table begins anew: say an offset for each partition.";
    return yield* new PositionRefused({ message: message(state), hint });
  }
  for (const { range } of all) {
    const { partition, earliest, latest } = range;
    const offset = to.offsets.get(partition)!;
    if (offset >= earliest && offset <= latest) continue;
    const hint = `${topic}/${partition} can begin at ${earliest} to ${latest}.`;
    return yield* new PositionRefused({ message: message(`offset ${offset} is not in the log`), hint });
  }
});

/** What would be lost. Counts the whole table. */
export const resetLoss = Effect.fnUntraced(function* (
  table: string,
  partitions: readonly ResetPartition[],
): Effect.fn.Return<ResetLoss, WarehouseFailed, Warehouse> {
  const warehouse = yield* Warehouse;
  const all = yield* wholeOf(table);
  const epoch = (partitions[0]?.epoch ?? 1) - 1;
  const again = partitions.map(({ partition, next }) => `(_partition = ${partition} AND _offset >= ${next})`);
  const [{ rows, rows_again }] = yield* warehouse.rows<{ rows: number; rows_again: number }>(
    "admin",
    `SELECT count() AS rows, countIf(_epoch = ${epoch} AND (${again.join(" OR ")})) AS rows_again FROM ${all}`,
    { ...NUMBERS, max_execution_time: COUNT_SECONDS_MAX },
  );
  return { rows, rowsGone: rows - rows_again };
});

const COUNT_SECONDS_MAX = 60;

const COLUMNS = "statement, version, partition, position, author";
const TYPES = `statement String, version UInt32, partition UInt32, position ${POSITION_TYPE}, author String`;

/** Writes where a version begins; it counts once the catalog has that version. At the barrier. */
export const enterReset = Effect.fnUntraced(function* (
  of: LocatedOf,
  { version, reset: { to, author } }: { readonly version: number; readonly reset: Reset },
): Effect.fn.Return<readonly ResetPartition[], PositionFailures, Log | Ledger | Warehouse> {
  const { statement } = of;
  const partitions = yield* resetPartitions(of, to);
  const rows = partitions.map(({ partition, ...at }) => {
    return { statement, version, partition, position: positionRow(at), author };
  });
  yield* insertHeld({
    ...{ into: "weir.reset", columns: COLUMNS, types: TYPES, rows },
    token: `reset:${statement}:v${version}`,
  });
  return partitions;
});
