/**
 * Landing: one batch becomes one strict insert, and a bad record never stops the others.
 *
 *   batch ──▶ strict insert (engine judges, vectorised) ──▶ stored
 *                │ refused: nothing has landed
 *                ▼
 *          taken apart: JavaScript judges each record; what it misses the engine finds by halving
 *                │ bad records left out, same token
 *                ▼
 *          strict insert again ──▶ stored + quarantined ──▶ marker
 *
 * The verdict on a record depends on its bytes and its append time alone, so
 * every try of a batch, by whichever owner, stores the same rows under the same
 * token. Quarantine rows and the marker come after the insert, before the commit.
 *
 * @module
 */
import { type Insert, Warehouse, type WarehouseFailed } from "@weir/connectors";
import { Clock, Data, Effect } from "effect";
import type { Part } from "./batch.ts";
import { body, type Companions, eachRecord, insideObject } from "./body.ts";
import { Ledger, type Marker, type Quarantined } from "./ledger.ts";
import type { Batch, Landed } from "./table_step.ts";

/** The strict projection of a source, as an insert needs it; `conform()` makes it. */
export interface Projection {
  readonly settings: Readonly<Record<string, string | number>>;
  /** False: every record is judged in JavaScript before the insert. */
  readonly engineJudges: boolean;
  readonly insert: (to: { table: string; topic: string; epoch: number; salt: string; deadlineMs: number }) => string;
  readonly probe: (to: { topic: string; epoch: number; salt: string }) => string;
  readonly companions: (salt: string) => Companions;
  readonly judge: (
    text: string,
    timestampMs: number,
  ) => { readonly ok: boolean; readonly column?: string; readonly reason?: string };
  readonly normalise: (text: string) => string;
}

/** Where a source's batches land, under one version of its definition. */
export interface Target {
  readonly statement: string;
  readonly topic: string;
  /** Physical table, for example `weir_state.ods__flight__v1`. */
  readonly table: string;
  readonly catalog: number;
  readonly projection: Projection;
}

/** The batch did not land now; the same batch can land later. */
export class LandingDelayed extends Data.TaggedError("LandingDelayed")<{ readonly message: string }> {}

/** Settings of every insert of this protocol, said explicitly: the engine's defaults change. */
const INSERT_SETTINGS = {
  async_insert: 0,
  insert_deduplicate: 1,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  materialized_views_ignore_errors: 0,
  wait_end_of_query: 1,
  max_insert_threads: 1,
  max_threads: 1,
  max_insert_block_size: 1_048_449,
  max_block_size: 1_048_449,
  min_insert_block_size_rows: 1_048_449,
  min_insert_block_size_bytes: 1_073_741_824,
  max_execution_time: 60,
} as const;

const SALT = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => (byte % 36).toString(36)).join("");

type BadRecords = Map<number, Map<number, Quarantined>>;

/** Lands a batch: its rows, its quarantine and its marker, each exactly once however often this is repeated. */
export const land = Effect.fnUntraced(function* (
  target: Target,
  batch: Batch,
  deadlineMs: number,
): Effect.fn.Return<Landed, LandingDelayed, Warehouse | Ledger> {
  const ledger = yield* Ledger;
  const startedMs = yield* Clock.currentTimeMillis;
  const bad = unreadable(batch.parts);
  if (!target.projection.engineJudges) judgeAll(target, batch.parts, bad);
  yield* insertStrictly(target, batch, { deadlineMs, bad });
  const { statement, topic } = target;
  const { token, parts } = batch;
  const { epoch, catalog, ranges } = batch.intent;
  const rows = [...bad.values()].flatMap((records) => [...records.values()]);
  const all = ranges.reduce((sum, range) => sum + range.rows, 0);
  const counts = { stored: all - rows.length, duplicate: 0, quarantined: rows.length };
  const marker: Marker = { statement, token, epoch, catalog, ranges, lasts: parts.map((part) => part.last), ...counts };
  if (rows.length > 0) yield* kept(ledger.quarantine({ statement, topic, epoch, token }, rows));
  yield* kept(ledger.finish(marker));
  return { ...counts, tookMs: (yield* Clock.currentTimeMillis) - startedMs };
});

/** Inserts what is not bad; takes the batch apart when the engine refuses it. */
const insertStrictly = Effect.fnUntraced(function* (
  target: Target,
  batch: Batch,
  how: { deadlineMs: number; bad: BadRecords },
) {
  const { deadlineMs, bad } = how;
  for (let judged = false; ; judged = true) {
    const refusal = yield* insertOnce(target, batch, how);
    if (refusal === undefined) return;
    if ((yield* Clock.currentTimeMillis) >= deadlineMs)
      return yield* new LandingDelayed({ message: `the batch met its deadline: ${refusal.message}` });
    const before = count(bad);
    if (!judged) judgeAll(target, batch.parts, bad);
    if (count(bad) === before) yield* findByHalves(target, batch, { bad, refusal });
  }
});

/** One insert of the batch without its bad records; the engine's refusal if there is one. */
const insertOnce = Effect.fnUntraced(function* (
  target: Target,
  { parts, intent, token }: Batch,
  { deadlineMs, bad }: { deadlineMs: number; bad: BadRecords },
) {
  const rows = intent.ranges.reduce((sum, range) => sum + range.rows, 0) - count(bad);
  if (rows === 0) return undefined;
  const warehouse = yield* Warehouse;
  const { projection, table, topic } = target;
  const insert: Insert = {
    statement: projection.insert({ table, topic, epoch: intent.epoch, salt: SALT, deadlineMs }),
    body: bodyOf(target, parts, bad),
    settings: { ...projection.settings, ...INSERT_SETTINGS, insert_deduplication_token: token },
  };
  return yield* warehouse.insert(insert).pipe(
    Effect.as(undefined),
    Effect.catch((failed) => (failed.outcome === "refused" ? Effect.succeed(failed) : Effect.fail(delayed(failed)))),
  );
});

/** Asks the engine, half by half and without effect, which records it refuses although JavaScript does not. */
const findByHalves = Effect.fnUntraced(function* (
  target: Target,
  batch: Batch,
  how: { bad: BadRecords; refusal: WarehouseFailed },
) {
  const { bad, refusal } = how;
  const found = count(bad);
  const search = (parts: readonly Part[]): Effect.Effect<void, LandingDelayed, Warehouse> =>
    Effect.gen(function* () {
      const rest = parts.filter((part) => part.range.rows > 0);
      const refused = yield* probe(target, { parts: rest, epoch: batch.intent.epoch, bad });
      if (refused === undefined) return;
      const halves = halve(rest);
      if (halves === undefined) {
        const [{ range, slices }] = rest;
        const [{ records, start }] = slices;
        keepBad(
          bad,
          range.partition,
          quarantined(range.partition, { records, index: start }, { column: "", reason: refused.message }),
        );
        return;
      }
      yield* search(halves[0]);
      yield* search(halves[1]);
    });
  yield* search(batch.parts);
  // The records are good, so the target is in trouble: keep the batch, say so, try again later.
  if (count(bad) === found)
    yield* new LandingDelayed({ message: `${target.table} refuses good records: ${refusal.message}` });
});

const probe = Effect.fnUntraced(function* (
  target: Target,
  { parts, epoch, bad }: { parts: readonly Part[]; epoch: number; bad: BadRecords },
) {
  const warehouse = yield* Warehouse;
  const { projection, topic } = target;
  const insert: Insert = {
    statement: projection.probe({ topic, epoch, salt: SALT }),
    body: bodyOf(target, parts, bad),
    settings: { ...projection.settings, ...INSERT_SETTINGS, insert_deduplicate: 0 },
  };
  return yield* warehouse.insert(insert).pipe(
    Effect.as(undefined),
    Effect.catch((failed) => (failed.outcome === "refused" ? Effect.succeed(failed) : Effect.fail(delayed(failed)))),
  );
});

function bodyOf({ projection }: Target, parts: readonly Part[], bad: BadRecords): Iterable<Uint8Array> {
  const left = new Map([...bad].map(([partition, records]) => [partition, new Set(records.keys())]));
  const rewrite = projection.engineJudges ? undefined : projection.normalise;
  const names = projection.companions(SALT);
  return { [Symbol.iterator]: () => body(parts, { names, left, rewrite }) };
}

/** Records that are no JSON objects at all: nothing could be spliced in front of them. */
function unreadable(parts: readonly Part[]): BadRecords {
  const bad: BadRecords = new Map();
  eachRecord(parts, ({ partition }, { records }, index) => {
    if (insideObject(records, index) >= 0) return;
    const reason = records.valueStarts[index] < 0 ? "the record has no value" : "the record is not a JSON object";
    keepBad(bad, partition, quarantined(partition, { records, index }, { column: "", reason }));
  });
  return bad;
}

/** Judges every record in JavaScript and keeps the bad ones. */
function judgeAll({ projection }: Target, parts: readonly Part[], bad: BadRecords): void {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  eachRecord(parts, ({ partition }, { records }, index) => {
    if (bad.get(partition)?.has(records.offsets[index])) return;
    const verdict = judgeRecord(projection, decoder, { records, index });
    if (verdict !== undefined) keepBad(bad, partition, quarantined(partition, { records, index }, verdict));
  });
}

function judgeRecord(
  projection: Projection,
  decoder: TextDecoder,
  { records, index }: At,
): { column: string; reason: string } | undefined {
  let text: string;
  try {
    text = decoder.decode(records.bytes.subarray(records.valueStarts[index], records.valueEnds[index]));
  } catch {
    // A fatal decoder throws for exactly one reason.
    return { column: "", reason: "the record is not valid UTF-8" };
  }
  const verdict = projection.judge(text, records.timestamps[index]);
  return verdict.ok
    ? undefined
    : { column: verdict.column ?? "", reason: verdict.reason ?? "the record does not conform" };
}

interface At {
  readonly records: Part["slices"][number]["records"];
  readonly index: number;
}

function quarantined(partition: number, { records, index }: At, why: { column: string; reason: string }): Quarantined {
  const start = records.valueStarts[index];
  const raw = start < 0 ? null : records.bytes.slice(start, records.valueEnds[index]);
  return { partition, offset: records.offsets[index], timestampMs: records.timestamps[index], raw, ...why };
}

function keepBad(bad: BadRecords, partition: number, record: Quarantined): void {
  const records = bad.get(partition) ?? new Map<number, Quarantined>();
  bad.set(partition, records.set(record.offset, record));
}

function count(bad: BadRecords): number {
  let sum = 0;
  for (const records of bad.values()) sum += records.size;
  return sum;
}

/** Splits parts into two halves by records; undefined when there is a single record left. */
function halve(parts: readonly Part[]): readonly [readonly Part[], readonly Part[]] | undefined {
  const singles = parts.flatMap((part) =>
    part.slices.map((slice) => ({ ...part, slices: [slice], range: { ...part.range, rows: slice.end - slice.start } })),
  );
  if (singles.length > 1) return [singles.slice(0, singles.length >> 1), singles.slice(singles.length >> 1)];
  const [part] = singles;
  const [{ records, start, end }] = part.slices;
  if (end - start <= 1) return undefined;
  const middle = (start + end) >> 1;
  const piece = (from: number, to: number): Part => ({
    ...part,
    slices: [{ records, start: from, end: to }],
    range: { ...part.range, rows: to - from },
  });
  return [[piece(start, middle)], [piece(middle, end)]];
}

const delayed = (failed: WarehouseFailed) => new LandingDelayed({ message: failed.message });

const kept = Effect.mapError(delayed);
