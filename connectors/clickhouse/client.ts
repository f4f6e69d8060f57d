/**
 * The port `Warehouse` over ClickHouse's HTTP interface; embedded and external alike.
 *
 *   actors, web ──▶ this ──statement + rows in one body──▶ http.ts ──▶ ClickHouse
 *
 * Nothing is repeated here: whoever repeats an insert knows its token. Every
 * answer but a stream is waited for whole (`wait_end_of_query=1`), so that a
 * status of 200 means done.
 *
 * @module
 */
import type { IncomingMessage } from "node:http";
import { Clock, Effect, Layer } from "effect";
import {
  type Account,
  type Insert,
  type Settings,
  type StreamQuery,
  Warehouse,
  type WarehouseFailed,
} from "../warehouse.ts";
import { answerStream } from "./answer_stream.ts";
import type { ClickHouseConnection } from "./connection.ts";
import { failureOf, lostExchange } from "./errors.ts";
import { type Exchange, makeTransport, readWhole, type Transport } from "./http.ts";

/** A statement without rows: DDL, backfills. The engine's own limits come first. */
const COMMAND_MS_MAX = 3_600_000;
/** An insert, whose batch is bounded and whose deadline is 60 s. */
const INSERT_MS_MAX = 120_000;
/** A small answer. */
const ROWS_MS_MAX = 120_000;
/** The head of a streamed answer; its rows may take as long as the consumer does. */
const STREAM_HEAD_MS_MAX = 120_000;
const PING_MS_MAX = 2_000;
/** Pauses between pings while waiting: doubled from the first to the last. */
const PING_PAUSE_MS = { from: 20, upTo: 500 } as const;
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
const ERROR_BYTES_MAX = 1024 * 1024;

/** The warehouse at `connection`. Its connections close with the scope. */
export function clickHouseWarehouse(connection: ClickHouseConnection): Layer.Layer<Warehouse> {
  return Layer.effect(
    Warehouse,
    Effect.acquireRelease(
      Effect.sync(() => makeTransport(connection.url)),
      (transport) => Effect.sync(transport.close),
    ).pipe(Effect.map((transport) => warehouseOver({ connection, transport }))),
  );
}

interface Client {
  readonly connection: ClickHouseConnection;
  readonly transport: Transport;
}

interface Call {
  readonly account: Account;
  readonly search: Exchange["search"];
  readonly body: Exchange["body"];
  readonly timeoutMs: number;
}

function warehouseOver(client: Client): Warehouse["Service"] {
  return Warehouse.of({
    ready: (waitMs) => ready(client, waitMs),
    command: (account, sql, settings) => command(client, { account, sql, settings }),
    rows: <Row>(account: Account, sql: string, settings?: Settings) =>
      rows(client, { account, sql, settings }) as Effect.Effect<readonly Row[], WarehouseFailed>,
    insert: (insert) => insertRows(client, insert),
    stream: (query) => stream(client, query),
    stop: (queryId) => stop(client, queryId),
  });
}

interface Statement {
  readonly account: Account;
  readonly sql: string;
  readonly settings?: Settings | undefined;
}

const ready = Effect.fn("warehouse.ready")(function* ({ transport }: Client, waitMs: number) {
  const deadline = (yield* Clock.currentTimeMillis) + waitMs;
  for (let pauseMs: number = PING_PAUSE_MS.from; ; pauseMs = Math.min(pauseMs * 2, PING_PAUSE_MS.upTo)) {
    const leftMs = deadline - (yield* Clock.currentTimeMillis);
    if (yield* Effect.promise(() => transport.ping(Math.max(1, Math.min(PING_MS_MAX, leftMs))))) return true;
    if (leftMs <= pauseMs) return false;
    yield* Effect.sleep(pauseMs);
  }
});

const command = Effect.fn("warehouse.command")(function* (client: Client, { account, sql, settings }: Statement) {
  const search = { ...settings, wait_end_of_query: 1 };
  yield* whole(client, { account, search, body: [Buffer.from(sql)], timeoutMs: COMMAND_MS_MAX });
});

const rows = Effect.fn("warehouse.rows")(function* (client: Client, { account, sql, settings }: Statement) {
  const search = {
    output_format_json_quote_64bit_integers: 1,
    ...settings,
    default_format: "JSONEachRow",
    wait_end_of_query: 1,
  };
  const { body } = yield* whole(client, { account, search, body: [Buffer.from(sql)], timeoutMs: ROWS_MS_MAX });
  const lines = body.toString("utf8").split("\n");
  return lines.filter((line) => line !== "").map((line): unknown => JSON.parse(line));
});

const insertRows = Effect.fn("warehouse.insert")(function* (client: Client, insert: Insert) {
  const { head } = yield* whole(client, {
    account: "writer",
    search: { ...insert.settings, wait_end_of_query: 1 },
    body: [Buffer.from(`${insert.statement}\n`), ...insert.body],
    timeoutMs: INSERT_MS_MAX,
  });
  const summary: { written_rows?: string } = JSON.parse(String(head.headers["x-clickhouse-summary"] ?? "{}"));
  return { rowsWritten: Number(summary.written_rows ?? 0) };
});

const stream = Effect.fn("warehouse.stream")(function* (client: Client, query: StreamQuery) {
  const head = yield* Effect.tryPromise({
    try: (signal) =>
      answered(client, {
        account: query.account,
        search: { ...query.settings, ...searchParams(query), default_format: query.format, query_id: query.queryId },
        body: [Buffer.from(query.sql)],
        timeoutMs: STREAM_HEAD_MS_MAX,
        signal,
      }),
    catch: lostExchange,
  });
  // A reader's query ends with its connection (a setting says so); the others' have to be stopped.
  const onCancel = () => {
    if (query.account !== "reader") Effect.runFork(Effect.ignore(stop(client, query.queryId)));
  };
  return answerStream(head, onCancel);
});

const stop = Effect.fn("warehouse.stop")(function* (client: Client, queryId: string) {
  const { body } = yield* whole(client, {
    account: "admin",
    search: { param_id: escapeParameter(queryId), default_format: "JSONEachRow", wait_end_of_query: 1 },
    body: [Buffer.from("KILL QUERY WHERE query_id = {id:String} ASYNC")],
    timeoutMs: ROWS_MS_MAX,
  });
  return body.byteLength > 0;
});

/** One exchange, its answer read to the end. */
function whole(client: Client, call: Call): Effect.Effect<{ head: IncomingMessage; body: Buffer }, WarehouseFailed> {
  return Effect.tryPromise({
    try: async (signal) => {
      const head = await answered(client, { ...call, signal });
      return { head, body: await readWhole(head, { bytesMax: ANSWER_BYTES_MAX, timeoutMs: call.timeoutMs, signal }) };
    },
    catch: lostExchange,
  });
}

/** Sends and waits for the head; an answer that is an error is read and thrown. */
async function answered(client: Client, call: Call & { readonly signal: AbortSignal }): Promise<IncomingMessage> {
  const { connection, transport } = client;
  const own = call.account === "reader" ? connection.readerSettings : {};
  const head = await transport.send({
    credentials: connection.accounts[call.account],
    search: { ...own, ...call.search, ...clamped(own, call.search) },
    body: call.body,
    timeoutMs: call.timeoutMs,
    signal: call.signal,
  });
  const codeHeader = head.headers["x-clickhouse-exception-code"];
  if (head.statusCode === 200 && codeHeader === undefined) return head;
  const { timeoutMs, signal } = call;
  const text = (await readWhole(head, { bytesMax: ERROR_BYTES_MAX, timeoutMs, signal })).toString("utf8");
  throw failureOf({ status: head.statusCode ?? 0, codeHeader: codeHeader?.toString(), text });
}

/** A reader's own limits (external ClickHouse) can be lowered by a call, never raised. */
function clamped(own: Settings, asked: Exchange["search"]): Settings {
  const limits = Object.entries(own).filter(([name]) => name.startsWith("max_"));
  const lower = (name: string, max: number) => {
    const value = Number(asked[name] ?? max);
    return value > 0 && value < max ? value : max;
  };
  const held = limits.map(([name, max]): [string, string | number] => [name, lower(name, Number(max))]);
  if (own.readonly !== undefined) held.push(["readonly", own.readonly]);
  return Object.fromEntries(held);
}

/** `{name:Type}` values as `param_name`. Composite types are literals already; a scalar is escaped as TSV. */
export function searchParams({ sql, params }: Pick<StreamQuery, "sql" | "params">): Record<string, string> {
  const composite = new Set<string>();
  for (const [, name, type] of sql.matchAll(/\{\s*(\w+)\s*:\s*(\w+)/g)) {
    if (/^(Array|Map|Tuple|Nested|Variant|Dynamic|JSON)$/.test(type!)) composite.add(name!);
  }
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => [
      `param_${name}`,
      composite.has(name) ? value : escapeParameter(value),
    ]),
  );
}

/** Escapes a value as ClickHouse's TabSeparated does, which is how it reads parameters. */
export function escapeParameter(value: string): string {
  const names: Record<string, string> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0" };
  return value.replace(/[\\\t\n\r\0]/g, (mark) => names[mark]!);
}
