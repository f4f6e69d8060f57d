/**
 * The site of a build: what builds work on, and how they fail.
 *
 * @module
 */
import { Warehouse, type WarehouseFailed } from "@weir/connectors";
import { type Definition, type DefinitionError, fillView, type Model, stateTable } from "@weir/sql";
import { Data, Effect, type Semaphore } from "effect";
import type { PositionFailures } from "../gap.ts";
import type { OwnerNeeds, Owners } from "../owners.ts";
import { type BackfillProgress, dropSnapshot, snapshotOf } from "./backfill.ts";
import { type Entry, nameOf } from "./entries.ts";
import { type Kept, keep } from "./in_force.ts";

/** What builds work on. */
export interface Site {
  readonly owners: Owners;
  /** Everything in force, by name; builds change it. */
  readonly kept: Map<string, Kept>;
  /** Backfills under way, by the model's name. */
  readonly progress: Map<string, BackfillProgress>;
  /** Rows of a chunk of new backfills. */
  readonly chunkRows: number;
  /** Held while a model's state is looked at and written: a build may end in the moment in which a view falls. */
  readonly writing: Semaphore.Semaphore;
}

/** A build could not be finished: its reason, and that what was in force before still is. */
export class BuildFailed extends Data.TaggedError("BuildFailed")<{ readonly name: string; readonly message: string }> {}

/** A model's new version. */
export interface Built {
  readonly model: Model;
  readonly entry: Entry;
}

/** What can go wrong in a build. */
export type BuildFailures = PositionFailures | DefinitionError | BuildFailed;

/** A step of a build. */
export type Builder<A> = Effect.fn.Return<A, BuildFailures, OwnerNeeds>;

/** The physical table of a new version. */
export const tableOf = ({ model, entry }: Built) => stateTable(model, entry.version);

/** Whether rows reach it through a view; else it is computed anew on a schedule. */
export const isFollowed = ({ model }: Built) => model.strategy !== "refresh";

/** Makes an entry that was written the one in force. */
export function remember({ kept }: Pick<Site, "kept">, definition: Definition, entry: Entry): void {
  kept.set(nameOf(entry), keep(definition, { ...entry, applied_at: new Date().toISOString() }));
}

/** Drops everything of new versions, what is above first. */
export const dropAll = (models: readonly Built[]) =>
  Effect.forEach([...models].reverse(), dropBuilt, { discard: true });

/** Drops the tables and views of one new version. */
export const dropBuilt = Effect.fnUntraced(function* (
  built: Built,
): Effect.fn.Return<void, WarehouseFailed, Warehouse> {
  const { command } = yield* Warehouse;
  const table = tableOf(built);
  yield* command("admin", `DROP TABLE IF EXISTS ${fillView(built.model, built.entry.version)} SYNC`);
  yield* dropSnapshot(snapshotOf(table));
  yield* command("admin", `DROP TABLE IF EXISTS ${table} SYNC`);
});
