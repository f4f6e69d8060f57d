/**
 * Slots: where a registry's answer about an id is kept, and which answer counts for a record.
 *
 *   id ──slot 0──▶ a schema: it counts for every record, for ever
 *           └────▶ none ──slot of the record's minute──▶ a schema, or none: it counts for the records of that minute, for ever
 *                    └────slot of those that wait─────▶ a schema: it counts for every record of sources that say `drift: stop`
 *
 * A slot is written once: the first answer is the answer. Which slots a record
 * looks into depends on its bytes, its time in the log and its source alone, so
 * every try of a batch, by whichever owner, decodes it with the same schema.
 * Still, an id that comes to be known is asked for again: a record that was
 * refused is a new record when it is replayed, of another minute. Pure.
 *
 * @module
 */
import { type Registered, registryId } from "@weir/sql";
import type { Slice } from "./batch.ts";

/** An id in front of records of one time. */
export interface Wanted {
  readonly id: number;
  readonly timestampMs: number;
}

/** Where one answer is kept. */
export interface Slot {
  readonly id: number;
  readonly slot: number;
}

const FIRST = 0;
const WAITED_FOR = -1;
const MINUTE_MS = 60_000;

/** A slot as the key of a map. */
export const keyOf = ({ id, slot }: Slot): string => `${id}/${slot}`;

/** The slots that a record looks into, in order. */
export function slotsOf({ id, timestampMs }: Wanted, waits: boolean): readonly Slot[] {
  return [
    { id, slot: FIRST },
    { id, slot: waits ? WAITED_FOR : minuteOf(timestampMs) },
  ];
}

/** A producer may write any time; the minutes before 1970 are one. */
const minuteOf = (timestampMs: number): number => Math.max(1, Math.floor(timestampMs / MINUTE_MS));

/** What counts among the slots of a record; the slot that must be written first, if what counts is not known yet. */
export function found(
  slots: readonly Slot[],
  kept: (slot: Slot) => Registered | undefined,
): Registered | { readonly kind: "missing"; readonly slot: Slot } {
  let last: Registered | undefined;
  for (const slot of slots) {
    last = kept(slot);
    if (last === undefined) return { kind: "missing", slot };
    if (last.kind === "schema") return last;
  }
  return last as Registered;
}

/** One record as a registry is asked about it. */
export interface Value {
  readonly value: Uint8Array | null;
  readonly timestampMs: number;
}

/** The ids for which a registry is asked because of these records, each once for its time. */
export function wantedOf(values: Iterable<Value>): readonly Wanted[] {
  const wanted = new Map<string, Wanted>();
  let [idBefore, minuteBefore] = [-1, -1];
  for (const { value, timestampMs } of values) {
    const id = registryId(value);
    if (id === undefined) continue;
    const minute = minuteOf(timestampMs);
    // Neighbours mostly have the same.
    if (id === idBefore && minute === minuteBefore) continue;
    [idBefore, minuteBefore] = [id, minute];
    wanted.set(keyOf({ id, slot: minute }), { id, timestampMs });
  }
  return [...wanted.values()];
}

/** The values of slices with their times. */
export function* valuesOf(slices: Iterable<Slice>): Generator<Value> {
  for (const { records, start, end } of slices) {
    for (let index = start; index < end; index++) {
      const valueStart = records.valueStarts[index];
      const value = valueStart < 0 ? null : records.bytes.subarray(valueStart, records.valueEnds[index]);
      yield { value, timestampMs: records.timestamps[index] };
    }
  }
}
