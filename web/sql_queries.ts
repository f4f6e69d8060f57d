/**
 * Queries that run: whose they are, how many one caller has, and what the engine calls them.
 *
 *   open ──▶ runs, counted for its caller ──close──▶ forgotten
 *                └── engineIdOf: only its caller or an administrator finds it
 *
 * What must hold: nobody can stop, or learn of, a query of somebody else by its id.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { Refusal } from "./errors.ts";
import { sqlTables } from "./sql_scope.ts";
import type { Caller } from "./tokens.ts";

/** Statements of one caller at the same time; the engine bounds all of them together. */
export const CALLER_QUERIES_MAX = 16;

const OWNER_CHARS = 16;

/** A query that was let in. */
export interface OpenQuery {
  /** Ids of these queries begin alike in the engine, so that nothing else can be stopped through this door. */
  readonly engineId: string;
  /** To be called once it has ended, however; again does nothing. */
  readonly close: () => void;
}

/** The queries of one door. */
export class SqlQueries {
  /** By engine id: the client's own id. */
  readonly #running = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  /** Counts a query in; throws a Refusal when its caller has too many. */
  open(caller: Caller, id: string): OpenQuery {
    const owner = ownerOf(caller);
    const count = this.#counts.get(owner) ?? 0;
    if (owner !== ADMIN && count >= CALLER_QUERIES_MAX) {
      const hint = `Wait until one of the ${CALLER_QUERIES_MAX} that run has ended, or stop it.`;
      throw new Refusal(429, "too_many_queries", "Cannot run the query: too many of this token run already.", hint);
    }
    const engineId = `sql-${owner}${id}`;
    if (this.#running.has(engineId)) {
      throw new Refusal(409, "query_id_in_use", "Cannot run the query: its id runs already.", "Use a new id.");
    }
    this.#counts.set(owner, count + 1);
    this.#running.set(engineId, id);
    return { engineId, close: () => this.#close(owner, engineId) };
  }

  #close(owner: string, engineId: string): void {
    if (!this.#running.delete(engineId)) return;
    const left = (this.#counts.get(owner) ?? 1) - 1;
    if (left > 0) this.#counts.set(owner, left);
    else this.#counts.delete(owner);
  }

  /** What the engine calls a query of the caller's, or for an administrator, of anybody's. Other doors' are the caller's own only. */
  engineIdOf(caller: Caller, id: string): string {
    const owner = ownerOf(caller);
    const own = `sql-${owner}${id}`;
    if (owner !== ADMIN || this.#running.has(own)) return own;
    for (const [engineId, running] of this.#running) if (running === id) return engineId;
    return own;
  }
}

/** Administrators stop each other's. */
const ADMIN = "";

function ownerOf(caller: Caller): string {
  if (sqlTables(caller)?.isAdmin) return ADMIN;
  const who = JSON.stringify([caller.id ?? "", caller.name]);
  return `${createHash("sha256").update(who).digest("hex").slice(0, OWNER_CHARS)}-`;
}
