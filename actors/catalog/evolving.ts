/**
 * Evolving: sees to the columns that records of sources with `drift: evolve` await.
 *
 *   table actors ──▶ awaited, by source ──due──▶ one change of the catalog (evolve.ts) ──▶ owners replaced
 *
 * Every process that lands sees to what its own owners await. The hold of the
 * catalog lets one change through at a time; who comes second finds nothing left
 * to do. What is awaited is in memory only: whoever owns the partition after a
 * stop comes to the same record, and asks again.
 *
 * @module
 */
import { type Log, WarehouseFailed } from "@weir/connectors";
import { DefinitionError, type NewColumn, type Source } from "@weir/sql";
import { Cause, Clock, Effect, Exit, type Scope } from "effect";
import { lateFor } from "../hold.ts";
import type { Ledger } from "../ledger.ts";
import { groupOf } from "../owners.ts";
import { type Awaited, type Ended, gathered, isResting, refusalOf, rested } from "./awaited.ts";
import type { EvolveAsk, Evolved } from "./evolve.ts";
import { held, type Kept } from "./in_force.ts";
import { BuildFailed } from "./site.ts";

/** How often is looked for what is due. */
const LOOK_MS = 100;

/** What evolving works with. */
interface Evolving<E> {
  readonly kept: ReadonlyMap<string, Kept>;
  /** By the source's name. */
  readonly awaited: Map<string, Awaited>;
  /** Makes a change, as one of the catalog's. */
  readonly change: (ask: EvolveAsk) => Effect.Effect<Evolved, E>;
}

/** Has columns added to a source, soon. */
export const awaitColumns = (
  { awaited }: Pick<Evolving<never>, "awaited">,
  name: string,
  columns: readonly NewColumn[],
): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeMillis, (nowMs) => {
    awaited.set(name, gathered(awaited.get(name), columns, nowMs));
  });

/** Sees to what is awaited until the scope closes. */
export const evolveSources = <E>(evolving: Evolving<E>): Effect.Effect<void, never, Log | Ledger | Scope.Scope> =>
  Effect.asVoid(Effect.forkScoped(Effect.forever(Effect.delay(evolveDue(evolving), LOOK_MS))));

const evolveDue = Effect.fnUntraced(function* <E>({ kept, awaited, change }: Evolving<E>) {
  for (const [name, one] of awaited) {
    const startedMs = yield* Clock.currentTimeMillis;
    const found = held(kept, `ods.${name}`, "source");
    if (found === undefined || one.columns.length === 0 || one.dueMs > startedMs) continue;
    if (isResting(found.entry, startedMs)) continue;
    // Records go on to ask while this waits for others.
    const newest = () => awaited.get(name) ?? one;
    const lateMs = yield* lateMsOf(found.definition);
    if (lateMs !== undefined && lateMs > 0) {
      awaited.set(name, { ...newest(), dueMs: startedMs + lateMs });
      continue;
    }
    let taken: readonly NewColumn[] = [];
    const take = () => {
      taken = newest().columns;
      awaited.set(name, { ...newest(), columns: [] });
      return taken;
    };
    const exit = yield* Effect.exit(change({ name, take, refused: refusalOf(one) }));
    yield* told(name, exit);
    const nowMs = yield* Clock.currentTimeMillis;
    const end = { taken, ended: endOf(exit), tookMs: nowMs - startedMs, nowMs };
    awaited.set(name, rested(newest(), end));
  }
});

/** For how long a lost owner keeps a change waiting; undefined if nobody says. It is waited for here, because under a hold nobody else's change could be made. */
const lateMsOf = (source: Source) =>
  Effect.orElseSucceed(lateFor({ group: groupOf({ source }), topic: source.topic }), () => undefined);

function endOf(exit: Exit.Exit<unknown, unknown>): Ended {
  if (Exit.isSuccess(exit)) return { kind: "done" };
  const error = Cause.squash(exit.cause);
  const isRefusal =
    error instanceof BuildFailed ||
    error instanceof DefinitionError ||
    (error instanceof WarehouseFailed && error.outcome === "refused");
  return isRefusal ? { kind: "refused", reason: error.message } : { kind: "failed" };
}

/** Says that a change has to wait. */
const told = (name: string, exit: Exit.Exit<unknown, unknown>) => {
  if (Exit.isSuccess(exit)) return Effect.void;
  const error = Cause.squash(exit.cause);
  const reason = error instanceof Error ? error.message : String(error);
  return Effect.logWarning(`ods.${name} waits for its new columns; they are tried again later: ${reason}`);
};
