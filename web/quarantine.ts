/**
 * Reading the quarantine: newest first and page by page, in groups, or one row whole.
 *
 *   weir.quarantine ─┬─ORDER BY time DESC──▶ rows + `next` ──before──▶ the page after
 *                    ├─GROUP BY source, column, reason──▶ groups, the largest first
 *                    └─id──▶ one row with all of its bytes, and what was done with it
 *
 * Many events can be refused in one millisecond, so the place of a page is a
 * time and how many of its rows were seen.
 *
 * @module
 */
import { type QuarantineFilter, quarantineWhere, RAW_BYTES_MAX, readActions, standingOf } from "@weir/actors";
import type { Warehouse, WarehouseFailed } from "@weir/connectors";
import { literal } from "@weir/sql";
import { Effect } from "effect";
import { rfc3339Ms } from "./instant.ts";
import { rawText } from "./raw_text.ts";

/** Bounds of one page: rows, and bytes shown of each event; of one event alone, all that were kept. */
export const QUARANTINE_LIMITS = {
  rows: 50,
  rowsMax: 500,
  rawBytesMax: 16_384,
  skipMax: 1_000_000,
  keptBytesMax: RAW_BYTES_MAX,
} as const;

/** Rows at `ms` after the first `skip`, and everything older. */
export interface Cursor {
  readonly ms: number;
  readonly skip: number;
}

/** What of the quarantine is asked for. */
export interface QuarantinePage {
  readonly filter: QuarantineFilter;
  readonly limit: number;
  readonly before: Cursor | undefined;
}

interface Row {
  readonly id: string;
  readonly source: string;
  readonly topic: string;
  readonly epoch: number;
  readonly partition: number;
  readonly offset: number;
  readonly column: string;
  readonly reason: string;
  readonly raw_base64: string;
  readonly raw_bytes: number;
  readonly event_ms: number;
  readonly quarantined_ms: number;
}

/** Reads a cursor: the `next` of a page, or an RFC 3339 time; undefined if it is neither. */
export function cursorOf(text: string): Cursor | undefined {
  const [, ms, skip] = /^(\d{1,15})-(\d{1,7})$/.exec(text) ?? [];
  if (ms !== undefined) {
    return Number(skip) <= QUARANTINE_LIMITS.skipMax ? { ms: Number(ms), skip: Number(skip) } : undefined;
  }
  const time = rfc3339Ms(text);
  // A time alone means before it: nothing of its own millisecond.
  return time === undefined ? undefined : { ms: time - 1, skip: 0 };
}

const READ = { readonly: 1, output_format_json_quote_64bit_integers: 0, max_execution_time: 30 } as const;

function columns(rawBytesMax: number): string {
  return `id, source, topic, epoch, partition, offset, column, reason, base64Encode(substring(raw, 1, ${rawBytesMax})) AS raw_base64, raw_bytes,
            toUnixTimestamp64Milli(event_at) AS event_ms, toUnixTimestamp64Milli(quarantined_at) AS quarantined_ms`;
}

/** One page of the quarantine. */
export const quarantined = Effect.fn("quarantined")(function* (
  warehouse: Warehouse["Service"],
  page: QuarantinePage,
): Effect.fn.Return<Page, WarehouseFailed> {
  const { filter, limit, before } = page;
  const place = before === undefined ? "" : ` AND quarantined_at <= fromUnixTimestamp64Milli(${before.ms})`;
  const rows = yield* warehouse.rows<Row>(
    "admin",
    `SELECT ${columns(QUARANTINE_LIMITS.rawBytesMax)}
     FROM weir.quarantine WHERE ${quarantineWhere(filter)}${place}
     ORDER BY quarantined_at DESC, source, partition, offset, cityHash64(column, reason, raw)
     LIMIT ${limit} OFFSET ${before?.skip ?? 0}`,
    READ,
  );
  return { rows: rows.map(shown), next: rows.length < limit ? null : nextOf(rows, before) };
});

/** One page, and where the next one begins. */
export interface Page {
  readonly rows: readonly ReturnType<typeof shown>[];
  readonly next: string | null;
}

function nextOf(rows: readonly Row[], before: Cursor | undefined): string {
  const ms = rows.at(-1)!.quarantined_ms;
  const seen = rows.filter((row) => row.quarantined_ms === ms).length;
  return `${ms}-${seen + (before?.ms === ms ? before.skip : 0)}`;
}

/** The value that a reason begins with: JSON text, whole or cut, or a number. Its rows are at fault in the same way. */
const VALUE = '^("(\\\\.|[^"\\\\])*"|"[^…]*…|[-+0-9][^ ]*) ';

/** Rows that are at fault in the same way. */
export interface QuarantineGroup {
  readonly source: string;
  /** Null: the whole event. */
  readonly column: string | null;
  /** With an ellipsis for the value that it begins with. */
  readonly reason: string;
  /** Refused at the door: it was never accepted. */
  readonly refused: boolean;
  readonly count: number;
  readonly first_at: string;
  readonly last_at: string;
  /** Id of the newest. */
  readonly example: string;
}

/** The groups with the most rows, the largest first, and how many groups there are. */
export const quarantineGroups = Effect.fn("quarantineGroups")(function* (
  warehouse: Warehouse["Service"],
  { filter, limit }: Pick<QuarantinePage, "filter" | "limit">,
): Effect.fn.Return<{ readonly groups: readonly QuarantineGroup[]; readonly groups_total: number }, WarehouseFailed> {
  interface GroupRow extends Omit<QuarantineGroup, "column" | "reason" | "refused" | "first_at" | "last_at"> {
    readonly column: string;
    readonly shape: string;
    readonly refused: number;
    readonly first_ms: number;
    readonly last_ms: number;
    readonly groups_total: number;
  }
  const rows = yield* warehouse.rows<GroupRow>(
    "admin",
    `SELECT source, column, replaceRegexpOne(reason, ${literal(VALUE)}, '… ') AS shape, offset < 0 AS refused, count() AS count, min(toUnixTimestamp64Milli(quarantined_at)) AS first_ms,
            max(toUnixTimestamp64Milli(quarantined_at)) AS last_ms, argMax(id, (quarantined_at, offset)) AS example, count() OVER () AS groups_total
     FROM weir.quarantine WHERE ${quarantineWhere(filter)}
     GROUP BY source, column, shape, refused ORDER BY count DESC, source, column, shape, refused LIMIT ${limit}`,
    READ,
  );
  const groups = rows.map(({ column, shape, refused, first_ms, last_ms, groups_total: _, ...row }) => ({
    ...row,
    column: column === "" ? null : column,
    reason: shape,
    refused: refused === 1,
    first_at: new Date(first_ms).toISOString(),
    last_at: new Date(last_ms).toISOString(),
  }));
  return { groups, groups_total: rows[0]?.groups_total ?? 0 };
});

/** One row with all the bytes that were kept, where it stands, and what was done with it; undefined if there is none. */
export const quarantineRow = Effect.fn("quarantineRow")(function* (warehouse: Warehouse["Service"], id: string) {
  const query = `SELECT ${columns(QUARANTINE_LIMITS.keptBytesMax)} FROM weir.quarantine WHERE ${quarantineWhere({ ids: [id] })} LIMIT 1`;
  const [row] = yield* warehouse.rows<Row>("admin", query, READ);
  if (row === undefined) return undefined;
  const actions = (yield* readActions(warehouse, [id])).get(id) ?? [];
  return {
    ...shown(row),
    raw_base64: row.raw_base64,
    standing: standingOf(actions).kind,
    actions: actions.map(({ action, author, partition, offset, at_ms }) => ({
      ...{ action, author, at: new Date(at_ms).toISOString() },
      ...(action === "replayed" ? { partition, offset } : {}),
    })),
  };
});

function shown(row: Row) {
  return {
    id: row.id,
    source: row.source,
    topic: row.topic,
    epoch: row.epoch,
    // Refused at the door: it never had a place in the log.
    partition: row.partition < 0 ? null : row.partition,
    offset: row.offset < 0 ? null : row.offset,
    column: row.column === "" ? null : row.column,
    reason: row.reason,
    ...rawText(Buffer.from(row.raw_base64, "base64"), row.raw_bytes),
    event_at: new Date(row.event_ms).toISOString(),
    quarantined_at: new Date(row.quarantined_ms).toISOString(),
  };
}
