/**
 * The quarantine, newest first, page by page.
 *
 *   weir.quarantine ──ORDER BY time DESC──▶ rows + `next` ──before──▶ the page after
 *
 * Many events can be refused in one millisecond, so the place of a page is a
 * time and how many of its rows were seen.
 *
 * @module
 */
import { isUtf8 } from "node:buffer";
import type { Warehouse, WarehouseFailed } from "@weir/connectors";
import { literal } from "@weir/sql";
import { Effect } from "effect";

/** Bounds of one page: rows, and bytes shown of each event. */
export const QUARANTINE_LIMITS = { rows: 50, rowsMax: 500, rawBytesMax: 16_384, skipMax: 1_000_000 } as const;

/** Rows at `ms` after the first `skip`, and everything older. */
export interface Cursor {
  readonly ms: number;
  readonly skip: number;
}

/** What of the quarantine is asked for. */
export interface QuarantinePage {
  readonly source: string | undefined;
  readonly limit: number;
  readonly before: Cursor | undefined;
}

interface Row {
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
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/.test(text);
  const time = Date.parse(text);
  // A time alone means before it: nothing of its own millisecond.
  return isTime && Number.isFinite(time) && time > 0 ? { ms: time - 1, skip: 0 } : undefined;
}

/** One page of the quarantine. */
export const quarantined = Effect.fn("quarantined")(function* (
  warehouse: Warehouse["Service"],
  page: QuarantinePage,
): Effect.fn.Return<Page, WarehouseFailed> {
  const { rawBytesMax } = QUARANTINE_LIMITS;
  const { source, limit, before } = page;
  const wheres = [
    source === undefined ? "1" : `source = ${literal(source)}`,
    before === undefined ? "1" : `quarantined_at <= fromUnixTimestamp64Milli(${before.ms})`,
  ];
  const rows = yield* warehouse.rows<Row>(
    "admin",
    `SELECT source, topic, epoch, partition, offset, column, reason, base64Encode(substring(raw, 1, ${rawBytesMax})) AS raw_base64, raw_bytes,
            toUnixTimestamp64Milli(event_at) AS event_ms, toUnixTimestamp64Milli(quarantined_at) AS quarantined_ms
     FROM weir.quarantine WHERE ${wheres.join(" AND ")}
     ORDER BY quarantined_at DESC, source, partition, offset, cityHash64(column, reason, raw)
     LIMIT ${limit} OFFSET ${before?.skip ?? 0}`,
    { readonly: 1, output_format_json_quote_64bit_integers: 0, max_execution_time: 30 },
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

/** The event as text if it is text, else as base64; cut at a character's border. */
function shown(row: Row) {
  const bytes = Buffer.from(row.raw_base64, "base64");
  const isCut = row.raw_bytes > bytes.length;
  const whole = isCut ? withoutHalfCharacter(bytes) : bytes;
  const isText = isUtf8(whole);
  return {
    source: row.source,
    topic: row.topic,
    epoch: row.epoch,
    // Refused at the door: it never had a place in the log.
    partition: row.partition < 0 ? null : row.partition,
    offset: row.offset < 0 ? null : row.offset,
    column: row.column === "" ? null : row.column,
    reason: row.reason,
    raw: isText ? whole.toString("utf8") : row.raw_base64,
    raw_encoding: isText ? "utf-8" : "base64",
    raw_bytes: row.raw_bytes,
    raw_is_cut: isCut,
    event_at: new Date(row.event_ms).toISOString(),
    quarantined_at: new Date(row.quarantined_ms).toISOString(),
  };
}

/** Bytes without a character that the cut has halved; a character has four bytes at most. */
function withoutHalfCharacter(bytes: Buffer): Buffer {
  for (let cut = 0; cut < 4 && cut < bytes.length; cut++) {
    const end = bytes.length - cut;
    if (isUtf8(bytes.subarray(0, end))) return bytes.subarray(0, end);
  }
  return bytes;
}
