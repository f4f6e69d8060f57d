/**
 * Accepting a gap: partitions that stand still at records which the log no longer has go on behind them.
 *
 *   held ──look──▶ stopped at a gap ──▶ one insert of rows `accepted` into weir.gap ──▶ commits ──released──▶ landing goes on
 *
 * Same epoch: offsets only grow, so no row can double. The rows are the point of
 * no return: the ledger counts an accepted gap as a position, so killed before
 * them nothing has happened, killed after them the next owner goes on behind the
 * gap, with the commits or without. Accepted = stored + duplicate + quarantined
 * + what lies in accepted gaps.
 *
 * @module
 */
import {
  type Commit,
  Log,
  type LogFailed,
  type OffsetGap,
  type Warehouse,
  type WarehouseFailed,
} from "@weir/connectors";
import { Data, Effect } from "effect";
import { insertHeld } from "./held_insert.ts";
import { heldGeneration } from "./hold.ts";
import { encodeMark } from "./intent.ts";
import type { Ledger } from "./ledger.ts";
import { type LocatedOf, locateAll } from "./locating.ts";
import { atRest, groupOf, type Owners, type RunningSource } from "./owners.ts";
import type { Gap, LedgerPosition } from "./position.ts";
import { POSITION_TYPE, positionRow } from "./warehouse_ledger.ts";

/** A position cannot be changed as asked; nothing was. */
export class PositionRefused extends Data.TaggedError("PositionRefused")<{
  readonly message: string;
  readonly hint: string;
}> {}

/** What can go wrong while positions are looked at or changed. */
export type PositionFailures = PositionRefused | WarehouseFailed | LogFailed | OffsetGap;

/** Who asks, and whether anything is to be done. */
export interface GapAsk {
  readonly author: string;
  readonly isDryRun: boolean;
}

/** The names by which log and ledger know a source's positions. */
export const locatedOf = ({ applied, target }: RunningSource): LocatedOf => ({
  group: groupOf(applied),
  topic: applied.source.topic,
  statement: target.statement,
});

/** Accepts what the log has lost of a source; answers the gaps that were accepted, or would be. */
export const acceptGaps = Effect.fn("acceptGaps")(function* (
  owners: Owners,
  running: RunningSource,
  { author, isDryRun }: GapAsk,
): Effect.fn.Return<readonly Gap[], PositionFailures, Log | Warehouse | Ledger> {
  const of = locatedOf(running);
  const gaps = yield* gapsOf(of);
  if (isDryRun) return gaps;
  const accepting = Effect.gen(function* () {
    const found = yield* gapsOf(of);
    yield* enterAccepted(of, found, author);
    yield* commitPositions(
      of,
      found.map(({ partition, epoch, to, last }) => ({ partition, epoch, next: to, last })),
    );
    return found;
  });
  // What is announced and cannot be finished concerns other partitions.
  return yield* atRest(owners, [running.applied.source.name], accepting, { mayBeOpen: true });
});

const gapsOf = Effect.fnUntraced(function* (
  of: LocatedOf,
): Effect.fn.Return<readonly Gap[], PositionFailures, Log | Ledger> {
  const all = yield* locateAll(of);
  const gaps = all.flatMap(({ located }) => (located.kind === "stopped" && located.gap ? [located.gap] : []));
  if (gaps.length > 0) return gaps;
  const other = all.find(({ located }) => located.kind === "stopped")?.located;
  const message = `Cannot accept a gap of ${of.statement}: no partition stands at one that can be accepted.`;
  const hint =
    other?.kind === "stopped"
      ? `${other.note} Only a reset helps here: weir position <source> --to …`
      : "weir position <source> shows where each partition stands.";
  return yield* new PositionRefused({ message, hint });
});

const COLUMNS = "statement, topic, partition, epoch, `from`, `to`, event, position, author";
const TYPES = `statement String, topic String, partition UInt32, epoch UInt32, \`from\` UInt64, \`to\` UInt64, event String, position ${POSITION_TYPE}, author String`;

const enterAccepted = ({ statement, topic }: LocatedOf, gaps: readonly Gap[], author: string) => {
  const rows = gaps.map(({ partition, epoch, from, to, last }) => {
    const position = positionRow({ epoch, next: to, last });
    return { statement, topic, partition, epoch, from, to, event: "accepted", position, author };
  });
  const places = gaps.map(({ partition, epoch, from, to }) => `${epoch}:${partition}[${from},${to})`);
  return insertHeld({
    ...{ into: "weir.gap", columns: COLUMNS, types: TYPES, rows },
    token: `accepted:${statement}:${places.join("")}`,
  });
};

/** Commits positions that the ledger has already, under the hold; without it whoever is next finds them there. */
export const commitPositions = Effect.fnUntraced(function* (
  { group, topic, statement }: LocatedOf,
  positions: readonly LedgerPosition[],
): Effect.fn.Return<void, never, Log> {
  const log = yield* Log;
  const commits = positions.map(({ partition, epoch, next, last }): Commit => {
    return { partition, offset: next, metadata: encodeMark({ epoch, last, intent: undefined }) };
  });
  yield* heldGeneration(group).pipe(
    Effect.flatMap((generation) => log.commit({ group, topic, generation }, commits)),
    Effect.catch(({ message }) =>
      Effect.logWarning(`The new positions of ${statement} are not committed yet; its next batch does it: ${message}`),
    ),
  );
});
