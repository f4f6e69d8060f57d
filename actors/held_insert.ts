/**
 * An insert that counts only while this process holds what it must.
 *
 *   stillHeld ──deadline──▶ insert, refused once the deadline is over ──answer lost──▶ asked again, with the same token
 *                                                                    └──too late──▶ is it there after all?
 *
 * The rows that decide something (definitions, accepted gaps, positions of a
 * reset) are written like this, so that a process which stood still cannot
 * decide it after others have gone on.
 *
 * @module
 */
import { type LogFailed, Warehouse, type WarehouseFailed } from "@weir/connectors";
import { Clock, Effect } from "effect";
import { whileAway } from "./away_retry.ts";
import { stillHeld } from "./hold.ts";
import { ONCE_SETTINGS } from "./once_settings.ts";

/** From the deadline's test to the row: less than a hold goes on beyond what it says. */
const INSERT_SECONDS_MAX = 4;

/** Rows that are inserted all or none, once. */
export interface HeldInsert {
  readonly into: string;
  readonly columns: string;
  /** Of the columns, for an insert that has a deadline. */
  readonly types: string;
  readonly token: string;
  readonly rows: readonly object[];
  /** Whether the rows are there, where that must be known before a refusal is believed. */
  readonly isThere?: Effect.Effect<boolean, WarehouseFailed, Warehouse>;
}

/**
 * Inserts rows. A lost answer is asked for again until it is known. Fails if the rows are refused, or if this process
 * lost what it must hold for them.
 */
export const insertHeld = (of: HeldInsert): Effect.Effect<void, WarehouseFailed | LogFailed, Warehouse> =>
  Effect.gen(function* () {
    const warehouse = yield* Warehouse;
    const body = [Buffer.from(of.rows.map((row) => JSON.stringify(row)).join("\n"))];
    const settings = {
      ...ONCE_SETTINGS,
      input_format_parallel_parsing: 0,
      max_execution_time: INSERT_SECONDS_MAX,
      insert_deduplication_token: of.token,
    };
    let overMs = Number.NEGATIVE_INFINITY;
    const tried = Effect.flatMap(stillHeld, (untilMs) => {
      overMs = untilMs + INSERT_SECONDS_MAX * 1_000;
      return warehouse.insert({ statement: statementOf(of, untilMs), body, settings });
    });
    const { isThere } = of;
    if (isThere === undefined) return yield* Effect.asVoid(whileAway(tried));
    yield* whileAway(tried).pipe(
      Effect.catchIf(isTooLate, (failed) =>
        Effect.gen(function* () {
          // A try whose answer was lost may have come through, or still come.
          yield* Effect.sleep(Math.max(0, overMs - (yield* Clock.currentTimeMillis)));
          if (!(yield* whileAway(isThere))) yield* Effect.fail(failed);
        }),
      ),
    );
  });

/** The insert, refused by the engine once `untilMs` is over. */
function statementOf({ into: table, columns, types }: HeldInsert, untilMs: number): string {
  const into = `INSERT INTO ${table} (${columns})`;
  if (untilMs === Number.POSITIVE_INFINITY) return `${into} FORMAT JSONEachRow`;
  const late = `throwIf(now64(3) > fromUnixTimestamp64Milli(${Math.trunc(untilMs)}), 'the hold is over')`;
  return `${into} SELECT ${columns} FROM input('${types}') WHERE NOT ignore(${late}) FORMAT JSONEachRow`;
}

const isTooLate = (failed: WarehouseFailed | LogFailed): boolean =>
  failed._tag === "LogFailed" || failed.message.includes("the hold is over");
