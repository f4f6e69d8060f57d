/**
 * Tail: a source's records as they arrive in the log, before anything is judged or landed.
 *
 *   GET /v1/admin/sources/<source>/tail ──▶ offsets to begin at ──▶ Log.read, round by round ──▶ one JSON object a line
 *
 * Reading needs no consumer group and moves nothing. What must hold: the log is
 * read only as fast as the client takes the lines, so a slow one costs one round
 * of memory; records that retention took meanwhile are a line that says so; it
 * ends with the client, with its token, or when the door closes.
 *
 * @module
 */
import { type RunningSource, seek } from "@weir/actors";
import { headersOf, type OffsetGap, type OffsetRange, type Records } from "@weir/connectors";
import { FURTHEST, literal, type SchemaOf } from "@weir/sql";
import { Effect, Exit } from "effect";
import { Hono } from "hono";
import type { Door, DoorEnv } from "./door.ts";
import { orRefuse, Refusal, refusalOf } from "./errors.ts";
import { INSTANT_FORM, instantMs } from "./instant.ts";
import { rawText } from "./raw_text.ts";
import { runningSource } from "./running_source.ts";

/** Bounds of tails. */
export const TAIL_LIMITS = {
  tailsMax: 16,
  /** Of each key and value, bytes that are shown. */
  shownBytesMax: 16_384,
  /** Of one round over all partitions; each partition gives at least one record. */
  roundBytesMax: 2 ** 20,
  roundRecordsMax: 500,
  /** How long a round waits for the first record of a partition. */
  waitMs: 250,
  /** An empty line so often while nothing arrives, so that nobody takes the connection for dead. */
  heartbeatMs: 15_000,
  limitMax: 1_000_000_000,
} as const;

const HEADERS = { "content-type": "application/x-ndjson", "cache-control": "no-store" };
const ENCODER = new TextEncoder();
const HEARTBEAT = ENCODER.encode("\n");
const DIGITS = /^\d{1,9}$/;

/** Where a tail begins: at an end of the log, so many records before its end in each partition, or at a time. */
export type TailFrom =
  | { readonly kind: "earliest" | "latest" }
  | { readonly kind: "back"; readonly records: number }
  | { readonly kind: "time"; readonly ms: number };

/** Reads `from`; undefined if it is nothing to begin at. */
export function tailFrom(text: string, nowMs: number): TailFrom | undefined {
  if (text === "latest" || text === "earliest") return { kind: text };
  if (DIGITS.test(text)) return { kind: "back", records: Number(text) };
  const ms = instantMs(text, nowMs);
  return ms === undefined ? undefined : { kind: "time", ms };
}

/** What one tail shows. */
interface Tail {
  readonly door: Door;
  readonly running: RunningSource;
  /** By partition; undefined if the warehouse did not say. */
  readonly epochs: ReadonlyMap<number, number> | undefined;
  /** The next offset of each partition. */
  readonly next: Map<number, number>;
  /** Records that may still be shown. */
  left: number;
}

/** The routes below `/v1/admin/sources`. */
export function tails(door: Door): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  let open = 0;
  app.get("/:source/tail", async (c) => {
    const running = runningSource(door, c.req.param("source"), "tail");
    // Nobody would read the stream of a HEAD, and so nobody would end it.
    if (c.req.method === "HEAD") return new Response(null, { headers: HEADERS });
    const { from = "latest", partition, limit } = c.req.query();
    const start = tailFrom(from, door.nowMs?.() ?? Date.now());
    if (start === undefined) {
      const hint = `Say latest, earliest, how many records back, ${INSTANT_FORM}.`;
      throw new Refusal(400, "bad_parameter", `Cannot use '${from.slice(0, 100)}' as \`from\`.`, hint, "from");
    }
    if (open >= TAIL_LIMITS.tailsMax) {
      const message = `Cannot tail '${running.applied.source.name}': ${TAIL_LIMITS.tailsMax} tails are open already.`;
      throw new Refusal(503, "too_many_tails", message, "End another one first.");
    }
    open += 1;
    const close = () => {
      open -= 1;
    };
    try {
      const asked = { start, partition: partitionOf(running, partition), limit: limitOf(limit) };
      const tail = await begin(door, running, asked);
      const caller = c.get("caller")!;
      const ended = AbortSignal.any([c.req.raw.signal, ...(door.closing === undefined ? [] : [door.closing])]);
      const ends = (end: () => void) => door.tokens.onEnd(caller, end);
      return new Response(streamOf(tail, { ended, ends, close }), { headers: HEADERS });
    } catch (error) {
      close();
      throw error;
    }
  });
  return app;
}

function partitionOf({ partitions }: RunningSource, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (DIGITS.test(text) && Number(text) < partitions) return Number(text);
  const message = `Cannot use '${text.slice(0, 100)}' as \`partition\`.`;
  throw new Refusal(400, "bad_parameter", message, `Say 0 to ${partitions - 1}.`, "partition");
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return TAIL_LIMITS.limitMax;
  if (DIGITS.test(text) && Number(text) >= 1) return Number(text);
  const message = `Cannot use '${text.slice(0, 100)}' as \`limit\`.`;
  throw new Refusal(400, "bad_parameter", message, "Say how many records, 1 or more.", "limit");
}

interface Asked {
  readonly start: TailFrom;
  readonly partition: number | undefined;
  readonly limit: number;
}

/** Looks up where each partition begins. Throws a Refusal when the log does not answer. */
async function begin(door: Door, running: RunningSource, { start, partition, limit }: Asked): Promise<Tail> {
  const { topic } = running.applied.source;
  const ranges = await orRefuse(door.run(door.log.offsets(topic)));
  const next = new Map<number, number>();
  for (const range of ranges) {
    if (partition !== undefined && range.partition !== partition) continue;
    next.set(range.partition, await orRefuse(door.run(offsetOf(door.log, { topic, range, start }))));
  }
  return { door, running, epochs: await epochsOf(door, running), next, left: limit };
}

const offsetOf = Effect.fn("tail.offsetOf")(function* (
  log: Door["log"],
  { topic, range, start }: { topic: string; range: OffsetRange; start: TailFrom },
) {
  const { earliest, latest } = range;
  if (start.kind === "earliest") return earliest;
  if (start.kind === "back") return Math.max(earliest, latest - start.records);
  if (start.kind !== "time") return latest;
  return yield* seek(log, { topic, range, timeMs: start.ms });
});

/** How often the topic was created anew or its positions reset, by partition; a warehouse that does not answer keeps no record from being shown. */
async function epochsOf(
  { warehouse, run }: Door,
  { target }: RunningSource,
): Promise<ReadonlyMap<number, number> | undefined> {
  const query = warehouse.rows<{ readonly partition: number; readonly epoch: number }>(
    "admin",
    `SELECT partition, tupleElement(position, 'epoch') AS epoch FROM ${FURTHEST} WHERE statement = ${literal(target.statement)}`,
    { readonly: 1, output_format_json_quote_64bit_integers: 0, max_execution_time: 2 },
  );
  const exit = await run(Effect.timeout(query, 2_000));
  return Exit.isSuccess(exit) ? new Map(exit.value.map(({ partition, epoch }) => [partition, epoch])) : undefined;
}

interface Ending {
  readonly ended: AbortSignal;
  /** Calls `end` when the token may read no more. */
  readonly ends: (end: () => void) => () => void;
  readonly close: () => void;
}

/** The lines, read from the log as they are taken. */
function streamOf(tail: Tail, { ended, ends, close }: Ending): ReadableStream<Uint8Array> {
  let isOver = false;
  let isCancelled = false;
  let unwatch = () => {};
  const over = () => {
    if (isOver) return;
    isOver = true;
    unwatch();
    close();
  };
  unwatch = ends(over);
  // Nobody may ever ask for the first line.
  ended.addEventListener("abort", over, { once: true });
  if (ended.aborted) over();
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const untilMs = performance.now() + TAIL_LIMITS.heartbeatMs;
        let lines: readonly object[] = [];
        while (!isOver && lines.length === 0 && performance.now() < untilMs) lines = await round(tail);
        if (tail.left <= 0) over();
        if (isCancelled) return;
        if (lines.length > 0) controller.enqueue(textOfLines(lines));
        else if (!isOver) controller.enqueue(HEARTBEAT);
        if (isOver) controller.close();
      },
      cancel: () => {
        isCancelled = true;
        over();
      },
    },
    { highWaterMark: 0 },
  );
}

function textOfLines(lines: readonly object[]): Uint8Array {
  return ENCODER.encode(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
}

/** One look at every partition: what is there, or what arrives while it waits. */
async function round(tail: Tail): Promise<readonly object[]> {
  const there = await readAll(tail, 0);
  return there.length > 0 ? there : readAll(tail, TAIL_LIMITS.waitMs);
}

async function readAll(tail: Tail, waitMs: number): Promise<readonly object[]> {
  const { door, running, next } = tail;
  const { roundBytesMax, roundRecordsMax } = TAIL_LIMITS;
  const bounds = {
    topic: running.applied.source.topic,
    recordsMax: Math.min(tail.left, Math.ceil(roundRecordsMax / next.size)),
    bytesMax: Math.ceil(roundBytesMax / next.size),
    waitMs,
  };
  const reads = [...next].map(async ([partition, offset]) => {
    const read = Effect.catchTag(door.log.read({ ...bounds, partition, offset }), "OffsetGap", Effect.succeed);
    return { partition, exit: await door.run(read) };
  });
  const shown: { readonly timeMs: number; readonly line: object }[] = [];
  const told: object[] = [];
  for (const { partition, exit } of await Promise.all(reads)) {
    if (!Exit.isSuccess(exit)) {
      tail.left = 0;
      return [{ error: refusalOf(exit.cause).body }];
    }
    if ("asked" in exit.value) told.push(gapLine(tail, partition, exit.value));
    else {
      next.set(partition, exit.value.next);
      const schemasAt = await schemasOf(tail, exit.value);
      for (let index = 0; index < exit.value.count; index++)
        shown.push({ timeMs: exit.value.timestamps[index]!, line: lineOf(tail, exit.value, { index, schemasAt }) });
    }
  }
  const lines = shown.sort((one, other) => one.timeMs - other.timeMs).slice(0, tail.left);
  tail.left -= lines.length;
  return [...told, ...lines.map(({ line }) => line)];
}

/** Goes on behind a gap, and says what was missed. */
function gapLine({ next }: Tail, partition: number, { asked, earliest }: OffsetGap): object {
  next.set(partition, earliest);
  const message =
    asked < earliest
      ? `records ${asked} to ${earliest - 1} were removed by retention before they were read`
      : `offset ${asked} does not exist: the topic was created anew`;
  return { gap: { partition, from: asked, to: earliest, message } };
}

/** What a schema registry says of the records' ids, if their source asks one. */
async function schemasOf({ door, running }: Tail, records: Records) {
  const { schemas } = running.target;
  if (schemas === undefined) return undefined;
  const values = Array.from({ length: records.count }, (_, index) => ({
    value: rawOf(records, index),
    timestampMs: records.timestamps[index]!,
  }));
  const exit = await door.run(schemas.now(values));
  return Exit.isSuccess(exit) ? exit.value : undefined;
}

/** A record's value; null is a tombstone. */
function rawOf({ bytes, valueStarts, valueEnds }: Records, index: number): Uint8Array | null {
  const start = valueStarts[index]!;
  return start < 0 ? null : bytes.subarray(start, valueEnds[index]);
}

type SchemasAt = Awaited<ReturnType<typeof schemasOf>>;

function lineOf(
  { epochs, running }: Tail,
  records: Records,
  { index, schemasAt }: { readonly index: number; readonly schemasAt: SchemasAt },
): object {
  const { bytes, partition, keyStarts, keyEnds } = records;
  const keyStart = keyStarts[index]!;
  const key = keyStart < 0 ? undefined : textOf(bytes.subarray(keyStart, keyEnds[index]));
  const raw = rawOf(records, index);
  const value = raw === null ? undefined : textOf(raw);
  const headers = headersOf(records, index);
  return {
    partition,
    offset: records.offsets[index],
    // A partition of which nothing has landed yet is in its first.
    epoch: epochs === undefined ? null : (epochs.get(partition) ?? 1),
    at: new Date(records.timestamps[index]!).toISOString(),
    key: key?.raw ?? null,
    ...(key?.raw_encoding === "base64" ? { key_encoding: "base64" } : {}),
    value: value?.raw ?? null,
    ...(value?.raw_encoding === "base64" ? { value_encoding: "base64" } : {}),
    value_bytes: value?.raw_bytes ?? null,
    ...(value?.raw_is_cut ? { value_is_cut: true } : {}),
    ...meaningOf(running, raw, schemasAt?.(records.timestamps[index]!)),
    ...(Object.keys(headers).length > 0 ? { headers } : {}),
  };
}

/** What a record of another format than JSON says; whether its values fit is judged when it lands. */
function meaningOf({ conform }: RunningSource, value: Uint8Array | null, schemaOf: SchemaOf | undefined): object {
  if (conform.decoder === undefined) return {};
  const decoded = conform.decoder(value, schemaOf);
  if (decoded.kind === "row") return { row: decoded.text.slice(0, TAIL_LIMITS.shownBytesMax), op: decoded.op };
  if (decoded.kind === "nothing") return { no_row: decoded.reason };
  return { refused: { column: decoded.column === "" ? null : decoded.column, reason: decoded.reason } };
}

function textOf(bytes: Uint8Array) {
  return rawText(bytes.subarray(0, TAIL_LIMITS.shownBytesMax), bytes.length);
}
