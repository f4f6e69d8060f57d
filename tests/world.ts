/**
 * The test wiring: a whole platform in this process, on a temporary folder, without a port.
 *
 *   openWorld ──layers──▶ Door ──app──▶ request() · sql() · post()
 *
 * The twin of `web/main.ts`.
 *
 * @module
 */
import { join } from "node:path";
import { platformLayer } from "@weir/actors";
import {
  clickHouseWarehouse,
  embeddedClickHouse,
  type SchemaRegistry,
  type SqliteLogOptions,
  sqliteLog,
  Warehouse,
} from "@weir/connectors";
import { app, Counters, type Door, partsOfDoor, Tokens } from "@weir/web";
import { Effect, Layer, Logger, ManagedRuntime } from "effect";
import { temporaryFolder } from "./door_process.ts";

/** A platform under test. */
export interface World {
  readonly door: Door;
  readonly token: string;
  readonly request: (path: string, init?: RequestInit) => Promise<Response>;
  /** Posts with the administrator's token. */
  readonly post: (
    path: string,
    body: string | Uint8Array,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Response>;
  readonly sql: <Row = Record<string, unknown>>(text: string) => Promise<readonly Row[]>;
  /** Applies definitions given as path or source's name → text. */
  readonly apply: (sources: Readonly<Record<string, string>>) => Promise<void>;
  readonly close: () => Promise<void>;
  /** Ends it without finishing what is announced. */
  readonly kill: () => Promise<void>;
}

const TOKEN = "weir_test";

/** Stands between the platform and its warehouse, to cut off what it is told. */
export type OverWarehouse = (warehouse: Warehouse["Service"]) => Warehouse["Service"];

interface WorldOptions extends Partial<SqliteLogOptions> {
  readonly chunkRows?: number;
  readonly path?: string;
  readonly over?: OverWarehouse;
  readonly registry?: SchemaRegistry;
}

/**
 * Opens a platform on a temporary folder, or on that of a world that was closed; `log` shortens or tightens the log,
 * `chunkRows` the backfills.
 */
export async function openWorld(options: WorldOptions = {}): Promise<World> {
  const { chunkRows, path, over = (same) => same, registry, ...log } = options;
  const folder = path === undefined ? temporaryFolder("world") : { path, remove: () => undefined };
  const engine = embeddedClickHouse({ dataDir: folder.path });
  const warehouse = Layer.unwrap(Effect.map(engine, ({ connection }) => clickHouseWarehouse(connection)));
  const between = Layer.effect(Warehouse, Effect.map(Warehouse, over)).pipe(Layer.provide(warehouse));
  const outside = Layer.mergeAll(between, sqliteLog({ dir: folder.path, ...log }));
  const backups = { dir: join(folder.path, "backups") };
  const parts = platformLayer({ chunkRows, backups, registry }).pipe(
    Layer.provideMerge(outside),
    Layer.provide(Logger.layer([])),
  );
  const runtime = ManagedRuntime.make(parts);
  const services = await runtime.runPromise(partsOfDoor);
  const tokens = new Tokens([{ token: TOKEN, caller: { name: "admin", scopes: ["admin"] } }]);
  const door: Door = {
    ...services,
    tokens,
    counters: new Counters(),
    run: (effect) => Effect.runPromiseExit(effect),
  };
  const web = app(door);
  const request: World["request"] = async (path, init) => web.request(path, init);
  const post: World["post"] = (path, body, headers = {}) =>
    request(path, { method: "POST", body, headers: { authorization: `Bearer ${TOKEN}`, ...headers } });
  return {
    door,
    token: TOKEN,
    request,
    post,
    sql: async <Row>(text: string) => {
      const response = await post("/v1/sql", text);
      const answer = (await response.json()) as { data: readonly Row[]; error?: { message: string } };
      if (!response.ok) throw new Error(`${answer.error?.message} in: ${text}`);
      return answer.data;
    },
    apply: async (sources) => {
      const files = Object.entries(sources).map(([name, text]) => ({
        path: name.includes("/") ? name : `ods/${name}.sql`,
        text,
      }));
      const response = await post("/v1/admin/definitions", JSON.stringify({ files }), {
        "content-type": "application/json",
      });
      const answer = (await response.json()) as { done?: boolean };
      if (!answer.done) throw new Error(`The definitions were not applied: ${JSON.stringify(answer)}`);
    },
    kill: () => runtime.dispose(),
    close: async () => {
      await Effect.runPromise(services.sources.drain);
      await runtime.dispose();
      folder.remove();
    },
  };
}
