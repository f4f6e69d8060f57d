/**
 * A scratch engine for tests: the project's own embedded ClickHouse, asked as its administrator.
 *
 *   engine ──embeddedClickHouse──▶ temporary folder, child process ──▶ run() · url · stop()
 *
 * @module
 */
import { embeddedClickHouse } from "@weir/connectors";
import { Effect, Exit, Logger, Scope } from "effect";
import { temporaryFolder } from "./door_process.ts";

/** One running engine. */
export interface Engine {
  /** Where it answers, with the administrator's name and password, as CLICKHOUSE_URL takes it. */
  readonly url: string;
  /** Runs one statement and returns its answer; with `body`, the statement is an insert that reads it. Throws the engine's message. */
  run(sql: string, about?: { body?: string; settings?: Readonly<Record<string, string | number>> }): Promise<string>;
  stop(): Promise<void>;
}

/** Starts an engine of its own; throws if it does not answer in time. */
export async function engine(): Promise<Engine> {
  const folder = temporaryFolder("engine");
  const scope = Scope.makeUnsafe();
  const started = embeddedClickHouse({ dataDir: folder.path }).pipe(
    Scope.provide(scope),
    Effect.provide(Logger.layer([])),
  );
  const { url, accounts } = (await Effect.runPromise(started)).connection;
  const { user, password } = accounts.admin;
  return {
    url: url.replace("://", `://${user}:${encodeURIComponent(password)}@`),
    run: (sql, about = {}) => ask({ url, user, password }, sql, about),
    stop: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void));
      folder.remove();
    },
  };
}

interface At {
  readonly url: string;
  readonly user: string;
  readonly password: string;
}

async function ask(
  { url, user, password }: At,
  sql: string,
  about: Parameters<Engine["run"]>[1] = {},
): Promise<string> {
  const parameters = new URLSearchParams({ wait_end_of_query: "1" });
  for (const [name, value] of Object.entries(about.settings ?? {})) parameters.set(name, String(value));
  if (about.body !== undefined) parameters.set("query", sql);
  const headers = { "x-clickhouse-user": user, "x-clickhouse-key": password };
  const request = { method: "POST", body: about.body ?? sql, headers };
  // A connection that stays open keeps the engine from stopping for 5 s.
  const response = await fetch(`${url}/?${parameters}`, { ...request, keepalive: false });
  const answer = await response.text();
  if (!response.ok) throw new Error(answer);
  return answer;
}
