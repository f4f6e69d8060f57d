/**
 * A ClickHouse of its own, for tests and benchmarks in which several processes share one.
 *
 *   openEngine ──embedded server──▶ url for CLICKHOUSE_URL
 *
 * @module
 */
import { embeddedClickHouse } from "@weir/connectors";
import { Effect, Exit, Scope } from "effect";
import { childOf } from "./door_process.ts";

/** A running ClickHouse. */
export interface Engine {
  /** For CLICKHOUSE_URL: with its administrator's name and password. */
  readonly url: string;
  /** Asks it, as its administrator; the answer's text. */
  readonly ask: (sql: string) => Promise<string>;
  readonly pid: () => number;
  readonly stop: () => Promise<void>;
}

/** Starts a ClickHouse on a data directory; it ends with this process. */
export async function openEngine(dataDir: string): Promise<Engine> {
  const scope = Effect.runSync(Scope.make());
  const { connection } = await Effect.runPromise(Scope.provide(embeddedClickHouse({ dataDir }), scope));
  const { user, password } = connection.accounts.admin;
  const url = Object.assign(new URL(connection.url), { username: user, password }).href;
  const { port } = new URL(url);
  return {
    url,
    ask: async (sql) => {
      const headers = { "x-clickhouse-user": user, "x-clickhouse-key": password };
      // A connection that stays open keeps the engine from stopping for 5 s.
      const response = await fetch(connection.url, { method: "POST", body: sql, headers, keepalive: false });
      const text = await response.text();
      if (!response.ok) throw new Error(`${text} in: ${sql}`);
      return text.trim();
    },
    pid: () => childOf(process.pid, `http_port=${port}`),
    stop: () => Effect.runPromise(Scope.close(scope, Exit.void)),
  };
}
