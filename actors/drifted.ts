/**
 * Drifted: a batch with a record that does not fit, of a source that says `drift: stop`.
 *
 *   bad records ──drift: stop──▶ Drifted, before anything is inserted ──▶ table_drift.ts
 *
 * @module
 */
import { Data, Effect } from "effect";
import type { BadRecords, Target } from "./landing.ts";
import type { Drift } from "./table_state.ts";

/** A record does not fit, and its source says that this stops its partition; nothing of the batch was inserted. */
export class Drifted extends Data.TaggedError("Drifted")<{ readonly drifts: readonly Drift[] }> {}

/** Fails with the first bad record of each partition, before anything is inserted, if the source says so. */
export function stopAtDrift({ topic, projection }: Target, bad: BadRecords): Effect.Effect<void, Drifted> {
  if (projection.source.drift !== "stop" || bad.size === 0) return Effect.void;
  const drifts = [...bad.values()].map((records): Drift => {
    const [first] = [...records.values()].sort((one, other) => one.offset - other.offset);
    const { partition, offset, column, reason } = first;
    const why = column === "" ? reason : `${column}: ${reason}`;
    const note = `Cannot land ${topic}/${partition} from offset ${offset} on: ${why}. Correct the source or say \`drift: quarantine\`, and apply it.`;
    return { partition, offset, note };
  });
  return Effect.fail(new Drifted({ drifts }));
}
