/**
 * A source: one strict table of events and the topic they come from.
 *
 *   ods/flight.sql ──loader──▶ Source ──▶ conform · ddl · plan
 *
 * Plain data: what the author wrote, checked, with the engine's own spelling of
 * the types. Everything derived from it lives in the files that derive it.
 *
 * @module
 */

import type { Format } from "./format/format.ts";

/** What happens to fields which no column declares. */
export type UnknownFields = "reject" | "keep" | "ignore";

/**
 * What happens when a record does not fit: it is left out and kept in the quarantine, or its partition stops in front
 * of it. `evolve` adds the columns that it lacks, where they are all that it lacks; else it is kept in the quarantine.
 */
export type Drift = "quarantine" | "stop" | "evolve";

/** One declared column. */
export interface Column {
  readonly name: string;
  /** The type as ClickHouse prints it, for example `LowCardinality(String)`. */
  readonly type: string;
  readonly comment: string;
  /** The codec clause as the author wrote it, without `CODEC`; empty for the default. */
  readonly codec: string;
}

/** What makes two events of a source the same one, and for how long the first is remembered. */
export interface Dedupe {
  /** The column whose value an event keeps when its producer sends it again; it is the key, too. */
  readonly by: string;
  /** How much later than the stored one, by the log's own time, a repeat is still dropped. */
  readonly withinMs: number;
}

/** A definition of kind `source`, checked. */
export interface Source {
  readonly kind: "source";
  /** Always `ods`. */
  readonly layer: "ods";
  readonly name: string;
  readonly doc: string;
  readonly topic: string;
  /** Partitions that its topic has at least; undefined: NEW_TOPIC's where it is made, as it is where it is there. */
  readonly partitions?: number | undefined;
  /** The column whose value chooses the partition; undefined spreads evenly. */
  readonly key: string | undefined;
  /** The column that says when it happened; undefined: when it arrived. */
  readonly eventTime: string | undefined;
  readonly unknown: UnknownFields;
  /** How the records of the topic are written. */
  readonly format: Format;
  readonly drift: Drift;
  /** Fields which `evolve` does not add. */
  readonly leaveOut?: readonly string[] | undefined;
  /** How repeats of its producers are dropped; without it they are stored. */
  readonly dedupe?: Dedupe | undefined;
  /** How long the log keeps it; what is not said: NEW_TOPIC's where the topic is made, as it is where it is there. */
  readonly retention: { readonly ageMsMax?: number | undefined; readonly bytesMax?: number | undefined };
  readonly partitionBy: "month" | "day";
  readonly columns: readonly Column[];
}

/** A topic that is made, where its source does not say otherwise. One that is there is its owner's. */
export const NEW_TOPIC = { partitions: 4, retention: { ageMsMax: 7 * 86_400_000, bytesMax: 4 * 2 ** 30 } } as const;

/** Whether a source's definition asks for more partitions than another's; one that says nothing asks for none. */
export function hasMorePartitions(one: Source, other: Source): boolean {
  return (one.partitions ?? 0) > (other.partitions ?? 0);
}

/** Parts whose tokens every table of a cascade remembers: parts per batch x batches/s x workers x 15 minutes. */
export const DEDUPLICATION_WINDOW_PARTS: number = 100_000;
