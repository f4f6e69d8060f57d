/**
 * Drifted: a batch with a record that stops its partition, of a source that says `drift: stop` or `drift: evolve`.
 *
 *   bad records ──drift: stop──────▶ Drifted, before anything is inserted ──▶ table_drift.ts
 *            └────drift: evolve────▶ those that await columns: the same, and which columns ──▶ catalog/evolving.ts
 *
 * @module
 */
import { mergedColumns, type NewColumn } from "@weir/sql";
import { Data, Effect } from "effect";
import type { BadRecord, BadRecords } from "./bad_records.ts";
import type { Drift } from "./table_state.ts";
import type { Target } from "./target.ts";

/** A record stops its partition, because its source says so; nothing of the batch was inserted. */
export class Drifted extends Data.TaggedError("Drifted")<{
  readonly drifts: readonly Drift[];
  /** What would let its records pass; none where an operator has to act. */
  readonly awaited: readonly NewColumn[];
}> {}

/** Fails with the first record of each partition that stops it, before anything is inserted, if the source says so. */
export function stopAtDrift({ topic, projection }: Target, bad: BadRecords): Effect.Effect<void, Drifted> {
  const { drift } = projection.source;
  if (drift === "quarantine" || bad.size === 0) return Effect.void;
  const stopping = [...bad.values()].flatMap((records) => {
    const all = [...records.values()].filter(({ awaits }) => drift === "stop" || awaits !== undefined);
    return all.length === 0 ? [] : [all.sort((one, other) => one.offset - other.offset)];
  });
  if (stopping.length === 0) return Effect.void;
  const drifts = stopping.map(([first]) => driftAt(topic, first));
  return Effect.fail(new Drifted({ drifts, awaited: mergedColumns(stopping.flat().map(({ awaits = [] }) => awaits)) }));
}

function driftAt(topic: string, { partition, offset, column, reason, awaits }: BadRecord): Drift {
  const at = `${topic}/${partition} from offset ${offset} on`;
  if (awaits !== undefined) {
    const names = awaits.map(({ name }) => name).join(", ");
    return { partition, offset, isEvolving: true, note: `${at} waits until columns are added for: ${names}.` };
  }
  const why = column === "" ? reason : `${column}: ${reason}`;
  const note = `Cannot land ${at}: ${why}. Correct the source or say \`drift: quarantine\`, and apply it.`;
  return { partition, offset, note };
}
