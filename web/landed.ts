/**
 * Landed: stored, duplicate and quarantined events by source, counted from the batches' markers.
 *
 *   weir.batch ──rows since the last look──▶ sums ──▶ /metrics
 *
 * The markers are the proof that the counts add up, so they are what is
 * counted. A look ends some seconds ago: a marker that is still being written
 * then belongs to the next one. Sums begin at the process's start.
 *
 * @module
 */
import type { Warehouse, WarehouseFailed } from "@weir/connectors";
import { Effect } from "effect";
import type { Sample } from "./counters.ts";

/** A marker is visible at most this long after its time. */
const SETTLED_MS = 5_000;
/** Looks are at least this far apart, however often somebody asks. */
const EVERY_MS_MIN = 1_000;

interface Row {
  readonly statement: string;
  readonly stored: number;
  readonly duplicate: number;
  readonly quarantined: number;
}

const HELP = {
  stored: "Events whose rows are in their table.",
  duplicate: "Events dropped because they were stored before.",
  quarantined: "Events from the log that could not be stored.",
} as const;

/** Sums over the markers of batches that landed since `sinceMs`. */
export class Landed {
  readonly #warehouse: Warehouse["Service"];
  readonly #sums = new Map<string, Record<keyof typeof HELP, number>>();
  #fromMs: number;
  #isLooking = false;

  constructor(warehouse: Warehouse["Service"], sinceMs: number) {
    this.#warehouse = warehouse;
    this.#fromMs = sinceMs;
  }

  /** Adds what landed since the last look; a warehouse that does not answer leaves the sums as they are. */
  refresh(nowMs: number): Effect.Effect<void, WarehouseFailed> {
    const toMs = nowMs - SETTLED_MS;
    if (this.#isLooking || toMs - this.#fromMs < EVERY_MS_MIN) return Effect.void;
    this.#isLooking = true;
    const time = (ms: number) => `fromUnixTimestamp64Milli(${Math.trunc(ms)})`;
    const query = this.#warehouse.rows<Row>(
      "admin",
      `SELECT statement, sum(stored) AS stored, sum(duplicate) AS duplicate, sum(quarantined) AS quarantined
       FROM weir.batch WHERE landed_at >= ${time(this.#fromMs)} AND landed_at < ${time(toMs)} GROUP BY statement`,
      { readonly: 1, output_format_json_quote_64bit_integers: 0, max_execution_time: 10 },
    );
    return Effect.ensuring(
      Effect.map(query, (rows) => {
        this.#fromMs = toMs;
        for (const row of rows) this.#add(row);
      }),
      Effect.sync(() => {
        this.#isLooking = false;
      }),
    );
  }

  /** The sums, for Prometheus. */
  samples(): Sample[] {
    return [...this.#sums].flatMap(([statement, sums]) =>
      (["stored", "duplicate", "quarantined"] as const).map(
        (verdict): Sample => ({
          name: `weir_landed_${verdict}_total`,
          type: "counter",
          help: HELP[verdict],
          labels: { source: statement.replace(/^ods\./, "") },
          value: sums[verdict],
        }),
      ),
    );
  }

  #add({ statement, stored, duplicate, quarantined }: Row): void {
    const sums = this.#sums.get(statement) ?? { stored: 0, duplicate: 0, quarantined: 0 };
    this.#sums.set(statement, sums);
    sums.stored += stored;
    sums.duplicate += duplicate;
    sums.quarantined += quarantined;
  }
}
