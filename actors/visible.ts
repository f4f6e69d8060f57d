/**
 * Visible: how far each table can be queried, and who waits for more.
 *
 *   table actor ──commit──▶ Visible ──▶ `?wait=1` answers
 *                              ├──▶ commits: is a kept answer still the answer?
 *                              └──▶ listeners: look again
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

/** How often a table grew in this process. Equal counts: the table has not changed in between. */
export interface Commits {
  readonly count: number;
  /** When the newest commit became visible, milliseconds since 1970; undefined when none did since the start. */
  readonly newestMs: number | undefined;
}

const NO_COMMITS: Commits = { count: 0, newestMs: undefined };

/** Upper bound of requests that wait for visibility at the same time. */
export const WAITERS_MAX = 10_000;

/** How far each table can be queried. */
export class Visible {
  readonly #positions = new Map<string, Map<number, number>>();
  readonly #commits = new Map<string, Commits>();
  readonly #waiters = new Set<Waiter>();
  readonly #listeners = new Set<(table: string) => void>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = Date.now) {
    this.#nowMs = nowMs;
  }

  /** Moves a table's visible position forward. */
  publish(table: string, position: Position): void {
    const at = this.#positions.get(table) ?? new Map<number, number>();
    this.#positions.set(table, at);
    let moved = false;
    let committed = false;
    for (const [partition, next] of position) {
      const known = at.get(partition);
      if (next <= (known ?? -1)) continue;
      at.set(partition, next);
      moved = true;
      // The first word of a partition is an assignment: its rows may be old.
      committed ||= known !== undefined;
    }
    if (moved) this.#count(table, committed);
    for (const waiter of this.#waiters) {
      if (waiter.table !== table || !this.#reached(waiter)) continue;
      this.#waiters.delete(waiter);
      Deferred.doneUnsafe(waiter.done, Effect.void);
    }
  }

  /** Forgets a table's positions: it begins anew, in a new epoch. */
  forget(table: string): void {
    if (this.#positions.delete(table)) this.#count(table, true);
  }

  /** The visible position of a table, by partition. */
  of(table: string): Position {
    return this.#positions.get(table) ?? new Map();
  }

  /** How often a table grew, and when last. */
  commits(table: string): Commits {
    return this.#commits.get(table) ?? NO_COMMITS;
  }

  /** Calls `listener` with each table that grew, at once and in the committing actor's turn; answers how to stop it. */
  listen(listener: (table: string) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
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

  #count(table: string, committed: boolean): void {
    const { count, newestMs } = this.commits(table);
    this.#commits.set(table, { count: count + 1, newestMs: committed ? this.#nowMs() : newestMs });
    for (const listener of this.#listeners) listener(table);
  }

  #reached({ table, position }: Waiter): boolean {
    const at = this.of(table);
    for (const [partition, next] of position) if ((at.get(partition) ?? 0) < next) return false;
    return true;
  }
}
