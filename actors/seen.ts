/**
 * `weir.seen`: the identities of stored records, asked before a batch lands and written after its rows.
 *
 *   batch ──identities──▶ which were stored below its ranges? ──▶ insert of the others ──▶ their identities ──▶ marker
 *
 * A question and a write are about one batch, so neither grows with a backlog.
 * A row that is there twice says nothing else than once: a repeated write can do
 * no harm, even after the warehouse has forgotten its token.
 *
 * @module
 */
import type { Warehouse, WarehouseFailed } from "@weir/connectors";
import { literal } from "@weir/sql";
import { Effect } from "effect";
import type { Sighting, Wanted } from "./duplicates.ts";
import type { Range } from "./intent.ts";
import type { Remembered } from "./ledger.ts";
import { ONCE_SETTINGS } from "./once_settings.ts";
import { NUMBERS } from "./read_settings.ts";

/** Identities of one question, two mebibytes of SQL: a question about many reads the whole window, so it is better asked once. */
const ASKED_MAX = 65_536;
const SQL_BYTES_MAX = 4 << 20;
const NO_FINGERPRINT = "0".repeat(32);
/** partition, identity, fingerprint, offset, time, seconds to be kept. */
const ROW_BYTES = 4 + 16 + 16 + 8 + 8 + 4;

const READ = { ...NUMBERS, max_query_size: SQL_BYTES_MAX, max_threads: 1, max_execution_time: 60 } as const;

/** Whose records are meant. */
export interface SeenOf {
  readonly statement: string;
  readonly epoch: number;
}

/** Which identities were stored below the ranges of a batch, and when last. */
export const readSeen = Effect.fnUntraced(function* (
  warehouse: Warehouse["Service"],
  { statement, epoch, ranges }: SeenOf & { readonly ranges: readonly Pick<Range, "partition" | "from">[] },
  wanted: readonly Wanted[],
): Effect.fn.Return<readonly Sighting[], WarehouseFailed> {
  const found: Sighting[] = [];
  const below = ranges.map(({ partition, from }) => `(partition = ${partition} AND offset < ${from})`).join(" OR ");
  for (let start = 0; start < wanted.length; start += ASKED_MAX) {
    const some = wanted.slice(start, start + ASKED_MAX);
    const hashes = some.map(({ hash }) => hash).join("");
    const sinceMs = some.reduce((least, one) => Math.min(least, one.sinceMs), Number.POSITIVE_INFINITY);
    const rows = yield* warehouse.rows<{ hash: string; fingerprint: string; at_ms: number }>(
      "writer",
      `SELECT lower(hex(identity)) AS hash, lower(hex(seen.fingerprint)) AS fingerprint, max(at) AS at_ms FROM weir.seen AS seen
       WHERE statement = ${literal(statement)} AND epoch = ${epoch} AND (${below}) AND at > ${Math.trunc(sinceMs) - 1}
         AND identity IN (SELECT toFixedString(substring(unhex('${hashes}'), 1 + 16 * number, 16), 16) FROM numbers(${some.length}))
       GROUP BY identity, seen.fingerprint`,
      READ,
    );
    for (const { hash, fingerprint, at_ms } of rows)
      found.push({ hash, fingerprint: fingerprint === NO_FINGERPRINT ? "" : fingerprint, atMs: at_ms });
  }
  return found;
});

const FORM =
  "partition UInt32, identity FixedString(16), fingerprint FixedString(16), offset Int64, at Int64, kept UInt32";

/** Remembers stored records, once per token. */
export const writeSeen = (
  warehouse: Warehouse["Service"],
  { statement, epoch, token }: SeenOf & { readonly token: string },
  rows: readonly Remembered[],
): Effect.Effect<void, WarehouseFailed> =>
  Effect.asVoid(
    warehouse.insert({
      statement: `INSERT INTO weir.seen (statement, epoch, partition, identity, fingerprint, offset, at, forget_at)
SELECT ${literal(statement)}, ${epoch}, partition, identity, fingerprint, offset, at, now() + toIntervalSecond(kept)
FROM input('${FORM}') FORMAT RowBinary`,
      body: [packed(rows)],
      settings: { ...ONCE_SETTINGS, insert_deduplication_token: `seen:${token}` },
    }),
  );

/** Rows as the insert reads them. */
function packed(rows: readonly Remembered[]): Uint8Array {
  const body = Buffer.alloc(rows.length * ROW_BYTES);
  let at = 0;
  for (const { partition, hash, fingerprint, offset, atMs, keptMs } of rows) {
    at = body.writeUInt32LE(partition, at);
    body.write(hash, at, 16, "hex");
    body.write(fingerprint, at + 16, 16, "hex");
    at = body.writeBigInt64LE(BigInt(offset), at + 32);
    at = body.writeBigInt64LE(BigInt(Math.trunc(atMs)), at);
    at = body.writeUInt32LE(Math.ceil(keptMs / 1_000), at);
  }
  return body;
}
