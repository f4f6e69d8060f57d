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
import { identifier, literal } from "@weir/sql";
import { Effect } from "effect";
import { ONCE_SETTINGS } from "../once_settings.ts";
import { NUMBERS } from "../read_settings.ts";

/** Rows that one insert of a backfill reads, unless it is told otherwise. */
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
  /** Columns of the physical table, in its order. */
  readonly columns: readonly string[];
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

/**
 * Makes `snapshot` hold what `table` holds now; nothing may be landing. The size of its chunks is kept with it:
 * whoever goes on with a backfill cuts it as whoever began.
 */
export const takeSnapshot = Effect.fnUntraced(function* (
  table: string,
  { snapshot, chunkRows }: { readonly snapshot: string; readonly chunkRows: number },
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
  yield* command("admin", `ALTER TABLE ${snapshot} MODIFY COMMENT '${chunkRows}'`);
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

/** One block, however many rows, bytes and months the SELECT makes of a chunk: its token stands for all of it. */
const CHUNK_SETTINGS = {
  ...ONCE_SETTINGS,
  min_insert_block_size_rows: 2 ** 50,
  min_insert_block_size_bytes: 0,
  max_partitions_per_insert_block: 0,
  max_execution_time: 0,
} as const;

/** Runs the chunks that are not done yet; whatever cut an earlier run off, this goes on with the same chunks and tokens. */
export const runBackfill = Effect.fnUntraced(function* (
  backfill: Backfill,
  progress: Map<string, BackfillProgress>,
): Effect.fn.Return<void, WarehouseFailed, Warehouse> {
  const warehouse = yield* Warehouse;
  const { layer, name, version, table, snapshot } = backfill;
  const parts = yield* partsOf(snapshot);
  const chunks = cutChunks(parts, yield* chunkRowsOf(snapshot));
  const done = yield* chunksDone(backfill);
  const rowsTotal = parts.reduce((sum, { rows }) => sum + rows, 0);
  let rows = 0;
  for (const [index, pieces] of chunks.entries()) {
    const size = pieces.reduce((sum, { from, to }) => sum + to - from, 0);
    if (!done.has(index)) {
      const insert = `INSERT INTO ${table} ${selectChunk(backfill, pieces)}`;
      const token = `backfill:${layer}.${name}:v${version}:${index}`;
      const settings = { ...CHUNK_SETTINGS, insert_deduplication_token: token };
      yield* warehouse.command("writer", insert, settings);
      yield* markDone(backfill, { chunk: index, chunks: chunks.length, rows: size });
    }
    rows += size;
    progress.set(`${layer}.${name}`, { name: `${layer}.${name}`, rows, rowsTotal });
  }
});

/** An insert matches columns by their order, a view by their names: here they are named, for both to do the same. */
function selectChunk({ columns, select, snapshot }: Backfill, pieces: readonly Piece[]): string {
  const names = columns.map(identifier).join(", ");
  return `(${names}) SELECT ${names} FROM (\n${select(chunkOf(snapshot, pieces))}\n)`;
}

const chunkRowsOf = Effect.fnUntraced(function* (snapshot: string) {
  const warehouse = yield* Warehouse;
  const [database, table] = snapshot.split(".");
  const [{ comment }] = yield* warehouse.rows<{ comment: string }>(
    "admin",
    `SELECT comment FROM system.tables WHERE database = ${literal(database)} AND name = ${literal(table)}`,
  );
  return Number(comment);
});

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
