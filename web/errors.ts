/**
 * Errors as clients see them: the one switch from tagged errors to statuses.
 *
 *   LogFailed · WarehouseFailed · DefinitionError · zod … ──refusalOf──▶ Refusal ──answerOf──▶ {"error":{…}}
 *
 * What must hold: no stack, host name, secret or path of the machine leaves;
 * `code` is stable, `hint` says what to do, `at` says where (JSON pointer,
 * parameter, line and column) or is null.
 *
 * @module
 */
import type { BuildFailed, CannotCheck, PositionRefused } from "@weir/actors";
import type { BackupFailed, LogFailed, OffsetGap, WarehouseFailed } from "@weir/connectors";
import type { DefinitionError } from "@weir/sql";
import { Cause, Exit } from "effect";
import type { ZodError } from "zod";

/** Where something is wrong: a JSON pointer or a parameter's name, or a place in a text, counted from 1. */
export type At = string | { readonly file?: string; readonly line: number; readonly column: number } | null | undefined;

/** A request that is not answered as asked. Thrown by routes, answered by `answerOf`. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly code: string;
  readonly hint: string;
  readonly at: At;

  constructor(status: number, code: string, message: string, hint: string, at: At = null, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.status = status;
    this.code = code;
    this.hint = hint;
    this.at = at;
  }

  /** The answer's `error`. */
  get body(): { code: string; message: string; hint: string; at: At } {
    return { code: this.code, message: this.message, hint: this.hint, at: this.at ?? null };
  }
}

/** Seconds after which a client may try again, where waiting helps. */
const RETRY_AFTER_SECONDS: Readonly<Record<string, number>> = { busy: 1, log_full: 30, query_memory: 5 };
const RETRY_AFTER_SECONDS_ELSE = 2;

/** The answer to a refused request. */
export function answerOf(refusal: Refusal): Response {
  const { status, code } = refusal;
  const headers = new Headers();
  if (status === 401) headers.set("www-authenticate", 'Bearer realm="weir"');
  if (status === 429 || status === 503) {
    headers.set("retry-after", String(RETRY_AFTER_SECONDS[code] ?? RETRY_AFTER_SECONDS_ELSE));
  }
  return Response.json({ error: refusal.body }, { status, headers });
}

/** The value of an exit; throws its failure as a Refusal. */
export async function orRefuse<A, E>(exit: Promise<Exit.Exit<A, E>>): Promise<A> {
  const ended = await exit;
  if (Exit.isSuccess(ended)) return ended.value;
  throw refusalOf(ended.cause);
}

/** What a failed effect means for the client; `sql` is the text whose positions its message may name. */
export function refusalOf(cause: Cause.Cause<unknown>, sql?: string): Refusal {
  if (Cause.hasInterruptsOnly(cause)) return clientGone();
  return refusalOfError(Cause.squash(cause), sql);
}

/** Nobody reads this answer; the status is for the counters. */
export function clientGone(): Refusal {
  return new Refusal(499, "client_gone", "Cannot answer: the client is gone.", "Send the request again.");
}

/** What an error means for the client. */
export function refusalOfError(error: unknown, sql?: string): Refusal {
  if (error instanceof Refusal) return error;
  switch (tagOf(error)) {
    case "LogFailed":
      return logFailed(error as LogFailed);
    case "OffsetGap":
      return offsetGap(error as OffsetGap);
    case "KeyReused":
      return new Refusal(
        422,
        "idempotency_key_reused",
        "Cannot take the request: its Idempotency-Key was used before, with other content.",
        "Use a new key for new content; repeat a request unchanged.",
      );
    case "WarehouseFailed":
      return warehouseFailed(error as WarehouseFailed, sql);
    case "DefinitionError":
      return definitionError(error as DefinitionError);
    case "BuildFailed": {
      const { name, message } = error as BuildFailed;
      const hint = "What was in force before still is. Correct the definition, then apply it again.";
      return new Refusal(409, "change_failed", clean(`Cannot build ${name}: ${message}`), hint, name);
    }
    case "BackupFailed": {
      const { reason, message, hint } = error as BackupFailed;
      return reason === "failed"
        ? new Refusal(503, "backup_failed", clean(message), hint)
        : new Refusal(409, "backup_refused", clean(message), hint);
    }
    case "PositionRefused": {
      const { message, hint } = error as PositionRefused;
      return new Refusal(409, "position_refused", clean(message), hint);
    }
    case "CannotCheck": {
      const { message, hint } = error as CannotCheck;
      return new Refusal(404, "unknown_model", message, hint);
    }
    case "ZodError":
    case "$ZodError":
      return invalidBody(error as ZodError);
    case "ClickHouseStartFailed":
      return new Refusal(
        503,
        "warehouse_unavailable",
        "Cannot answer: the warehouse did not start.",
        "Ask the operator: the reason is in the log of the process.",
      );
    default:
      return new Refusal(
        500,
        "internal",
        "Cannot answer: something unexpected happened inside Weir.",
        "Try again; if it stays, the operator finds the reason in the log of the process.",
        null,
        error,
      );
  }
}

function tagOf(error: unknown): string | undefined {
  const { _tag, name } = (error ?? {}) as { readonly _tag?: unknown; readonly name?: unknown };
  if (typeof _tag === "string") return _tag;
  return typeof name === "string" ? name : undefined;
}

function logFailed({ reason, message }: LogFailed): Refusal {
  const later = "Nothing was stored. Send the same request again later.";
  switch (reason) {
    case "disk full":
      return new Refusal(503, "log_full", "Cannot write to the log: its disk is full.", later);
    case "unavailable":
      return new Refusal(
        503,
        "log_unavailable",
        "Cannot use the log: it does not answer.",
        "It may or may not have been stored. Send it again with the same Idempotency-Key; without one it may be stored twice.",
      );
    case "fenced":
      return new Refusal(503, "busy", "Cannot use the log: its owner is changing.", later);
    case "damaged": {
      const hint = "Ask the operator: the log's file has to be looked at.";
      return new Refusal(503, "log_damaged", "Cannot use the log: it is damaged.", hint);
    }
    case "unknown topic":
      return new Refusal(404, "unknown_topic", clean(message), "Look at the topics that exist, or apply a definition.");
    case "topic exists":
      return new Refusal(409, "topic_exists", clean(message), "Choose another name.");
    case "invalid":
      return new Refusal(422, "log_refused", clean(message), "Change the request; repeating it does not help.");
  }
}

function offsetGap({ topic, partition, asked, earliest, latest }: OffsetGap): Refusal {
  const message = `Cannot read ${topic}/${partition} at offset ${asked}: it holds ${earliest} to ${latest - 1}.`;
  return new Refusal(410, "offset_gone", message, `Begin at ${earliest} or later.`);
}

function definitionError({ file, line, column, problem, hint }: DefinitionError): Refusal {
  return new Refusal(422, "definition_invalid", clean(problem), hint, { file, line, column });
}

function invalidBody({ issues: [issue] }: ZodError): Refusal {
  const pointer = (issue?.path ?? [])
    .map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`)
    .join("");
  const message = `Cannot use the body: ${issue?.message ?? "it has another shape than expected"}.`;
  return new Refusal(422, "invalid_body", message, "Correct what `at` points at.", pointer);
}

/** ClickHouse's error codes which need another answer than their outcome. */
const RIGHTS: ReadonlySet<number> = new Set([164, 291, 392, 452, 481, 482, 497, 673]);
const LIMITS: ReadonlySet<number> = new Set([158, 159, 160, 161, 162, 167, 168, 191, 290, 307, 396]);
const SYNTAX_CODE = 62;

function warehouseFailed({ outcome, code, message }: WarehouseFailed, sql: string | undefined): Refusal {
  const text = clean(message);
  if (RIGHTS.has(code)) {
    return new Refusal(403, "sql_forbidden", text, "Only reading is possible here, with the settings that are given.");
  }
  if (LIMITS.has(code)) {
    return new Refusal(422, "query_limit", text, "Ask for less: filter, aggregate, or add a LIMIT.");
  }
  // 241 is the query's own limit or the machine's.
  if (code === 241 && /Query memory limit/i.test(text)) {
    return new Refusal(422, "query_limit", text, "Ask for less: filter, aggregate, or add a LIMIT.");
  }
  if (code === 241) return new Refusal(503, "query_memory", text, "Try again later, or ask for less.");
  if (code === 202) return new Refusal(503, "busy", "Cannot run the query: too many run already.", "Try again later.");
  if (code === 216)
    return new Refusal(409, "query_id_in_use", "Cannot run the query: its id runs already.", "Use a new id.");
  if (code === 394)
    return new Refusal(409, "query_stopped", "The query was stopped.", "Send it again if that was a mistake.");
  if (outcome === "refused") {
    const at = sql === undefined ? null : placeIn(message, sql);
    const hint = code === SYNTAX_CODE ? "Correct the SQL at the place that `at` names." : "Correct the SQL.";
    return new Refusal(400, "sql_refused", text, hint, at);
  }
  if (outcome === "not done" || code === 0) {
    const unavailable = "Cannot answer: the warehouse does not answer at the moment.";
    return new Refusal(503, "warehouse_unavailable", unavailable, "Try again in some seconds.");
  }
  return new Refusal(500, "warehouse_failed", text, "Try again; if it stays, change the query.");
}

/** Line and column, counted from 1 in characters, of the byte position that ClickHouse's message names. */
export function placeIn(message: string, sql: string): { line: number; column: number } | null {
  const position = Number(/failed at position (\d{1,9})/.exec(message)?.[1] ?? 0);
  if (position === 0) return null;
  const before = Buffer.from(sql)
    .subarray(0, position - 1)
    .toString("utf8");
  const lineStart = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: [...before.slice(lineStart)].length + 1 };
}

const ROOTS = "tmp|home|root|var|etc|usr|opt|srv|mnt|media|data|work|proc|sys|dev|run|app|private|Users|Volumes";
const PATHS = new RegExp(`(?:file://)?(?<![\\w./:@-])/(?:${ROOTS})(?:/[\\w.@+~-]+)+/?`, "g");

/** Takes paths and accounts of the machine out of a message. */
function clean(message: string): string {
  return message
    .replace(PATHS, "<path>")
    .replace(/\bweir_(?:admin|writer|reader): /g, "")
    .replace(/\.(?: ?\.)+$/, ".");
}
