/**
 * Identity: what makes two events of a source the same, as text and as SQL.
 *
 *   key's text ──identityPrefix + text, hashed──▶ weir.seen ◀──recallIdentities── rows stored before `dedupe` was declared
 *
 * An identity belongs to one partition of one column, so another `by` or another
 * partition never takes an event for one of the old. That alone would forget what
 * is stored whenever `by` or the number of partitions changes: so the rows of the
 * window are written down anew then, at the barrier, for the partition that they
 * lie in and for the one that their key goes to from now on.
 *
 * @module
 */
import { identifier, literal } from "./definition/tokens.ts";
import { hasMorePartitions, type Source } from "./source.ts";

/** Bytes of a hash in `weir.seen`: the first ones of a SHA-256. */
export const IDENTITY_BYTES = 16;

/** How long a log without a bound of age may hand records out, for what is remembered of them. */
const LOG_AGE_MS_ELSE = 365 * 86_400_000;
/** Retention removes records later than it could. */
const LOG_AGE_MS_MORE = 86_400_000;

/** What stands before the key's text where an event's identity is hashed. */
export function identityPrefix({ by, partition }: { readonly by: string; readonly partition: number }): string {
  return `by\n${by}\n${partition}\n`;
}

/** How long an identity is kept after it landed: for its window, once the log can hand out nothing older. */
export function keptMs({ withinMs, logAgeMsMax }: { withinMs: number; logAgeMsMax: number | undefined }): number {
  return withinMs + (logAgeMsMax ?? LOG_AGE_MS_ELSE) + LOG_AGE_MS_MORE;
}

/** A source as it is from now on, and its rows as a table expression. */
export interface Recalled {
  readonly source: Source;
  readonly from: string;
  /** Partitions of the topic as it is, and how long it may hand a record out. */
  readonly partitions: number;
  readonly logAgeMsMax: number | undefined;
}

/** True if what is stored has to be remembered anew, because it was not, by another column, or for fewer partitions. */
export function mustRecall(before: Source | undefined, after: Source): boolean {
  if (before === undefined || after.dedupe === undefined) return false;
  return before.dedupe?.by !== after.dedupe.by || hasMorePartitions(after, before);
}

/** The statement that remembers the stored rows of the window; to be run while nothing of the source is announced. */
export function recallIdentities({ source, from, partitions, logAgeMsMax }: Recalled): string | undefined {
  if (source.dedupe === undefined) return undefined;
  const { by, withinMs } = source.dedupe;
  const text = textOf(source, by);
  const keptSeconds = Math.ceil(keptMs({ withinMs, logAgeMsMax }) / 1_000);
  // No offset of the log: they lie below whatever comes.
  return `INSERT INTO weir.seen (statement, epoch, partition, identity, offset, at, forget_at)
SELECT ${literal(`${source.layer}.${source.name}`)}, _epoch, goes,
       left(SHA256(concat('by\\n', ${literal(by)}, '\\n', toString(goes), '\\n', ${text})), ${IDENTITY_BYTES}),
       -1, toUnixTimestamp64Milli(_ingest_time), now() + INTERVAL ${keptSeconds} SECOND
FROM ${from} AS stored
INNER JOIN (SELECT _epoch, _partition, max(_ingest_time) AS latest FROM ${from} GROUP BY _epoch, _partition) AS newest
USING (_epoch, _partition)
ARRAY JOIN arrayDistinct([_partition, toUInt32(kafkaMurmurHash(${text}) % ${partitions})]) AS goes
WHERE _ingest_time > latest - INTERVAL ${Math.trunc(withinMs)} MILLISECOND`;
}

/** The text of a column's values that is also their key. */
function textOf({ columns }: Source, name: string): string {
  const type = columns.find((column) => column.name === name)?.type ?? "";
  // `toString` would cut the zero bytes at the end.
  return type.startsWith("FixedString") ? `concat(${identifier(name)}, '')` : `toString(${identifier(name)})`;
}
