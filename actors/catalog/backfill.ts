/**
 * Backfill: the rows that were there before a model, through its own SELECT, each exactly once.
 *
 *   upstream ──at the barrier──▶ snapshot (hard links of its parts) ──chunk by chunk──▶ model's table ──▶ what hangs below it
 *                                                 each chunk one insert with a token of its own ──▶ weir.backfill
 *
 * Taken while nothing is announced, a snapshot is the table at the barrier's
 * positions, whatever engine it has; what lands later reaches the model through
 * its view. A snapshot never merges, so its chunks stay the same through a
 * restart: a chunk that was cut off is repeated under its token.
 *
 * @module
 */
import { Warehouse, type WarehouseFailed } from "@weir/connectors";
import { literal } from "@weir/sql";
import { Effect } from "effect";
import { AWAY_RETRY } from "../away_retry.ts";
import { ONCE_SETTINGS } from "../once_settings.ts";
import { NUMBERS } from "../read_settings.ts";

/** Rows that one insert of a backfill reads. */
export const CHUNK_ROWS = 500_000;

/** What a backfill reads and writes. */
export interface Backfill {
  readonly layer: string;
  readonly name: string;
  readonly version: number;
  /** The physical table that gets the rows. */
  readonly table: string;
  /** The snapshot that they come from. */
  readonly snapshot: string;
  /** The model's SELECT over a table expression. */
  readonly select: (from: string) => string;
}

/** How far a backfill is. */
export interface BackfillProgress {
  readonly name: string;
  readonly rows: number;
  readonly rowsTotal: number;
}

/** The snapshot that a version of a model is backfilled from. */
export const snapshotOf = (table: string): string => `${table}__snapshot`;

/** Makes `snapshot` hold what `table` holds now; nothing may be landing. */
export const takeSnapshot = Effect.fnUntraced(function* (
  table: string,
  snapshot: string,
): Effect.fn.Return<void, WarehouseFailed, Warehouse> {
  const { command, rows } = yield* Warehouse;
  yield* command("admin", `DROP TABLE IF EXISTS ${snapshot} SYNC`);
  yield* command("admin", `CREATE TABLE ${snapshot} AS ${table}`);
  const [database, name] = snapshot.split(".");
  const [{ expires }] = yield* rows<{ expires: number }>(
    "admin",
    `SELECT position(engine_full, ' TTL ') > 0 AS expires FROM system.tables WHERE database = ${literal(database)} AND name = ${literal(name)}`,
  );
  // Whatever would rewrite its parts: the chunks of a backfill are parts and rows in them.
  if (expires) yield* command("admin", `ALTER TABLE ${snapshot} REMOVE TTL`);
  yield* command(
    "admin",
    `ALTER TABLE ${snapshot} MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1, max_bytes_to_merge_at_min_space_in_pool = 1`,
  );
  yield* command("admin", `ALTER TABLE ${snapshot} ATTACH PARTITION ALL FROM ${table}`);
});

/** Removes a snapshot. */
export const dropSnapshot = Effect.fnUntraced(function* (snapshot: string) {
  const { command } = yield* Warehouse;
  yield* command("admin", `DROP TABLE IF EXISTS ${snapshot} SYNC`);
});

/** One part of a snapshot, or rows of it: [from, to). */
interface Piece {
  readonly part: string;
  readonly from: number;
  readonly to: number;
}

/** Cuts parts into chunks of at most `rowsMax` rows; small parts share one. */
export function cutChunks(
  parts: readonly { readonly part: string; readonly rows: number }[],
  rowsMax: number,
): readonly (readonly Piece[])[] {
  const chunks: Piece[][] = [];
  let room = 0;
  for (const { part, rows } of parts) {
    for (let from = 0; from < rows; ) {
      if (room === 0) {
        chunks.push([]);
        room = rowsMax;
      }
      const to = Math.min(rows, from + room);
      chunks[chunks.length - 1].push({ part, from, to });
      room -= to - from;
      from = to;
    }
  }
  return chunks;
}

/** The rows of a chunk, as a table expression. */
export function chunkOf(snapshot: string, pieces: readonly Piece[]): string {
  const conditions = pieces.map(
    ({ part, from, to }) => `(_part = ${literal(part)} AND _part_offset >= ${from} AND _part_offset < ${to})`,
  );
  return `(SELECT * FROM ${snapshot} WHERE ${conditions.join(" OR ")})`;
}

/** One block, however many rows and months it has: its token stands for all of it. */
const CHUNK_SETTINGS = {
  ...ONCE_SETTINGS,
  max_block_size: 1_048_449,
  max_insert_block_size: 1_048_449,
  min_insert_block_size_rows: 1_048_449,
  min_insert_block_size_bytes: 1_073_741_824,
  max_partitions_per_insert_block: 0,
  max_execution_time: 0,
} as const;

/** Runs the chunks that are not done yet; goes on where an earlier run was cut off. */
export const runBackfill = Effect.fnUntraced(function* (
  backfill: Backfill,
  progress: (at: BackfillProgress) => void,
): Effect.fn.Return<void, WarehouseFailed, Warehouse> {
  const warehouse = yield* Warehouse;
  const { layer, name, version, table, snapshot, select } = backfill;
  const parts = yield* partsOf(snapshot);
  const chunks = cutChunks(parts, CHUNK_ROWS);
  const done = yield* chunksDone(backfill);
  const rowsTotal = parts.reduce((sum, { rows }) => sum + rows, 0);
  let rows = 0;
  for (const [index, pieces] of chunks.entries()) {
    const size = pieces.reduce((sum, { from, to }) => sum + to - from, 0);
    if (!done.has(index)) {
      const insert = `INSERT INTO ${table} ${select(chunkOf(snapshot, pieces))}`;
      const token = `backfill:${layer}.${name}:v${version}:${index}`;
      const settings = { ...CHUNK_SETTINGS, insert_deduplication_token: token };
      yield* warehouse.command("writer", insert, settings).pipe(whileAway);
      yield* markDone(backfill, { chunk: index, chunks: chunks.length, rows: size }).pipe(whileAway);
    }
    rows += size;
    progress({ name: `${layer}.${name}`, rows, rowsTotal });
  }
});

/** A chunk has a token, so its insert is repeated until its outcome is known. */
const whileAway = <A, R>(work: Effect.Effect<A, WarehouseFailed, R>) =>
  Effect.retry(work, { while: ({ outcome }) => outcome !== "refused", schedule: AWAY_RETRY });

const partsOf = Effect.fnUntraced(function* (snapshot: string) {
  const warehouse = yield* Warehouse;
  const [database, table] = snapshot.split(".");
  return yield* warehouse.rows<{ part: string; rows: number }>(
    "admin",
    `SELECT name AS part, rows FROM system.parts
     WHERE database = ${literal(database)} AND table = ${literal(table)} AND active ORDER BY name`,
    NUMBERS,
  );
});

const chunksDone = Effect.fnUntraced(function* ({ layer, name, version }: Backfill) {
  const warehouse = yield* Warehouse;
  const rows = yield* warehouse.rows<{ chunk: number }>(
    "writer",
    `SELECT chunk FROM weir.backfill WHERE layer = ${literal(layer)} AND name = ${literal(name)} AND version = ${version}`,
    NUMBERS,
  );
  return new Set(rows.map(({ chunk }) => chunk));
});

const markDone = Effect.fnUntraced(function* (
  { layer, name, version }: Backfill,
  at: { readonly chunk: number; readonly chunks: number; readonly rows: number },
) {
  const warehouse = yield* Warehouse;
  const row = { layer, name, version, ...at };
  yield* warehouse.insert({
    statement: "INSERT INTO weir.backfill (layer, name, version, chunk, chunks, rows) FORMAT JSONEachRow",
    body: [Buffer.from(JSON.stringify(row))],
    settings: { ...ONCE_SETTINGS, insert_deduplication_token: `backfilled:${layer}.${name}:v${version}:${at.chunk}` },
  });
});
