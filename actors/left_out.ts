/**
 * What of a batch does not become rows, and what is remembered of those that do.
 *
 *   bad records ─┐
 *   candidates ──┴─▶ left out: duplicates, quarantined      the rest: stored ──▶ weir.seen
 *
 * Pure. A record that the engine refuses can turn out to be a duplicate once a
 * record before it is refused, too; then it is one, as if it had been read alone.
 *
 * @module
 */
import { keptMs } from "@weir/sql";
import type { BadRecords } from "./bad_records.ts";
import { rawValue } from "./decoded.ts";
import { type Candidate, decide, type Identity, type Places, REUSED, type Sighting } from "./duplicates.ts";
import type { Quarantined, Remembered } from "./ledger.ts";
import type { Prepared } from "./prepare.ts";
import type { Target } from "./target.ts";

/** A batch's records that do not become rows. */
export interface LeftOut {
  readonly places: Places;
  readonly duplicate: number;
  readonly quarantined: readonly Quarantined[];
}

/** What is left out, as far as is known of bad records. */
export function leftOut(
  { bad, candidates }: Pick<Prepared, "bad" | "candidates">,
  sightings: readonly Sighting[],
): LeftOut {
  if (candidates === undefined) return { places: bad, duplicate: 0, quarantined: all(bad) };
  const { duplicates, reused } = decide(candidates, { sightings, refused: bad });
  const places = new Map<number, Set<number>>();
  const add = (partition: number, offsets: Iterable<number>) =>
    void places.set(partition, (places.get(partition) ?? new Set<number>()).union(new Set(offsets)));
  for (const [partition, records] of bad) add(partition, records.keys());
  for (const [partition, offsets] of duplicates) add(partition, offsets);
  const again = reused.map(quarantinedOf);
  for (const [partition, some] of Map.groupBy(again, (one) => one.partition))
    add(
      partition,
      some.map(({ offset }) => offset),
    );
  const decided = new Set(again.map(({ partition, offset }) => `${partition}/${offset}`));
  const refused = all(bad).filter(
    ({ partition, offset }) =>
      duplicates.get(partition)?.has(offset) !== true && !decided.has(`${partition}/${offset}`),
  );
  const duplicate = [...duplicates.values()].reduce((sum, offsets) => sum + offsets.size, 0);
  return { places, duplicate, quarantined: [...refused, ...again] };
}

const all = (bad: BadRecords): readonly Quarantined[] => [...bad.values()].flatMap((records) => [...records.values()]);

function quarantinedOf({ partition, offset, timestampMs, records, index }: Candidate): Quarantined {
  const raw = rawValue(records, index);
  return { partition, offset, timestampMs, raw, column: "", reason: REUSED };
}

/** What is remembered of the candidates that were stored. */
export function remembered(
  { logAgeMsMax }: Pick<Target, "logAgeMsMax">,
  { candidates = [], places }: { readonly candidates: readonly Candidate[] | undefined; readonly places: Places },
): readonly Remembered[] {
  return candidates.flatMap(({ partition, offset, timestampMs, identities }) => {
    if (places.get(partition)?.has(offset) === true) return [];
    return identities.map(({ hash, fingerprint, withinMs }: Identity): Remembered => {
      return { hash, fingerprint, partition, offset, atMs: timestampMs, keptMs: keptMs({ withinMs, logAgeMsMax }) };
    });
  });
}
