/**
 * Commits of other processes: how far the sources have landed that somebody else lands.
 *
 *   group's commits in the log ──every COMMITS_EVERY_MS──▶ Visible ──▶ `?wait=1`, `?after=`, kept answers, lag
 *
 * What this process commits is visible here at once; this is for the rest. A
 * group whose commits have expired says nothing: then the ledger knows.
 *
 * @module
 */
import { type Commit, Log } from "@weir/connectors";
import { Effect } from "effect";
import { decodeMark } from "./intent.ts";
import { Ledger } from "./ledger.ts";
import { groupOf, type Owners, type RunningSource } from "./owners.ts";
import type { Position } from "./visible.ts";

/** How late a commit of another process is seen here, at most, while the log answers. */
const COMMITS_EVERY_MS = 100;

/** Publishes what others commit, until it is interrupted. */
export const followCommits = ({ serving, visible }: Pick<Owners, "serving" | "visible">) => {
  const epochs = new Map<string, number>();
  const publish = ({ applied, target }: RunningSource) =>
    Effect.gen(function* () {
      const { statement } = target;
      const { committed } = yield* Log;
      const commits = yield* committed({ group: groupOf(applied), topic: applied.source.topic });
      const { epoch, position } = newestOf(commits);
      // Positions of two epochs cannot be compared.
      if (epoch > (epochs.get(statement) ?? epoch)) visible.forget(statement);
      epochs.set(statement, epoch);
      if (commits.length > 0) return visible.publish(statement, position);
      if (visible.of(statement).size > 0) return;
      const { positions } = yield* Ledger;
      visible.publish(
        statement,
        new Map((yield* positions(statement)).map(({ partition, next }) => [partition, next])),
      );
    });
  // What does not answer is asked again in a moment.
  const round = Effect.suspend(() =>
    Effect.forEach([...serving.values()], (running) => Effect.ignore(publish(running)), {
      concurrency: "unbounded",
      discard: true,
    }),
  );
  return Effect.forever(Effect.delay(round, COMMITS_EVERY_MS));
};

/** The newest epoch of a group's commits, and how far that has come. */
function newestOf(commits: readonly Commit[]): { readonly epoch: number; readonly position: Position } {
  const all = commits.map(({ partition, offset, metadata }) => {
    return { partition, offset, epoch: decodeMark(metadata)?.epoch ?? 1 };
  });
  const epoch = all.reduce((newest, one) => Math.max(newest, one.epoch), 0);
  return {
    epoch,
    position: new Map(all.filter((one) => one.epoch === epoch).map(({ partition, offset }) => [partition, offset])),
  };
}
