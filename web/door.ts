/**
 * What the door is made of: the services of the rooms below, as plain values.
 *
 *   main.ts ──layers──▶ Door ──▶ Hono routes
 *
 * @module
 */
import type { Backups, Catalog, Refusals, Sources } from "@weir/actors";
import type { Log, Warehouse } from "@weir/connectors";
import type { Effect, Exit } from "effect";
import type { Apis } from "./api/published.ts";
import type { Counters } from "./counters.ts";
import type { Caller, Tokens } from "./tokens.ts";

/** What a process does: answer at the door, land what is in the log, or both. */
export type Role = "all" | "gateway" | "worker";

/** The services behind the routes, and how to run an effect over them. */
export interface Door {
  readonly log: Log["Service"];
  readonly warehouse: Warehouse["Service"];
  readonly sources: Sources["Service"];
  readonly catalog: Catalog["Service"];
  readonly refusals: Refusals["Service"];
  readonly backups: Backups["Service"];
  readonly apis: Apis;
  readonly tokens: Tokens;
  readonly counters: Counters;
  /** What this process does; all of it unless told otherwise. */
  readonly role?: Role;
  /** True when the port is open beyond loopback. Otherwise only loopback's own names are answered, against DNS rebinding. */
  readonly takesAnyHost?: boolean;
  /** Aborted when the door begins to close: what never ends by itself ends then. */
  readonly closing?: AbortSignal;
  /** The time that events are judged and stamped by, in milliseconds since 1970; the machine's own unless a test sets one. */
  readonly nowMs?: () => number;
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Promise<Exit.Exit<A, E>>;
}

/** What the guard leaves in a request's context. */
export interface DoorEnv {
  /** `foreignOrigin`: the page's origin where it is another than the door's own. */
  Variables: { caller: Caller | undefined; foreignOrigin?: string };
}
