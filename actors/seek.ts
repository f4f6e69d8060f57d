/**
 * Seek: the offset in a partition at which a time begins.
 *
 * @module
 */
import type { Log, OffsetRange } from "@weir/connectors";
import { Effect } from "effect";

/**
 * The first offset whose record is of that time (milliseconds since 1970) or later; the end if there is none. Records
 * lie in order of their times, or nearly so: halving finds it in some twenty reads. Fails with OffsetGap if retention
 * takes what it looks at.
 */
export const seek = Effect.fn("seek")(function* (
  log: Log["Service"],
  { topic, range, timeMs }: { readonly topic: string; readonly range: OffsetRange; readonly timeMs: number },
) {
  const { partition, earliest, latest } = range;
  let [low, high] = [earliest, latest];
  while (low < high) {
    const offset = low + Math.floor((high - low) / 2);
    const records = yield* log.read({ topic, partition, offset, recordsMax: 1, bytesMax: 1, waitMs: 0 });
    const isBefore = records.count > 0 && records.timestamps[0] < timeMs;
    if (isBefore) low = records.offsets[0] + 1;
    else high = offset;
  }
  return low;
});
