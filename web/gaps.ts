/**
 * Gaps at a glance: partitions that stand at records which are gone, and what was accepted as lost.
 *
 *   weir.gap · FURTHEST ──▶ by source ──▶ status · /metrics
 *
 * Read from the warehouse, so a door sees what other processes met.
 *
 * @module
 */
import { gapNote } from "@weir/actors";
import { FURTHEST } from "@weir/sql";

/** A source's gaps, as the warehouse has them. */
export interface GapsRow {
  /** `ods.flight`. */
  readonly statement: string;
  readonly topic: string;
  /** `[partition, from, to]` of those that nobody has accepted and no reset has left behind. */
  readonly open: readonly (readonly [partition: number, from: number, to: number])[];
  /** Offsets in gaps that were accepted. */
  readonly lost: number;
}

/** A gap is open while its partition has not come beyond its begin. What retention took since it was seen is not in it. */
export const GAPS = `SELECT statement, any(topic) AS topic, sum(lost) AS lost,
  arraySort(groupArrayIf((partition, tupleElement(newest, 2), tupleElement(newest, 3)),
    (tupleElement(newest, 1), tupleElement(newest, 2)) >= (reached.position.epoch, reached.position.next))) AS open
FROM
(
  SELECT statement, partition, any(topic) AS topic, max((epoch, begin, end)) AS newest, sumIf(end - begin, accepted) AS lost
  FROM
  (
    SELECT statement, topic, partition, epoch, \`from\` AS begin, max(\`to\`) AS end, max(event = 'accepted') AS accepted
    FROM weir.gap GROUP BY statement, topic, partition, epoch, begin
  )
  GROUP BY statement, partition
) AS gap
LEFT JOIN ${FURTHEST} AS reached USING (statement, partition)
GROUP BY statement`;

/** What an operator is told of a source's gaps: null for everything if the warehouse does not say. */
export function gapsOf(rows: readonly GapsRow[] | undefined, statement: string) {
  if (rows === undefined) return { stopped: null, lost_records: null };
  const mine = rows.find((row) => row.statement === statement);
  const stopped = (mine?.open ?? []).map(([partition, from, to]) => ({
    partition,
    note: gapNote(mine!.topic, { partition, from, to }),
  }));
  return { stopped, lost_records: mine?.lost ?? 0 };
}
