/**
 * Lag: how far what can be queried is behind what the log holds.
 *
 *   log.offsets ─┐
 *   Visible ─────┴──lagOf──▶ by partition ──▶ /v1/admin/actors · status · metrics
 *
 * @module
 */
import type { RunningSource } from "@weir/actors";
import type { OffsetRange } from "@weir/connectors";
import { Effect, Exit } from "effect";
import type { Door } from "./door.ts";

/** How long a part behind the door may take to answer those who look after it. */
export const PART_MS_MAX = 2_000;

/** One partition: what the log holds, the offset after the last record that can be queried, the records between. */
export interface PartitionLag extends OffsetRange {
  readonly visible: number | null;
  readonly lag: number;
}

/** How far a source's partitions are behind; undefined if the log does not answer. */
export async function lagOf(
  { log, run, sources }: Pick<Door, "log" | "run" | "sources">,
  { applied, target }: RunningSource,
): Promise<readonly PartitionLag[] | undefined> {
  const exit = await run(Effect.timeout(log.offsets(applied.source.topic), PART_MS_MAX));
  if (!Exit.isSuccess(exit)) return undefined;
  const visible = sources.visible.of(target.statement);
  return exit.value.map((range) => ({
    ...range,
    visible: visible.get(range.partition) ?? null,
    lag: lagIn(range, visible),
  }));
}

/** Records of one partition that cannot be queried yet; `visible` is the offset after the last that can, by partition. */
export function lagIn({ partition, earliest, latest }: OffsetRange, visible: ReadonlyMap<number, number>): number {
  return Math.max(0, latest - Math.max(earliest, visible.get(partition) ?? 0));
}
