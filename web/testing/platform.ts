/**
 * The wiring of the test kit: everything that `weir start` runs, in this process, on a temporary folder, without a port.
 *
 *   openPlatform ──layers──▶ Door ──app──▶ request()
 *
 * The real parts of `web/main.ts`; three things differ. The time can be set:
 * the door stamps events with it, and what is read from the warehouse is
 * rewritten to ask for it. What the door refuses reaches the quarantine at
 * once. And nothing expires, because a set time and the machine's disagree
 * about what is old: the log keeps all, and TTLs are stopped.
 *
 * @module
 */
import { platformLayer } from "@weir/actors";
import {
  clickHouseWarehouse,
  embeddedClickHouse,
  RegistryAway,
  type SchemaRegistry,
  sqliteLog,
} from "@weir/connectors";
import { atTime } from "@weir/sql";
import { Effect, Layer, ManagedRuntime } from "effect";
import type { PublishedApi } from "../api/published.ts";
import { Counters } from "../counters.ts";
import type { Door } from "../door.ts";
import { app } from "../mod.ts";
import { partsOfDoor } from "../parts.ts";
import { stderrLogger } from "../stderr_logger.ts";
import { Tokens } from "../tokens.ts";
import { temporaryFolder } from "./temporary.ts";

/** Refusals are looked for this often; quick, because a test waits for them. */
const REFUSALS_EVERY_MS = 10;
/** The longest that a timer can wait: retention never comes to pass. */
const NEVER_MS = 2 ** 31 - 1;

/** A platform in this process. */
export interface Platform {
  readonly door: Door;
  /** Asks the door as an administrator. */
  readonly request: (path: string, init?: RequestInit) => Promise<Response>;
  /** How many events the door has refused and kept. */
  readonly refusedCount: () => number;
  /** Sets the time in milliseconds since 1970; undefined: the machine's own. */
  readonly setTime: (nowMs: number | undefined) => void;
  /** Forgets kept answers of APIs and what was refused: the rows were removed behind their back. */
  readonly forget: () => void;
  readonly close: () => Promise<void>;
}

/** Opens a platform; its folder and its engine go when it is closed, or with the process. */
export async function openPlatform(): Promise<Platform> {
  const folder = temporaryFolder();
  const runtime = ManagedRuntime.make(layersOn(folder.path));
  try {
    const parts = await runtime.runPromise(partsOfDoor);
    const token = `weir_${crypto.randomUUID()}`;
    const clock: { nowMs: number | undefined } = { nowMs: undefined };
    const apis = forgetful(parts.apis);
    const refused = counted(parts.refusals);
    const closing = new AbortController();
    const door: Door = {
      ...parts,
      apis: apis.apis,
      refusals: refused.refusals,
      warehouse: timed(parts.warehouse, () => clock.nowMs),
      tokens: new Tokens([{ token, caller: { name: "test", scopes: ["admin"] } }]),
      counters: new Counters(),
      closing: closing.signal,
      nowMs: () => clock.nowMs ?? Date.now(),
      run: (effect) => Effect.runPromiseExit(effect),
    };
    const web = app(door);
    return {
      door,
      request: async (path, init = {}) => {
        const headers = new Headers(init.headers);
        if (!headers.has("authorization")) headers.set("authorization", `Bearer ${token}`);
        return web.request(path, { ...init, headers });
      },
      refusedCount: refused.count,
      setTime: (nowMs) => {
        clock.nowMs = nowMs;
      },
      forget: () => {
        apis.forget();
        refused.forget();
      },
      close: async () => {
        closing.abort();
        await Effect.runPromise(Effect.provide(parts.sources.drain, stderrLogger));
        await runtime.dispose();
        folder.remove();
      },
    };
  } catch (error) {
    await runtime.dispose();
    folder.remove();
    throw error;
  }
}

/** A source that asks a registry can be defined; nothing that a test sends is asked about. */
const NOBODY: SchemaRegistry = {
  schema: () => Effect.fail(new RegistryAway({ message: "Cannot ask a schema registry: there is none in a test." })),
};

function layersOn(dir: string) {
  const warehouse = Layer.unwrap(
    Effect.map(embeddedClickHouse({ dataDir: dir }), ({ connection }) => clickHouseWarehouse(connection)),
  );
  const outside = Layer.mergeAll(warehouse, sqliteLog({ dir, retentionEveryMs: NEVER_MS }));
  return platformLayer({ refusalsEveryMs: REFUSALS_EVERY_MS, registry: NOBODY }).pipe(
    Layer.provideMerge(outside),
    Layer.provide(stderrLogger),
  );
}

/** A warehouse whose readers see the set time; what writes to it is left alone. */
function timed(warehouse: Door["warehouse"], nowMs: () => number | undefined): Door["warehouse"] {
  return {
    ...warehouse,
    stream: (query) => {
      const at = nowMs();
      return warehouse.stream(at === undefined ? query : { ...query, sql: atTime(query.sql, at) });
    },
  };
}

/** The door's refusals, and how many of them were taken since `forget`. */
function counted(refusals: Door["refusals"]) {
  let taken = 0;
  const offer: Door["refusals"]["offer"] = (event) => {
    const isTaken = refusals.offer(event);
    if (isTaken) taken += 1;
    return isTaken;
  };
  const forget = () => {
    taken = 0;
  };
  return { refusals: { ...refusals, offer }, count: () => taken, forget };
}

/** The published APIs, each as a new object after `forget`: what was kept of its answers ends with the old one. */
function forgetful({ get, all }: Door["apis"]): { readonly apis: Door["apis"]; readonly forget: () => void } {
  let known = new WeakMap<PublishedApi, PublishedApi>();
  const own = (published: PublishedApi): PublishedApi => {
    const mine = known.get(published) ?? { ...published };
    known.set(published, mine);
    return mine;
  };
  const apis: Door["apis"] = {
    get: (id) => {
      const published = get(id);
      return published && own(published);
    },
    all: () => all().map(own),
  };
  const forget = () => {
    known = new WeakMap();
  };
  return { apis, forget };
}
