/**
 * Refusals: what the door refused, kept in the quarantine for people to look at.
 *
 *   door ──offer──▶ waiting (bounded) ──every second──▶ weir.quarantine
 *                       └─full──▶ counted, not kept
 *
 * Nothing of this was accepted, so it may be lost: the sender has had its
 * answer. The bound keeps a flood of bad events from filling memory or disk.
 *
 * @module
 */
import { Warehouse } from "@weir/connectors";
import { Context, Effect, Layer } from "effect";
import { insertQuarantine, type QuarantineRow } from "./warehouse_ledger.ts";

/** Rows and bytes that wait at most. */
const WAITING_ROWS_MAX = 2_000;
const WAITING_BYTES_MAX = 8 * 2 ** 20;
/** How often what waits is written. */
export const REFUSALS_EVERY_MS = 1_000;
/** Of one refused event, kept bytes. */
const REFUSED_RAW_BYTES_MAX = 64 * 2 ** 10;

/** What the door refused of one event. */
export interface RefusedEvent {
  readonly source: string;
  readonly topic: string;
  readonly column: string;
  readonly reason: string;
  readonly raw: Uint8Array;
  readonly timestampMs: number;
}

/** Takes what the door refused. */
export class Refusals extends Context.Service<
  Refusals,
  {
    /** Keeps it if there is room; false when it was only counted. */
    readonly offer: (event: RefusedEvent) => boolean;
    /** Events that were not kept for lack of room. */
    readonly dropped: () => number;
  }
>()("weir/actors/Refusals") {}

/** Refusals flushed into the warehouse every second, or as often as a test wants to see them. */
export const refusalsEvery = (flushEveryMs: number): Layer.Layer<Refusals, never, Warehouse> =>
  Layer.effect(Refusals, refusals(flushEveryMs));

const refusals = (flushEveryMs: number) =>
  Effect.gen(function* () {
    const warehouse = yield* Warehouse;
    let waiting: QuarantineRow[] = [];
    let bytes = 0;
    let dropped = 0;
    const flush = Effect.suspend(() => {
      if (waiting.length === 0) return Effect.void;
      const rows = waiting;
      waiting = [];
      bytes = 0;
      return insertQuarantine(warehouse, crypto.randomUUID(), rows).pipe(
        Effect.catch((failed) => {
          dropped += rows.length;
          return Effect.logWarning(`${rows.length} refused events were not kept in the quarantine: ${failed.message}`);
        }),
      );
    });
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(flushEveryMs), flush)));
    yield* Effect.addFinalizer(() => flush);
    return Refusals.of({
      dropped: () => dropped,
      offer: (event) => {
        if (waiting.length >= WAITING_ROWS_MAX || bytes >= WAITING_BYTES_MAX) {
          dropped += 1;
          return false;
        }
        // A copy, so that the request's whole body is not held by it; a Buffer's own `slice` would not copy.
        const raw = new Uint8Array(event.raw.subarray(0, REFUSED_RAW_BYTES_MAX));
        bytes += raw.length;
        waiting.push({ ...event, raw, rawBytes: event.raw.length, epoch: 0, partition: -1, offset: -1 });
        return true;
      },
    });
  });
