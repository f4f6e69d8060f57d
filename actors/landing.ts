/**
 * Landing: one batch becomes one strict insert, and a bad record never stops the others.
 *
 *   prepared batch ──▶ strict insert ──▶ stored ──▶ marker
 *                           │ refused: nothing has landed
 *                           ▼
 *         found by halving, with probes that have no effect ──▶ left out, same token
 *
 * What is left out depends on the records alone, so every try stores the same
 * rows under the same token. Quarantine rows and the marker come after the
 * insert, before the commit. Records that can come twice are decided on here
 * too, see `duplicates.ts`: what was stored is remembered between the insert
 * and the marker.
 *
 * @module
 */
import { type Insert, Warehouse, type WarehouseFailed } from "@weir/connectors";
import { Data, Effect } from "effect";
import { keepBad } from "./bad_records.ts";
import type { Part } from "./batch.ts";
import { recycle } from "./body.ts";
import { type Drifted, stopAtDrift } from "./drifted.ts";
import { type Places, type Sighting, wantedOf } from "./duplicates.ts";
import { Ledger, type Marker } from "./ledger.ts";
import { type LeftOut, leftOut, remembered } from "./left_out.ts";
import { ONCE_SETTINGS } from "./once_settings.ts";
import { bodyOf, type Prepared, quarantined, SALT } from "./prepare.ts";
import { serverOf } from "./shards.ts";
import type { Batch, Landed } from "./table_state.ts";
import type { Target } from "./target.ts";

/** Takes a view out of the cascade because its query fails for good; afterwards the same insert can succeed. */
export type SuspendView = (view: string, reason: string) => Effect.Effect<void, LandingDelayed>;

/** The batch did not land now; the same batch can land later. */
export class LandingDelayed extends Data.TaggedError("LandingDelayed")<{ readonly message: string }> {}

/** The strict insert: one block, however many rows and table partitions it has. */
const INSERT_SETTINGS = {
  ...ONCE_SETTINGS,
  max_threads: 1,
  max_insert_block_size: 1_048_449,
  max_block_size: 1_048_449,
  min_insert_block_size_rows: 1_048_449,
  min_insert_block_size_bytes: 1_073_741_824,
  // Rows of many months in one batch are slow, but a bound here would block their partition for ever.
  max_partitions_per_insert_block: 0,
  max_execution_time: 60,
} as const;

/** Lands a prepared batch: its rows, its quarantine and its marker, each exactly once however often this is repeated. */
export const land = Effect.fnUntraced(function* (
  target: Target,
  batch: Batch,
  { deadlineMs, nowMs, prepared, suspend }: Landing,
): Effect.fn.Return<Landed, LandingDelayed | Drifted, Warehouse | Ledger> {
  const ledger = yield* Ledger;
  const startedMs = nowMs();
  const { statement, topic } = target;
  const { token, parts } = batch;
  const { epoch, catalog, ranges } = batch.intent;
  const { candidates } = prepared;
  const wanted = candidates === undefined ? [] : wantedOf(candidates);
  const sightings = wanted.length === 0 ? [] : yield* kept(ledger.seen({ statement, epoch, ranges }, wanted));
  const out = yield* insertStrictly(target, batch, { deadlineMs, nowMs, prepared, suspend, sightings });
  // After the first try nobody reads the body any more; a lost try before might.
  if (batch.tries === 0 && prepared.body !== undefined) recycle(prepared.body);
  prepared.body = undefined;
  const { places, quarantined: rows } = out;
  const all = ranges.reduce((sum, range) => sum + range.rows, 0);
  // What changes no row repeats what another record has said: a tombstone the delete before it.
  const duplicate = all - rowsOf(prepared.parts) + out.duplicate;
  const counts = { stored: all - duplicate - rows.length, duplicate, quarantined: rows.length };
  const marker: Marker = { statement, token, epoch, catalog, ranges, lasts: parts.map((part) => part.last), ...counts };
  const seen = remembered(target, { candidates, places });
  if (seen.length > 0) yield* kept(ledger.remember({ statement, epoch, token }, seen));
  if (rows.length > 0) yield* kept(ledger.quarantine({ statement, topic, epoch, token }, rows));
  yield* kept(ledger.finish(marker));
  return { ...counts, tookMs: nowMs() - startedMs };
});

/** How one try of a batch goes. */
interface Landing {
  readonly deadlineMs: number;
  /** The warehouse's time, which the deadline is in. */
  readonly nowMs: () => number;
  readonly prepared: Prepared;
  readonly suspend: SuspendView;
}

/**
 * Inserts what is not bad and did not come before; when the engine refuses it nonetheless, asks which records it means, or
 * suspends the view that fails. Answers what was left out.
 */
const insertStrictly = Effect.fnUntraced(function* (
  target: Target,
  batch: Batch,
  { deadlineMs, nowMs, prepared, suspend, sightings }: Landing & { readonly sightings: readonly Sighting[] },
) {
  while (true) {
    yield* stopAtDrift(target, prepared.bad);
    const out = leftOut(prepared, sightings);
    const refusal = yield* insertOnce(target, batch, { deadlineMs, prepared, out });
    if (refusal === undefined) return out;
    if (nowMs() >= deadlineMs) {
      return yield* new LandingDelayed({ message: `the batch met its deadline: ${refusal.message}` });
    }
    // The table itself may have the rows by now: they stay as they are, the repeat is for the other views.
    if (refusal.view !== undefined) yield* suspend(refusal.view, refusal.message);
    else yield* findByHalves(target, batch, { prepared, out, refusal, deadlineMs, nowMs });
  }
});

/** One insert of the batch without what is left out; the engine's refusal if there is one. */
const insertOnce = Effect.fnUntraced(function* (
  target: Target,
  { intent, token }: Batch,
  { deadlineMs, prepared, out }: { deadlineMs: number; prepared: Prepared; out: LeftOut },
) {
  const { parts } = prepared;
  if (rowsOf(parts) === count(out.places)) return undefined;
  prepared.body ??= bodyOf(target, parts, out.places);
  // A batch is cut from partitions of one shard.
  const warehouse = serverOf(yield* Warehouse, intent.ranges[0].partition);
  const { projection, table, topic } = target;
  const insert: Insert = {
    statement: projection.insert({ table, topic, epoch: intent.epoch, salt: SALT, deadlineMs }),
    body: prepared.body,
    settings: { ...projection.settings, ...INSERT_SETTINGS, insert_deduplication_token: token },
  };
  return yield* warehouse.insert(insert).pipe(
    Effect.as(undefined),
    Effect.catch((failed) => (failed.outcome === "refused" ? Effect.succeed(failed) : Effect.fail(delayed(failed)))),
  );
});

/** A try of a batch whose records the engine refuses. */
interface Refused extends Pick<Landing, "deadlineMs" | "nowMs" | "prepared"> {
  readonly out: LeftOut;
  readonly refusal: WarehouseFailed;
}

/** Asks the engine, half by half and without effect, which records it refuses although JavaScript does not. */
const findByHalves = Effect.fnUntraced(function* (
  target: Target,
  batch: Batch,
  { prepared, out, refusal, deadlineMs, nowMs }: Refused,
) {
  const { bad } = prepared;
  const found = count(bad);
  const search = (parts: readonly Part[]): Effect.Effect<void, LandingDelayed, Warehouse> =>
    Effect.gen(function* () {
      if (nowMs() >= deadlineMs) {
        return yield* new LandingDelayed({ message: `bad records are being looked for: ${refusal.message}` });
      }
      const rest = parts.filter((part) => part.range.rows > 0);
      const refused = yield* probe(target, { parts: rest, epoch: batch.intent.epoch, out: out.places });
      if (refused === undefined) return;
      const halves = halve(rest);
      if (halves === undefined) {
        yield* blameless(target, batch.intent.epoch);
        const [{ range, slices }] = rest;
        const [{ records, start }] = slices;
        const why = { column: "", reason: refused.message };
        keepBad(bad, range.partition, quarantined(range.partition, { records, index: start }, why));
        prepared.body = undefined;
        return;
      }
      yield* search(halves[0]);
      yield* search(halves[1]);
    });
  yield* search(prepared.parts);
  // The records are good, so the target is in trouble: keep the batch, say so, try again later.
  if (count(bad) === found)
    yield* new LandingDelayed({ message: `${target.table} refuses good records: ${refusal.message}` });
});

/** Delays the batch when the engine refuses even an insert without records: then it is not about records. */
const blameless = Effect.fnUntraced(function* (target: Target, epoch: number) {
  const refused = yield* probe(target, { parts: [], epoch, out: new Map() });
  if (refused !== undefined) return yield* delayed(refused);
});

const probe = Effect.fnUntraced(function* (
  target: Target,
  { parts, epoch, out }: { parts: readonly Part[]; epoch: number; out: Places },
) {
  const warehouse = yield* Warehouse;
  const { projection, topic } = target;
  const insert: Insert = {
    statement: projection.probe({ topic, epoch, salt: SALT }),
    body: bodyOf(target, parts, out),
    settings: { ...projection.settings, ...INSERT_SETTINGS, insert_deduplicate: 0 },
  };
  return yield* warehouse.insert(insert).pipe(
    Effect.as(undefined),
    Effect.catch((failed) => (failed.outcome === "refused" ? Effect.succeed(failed) : Effect.fail(delayed(failed)))),
  );
});

function rowsOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { range }) => sum + range.rows, 0);
}

function count(places: Places): number {
  let sum = 0;
  for (const records of places.values()) sum += records.size;
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
