/**
 * SQL over HTTP: one statement that reads, its answer streamed in the format that was asked for.
 *
 *   POST /v1/sql ──check──▶ admin's ─────────────────▶ engine (readonly=1, bounded) ──rows──▶ JSON · NDJSON · CSV · …
 *                      └──▶ others' ──judge──▶ reader ──▶┘
 *   GET /v1/sql/schema ──▶ what the caller may read
 *   DELETE /v1/sql/<id> ──▶ the engine stops it, if it is the caller's own
 *
 * What must hold: a failure before the first row is an answer with its status,
 * a later one cuts the connection, so that half an answer never looks whole;
 * a client that leaves takes its query with it.
 *
 * @module
 */
import type { Settings, StreamQuery } from "@weir/connectors";
import { Effect } from "effect";
import { Hono } from "hono";
import { safeCsv } from "./csv_safe.ts";
import type { Door, DoorEnv } from "./door.ts";
import { clientGone, orRefuse, Refusal, refusalOf, refusalOfError } from "./errors.ts";
import { jsonAnswer } from "./framing.ts";
import { readBody } from "./request_body.ts";
import { type Format, formatOf, headersOf } from "./sql_formats.ts";
import { SqlJudge } from "./sql_judge.ts";
import { SqlQueries } from "./sql_queries.ts";
import { schemaOf } from "./sql_schema.ts";
import { sqlScoped, sqlTables } from "./sql_scope.ts";
import { told } from "./sql_told.ts";
import { checkReading, checkSelect } from "./statement.ts";

/** Bounds of one statement. */
export const SQL_LIMITS = {
  textBytesMax: 2 ** 20,
  /** Of callers who are not trusted: the engine reads 100,000 elements in a second before it says that they are too many. */
  judgedTextBytesMax: 2 ** 18,
  paramsMax: 100,
  paramCharsMax: 65_536,
  executionSecondsMax: 60,
  resultRowsMax: 10_000_000,
  resultBytesMax: 4 * 2 ** 30,
  memoryBytesMax: 4 * 2 ** 30,
} as const;

/** How values look (design.md section 8). `readonly` keeps SQL from changing it. */
const SETTINGS: Settings = {
  readonly: 1,
  output_format_json_quote_64bit_integers: 1,
  output_format_json_quote_decimals: 1,
  output_format_json_quote_denormals: 0,
  // Bytes that are not UTF-8 would make the whole answer unreadable as JSON.
  output_format_json_validate_utf8: 1,
  output_format_json_escape_forward_slashes: 0,
  output_format_json_array_of_rows: 0,
  date_time_output_format: "iso",
  // An empty string is quoted, null is nothing at all.
  format_csv_null_representation: "",
  http_write_exception_in_output_format: 0,
  cancel_http_readonly_queries_on_client_close: 1,
  max_query_size: SQL_LIMITS.textBytesMax + 1,
};

/** What an administrator's statement may cost; the reader's own account has its limits. */
const ADMIN_SETTINGS: Settings = {
  ...SETTINGS,
  max_execution_time: SQL_LIMITS.executionSecondsMax,
  timeout_overflow_mode: "throw",
  max_result_rows: SQL_LIMITS.resultRowsMax,
  max_result_bytes: SQL_LIMITS.resultBytesMax,
  result_overflow_mode: "throw",
  max_memory_usage: SQL_LIMITS.memoryBytesMax,
};

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const DECODER = new TextDecoder("utf-8", { fatal: true });

interface SqlEnv {
  Variables: DoorEnv["Variables"] & { queryId: string };
}

/** The routes below `/v1/sql`. */
export function sql(door: Door): Hono<SqlEnv> {
  const app = new Hono<SqlEnv>();
  app.use("/", async (c, next) => {
    const id = queryIdOf(c.req.header("x-weir-query-id"));
    c.set("queryId", id);
    await next();
    c.res.headers.set("x-weir-query-id", id);
  });
  app.use(sqlScoped);

  const judge = new SqlJudge(door);
  const queries = new SqlQueries();

  app.post("/", async (c) => {
    const caller = c.get("caller")!;
    const tables = sqlTables(caller)!;
    const search = new URL(c.req.url).searchParams;
    const format = formatOf(search, c.req.header("accept"));
    const params = paramsOf(search);
    const text = await readText(c.req.raw, tables.isAdmin ? SQL_LIMITS.textBytesMax : SQL_LIMITS.judgedTextBytesMax);
    // Counted before it is judged: judging asks the engine too.
    const open = queries.open(caller, c.get("queryId"));
    try {
      if (tables.isAdmin) checkReading(text, params);
      else {
        checkSelect(text, params);
        await judge.check({ sql: text, params, tables });
      }
      const who = tables.isAdmin
        ? ({ account: "admin", settings: ADMIN_SETTINGS } as const)
        : ({ account: "reader", settings: SETTINGS } as const);
      const query = { ...who, sql: text, format: format.engine, queryId: open.engineId, params };
      return await answer(door, query, { format, signal: c.req.raw.signal, onEnd: open.close });
    } catch (error) {
      // Counted until it is told: that may ask the engine too.
      const telling = error instanceof Refusal ? told(door, error, { sql: text, tables }) : Promise.reject(error);
      throw await telling.finally(open.close);
    }
  });

  app.get("/schema", async (c) => {
    const databases = await schemaOf(door, sqlTables(c.get("caller")!)!);
    return c.json({ databases });
  });

  app.delete("/:id", async (c) => {
    const id = c.req.param("id").toLowerCase();
    const engineId = queries.engineIdOf(c.get("caller")!, id);
    const isStopped = UUID.test(id) && (await orRefuse(door.run(door.warehouse.stop(engineId))));
    if (isStopped) return c.json({ stopped: true });
    const message = "Cannot stop the query: none of yours with that id runs.";
    throw new Refusal(404, "unknown_query", message, "It may have ended by itself.");
  });
  return app;
}

/** The client's own id, so that it can stop what has not answered yet, or a new one. */
function queryIdOf(header: string | undefined): string {
  if (header === undefined) return crypto.randomUUID();
  const id = header.toLowerCase();
  if (UUID.test(id)) return id;
  throw new Refusal(
    400,
    "bad_query_id",
    "Cannot use X-Weir-Query-Id: it is not a UUID.",
    "Send a new random UUID, or none.",
    "X-Weir-Query-Id",
  );
}

/** Values of `{name:Type}` by name. Settings never pass: an unknown parameter is refused. */
function paramsOf(search: URLSearchParams): Record<string, string> {
  const params: Record<string, string> = Object.create(null);
  const names = [...search.keys()];
  if (names.length > SQL_LIMITS.paramsMax) {
    throw new Refusal(
      400,
      "bad_parameter",
      `Cannot take more than ${SQL_LIMITS.paramsMax} parameters.`,
      "Use an Array parameter.",
    );
  }
  for (const [index, name] of names.entries()) {
    const at = name.slice(0, 100);
    if (names.indexOf(name) !== index) {
      throw new Refusal(400, "bad_parameter", `Cannot use '${at}' twice.`, "Send every parameter once.", at);
    }
    if (name === "format" || name === "csv") continue;
    if (!/^param_[A-Za-z_]\w{0,63}$/.test(name)) {
      throw new Refusal(
        400,
        "unknown_parameter",
        `Cannot use the parameter '${at}'.`,
        "Known are format, csv and param_<name>; settings cannot be given.",
        at,
      );
    }
    const value = search.get(name)!;
    if (value.length > SQL_LIMITS.paramCharsMax) {
      throw new Refusal(
        413,
        "parameter_too_large",
        `Cannot use '${at}': it is too long.`,
        "Put large values into the statement.",
        at,
      );
    }
    params[name.slice("param_".length)] = value;
  }
  return params;
}

async function readText(request: Request, bytesMax: number): Promise<string> {
  const type = (request.headers.get("content-type") ?? "").split(";", 1)[0]!.trim().toLowerCase();
  if (type === "application/json" || type.startsWith("multipart/")) {
    const hint = "Send the statement itself as text/plain.";
    throw new Refusal(
      415,
      "unsupported_media_type",
      `Cannot read the statement: the body is ${type.slice(0, 60)}.`,
      hint,
    );
  }
  const bytes = await readBody(request, { sentBytesMax: bytesMax, bytesMax });
  try {
    return DECODER.decode(bytes);
  } catch {
    // A fatal decoder throws for exactly one reason.
    throw new Refusal(400, "not_utf8", "Cannot read the statement: it is not valid UTF-8.", "Send it as UTF-8.");
  }
}

interface Asked {
  readonly format: Format;
  /** Aborted when the client leaves before the answer has begun. */
  readonly signal: AbortSignal;
  /** Called once the last byte is out, or nobody waits for it any more. */
  readonly onEnd: () => void;
}

/** Starts the query and answers once its first bytes are there, or its failure. */
async function answer(door: Door, query: StreamQuery, { format, signal, onEnd }: Asked): Promise<Response> {
  const startedAt = performance.now();
  // The engine looks for its client between blocks: within a join of 1e12 rows it never does (measured on 26.7).
  const stop = () => void door.run(Effect.ignore(door.warehouse.stop(query.queryId)));
  const exit = await door.run(until(signal, door.warehouse.stream(query)));
  if (exit._tag === "Failure") {
    if (signal.aborted) stop();
    throw refusalOf(exit.cause, query.sql);
  }
  const reader = exit.value.getReader();
  // Not the iterator's `return`: that one waits for the chunk which is being read.
  const leave = () => {
    onEnd();
    reader.cancel().catch(() => undefined);
    stop();
  };
  const elapsedMs = () => Math.round(performance.now() - startedAt);
  const chunks = framed(format, chunksOf(reader), elapsedMs);
  signal.addEventListener("abort", leave, { once: true });
  let first: Chunk;
  try {
    first = await chunks.next();
  } catch (error) {
    if (signal.aborted) leave();
    throw signal.aborted ? clientGone() : refusalOfError(error, query.sql);
  } finally {
    signal.removeEventListener("abort", leave);
  }
  return new Response(bodyOf({ first, rest: chunks, leave, onEnd }), { headers: headersOf(format) });
}

function framed(format: Format, chunks: AsyncGenerator<Uint8Array>, elapsedMs: () => number) {
  if (format.isFramed) return jsonAnswer(chunks, elapsedMs);
  return format.isSafe ? safeCsv(chunks) : chunks;
}

type Chunk = IteratorResult<Uint8Array, unknown>;

async function* chunksOf(reader: {
  read(): Promise<{ done: boolean; value?: Uint8Array }>;
}): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { done, value } = await reader.read();
    if (done || value === undefined) return;
    yield value;
  }
}

/** Interrupts an effect when the signal is aborted. */
function until<A, E>(signal: AbortSignal, effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
  const aborted = Effect.callback<never>((resume) => {
    const give = () => resume(Effect.interrupt);
    if (signal.aborted) give();
    signal.addEventListener("abort", give, { once: true });
    return Effect.sync(() => signal.removeEventListener("abort", give));
  });
  return Effect.raceFirst(effect, aborted);
}

interface Body {
  readonly first: Chunk;
  readonly rest: AsyncIterator<Uint8Array, unknown>;
  readonly leave: () => void;
  readonly onEnd: () => void;
}

/** The answer's body. It fails with an error without a value: Bun then cuts the connection and prints nothing. */
function bodyOf({ first, rest, leave, onEnd }: Body): ReadableStream<Uint8Array> {
  let waiting: Chunk | undefined = first;
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    try {
      const chunk = waiting ?? (await rest.next());
      waiting = undefined;
      if (chunk.done) {
        onEnd();
        controller.close();
      } else controller.enqueue(chunk.value);
    } catch {
      leave();
      controller.error(undefined);
    }
  };
  return new ReadableStream({ pull, cancel: leave }, { highWaterMark: 0 });
}
