/**
 * Lag: how far what can be queried is behind what the log holds.
 *
 * @module
 */
import type { OffsetRange } from "@weir/connectors";

/** Records of one partition that cannot be queried yet; `visible` is the offset after the last that can, by partition. */
export function lagIn({ partition, earliest, latest }: OffsetRange, visible: ReadonlyMap<number, number>): number {
  return Math.max(0, latest - Math.max(earliest, visible.get(partition) ?? 0));
}
