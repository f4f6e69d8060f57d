/**
 * The ledger: what the warehouse itself remembers of finished batches.
 *
 *   landed batch ──▶ weir.batch (one marker each), weir.position (furthest per partition)
 *   bad record   ──▶ weir.quarantine
 *   who may come again ──▶ weir.seen
 *   records that are gone ──▶ weir.gap
 *
 * It lies beside the data, so it is lost or restored together with it; group
 * offsets in the log expire, this does not. Every write carries a token: a
 * repeat changes nothing.
 *
 * @module
 */

import type { WarehouseFailed } from "@weir/connectors";
import { Context, type Effect } from "effect";
import type { Identity, Sighting, Wanted } from "./duplicates.ts";
import type { LastRecord, Range } from "./intent.ts";
import type { Gap, LedgerPosition } from "./position.ts";

/** One bad record, as kept for people to look at and to replay. */
export interface Quarantined {
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly column: string;
  readonly reason: string;
  /** The record's value; null for a tombstone. */
  readonly raw: Uint8Array | null;
}

/** A stored record that is remembered, in case it comes again; for so long after it was stored. */
export interface Remembered extends Pick<Identity, "hash" | "fingerprint"> {
  readonly partition: number;
  readonly offset: number;
  /** Its append time. */
  readonly atMs: number;
  readonly keptMs: number;
}

/** A finished batch. */
export interface Marker {
  /** Name of the target, for example `ods.flight`. */
  readonly statement: string;
  readonly token: string;
  readonly epoch: number;
  readonly catalog: number;
  readonly ranges: readonly Range[];
  readonly lasts: readonly LastRecord[];
  readonly stored: number;
  readonly duplicate: number;
  readonly quarantined: number;
}

/** What the warehouse remembers of finished batches. */
export class Ledger extends Context.Service<
  Ledger,
  {
    /** The marker of a batch, if it was finished. */
    readonly marker: (
      statement: string,
      token: string,
    ) => Effect.Effect<Pick<Marker, "stored" | "quarantined"> | undefined, WarehouseFailed>;
    /** The furthest position of each partition: by finished batches, accepted gaps, resets that are in force. */
    readonly positions: (statement: string) => Effect.Effect<readonly LedgerPosition[], WarehouseFailed>;
    /** The warehouse's time, milliseconds since 1970: by which it dates what is finished, and refuses what is late. */
    readonly nowMs: Effect.Effect<number, WarehouseFailed>;
    /**
     * Upper bound of the parts which batches finished since `sinceMs` may have added to the table's deduplication window
     * on the server that has `partition`.
     */
    readonly partsSince: (
      statement: string,
      since: { readonly sinceMs: number; readonly partition: number },
    ) => Effect.Effect<number, WarehouseFailed>;
    /** Which identities were stored below the ranges of a batch, and when last, by fingerprint. */
    readonly seen: (
      of: { statement: string; epoch: number; ranges: readonly Range[] },
      wanted: readonly Wanted[],
    ) => Effect.Effect<readonly Sighting[], WarehouseFailed>;
    /** Remembers the stored records of a batch; after its rows, before its marker. */
    readonly remember: (
      of: { statement: string; epoch: number; token: string },
      rows: readonly Remembered[],
    ) => Effect.Effect<void, WarehouseFailed>;
    /** Keeps the bad records of a batch; before its marker. */
    readonly quarantine: (
      of: { statement: string; topic: string; epoch: number; token: string },
      rows: readonly Quarantined[],
    ) => Effect.Effect<void, WarehouseFailed>;
    /** Keeps that a partition stopped at records that are gone; nobody has accepted that yet. */
    readonly noteGap: (of: { statement: string; topic: string }, gap: Gap) => Effect.Effect<void, WarehouseFailed>;
    /** Keeps where epochs begin; before the first batch of them is announced. */
    readonly enter: (statement: string, positions: readonly LedgerPosition[]) => Effect.Effect<void, WarehouseFailed>;
    /** Writes the marker of a batch; before its commit. */
    readonly finish: (marker: Marker) => Effect.Effect<void, WarehouseFailed>;
  }
>()("weir/actors/Ledger") {}
