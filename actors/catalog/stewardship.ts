/**
 * Stewardship: one process at a time changes the catalog, and one looks after what is due.
 *
 *   topic weir.control, one partition ──group weir.catalog──▶ its owner is the steward: schedules, builds that go on
 *                                                    └──held (hold.ts)──▶ one change of the catalog, in whichever process
 *
 * @module
 */
import { Log, type LogFailed } from "@weir/connectors";
import { Effect, Queue, type Scope } from "effect";
import type { Holdable } from "../hold.ts";

/** What whoever changes the catalog holds. */
export const CATALOG: Holdable = { group: "weir.catalog", topic: "weir.control", name: "the catalog" };

/** How often is looked for a topic that another process makes just now. */
const LOOK_MS = 50;

/** Makes sure that the control topic is there; several processes may start at once. */
export const ensureControlTopic: Effect.Effect<void, LogFailed, Log> = Effect.gen(function* () {
  const log = yield* Log;
  const isThere = Effect.map(log.topic(CATALOG.topic), (topic) => topic !== undefined);
  if (yield* isThere) return;
  const made = Effect.asVoid(log.createTopic({ name: CATALOG.topic, partitions: 1, retention: {} }));
  yield* Effect.catchIf(
    made,
    ({ reason }) => reason === "topic exists",
    () => Effect.repeat(Effect.delay(isThere, LOOK_MS), { until: (is) => is }),
  );
});

/** Stands for steward until the scope closes; answers whether it is one. What a steward does it does under a hold, so it gives up at once. */
export const standForSteward: Effect.Effect<() => boolean, LogFailed, Log | Scope.Scope> = Effect.gen(function* () {
  const log = yield* Log;
  const { events, released } = yield* log.join(CATALOG.group, CATALOG.topic);
  let isSteward = false;
  const hear = Effect.flatMap(Queue.take(events), ({ kind, partitions }) => {
    isSteward = kind === "assigned";
    return isSteward ? Effect.void : released(partitions);
  });
  yield* Effect.forkScoped(Effect.forever(hear));
  return () => isSteward;
});
