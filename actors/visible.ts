/**
 * Visible: how far each table can be queried, and who waits for more.
 *
 *   table actor ──commit──▶ Visible ──▶ `?wait=1` answers
 *
 * Visible means committed: every view of the cascade has the rows. Kept per
 * process, in memory: it is rebuilt from the positions at every assignment.
 *
 * @module
 */
import { Deferred, Effect } from "effect";

/** A place in one topic: the offset after the last record meant, by partition. */
export type Position = ReadonlyMap<number, number>;

interface Waiter {
  readonly table: string;
  readonly position: Position;
  readonly done: Deferred.Deferred<void>;
}

/** Upper bound of requests that wait for visibility at the same time. */
export const WAITERS_MAX = 10_000;

/** How far each table can be queried. */
export class Visible {
  readonly #positions = new Map<string, Map<number, number>>();
  readonly #waiters = new Set<Waiter>();

  /** Moves a table's visible position forward. */
  publish(table: string, position: Position): void {
    const at = this.#positions.get(table) ?? new Map<number, number>();
    this.#positions.set(table, at);
    for (const [partition, next] of position) at.set(partition, Math.max(next, at.get(partition) ?? 0));
    for (const waiter of this.#waiters) {
      if (waiter.table !== table || !this.#reached(waiter)) continue;
      this.#waiters.delete(waiter);
      Deferred.doneUnsafe(waiter.done, Effect.void);
    }
  }

  /** The visible position of a table, by partition. */
  of(table: string): Position {
    return this.#positions.get(table) ?? new Map();
  }

  /** Waits until a position can be queried; false after `waitMs`, or at once when too many wait. */
  wait(table: string, { position, waitMs }: { position: Position; waitMs: number }): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const waiter: Waiter = { table, position, done: Deferred.makeUnsafe<void>() };
      if (this.#reached(waiter)) return Effect.succeed(true);
      if (this.#waiters.size >= WAITERS_MAX) return Effect.succeed(false);
      this.#waiters.add(waiter);
      return Deferred.await(waiter.done).pipe(
        Effect.as(true),
        Effect.timeoutOrElse({ duration: waitMs, orElse: () => Effect.succeed(false) }),
        Effect.ensuring(Effect.sync(() => this.#waiters.delete(waiter))),
      );
    });
  }

  #reached({ table, position }: Waiter): boolean {
    const at = this.of(table);
    for (const [partition, next] of position) if ((at.get(partition) ?? 0) < next) return false;
    return true;
  }
}
