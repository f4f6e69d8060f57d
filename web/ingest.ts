/**
 * The ingest door: events in, durable in the log, with a verdict for every element.
 *
 *   POST /v1/ingest/<source> ──body──▶ events ──scanner · judge──▶ records by key ──append──▶ 202
 *                                                     └─refused──▶ answered, and kept in the quarantine
 *
 * What must hold: an event is acknowledged only after the log is durable; one
 * bad element never takes the others with it; a repeated `Idempotency-Key`
 * stores nothing and, if the log keeps keys, answers as the first time. If it
 * does not, each record goes along with its index in the request and into the
 * same partition as the first time, so that the repeat is dropped when it lands.
 *
 * @module
 */
import { isUtf8 } from "node:buffer";
import type { RunningSource } from "@weir/actors";
import { type Once, partitionOf, RecordWriter, type Write } from "@weir/connectors";
import { type Conform, jsonDecoder } from "@weir/sql";
import { Exit } from "effect";
import { Hono } from "hono";
import { BytesInFlight, type HeldBytes } from "./bytes_in_flight.ts";
import type { Counter } from "./counters.ts";
import type { Door, DoorEnv } from "./door.ts";
import { Refusal, refusalOf } from "./errors.ts";
import { BrokenArray, cutCsv, cutJson, cutLines, EVENTS_MAX, type EventSpans, TooManyEvents } from "./events.ts";
import { SECURITY_HEADERS } from "./guard.ts";
import { encodePosition } from "./position.ts";
import { readBody } from "./request_body.ts";
import { type Caller, mayDo } from "./tokens.ts";

/** Bounds of one request, and of all that are under way at once. */
export const INGEST_LIMITS = {
  sentBytesMax: 32 * 2 ** 20,
  bytesMax: 64 * 2 ** 20,
  /** Bodies of all requests of a process, until the log has what is in them. */
  inFlightBytesMax: 256 * 2 ** 20,
  eventBytesMax: 2 ** 20,
  /** Elements whose refusal is spelled out in the answer; all are counted. */
  rejectedMax: 1_000,
  waitMsMax: 60_000,
  waitMs: 30_000,
} as const;

/** One element that was refused. */
interface Rejected {
  readonly index: number;
  readonly column: string | null;
  readonly reason: string;
}

/** What became of a request's events before the log is asked. */
interface Sorted {
  readonly writes: Write[];
  readonly accepted: number;
  readonly rejected: readonly Rejected[];
  readonly rejectedTotal: number;
}

const JSON_TYPES = new Set(["application/json", "application/x-ndjson", "application/ndjson", "application/jsonl"]);
const CSV_TYPE = "text/csv";
/** Says of every event that the judge has to see it. */
const NO_SCANNER: Conform["scanner"] = { scan: () => false, keyStart: -1, keyEnd: -1 };
const ENCODER = new TextEncoder();

/** The route `POST /v1/ingest/<source>`. */
export function ingest(door: Door): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  const inFlight = new BytesInFlight({ bytesMax: INGEST_LIMITS.inFlightBytesMax });
  app.post("/:source", async (c) => {
    const running = authorised(door, { caller: c.get("caller"), name: c.req.param("source") });
    const type = typeOf(c.req.header("content-type"), c.get("caller"));
    checkType(running, type);
    const waitMs = waitMsOf(c.req.query("wait"));
    const taken = await take(door, running, { request: c.req.raw, type, held: inFlight.open() });
    if (taken instanceof Response) return taken;
    return waitMs === 0 ? Response.json(taken.body, ACCEPTED) : waited(door, running, { ...taken, waitMs });
  });
  return app;
}

/** What the log has taken: the answer, and up to where. */
interface Taken {
  readonly body: object;
  readonly position: ReadonlyMap<number, number>;
}

/** Reads, judges and appends; what the body takes is given back once it is in the log, before anybody waits for rows. */
async function take(
  door: Door,
  running: RunningSource,
  { request, type, held }: { readonly request: Request; readonly type: string; readonly held: HeldBytes },
): Promise<Taken | Response> {
  try {
    const { sentBytesMax, bytesMax } = INGEST_LIMITS;
    const bytes = await readBody(request, { sentBytesMax, bytesMax, held });
    const nowMs = door.nowMs?.() ?? Date.now();
    const key = request.headers.get("idempotency-key") ?? undefined;
    const sorted = sort(door, running, { bytes, spans: cut(bytes, type), nowMs, key });
    return await append(door, running, { sorted, bytes, key });
  } finally {
    held.giveBack();
  }
}

/** `navigator.sendBeacon` can name no type for a text without asking first: with a ticket that is one object a line. */
function typeOf(header = "", caller: Caller | undefined): string {
  const type = header.split(";", 1)[0].trim().toLowerCase();
  return type === "text/plain" && caller?.isTicket === true ? "application/x-ndjson" : type;
}

/** What may be sent is what the topic holds: records of one source are written in one way. */
function checkType({ applied }: RunningSource, type: string): void {
  const { name, topic, format } = applied.source;
  if (format.kind === "json" ? JSON_TYPES.has(type) : format.kind === "csv" && type === CSV_TYPE) return;
  if (format.kind !== "json" && format.kind !== "csv") {
    const message = `Cannot take events for '${name}': its records are ${format.kind}, written into the topic '${topic}' by its own producers.`;
    throw new Refusal(415, "format_of_producers", message, "Send events to a source of JSON or CSV.");
  }
  throw new Refusal(
    415,
    "unsupported_media_type",
    `Cannot take the body: its type is '${type.slice(0, 60)}'.`,
    format.kind === "csv"
      ? `Send ${CSV_TYPE}: the cells ${format.columns.join(", ")}, without a head.`
      : "Send application/json (an object or an array) or application/x-ndjson (one object a line).",
  );
}

function authorised(door: Door, { caller, name }: { caller: Caller | undefined; name: string }): RunningSource {
  if (caller === undefined || !mayDo(caller, `ingest:${name}`)) {
    const hint = `Use a token with the scope ingest:${name.slice(0, 100)}.`;
    throw new Refusal(
      403,
      "forbidden",
      `Cannot take events: the token may not write to '${name.slice(0, 100)}'.`,
      hint,
    );
  }
  const running = door.sources.get(name);
  if (running !== undefined) return running;
  const known = door.sources.all().map(({ applied }) => applied.source.name);
  throw new Refusal(
    404,
    "unknown_source",
    `Cannot take events: there is no source '${name.slice(0, 100)}'.`,
    known.length === 0 ? "Apply a definition first." : `Known sources: ${known.slice(0, 20).join(", ")}.`,
  );
}

function cut(bytes: Uint8Array, type: string): EventSpans {
  try {
    if (type === CSV_TYPE) return cutCsv(bytes);
    return type === "application/json" ? cutJson(bytes) : cutLines(bytes);
  } catch (error) {
    if (error instanceof TooManyEvents) {
      const message = `Cannot take the body: it has more than ${EVENTS_MAX} events.`;
      throw new Refusal(413, "too_many_events", message, "Send them in several requests.");
    }
    if (!(error instanceof BrokenArray)) throw error;
    throw new Refusal(
      400,
      "not_json",
      `Cannot read the body: ${error.message} (byte ${error.offset}).`,
      "Send one JSON object, or an array of objects; for one object a line use application/x-ndjson.",
    );
  }
}

/** Judges every event and packs the good ones by partition. */
function sort(
  door: Door,
  running: RunningSource,
  { bytes, spans, nowMs, key: once }: { bytes: Uint8Array; spans: EventSpans; nowMs: number; key: string | undefined },
): Sorted {
  const { conform, partitions, applied } = running;
  const scanner = conform.decoder === undefined ? conform.scanner : NO_SCANNER;
  const { topic, name } = applied.source;
  const writers: (RecordWriter | undefined)[] = new Array(partitions);
  const rejected: Rejected[] = [];
  const allUtf8 = isUtf8(bytes);
  const keyless = once === undefined ? Math.floor(Math.random() * partitions) : placeOf(once, partitions);
  const indexes: number[][] | undefined = once === undefined ? undefined : Array.from({ length: partitions }, () => []);
  let rejectedTotal = 0;
  let accepted = 0;
  const refuse = (index: number, column: string | undefined, reason: string) => {
    rejectedTotal += 1;
    if (rejected.length < INGEST_LIMITS.rejectedMax) rejected.push({ index, column: column ?? null, reason });
    const raw = bytes.subarray(spans[2 * index], spans[2 * index + 1]);
    door.refusals.offer({ source: name, topic, column: column ?? "", reason, raw, timestampMs: nowMs });
  };
  const bytesHint = spans.length === 2 ? bytes.length + 64 : Math.ceil((bytes.length * 1.3) / partitions);
  const writerOf = (partition: number) => (writers[partition] ??= new RecordWriter(bytesHint));
  for (let index = 0; 2 * index < spans.length; index++) {
    const start = spans[2 * index];
    const end = spans[2 * index + 1];
    if (end - start > INGEST_LIMITS.eventBytesMax) {
      refuse(index, undefined, `the event has ${end - start} bytes; at most ${INGEST_LIMITS.eventBytesMax} are taken`);
      continue;
    }
    if (allUtf8 && scanner.scan(bytes, start, end, nowMs)) {
      const { keyStart, keyEnd } = scanner;
      const partition = keyStart < 0 ? keyless : partitionOf(bytes, { start: keyStart, end: keyEnd, partitions });
      writerOf(partition).addSlice(bytes, { keyStart, keyEnd, valueStart: start, valueEnd: end, timestampMs: nowMs });
      indexes?.[partition].push(index);
      accepted += 1;
      continue;
    }
    const verdict = judge(running, { raw: bytes.subarray(start, end), nowMs });
    if (!verdict.ok) {
      refuse(index, verdict.column, verdict.reason);
      continue;
    }
    const key = verdict.key === undefined ? null : ENCODER.encode(verdict.key);
    const partition = key === null ? keyless : partitionOf(key, { start: 0, end: key.length, partitions });
    writerOf(partition).add({ key, value: bytes.subarray(start, end), timestampMs: nowMs });
    indexes?.[partition].push(index);
    accepted += 1;
  }
  const writes = writers.flatMap((records, partition) =>
    records === undefined ? [] : [{ topic, partition, records, ...(indexes && { indexes: indexes[partition] }) }],
  );
  return { writes, accepted, rejected, rejectedTotal };
}

/** The partition of a request's events without a key: the same one for the same Idempotency-Key. */
function placeOf(once: string, partitions: number): number {
  const bytes = ENCODER.encode(once);
  return partitionOf(bytes, { start: 0, end: bytes.length, partitions });
}

function judge({ conform }: RunningSource, { raw, nowMs }: { raw: Uint8Array; nowMs: number }) {
  const decoded = (conform.decoder ?? jsonDecoder)(raw);
  if (decoded.kind === "row") return conform.judge(decoded.text, nowMs);
  const column = decoded.kind === "refused" && decoded.column !== "" ? decoded.column : undefined;
  return { ok: false, column, reason: decoded.reason } as const;
}

interface Asked {
  readonly sorted: Sorted;
  readonly bytes: Uint8Array;
  readonly key: string | undefined;
}

/** The usual answer's head, made once. */
const ACCEPTED: ResponseInit = { status: 202, headers: SECURITY_HEADERS };

/** Appends what was accepted; answers if that is nothing. */
async function append(door: Door, running: RunningSource, { sorted, bytes, key }: Asked): Promise<Taken | Response> {
  const { name } = running.applied.source;
  const { accepted: acceptedTotal, duplicate, rejected } = countersOf(door, running);
  rejected.add(sorted.rejectedTotal);
  const once = onceOf(name, { key, bytes, sorted });
  if (sorted.accepted === 0) return nothingAccepted(sorted);
  const exit = await door.run(door.log.append(sorted.writes, once));
  if (!Exit.isSuccess(exit)) throw refusalOf(exit.cause);
  const { appended, repeated, answer } = exit.value;
  const said = repeated && answer !== undefined ? (JSON.parse(answer) as Answered) : answered(sorted);
  (repeated ? duplicate : acceptedTotal).add(said.accepted);
  const position = new Map(appended.map(({ partition, next }) => [partition, next]));
  const body = {
    accepted: repeated ? 0 : said.accepted,
    duplicates: repeated ? said.accepted : 0,
    rejected: said.rejected,
    ...(said.rejected_total > said.rejected.length ? { rejected_total: said.rejected_total } : {}),
    position: encodePosition(name, position),
  };
  return { body, position };
}

/** Answers when the events can be queried, or after `waitMs`. */
async function waited(
  door: Door,
  running: RunningSource,
  { body, position, waitMs }: Taken & { readonly waitMs: number },
): Promise<Response> {
  const seen = await door.run(door.sources.visible.wait(running.target.statement, { position, waitMs }));
  const visible = Exit.isSuccess(seen) && seen.value;
  // The rows can be queried, but not in these.
  const suspended = door.catalog.suspendedAbove(running.applied.source.name);
  const told = suspended.length === 0 ? {} : { suspended };
  return Response.json({ ...body, visible, ...told }, { status: visible ? 200 : 202 });
}

interface SourceCounters {
  readonly accepted: Counter;
  readonly duplicate: Counter;
  readonly rejected: Counter;
}

const COUNTERS = new WeakMap<RunningSource, SourceCounters>();

function countersOf({ counters }: Door, running: RunningSource): SourceCounters {
  const known = COUNTERS.get(running);
  if (known !== undefined) return known;
  const source = running.applied.source.name;
  const bound: SourceCounters = {
    accepted: counters.counter("weir_events_accepted_total", { source }),
    duplicate: counters.counter("weir_events_duplicate_total", { source }),
    rejected: counters.counter("weir_events_rejected_total", { source }),
  };
  COUNTERS.set(running, bound);
  return bound;
}

interface Answered {
  readonly accepted: number;
  readonly rejected: readonly Rejected[];
  readonly rejected_total: number;
}

function answered({ accepted, rejected, rejectedTotal }: Sorted): Answered {
  return { accepted, rejected, rejected_total: rejectedTotal };
}

function nothingAccepted({ rejected, rejectedTotal }: Sorted): Response {
  if (rejectedTotal === 0)
    return Response.json({ accepted: 0, duplicates: 0, rejected: [], position: null }, { status: 202 });
  const [first] = rejected;
  const error = {
    code: "nothing_accepted",
    message: `Cannot take the ${rejectedTotal === 1 ? "event" : "events"}: ${first.column === null ? "" : `${first.column}: `}${first.reason}.`,
    hint: "Correct the elements named in `rejected` and send them again.",
    at: first.column === null ? `/${first.index}` : `/${first.index}/${first.column}`,
  };
  const total = rejectedTotal > rejected.length ? { rejected_total: rejectedTotal } : {};
  return Response.json({ error, accepted: 0, duplicates: 0, rejected, ...total, position: null }, { status: 422 });
}

function onceOf(
  source: string,
  { key, bytes, sorted }: { key: string | undefined; bytes: Uint8Array; sorted: Sorted },
): Once | undefined {
  if (key === undefined) return undefined;
  if (!/^[\x21-\x7e]{1,200}$/.test(key)) {
    throw new Refusal(
      400,
      "bad_idempotency_key",
      "Cannot use the Idempotency-Key: it must be 1 to 200 printable characters without spaces.",
      "Send a UUID, for example.",
    );
  }
  const fingerprint = new Bun.CryptoHasher("sha256").update(bytes).digest("base64url");
  return { key: `${source}\n${key}`, fingerprint, answer: JSON.stringify(answered(sorted)) };
}

/** `wait=1` waits as long as usual, `wait=<milliseconds>` that long; 0 is not at all. */
function waitMsOf(wait: string | undefined): number {
  if (wait === undefined || wait === "0") return 0;
  if (wait === "1" || wait === "true") return INGEST_LIMITS.waitMs;
  const ms = Number(wait);
  if (Number.isInteger(ms) && ms > 0 && ms <= INGEST_LIMITS.waitMsMax) return ms;
  throw new Refusal(
    400,
    "bad_parameter",
    `Cannot use wait=${wait.slice(0, 40)}.`,
    `Say wait=1, or milliseconds up to ${INGEST_LIMITS.waitMsMax}.`,
    "wait",
  );
}
