/**
 * A door over parts that answer what a test tells them to.
 *
 * @module
 */
import { type Applied, type Kept, Registry, type RunningSource, Visible } from "@weir/actors";
import { LogFailed, type StreamQuery, WarehouseFailed } from "@weir/connectors";
import { Effect } from "effect";
import type { Hono } from "hono";
import { type Apis, NO_APIS } from "./api/published.ts";
import { Counters } from "./counters.ts";
import type { Door, DoorEnv } from "./door.ts";
import { app } from "./mod.ts";
import { Tokens } from "./tokens.ts";

/** A part of the fake warehouse's stream: bytes, or the failure that ends it. */
export type Piece = string | Uint8Array | Error;

/** What the parts answer, and what they were asked. */
export class Script {
  pieces: readonly Piece[] = [];
  refuses: WarehouseFailed | undefined;
  rows: readonly unknown[] = [];
  isReady = true;
  logFails: LogFailed | undefined;
  applied: Applied = { changes: [], errors: [], conflicts: [], catalog: 1, done: true };
  kept: Kept[] = [];
  running: RunningSource[] = [];
  apis: Apis = NO_APIS;
  stopped = true;
  readonly queries: StreamQuery[] = [];
  readonly statements: string[] = [];
  readonly stops: string[] = [];
  readonly applies: unknown[] = [];
  cancelled = 0;
  readonly registry = new Registry();
  readonly visible = new Visible();
  readonly counters = new Counters();
}

/** Tokens that the fake door knows. */
export const TOKENS = { admin: "admin-token", ingest: "ingest-token" } as const;

/** A door over the script, and a way to ask it. */
export function fakeDoor(script: Script, more: Partial<Door> = {}) {
  const door: Door = {
    log: fakeLog(script),
    warehouse: fakeWarehouse(script),
    sources: fakeSources(script),
    catalog: fakeCatalog(script),
    apis: { get: (id) => script.apis.get(id), all: () => script.apis.all() },
    refusals: { offer: () => true, dropped: () => 0 },
    backups: { make: () => Effect.die("not in this test"), all: Effect.succeed(undefined) },
    tokens: new Tokens([
      { token: TOKENS.admin, caller: { name: "admin", scopes: ["admin"] } },
      { token: TOKENS.ingest, caller: { name: "app", scopes: ["ingest:flight"] } },
    ]),
    counters: script.counters,
    run: (effect) => Effect.runPromiseExit(effect),
    ...more,
  };
  const hono: Hono<DoorEnv> = app(door);
  const ask = (path: string, init: RequestInit & { token?: string | null } = {}) => {
    const { token = TOKENS.admin, ...rest } = init;
    const headers = new Headers(rest.headers);
    if (token !== null) headers.set("authorization", `Bearer ${token}`);
    return Promise.resolve(hono.request(path, { ...rest, headers }));
  };
  return { door, hono, ask };
}

function fakeWarehouse(script: Script): Door["warehouse"] {
  return {
    ready: () => Effect.succeed(script.isReady),
    command: () => Effect.void,
    rows: <Row>(_: unknown, sql: string) => {
      script.statements.push(sql);
      return Effect.succeed(script.rows as readonly Row[]);
    },
    insert: () => Effect.succeed({ rowsWritten: 0 }),
    stream: (query) => {
      script.queries.push(query);
      return script.refuses === undefined ? Effect.sync(() => streamOf(script)) : Effect.fail(script.refuses);
    },
    stop: (id) => {
      script.stops.push(id);
      return Effect.succeed(script.stopped);
    },
  };
}

function streamOf(script: Script): ReadableStream<Uint8Array> {
  const left = [...script.pieces];
  return new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        const piece = left.shift();
        if (piece === undefined) controller.close();
        else if (piece instanceof Error) controller.error(piece);
        else controller.enqueue(typeof piece === "string" ? Buffer.from(piece) : piece);
      },
      cancel: () => {
        script.cancelled += 1;
      },
    },
    { highWaterMark: 0 },
  );
}

function fakeLog(script: Script): Door["log"] {
  const answer = <A>(value: A) =>
    Effect.suspend(() => (script.logFails ? Effect.fail(script.logFails) : Effect.succeed(value)));
  const none = new LogFailed({ reason: "invalid", message: "not in this test", retriable: false });
  return {
    keepsKeys: true,
    topic: () => answer(undefined),
    offsets: () =>
      answer([
        { partition: 0, earliest: 10, latest: 25 },
        { partition: 1, earliest: 0, latest: 0 },
      ]),
    createTopic: () => Effect.fail(none),
    deleteTopic: () => Effect.fail(none),
    alterTopic: () => Effect.fail(none),
    append: () => Effect.fail(none),
    read: () => Effect.fail(none),
    join: () => Effect.fail(none),
    commit: () => Effect.fail(none),
    committed: () => Effect.fail(none),
    isShared: false,
    members: () => Effect.succeed([]),
    diskBytes: Effect.succeed(undefined),
    copy: () => Effect.fail(none),
  };
}

function fakeSources(script: Script): Door["sources"] {
  return {
    registry: script.registry,
    visible: script.visible,
    get: (name) => script.running.find(({ applied }) => applied.source.name === name),
    all: () => script.running,
    atRest: (work) => work,
    drain: Effect.void,
  };
}

function fakeCatalog(script: Script): Door["catalog"] {
  const none = new LogFailed({ reason: "invalid", message: "not in this test", retriable: false });
  return {
    apply: (files, options) => {
      script.applies.push({ files, options });
      return Effect.succeed(script.applied);
    },
    resume: () => Effect.succeed(script.applied),
    check: () => Effect.fail(none),
    all: () => script.kept,
    broken: () => [],
    api: () => undefined,
    apis: () => [],
    suspendedAbove: () => [],
    unchanged: (work) => work,
    backfills: () => [],
    positions: { look: () => Effect.fail(none), accept: () => Effect.fail(none), reset: () => Effect.fail(none) },
  };
}

/** A source that runs in the fake door, as far as routes look at it. */
export const FLIGHT = {
  applied: {
    source: {
      kind: "source",
      layer: "ods",
      name: "flight",
      doc: "Flights.",
      topic: "flight",
      partitions: 2,
      key: "flight_id",
      eventTime: undefined,
      unknown: "reject",
      format: { kind: "json" },
      drift: "quarantine",
      retention: {},
      partitionBy: "month",
      columns: [{ name: "flight_id", type: "String", comment: "unique", codec: "" }],
    },
    text: "CREATE TABLE …",
    version: 3,
    catalog: 7,
  },
  target: { statement: "ods.flight" },
} as unknown as RunningSource;

/** The same source as the catalog holds it. */
export const FLIGHT_KEPT = {
  definition: FLIGHT.applied.source,
  text: FLIGHT.applied.text,
  digest: "",
  version: 3,
  isActive: true,
  entry: {
    kind: "source",
    layer: "ods",
    name: "flight",
    version: 3,
    catalog: 7,
    state: "active",
    note: "",
    author: "admin",
    applied_at: "2026-01-01 00:00:00.000",
    file: "ods/flight.sql",
    text: FLIGHT.applied.text,
    digest: "",
  },
} as unknown as Kept;

/** A failure of the warehouse. */
export function warehouseFailed(outcome: WarehouseFailed["outcome"], code: number, message = "No."): WarehouseFailed {
  return new WarehouseFailed({ outcome, code, message });
}
