/**
 * Bad records: those of a batch that are not stored as they are, by partition and offset.
 *
 * @module
 */
import type { NewColumn } from "@weir/sql";
import type { Quarantined } from "./ledger.ts";

/** A record that is not stored now. */
export interface BadRecord extends Quarantined {
  /** Columns that it lacks, and nothing else: its partition waits for them. */
  readonly awaits?: readonly NewColumn[] | undefined;
}

/** Bad records by partition and offset. */
export type BadRecords = Map<number, Map<number, BadRecord>>;

/** Adds one. */
export function keepBad(bad: BadRecords, partition: number, record: BadRecord): void {
  const records = bad.get(partition) ?? new Map<number, BadRecord>();
  bad.set(partition, records.set(record.offset, record));
}
