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
import { Log } from "@weir/connectors";
import { Effect } from "effect";
import { Ledger } from "./ledger.ts";
import { groupOf, type Owners, type RunningSource } from "./owners.ts";

/** How late a commit of another process is seen here, at most, while the log answers. */
const COMMITS_EVERY_MS = 100;

/** Publishes what others commit, until it is interrupted. */
export const followCommits = ({ serving, visible }: Pick<Owners, "serving" | "visible">) => {
  const publish = ({ applied, target }: RunningSource) =>
    Effect.gen(function* () {
      const { statement } = target;
      const { committed } = yield* Log;
      const commits = yield* committed({ group: groupOf(applied), topic: applied.source.topic });
      if (commits.length > 0)
        return visible.publish(statement, new Map(commits.map(({ partition, offset }) => [partition, offset])));
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
