/**
 * `weir/test`: a warehouse of one's own for a test. The real one, whole, in this process, ready in half a second.
 *
 *   openWarehouse({ project }) ──▶ ingest · rejected · setTime ──▶ sql · api · quarantine · check ──close──▶ nothing is left
 *
 * ```ts
 * test("a sale is counted on its day", async () => {
 *   await using warehouse = await openWarehouse({ project: import.meta.dir, now: "2026-03-01T10:00:00Z" });
 *   await warehouse.ingest("sale", [{ order_id: "a-1", sold_at: "2026-03-01T09:30:00Z", price: "19.90", quantity: 2 }]);
 *   expect(await warehouse.api("sales_day", { limit: 1 })).toEqual([{ day: "2026-03-01", orders: "1", revenue: "39.8" }]);
 * });
 * ```
 *
 * The door, the log, ClickHouse, the planner and their strictness are those of
 * `weir start`; nothing is imitated. At the top of a test file write
 * `const warehouse = await openWarehouse(…)` and
 * `afterAll(() => warehouse.close())`: `await using` would close it before the
 * tests run.
 *
 * @module
 */
import { resolve } from "node:path";
import {
  type ApiParams,
  ask,
  askApi,
  type Checked,
  check,
  ingest,
  type Quarantined,
  quarantine,
  type Rejected,
  rejected,
  statementOf,
  type TestEvent,
  WarehouseRefused,
} from "./testing/asking.ts";
import { type Changed, clear, type Definitions, define } from "./testing/defining.ts";
import { openPlatform, type Platform } from "./testing/platform.ts";
import type { SqlValue } from "./testing/statement.ts";

export {
  type ApiParams,
  type Changed,
  type Checked,
  type Definitions,
  type Quarantined,
  type Rejected,
  type SqlValue,
  type TestEvent,
  WarehouseRefused,
};

/** What a test's warehouse begins with. */
export interface WarehouseOptions {
  /** Folder of definitions, for example `import.meta.dir`. */
  readonly project?: string;
  /** Definitions over those of the folder, or without one. */
  readonly definitions?: Definitions;
  /** The time that it is; the machine's own by default. */
  readonly now?: string | Date;
}

/** One row of an answer, as JSON has it: 64-bit integers and Decimals are text, times RFC 3339. */
export type Row = Readonly<Record<string, unknown>>;

/** A warehouse for tests. Every method throws a WarehouseRefused that says what to correct. */
export interface TestWarehouse extends AsyncDisposable {
  /** Sends one event or several; resolves when they can be queried in every model and throws if one is refused. */
  readonly ingest: (source: string, events: TestEvent | readonly TestEvent[]) => Promise<void>;
  /** Sends events of which some are wrong; answers those with the reasons, the others are ingested. */
  readonly rejected: (source: string, events: TestEvent | readonly TestEvent[]) => Promise<readonly Rejected[]>;
  /** Runs a SELECT, as an administrator: a template whose values are bound, or a text and the values of its `{name:Type}`. */
  readonly sql: {
    <R = Row>(parts: TemplateStringsArray, ...values: readonly SqlValue[]): Promise<readonly R[]>;
    <R = Row>(text: string, params?: Readonly<Record<string, SqlValue>>): Promise<readonly R[]>;
  };
  /** Asks a published API; answers its rows. */
  readonly api: <R = Row>(id: string, params?: ApiParams) => Promise<readonly R[]>;
  /** What could not be stored, the oldest first: of one source or of all, at most 500. */
  readonly quarantine: (source?: string) => Promise<readonly Quarantined[]>;
  /** Recomputes one model, or all, over the sources' rows; throws if what is stored differs. */
  readonly check: (model?: string) => Promise<readonly Checked[]>;
  /** Applies definitions by path, as `weir apply` would; what would lose stored values only if that is allowed. */
  readonly apply: (
    definitions: Definitions,
    options?: { readonly allowDestructive?: boolean },
  ) => Promise<readonly Changed[]>;
  /**
   * Sets the time, which then stands still. It is what events are stamped and judged with (`_ingest_time`, "an hour ahead"),
   * and what `now()`, `now64()`, `today()`, `yesterday()` and `CURRENT_TIMESTAMP` answer in SELECTs and APIs. Not reached:
   * `refresh` models, SQL functions and dimensions, which run inside ClickHouse, the expiry of tokens, and Weir's own
   * protocol. Rows and log never expire here, whatever `ttl` and `retention` say.
   */
  readonly setTime: (now: string | Date) => void;
  /** Removes all rows, quickly; definitions, dimensions and the time stay. */
  readonly clear: () => Promise<void>;
  /** Asks the door itself, with an administrator's token unless the headers say another. */
  readonly request: (path: string, init?: RequestInit) => Promise<Response>;
  /** Stops everything and removes its folder. */
  readonly close: () => Promise<void>;
}

/** Opens a warehouse for tests. It is gone when it is closed, and with the process however that ends. */
export async function openWarehouse(options: WarehouseOptions = {}): Promise<TestWarehouse> {
  const { definitions = {}, now } = options;
  const project = options.project === undefined ? undefined : resolve(options.project);
  const nowMs = now === undefined ? undefined : millisecondsOf(now);
  const platform = await openPlatform();
  platform.setTime(nowMs);
  try {
    await define(platform, { project, isWhole: true, definitions, allowDestructive: false });
  } catch (error) {
    await platform.close();
    throw error;
  }
  return warehouseOver(platform, project);
}

function warehouseOver(platform: Platform, project: string | undefined): TestWarehouse {
  let closed: Promise<void> | undefined;
  const close = () => (closed ??= platform.close());
  const open = (): Platform => {
    if (closed === undefined) return platform;
    const hint = "At the top of a test file write `const warehouse = …` and `afterAll(() => warehouse.close())`.";
    throw new WarehouseRefused(`Cannot use the warehouse: it is closed. ${hint}`);
  };
  const listOf = (events: TestEvent | readonly TestEvent[]) =>
    Array.isArray(events) ? (events as readonly TestEvent[]) : [events as TestEvent];
  return {
    ingest: pointing(async (source, events) => ingest(open(), source, listOf(events))),
    rejected: pointing(async (source, events) => rejected(open(), source, listOf(events))),
    sql: pointing(async (statement: TemplateStringsArray | string, ...values: readonly unknown[]) =>
      ask(open(), statementOf(statement, values)),
    ) as TestWarehouse["sql"],
    api: pointing(async (id: string, params: ApiParams = {}) => askApi(open(), id, params)) as TestWarehouse["api"],
    quarantine: pointing(async (source) => quarantine(open(), source)),
    check: pointing(async (model) => check(open(), model)),
    apply: pointing(async (definitions, { allowDestructive = false } = {}) =>
      define(open(), { project, isWhole: false, definitions, allowDestructive }),
    ),
    setTime: (now) => open().setTime(millisecondsOf(now)),
    clear: pointing(async () => clear(open())),
    request: async (path, init) => open().request(path, init),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A method whose refusals point at the test's line that called it, not into the kit. */
function pointing<Args extends readonly unknown[], A>(work: (...args: Args) => Promise<A>) {
  return async function method(...args: Args): Promise<A> {
    const refused = new WarehouseRefused("");
    Error.captureStackTrace(refused, method);
    try {
      return await work(...args);
    } catch (error) {
      if (!(error instanceof WarehouseRefused)) throw error;
      refused.message = error.message;
      throw refused;
    }
  };
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)$/;

/** Milliseconds since 1970 of a time that means the same on every machine. */
function millisecondsOf(now: string | Date): number {
  const ms = typeof now === "string" ? (TIME.test(now) ? Date.parse(now) : Number.NaN) : now.getTime();
  if (ms >= 0) return ms;
  const shown = typeof now === "string" ? `'${now}'` : String(now);
  throw new WarehouseRefused(
    `Cannot set the time: ${shown} is none. Write it as 2026-03-01T10:00:00Z, or give a Date.`,
  );
}
