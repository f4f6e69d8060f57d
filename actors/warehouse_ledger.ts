/**
 * The ledger in the warehouse: `weir.batch`, `weir.position`, `weir.gap`, `weir.quarantine`, `weir.seen`.
 *
 * Every insert carries a token made from the batch's own, so that repeats are
 * no-ops; `wait_end_of_query` makes the answer mean that the rows are there.
 *
 * @module
 */
import { Warehouse, type WarehouseFailed } from "@weir/connectors";
import { FURTHEST, literal } from "@weir/sql";
import { Effect, Layer } from "effect";
import { Ledger, type Marker, type Quarantined } from "./ledger.ts";
import { ONCE_SETTINGS } from "./once_settings.ts";
import type { Gap, LedgerPosition } from "./position.ts";
import { NUMBERS } from "./read_settings.ts";
import { readSeen, writeSeen } from "./seen.ts";
import { shardCount, shardOf } from "./shards.ts";

/** Raw bytes kept of one quarantined event. */
export const RAW_BYTES_MAX = 1 << 20;
/** Parts which one insert may make: its rows fall into this many table partitions at most, save for odd data. */
const PARTS_PER_BATCH = 100;

const SETTINGS = { ...ONCE_SETTINGS, input_format_parallel_parsing: 0 } as const;

const QUARANTINE = `INSERT INTO weir.quarantine
(id, source, topic, epoch, partition, offset, column, reason, raw, raw_bytes, event_at, quarantined_at)
SELECT id, source, topic, epoch, partition, offset, column, reason, base64Decode(raw), raw_bytes,
       fromUnixTimestamp64Milli(event_ms, 'UTC'), now64(3, 'UTC')
FROM input('id String, source String, topic String, epoch UInt32, partition Int32, offset Int64, column String, reason String, raw String, raw_bytes UInt64, event_ms Int64')
FORMAT JSONEachRow`;

/** One row of the quarantine as it is inserted; the door's refusals have partition and offset -1. */
export interface QuarantineRow extends Quarantined {
  readonly source: string;
  readonly topic: string;
  readonly epoch: number;
  /** Length of the whole event, where `raw` is only its beginning. */
  readonly rawBytes?: number;
}

/** Inserts rows into the quarantine, once per token. */
export const insertQuarantine = (
  warehouse: Warehouse["Service"],
  token: string,
  rows: readonly QuarantineRow[],
): Effect.Effect<void, WarehouseFailed> => {
  const lines = rows.map((row) => {
    const { source, topic, epoch, partition, offset, column, reason, rawBytes, timestampMs } = row;
    const bytes = row.raw ?? new Uint8Array(0);
    const raw = Buffer.from(bytes.subarray(0, RAW_BYTES_MAX)).toString("base64");
    const place = { id: idOf(row), source, topic, epoch, partition, offset };
    const event = { raw, raw_bytes: rawBytes ?? bytes.length, event_ms: Math.trunc(timestampMs) };
    return Buffer.from(`${JSON.stringify({ ...place, column, reason, ...event })}\n`);
  });
  return Effect.asVoid(
    warehouse.insert({
      statement: QUARANTINE,
      body: lines,
      settings: { ...SETTINGS, insert_deduplication_token: `quarantine:${token}` },
    }),
  );
};

/** A row's name, safe in addresses: where its record lies, or a random one if the door refused it. */
function idOf({ source, epoch, partition, offset }: QuarantineRow): string {
  if (offset >= 0) return `${source}.${epoch}.${partition}.${offset}`;
  return `${source}.door.${Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString("hex")}`;
}

const NOW = "SELECT toUnixTimestamp64Milli(now64(3)) AS now_ms";
const BATCH =
  "INSERT INTO weir.batch (statement, token, epoch, catalog, ranges, stored, duplicate, quarantined) FORMAT JSONEachRow";
const POSITION = "INSERT INTO weir.position (statement, partition, at) FORMAT JSONEachRow";

/** Writes the positions, then the marker, each under a token: a marker says that its positions are there. */
const finish = (warehouse: Warehouse["Service"], marker: Marker): Effect.Effect<void, WarehouseFailed> => {
  const { statement, token, epoch, catalog, stored, duplicate, quarantined } = marker;
  const ranges = marker.ranges.map(({ partition, from, to }, index) => {
    const { offset, timestampMs, crc } = marker.lasts[index];
    return { partition, from, to, last_offset: offset, last_ms: Math.trunc(timestampMs), last_crc: crc };
  });
  const row = { statement, token, epoch, catalog, ranges, stored, duplicate, quarantined };
  const positions = ranges.map(({ partition, to, last_offset, last_ms, last_crc }) => ({
    statement,
    partition,
    at: { epoch, next: to, last_offset, last_ms, last_crc },
  }));
  return Effect.andThen(
    insertOnce(warehouse, POSITION, { rows: positions, token: `position:${token}` }),
    insertOnce(warehouse, BATCH, { rows: [row], token: `batch:${token}` }),
  );
};

/** Inserts rows all or none, once per token. */
const insertOnce = (
  warehouse: Warehouse["Service"],
  statement: string,
  { rows, token }: { readonly rows: readonly object[]; readonly token: string },
): Effect.Effect<void, WarehouseFailed> =>
  Effect.asVoid(
    warehouse.insert({
      statement,
      body: [Buffer.from(rows.map((row) => JSON.stringify(row)).join("\n"))],
      settings: { ...SETTINGS, insert_deduplication_token: token },
    }),
  );

/** The type of `positionRow` in Weir's tables. */
export const POSITION_TYPE = "Tuple(epoch UInt32, next UInt64, last_offset UInt64, last_ms Int64, last_crc UInt32)";

/** A position as Weir's tables have it: without a last record its offset is the position's own, and its checksum the topic's. */
export function positionRow({ epoch, next, last, topic = 0 }: Omit<LedgerPosition, "partition">) {
  const { offset, timestampMs, crc } = last ?? { offset: next, timestampMs: 0, crc: topic };
  return { epoch, next, last_offset: offset, last_ms: Math.trunc(timestampMs), last_crc: crc };
}

const enter = (warehouse: Warehouse["Service"], statement: string, positions: readonly LedgerPosition[]) => {
  const rows = positions.map(({ partition, ...at }) => ({ statement, partition, at: positionRow(at) }));
  const token = positions
    .map(({ partition, epoch, next, topic }) => `${partition}:${epoch}:${next}:${topic}`)
    .join(",");
  return insertOnce(warehouse, POSITION, { rows, token: `epoch:${statement}:${token}` });
};

const GAP =
  "INSERT INTO weir.gap (statement, topic, partition, epoch, `from`, `to`, event, position) FORMAT JSONEachRow";

const noteGap = (
  warehouse: Warehouse["Service"],
  { statement, topic }: { readonly statement: string; readonly topic: string },
  { partition, epoch, from, to, last }: Gap,
): Effect.Effect<void, WarehouseFailed> => {
  const row = { statement, topic, partition, epoch, from, to, event: "seen" };
  const token = `gap:${statement}:${epoch}:${partition}[${from},${to})`;
  const rows = [{ ...row, position: positionRow({ epoch, next: to, last }) }];
  return insertOnce(warehouse, GAP, { rows, token });
};

interface PositionRow {
  readonly partition: number;
  readonly epoch: number;
  readonly next: number;
  readonly last_offset: number;
  readonly last_ms: number;
  readonly last_crc: number;
}

/** The ledger that lies in the warehouse, beside the data. */
export const warehouseLedger: Layer.Layer<Ledger, never, Warehouse> = Layer.effect(
  Ledger,
  Effect.gen(function* () {
    const warehouse = yield* Warehouse;
    const shards = shardCount(warehouse);
    return {
      marker: (statement, token) =>
        Effect.map(
          warehouse.rows<{ stored: number; quarantined: number }>(
            "writer",
            `SELECT stored, quarantined FROM weir.batch WHERE statement = ${literal(statement)} AND token = ${literal(token)} LIMIT 1`,
            NUMBERS,
          ),
          ([row]) => row,
        ),
      positions: (statement) =>
        Effect.map(
          warehouse.rows<PositionRow>(
            "writer",
            `SELECT partition, p.epoch AS epoch, p.next AS next, p.last_offset AS last_offset, p.last_ms AS last_ms, p.last_crc AS last_crc
             FROM (SELECT partition, position AS p FROM ${FURTHEST} WHERE statement = ${literal(statement)})`,
            NUMBERS,
          ),
          (rows) =>
            rows.map(
              ({ partition, epoch, next, last_offset, last_ms, last_crc }): LedgerPosition =>
                last_offset < next
                  ? { partition, epoch, next, last: { offset: last_offset, timestampMs: last_ms, crc: last_crc } }
                  : { partition, epoch, next, last: undefined, topic: last_crc || undefined },
            ),
        ),
      nowMs: Effect.map(warehouse.rows<{ now_ms: number }>("writer", NOW, NUMBERS), ([{ now_ms }]) => now_ms),
      partsSince: (statement, { sinceMs, partition }) =>
        Effect.map(
          warehouse.rows<{ batches: number }>(
            "writer",
            `SELECT count() AS batches FROM weir.batch WHERE statement = ${literal(statement)} AND landed_at >= fromUnixTimestamp64Milli(${Math.trunc(sinceMs)})
             AND ranges[1].partition % ${shards} = ${shardOf(partition, shards)}`,
            NUMBERS,
          ),
          ([{ batches }]) => batches * PARTS_PER_BATCH,
        ),
      seen: (of, wanted) => readSeen(warehouse, of, wanted),
      remember: (of, rows) => writeSeen(warehouse, of, rows),
      quarantine: ({ statement, topic, epoch, token }, rows) =>
        insertQuarantine(
          warehouse,
          token,
          rows.map((row) => ({ ...row, source: statement.replace(/^ods\./, ""), topic, epoch })),
        ),
      noteGap: (of, gap) => noteGap(warehouse, of, gap),
      enter: (statement, positions) => enter(warehouse, statement, positions),
      finish: (marker) => finish(warehouse, marker),
    };
  }),
);
