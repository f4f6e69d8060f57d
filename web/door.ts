/**
 * What the door is made of: the services of the rooms below, as plain values.
 *
 *   main.ts ──layers──▶ Door ──▶ Hono routes
 *
 * @module
 */
import type { Sources } from "@weir/actors";
import type { Log, Warehouse } from "@weir/connectors";
import type { Effect, Exit } from "effect";
import type { Tokens } from "./tokens.ts";

/** The services behind the routes, and how to run an effect over them. */
export interface Door {
  readonly log: Log["Service"];
  readonly warehouse: Warehouse["Service"];
  readonly sources: Sources["Service"];
  readonly tokens: Tokens;
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Promise<Exit.Exit<A, E>>;
}
