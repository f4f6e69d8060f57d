/**
 * SQL over HTTP: one statement that reads, its answer streamed in the format that was asked for.
 *
 *   POST /v1/sql ──check──▶ engine (readonly=1, bounded) ──rows──▶ JSON · NDJSON · CSV · Parquet · Arrow
 *   DELETE /v1/sql/<id> ──▶ the engine stops it
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
import type { Door, DoorEnv } from "./door.ts";
import { clientGone, orRefuse, Refusal, refusalOf, refusalOfError } from "./errors.ts";
import { jsonAnswer } from "./framing.ts";
import { scoped } from "./guard.ts";
import { readBody } from "./request_body.ts";
import { checkReading } from "./statement.ts";

/** Bounds of one statement. */
export const SQL_LIMITS = {
  textBytesMax: 2 ** 20,
  paramsMax: 100,
  paramCharsMax: 65_536,
  executionSecondsMax: 60,
  resultRowsMax: 10_000_000,
  resultBytesMax: 4 * 2 ** 30,
  memoryBytesMax: 4 * 2 ** 30,
} as const;

/** An answer's format: what the engine writes, what the client reads. */
interface Format {
  readonly engine: string;
  readonly type: string;
  readonly file?: string;
}

const FORMATS: Readonly<Record<string, Format>> = {
  json: { engine: "JSONEachRowWithProgress", type: "application/json" },
  ndjson: { engine: "JSONEachRow", type: "application/x-ndjson" },
  csv: { engine: "CSVWithNames", type: "text/csv", file: "answer.csv" },
  parquet: { engine: "Parquet", type: "application/vnd.apache.parquet", file: "answer.parquet" },
  arrow: { engine: "ArrowStream", type: "application/vnd.apache.arrow.stream", file: "answer.arrows" },
};

/** How values look (design.md section 8), and what a statement may cost. `readonly` keeps SQL from changing either. */
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
  app.use(scoped("admin"));

  app.post("/", async (c) => {
    const search = new URL(c.req.url).searchParams;
    const format = formatOf(search.get("format"), c.req.header("accept"));
    const params = paramsOf(search);
    const text = await readText(c.req.raw);
    checkReading(text, params);
    const queryId = engineId(c.get("queryId"));
    const query = { account: "admin", sql: text, format: format.engine, queryId, params, settings: SETTINGS } as const;
    return answer(door, query, { format, signal: c.req.raw.signal });
  });

  app.delete("/:id", async (c) => {
    const id = c.req.param("id").toLowerCase();
    const isStopped = UUID.test(id) && (await orRefuse(door.run(door.warehouse.stop(engineId(id)))));
    if (isStopped) return c.json({ stopped: true });
    const message = "Cannot stop the query: none with that id runs.";
    throw new Refusal(404, "unknown_query", message, "It may have ended by itself.");
  });
  return app;
}

/** Ids of these queries begin alike in the engine, so that nothing else can be stopped through this door. */
function engineId(id: string): string {
  return `sql-${id}`;
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

/** `?format=` wins over `Accept`; without either it is JSON. */
function formatOf(asked: string | null, accept = ""): Format {
  const names = Object.keys(FORMATS).join(", ");
  if (asked !== null) {
    if (Object.hasOwn(FORMATS, asked)) return FORMATS[asked]!;
    throw new Refusal(400, "unknown_format", "Cannot answer in that format.", `Use one of ${names}.`, "format");
  }
  const wanted = accept
    .slice(0, 1_000)
    .split(",")
    .map((range) => range.split(";").map((part) => part.trim().toLowerCase()))
    .map(([type = "", ...rest]) => ({ type, q: Number(rest.find((part) => part.startsWith("q="))?.slice(2) ?? 1) }))
    .filter(({ type, q }) => type !== "" && q > 0)
    .sort((a, b) => b.q - a.q);
  if (wanted.length === 0) return FORMATS.json!;
  for (const { type } of wanted) {
    const found = Object.values(FORMATS).find((format) => format.type === type);
    if (found !== undefined) return found;
    if (type === "*/*" || type === "application/*") return FORMATS.json!;
    if (type === "text/*") return FORMATS.csv!;
  }
  throw new Refusal(
    406,
    "not_acceptable",
    "Cannot answer in any format that Accept names.",
    `Say ?format= with one of ${names}.`,
    "Accept",
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
    if (name === "format") continue;
    if (!/^param_[A-Za-z_]\w{0,63}$/.test(name)) {
      throw new Refusal(
        400,
        "unknown_parameter",
        `Cannot use the parameter '${at}'.`,
        "Known are format and param_<name>.",
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

async function readText(request: Request): Promise<string> {
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
  const { textBytesMax } = SQL_LIMITS;
  const bytes = await readBody(request, { sentBytesMax: textBytesMax, bytesMax: textBytesMax });
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
}

/** Starts the query and answers once its first bytes are there, or its failure. */
async function answer(door: Door, query: StreamQuery, { format, signal }: Asked): Promise<Response> {
  const startedAt = performance.now();
  const exit = await door.run(until(signal, door.warehouse.stream(query)));
  if (exit._tag === "Failure") throw refusalOf(exit.cause, query.sql);
  const reader = exit.value.getReader();
  // Not the iterator's `return`: that one waits for the chunk which is being read.
  const leave = () => void reader.cancel().catch(() => undefined);
  const elapsedMs = () => Math.round(performance.now() - startedAt);
  const chunks = format === FORMATS.json ? jsonAnswer(chunksOf(reader), elapsedMs) : chunksOf(reader);
  signal.addEventListener("abort", leave, { once: true });
  let first: Chunk;
  try {
    first = await chunks.next();
  } catch (error) {
    leave();
    throw signal.aborted ? clientGone() : refusalOfError(error, query.sql);
  } finally {
    signal.removeEventListener("abort", leave);
  }
  const headers = new Headers({ "content-type": format.type });
  if (format.type.startsWith("text/")) headers.set("content-type", `${format.type}; charset=utf-8`);
  if (format.file !== undefined) headers.set("content-disposition", `attachment; filename="${format.file}"`);
  return new Response(bodyOf({ first, rest: chunks, leave }), { headers });
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
}

/** The answer's body. It fails with an error without a value: Bun then cuts the connection and prints nothing. */
function bodyOf({ first, rest, leave }: Body): ReadableStream<Uint8Array> {
  let waiting: Chunk | undefined = first;
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    try {
      const chunk = waiting ?? (await rest.next());
      waiting = undefined;
      if (chunk.done) controller.close();
      else controller.enqueue(chunk.value);
    } catch {
      leave();
      controller.error(undefined);
    }
  };
  return new ReadableStream({ pull, cancel: leave }, { highWaterMark: 0 });
}
