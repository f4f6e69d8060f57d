/**
 * Positions as an operator sees and changes them: where a source's partitions stand, accepting a gap, beginning anew.
 *
 *   look ──▶ locating.ts          accept ──▶ gap.ts          reset ──▶ an apply of the same text (apply.ts) with reset.ts in it
 *
 * A change is one of the catalog's changes: no other runs beside it, in any process.
 *
 * @module
 */
import { Effect } from "effect";
import { acceptGaps, type GapAsk, locatedOf, PositionRefused } from "../gap.ts";
import { locateAll, type PartitionAt } from "../locating.ts";
import type { OwnerNeeds, RunningSource } from "../owners.ts";
import type { Gap } from "../position.ts";
import { type Applied, type ApplyOptions, applyFiles } from "./apply.ts";
import { nameOf } from "./entries.ts";
import { fileOf, held } from "./in_force.ts";
import { type ResetLoss, type ResetPartition, type ResetTo, resetLoss, resetPartitions } from "./reset.ts";
import type { BuildFailures, Site } from "./site.ts";

/** What a reset would do or did. */
export interface ResetReport {
  /** As they were when it was asked for; the reset itself looks again, at the barrier. */
  readonly partitions: readonly ResetPartition[];
  readonly loss: ResetLoss;
  /** The source and what is above it; `done` is false for a dry run and for what was not allowed. */
  readonly applied: Applied;
}

/** How a source is reset. */
export interface ResetAsk {
  readonly to: ResetTo;
  readonly options: ApplyOptions;
}

/** Looking at positions and changing them; everything fails with PositionRefused for a source that is not there. */
export interface Positions<R = never> {
  readonly look: (name: string) => Effect.Effect<readonly PartitionAt[], BuildFailures, R>;
  readonly accept: (name: string, ask: GapAsk) => Effect.Effect<readonly Gap[], BuildFailures, R>;
  readonly reset: (name: string, ask: ResetAsk) => Effect.Effect<ResetReport, BuildFailures, R>;
}

/** The positions of a site's sources. */
export const positionsOf = (site: Site): Positions<OwnerNeeds> => ({
  look: (name) => Effect.flatMap(sourceOf(site, name), (running) => locateAll(locatedOf(running))),
  accept: (name, ask) => Effect.flatMap(sourceOf(site, name), (running) => acceptGaps(site.owners, running, ask)),
  reset: (name, ask) => Effect.flatMap(sourceOf(site, name), (running) => resetSource(site, running, ask)),
});

const sourceOf = ({ owners }: Site, name: string): Effect.Effect<RunningSource, PositionRefused> => {
  const running = owners.serving.get(name);
  if (running !== undefined) return Effect.succeed(running);
  const message = `Cannot look at the positions of '${name}': no such source is served.`;
  return Effect.fail(new PositionRefused({ message, hint: "weir status shows the sources." }));
};

const resetSource = Effect.fn("resetSource")(function* (
  site: Site,
  running: RunningSource,
  { to, options }: ResetAsk,
): Effect.fn.Return<ResetReport, BuildFailures, OwnerNeeds> {
  const { target } = running;
  const found = held(site.kept, target.statement, "source");
  if (found === undefined) {
    const message = `Cannot reset ${target.statement}: its definition is not in force.`;
    return yield* new PositionRefused({ message, hint: "Apply it first." });
  }
  const partitions = yield* resetPartitions(locatedOf(running), to);
  const loss = yield* resetLoss(target.table, partitions);
  const asked = { files: [fileOf(found.entry)], again: new Set([nameOf(found.entry)]), options, to };
  return { partitions, loss, applied: yield* applyFiles(site, asked) };
});
