/**
 * Scopes of SQL: which tables a caller's statements may read.
 *
 *   sql:read ──▶ every layer but ods · sql:dws ──▶ a layer · sql:dws.airport_hour ──▶ a table · admin ──▶ everything
 *
 * @module
 */
import { LAYERS } from "@weir/sql";
import type { MiddlewareHandler } from "hono";
import type { DoorEnv } from "./door.ts";
import { Refusal } from "./errors.ts";
import type { Caller } from "./tokens.ts";

/** What a caller may read. */
export interface SqlTables {
  /** The administrator: judged by `statement.ts` alone, run by the engine's account `admin`. */
  readonly isAdmin: boolean;
  readonly mayRead: (table: { readonly database: string; readonly name: string }) => boolean;
  /** The same for callers who may read the same. */
  readonly key: string;
}

const PREFIX = "sql:";

/** What a caller's scopes let SQL read; undefined if they name no SQL at all. */
export function sqlTables({ scopes }: Pick<Caller, "scopes">): SqlTables | undefined {
  if (scopes.includes("admin")) return { isAdmin: true, mayRead: () => true, key: "admin" };
  const named = scopes.filter((scope) => scope.startsWith(PREFIX)).map((scope) => scope.slice(PREFIX.length));
  const all = named.flatMap((name) => (name === "read" ? LAYERS.filter((layer) => layer !== "ods") : [name]));
  // A scope can only name layers and what is in them: never the engine's own databases.
  const known = new Set(all.filter((name) => LAYERS.some((layer) => layer === name.split(".", 1)[0])));
  if (known.size === 0) return undefined;
  return {
    isAdmin: false,
    mayRead: ({ database, name }) =>
      known.has(`${database}.${name}`) || (LAYERS.some((layer) => layer === database) && known.has(database)),
    key: [...known].sort().join(" "),
  };
}

/** Lets only callers through whose scopes name SQL. */
export const sqlScoped: MiddlewareHandler<DoorEnv> = async (c, next) => {
  const caller = c.get("caller");
  if (caller === undefined || sqlTables(caller) === undefined) {
    const hint = "Use a token with the scope sql:read, sql:<layer> or sql:<layer>.<table>.";
    throw new Refusal(403, "forbidden", "Cannot do that: the token has no scope for SQL.", hint);
  }
  await next();
};
