/**
 * Rows of the quarantine and what was done with them, as SQL.
 *
 *   filter ──▶ heads (page by page) ──▶ raw bytes, actions     actions ──▶ weir.quarantine_action
 *
 * Rows of either table are only added. A page is bounded in rows and bytes; the
 * next one begins after the last row's place.
 *
 * @module
 */
import type { Warehouse, WarehouseFailed } from "@weir/connectors";
import { literal } from "@weir/sql";
import { Effect } from "effect";
import { ONCE_SETTINGS } from "../once_settings.ts";
import { NUMBERS } from "../read_settings.ts";
import type { QuarantineAction } from "./standing.ts";

/** Bounds of one page of a replay or a drop. */
export const QUARANTINE_PAGE = { rowsMax: 500, bytesMax: 32 * 2 ** 20 } as const;

/** Rows older than the table keeps them are not there any more, even if the engine has not removed them yet. */
const KEPT_DAYS = 90;

/** Which rows are meant; what is left out does not narrow. */
export interface QuarantineFilter {
  readonly ids?: readonly string[] | undefined;
  readonly source?: string | undefined;
  /** Quarantined at this time or later, milliseconds since 1970. */
  readonly sinceMs?: number | undefined;
  /** The column at fault; empty means the whole event. */
  readonly column?: string | undefined;
  /** A part of the reason, in any case of letters. */
  readonly reason?: string | undefined;
  /** Without what the door refused: its sender was told. */
  readonly withoutRefused?: boolean | undefined;
  /** Without what was replayed or dropped. */
  readonly withoutDone?: boolean | undefined;
}

/** The filter as a condition over `weir.quarantine`. */
export function quarantineWhere(filter: QuarantineFilter): string {
  const { ids, source, sinceMs, column, reason, withoutRefused = false, withoutDone = false } = filter;
  const done = "SELECT id FROM weir.quarantine_action WHERE action IN ('replayed', 'dropped')";
  return [
    `quarantined_at > now() - INTERVAL ${KEPT_DAYS} DAY`,
    ...(ids === undefined ? [] : [`id IN (${["''", ...ids.map(literal)].join(", ")})`]),
    ...(source === undefined ? [] : [`source = ${literal(source)}`]),
    ...(sinceMs === undefined ? [] : [`quarantined_at >= fromUnixTimestamp64Milli(${Math.trunc(sinceMs)})`]),
    ...(column === undefined ? [] : [`column = ${literal(column)}`]),
    ...(reason === undefined ? [] : [`positionCaseInsensitiveUTF8(reason, ${literal(reason)}) > 0`]),
    ...(withoutRefused ? ["offset >= 0"] : []),
    ...(withoutDone ? [`id NOT IN (${done})`] : []),
  ].join(" AND ");
}

/** A row without its bytes. */
export interface QuarantineHead {
  readonly id: string;
  readonly source: string;
  /** -1: refused at the door. */
  readonly offset: number;
  readonly column: string;
  readonly reason: string;
  /** Bytes that were kept. */
  readonly kept_bytes: number;
  /** Bytes that there were. */
  readonly raw_bytes: number;
}

/** A page of rows in order of the log. */
export interface HeadPage {
  readonly heads: readonly QuarantineHead[];
  /** The last row's id if there may be more. */
  readonly next: string | undefined;
}

const READ = { ...NUMBERS, readonly: 1, max_execution_time: 30 } as const;
const PLACE = "(source, epoch, partition, offset, id)";

/** The rows of a filter after another row; as many as fit a page, and at least one if there is one. */
export const readHeads = Effect.fn("readHeads")(function* (
  warehouse: Warehouse["Service"],
  { filter, after }: { readonly filter: QuarantineFilter; readonly after: string | undefined },
): Effect.fn.Return<HeadPage, WarehouseFailed> {
  const { rowsMax, bytesMax } = QUARANTINE_PAGE;
  const place = `SELECT ${PLACE} FROM weir.quarantine WHERE id = ${literal(after ?? "")} LIMIT 1`;
  const rows = yield* warehouse.rows<QuarantineHead>(
    "admin",
    `SELECT id, source, offset, column, reason, length(raw) AS kept_bytes, raw_bytes FROM weir.quarantine
     WHERE ${quarantineWhere(filter)}${after === undefined ? "" : ` AND ${PLACE} > (${place})`}
     ORDER BY source, epoch, partition, offset, id LIMIT 1 BY id LIMIT ${rowsMax}`,
    READ,
  );
  let bytes = 0;
  const end = rows.findIndex((row, index) => {
    bytes += row.kept_bytes;
    return index > 0 && bytes > bytesMax;
  });
  const heads = end < 0 ? rows : rows.slice(0, end);
  const isLast = end < 0 && rows.length < rowsMax;
  return { heads, next: isLast ? undefined : heads.at(-1)?.id };
});

/** The kept bytes of rows, by id. */
export const readRaws = Effect.fn("readRaws")(function* (
  warehouse: Warehouse["Service"],
  ids: readonly string[],
): Effect.fn.Return<ReadonlyMap<string, Uint8Array>, WarehouseFailed> {
  if (ids.length === 0) return new Map();
  const rows = yield* warehouse.rows<{ readonly id: string; readonly raw: string }>(
    "admin",
    `SELECT id, base64Encode(raw) AS raw FROM weir.quarantine WHERE ${quarantineWhere({ ids })} LIMIT 1 BY id`,
    READ,
  );
  return new Map(rows.map(({ id, raw }) => [id, new Uint8Array(Buffer.from(raw, "base64"))]));
});

/** What was done with rows, the first first, by id. */
export const readActions = Effect.fn("readActions")(function* (
  warehouse: Warehouse["Service"],
  ids: readonly string[],
): Effect.fn.Return<ReadonlyMap<string, readonly QuarantineAction[]>, WarehouseFailed> {
  if (ids.length === 0) return new Map();
  const rows = yield* warehouse.rows<QuarantineAction>(
    "admin",
    `SELECT id, action, topic, partition, offset, author, toUnixTimestamp64Milli(at) AS at_ms
     FROM weir.quarantine_action WHERE id IN (${ids.map(literal).join(", ")}) ORDER BY id, at, action`,
    READ,
  );
  return Map.groupBy(rows, ({ id }) => id);
});

const INSERT = `INSERT INTO weir.quarantine_action (id, action, topic, partition, offset, author, at)
SELECT id, action, topic, partition, offset, author, fromUnixTimestamp64Milli(at_ms, 'UTC')
FROM input('id String, action String, topic String, partition Int32, offset Int64, author String, at_ms Int64')
FORMAT JSONEachRow`;

/** Writes what is being done; when it answers, every reader sees it. A row that is written twice says nothing else. */
export const writeActions = Effect.fn("writeActions")(function* (
  warehouse: Warehouse["Service"],
  actions: readonly QuarantineAction[],
): Effect.fn.Return<void, WarehouseFailed> {
  if (actions.length === 0) return;
  const body = [Buffer.from(actions.map((action) => JSON.stringify(action)).join("\n"))];
  const settings = { ...ONCE_SETTINGS, insert_deduplication_token: `quarantine_action:${crypto.randomUUID()}` };
  yield* warehouse.insert({ statement: INSERT, body, settings });
});
