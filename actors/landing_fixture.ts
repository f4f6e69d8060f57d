/**
 * A batch landed in a test, and what warehouse and ledger heard of it.
 *
 * The warehouse here knows two words: it refuses records with `odd` in them,
 * which the judge takes, and everybody refuses `bad`.
 *
 * @module
 */
import { type Insert, Warehouse, WarehouseFailed } from "@weir/connectors";
import { Effect } from "effect";
import { TestClock } from "effect/testing";
import { type Part, partOf } from "./batch.ts";
import { tokenOf } from "./intent.ts";
import { land } from "./landing.ts";
import { Ledger, type Marker, type Quarantined, type Remembered } from "./ledger.ts";
import { prepare } from "./prepare.ts";
import { recordsOf } from "./records_fixture.ts";
import type { Batch } from "./table_state.ts";
import type { Projection, Target } from "./target.ts";

/** Until when a batch lands here. */
export const DEADLINE_MS = 60_000;
/** Landing never asks the ledger anything. */
const UNASKED = Effect.die("landing asked the ledger");

/** Judges by a word, inserts and probes in words. */
export const PROJECTION: Projection = {
  settings: { date_time_input_format: "basic" },
  source: { unknown: "reject", format: { kind: "json" }, drift: "quarantine" },
  insert: ({ table, deadlineMs }) => `INSERT INTO ${table} BEFORE ${deadlineMs}`,
  probe: () => "PROBE",
  companions: () => ({ partition: "_p", offset: "_o", time: "_t", op: "_op" }),
  scanner: {
    scan: (bytes, start, end) => Buffer.from(bytes.subarray(start, end)).includes("fast"),
    keyStart: -1,
    keyEnd: -1,
  },
  judge: (text) => (text.includes("bad") ? { ok: false, column: "n", reason: "is bad" } : { ok: true, key: undefined }),
  decoder: undefined,
  normalise: (text) => text.replace("unknown", "_rest"),
};
/** Where batches land here. */
export const TARGET: Target = {
  statement: "ods.t",
  topic: "t",
  table: "weir_state.ods__t__v1",
  catalog: 3,
  projection: PROJECTION,
};

/** A record's value; null is a tombstone. */
export type Value = string | Uint8Array | null;

/** A batch with one part for each list of values; each part from reads of two records. */
export function batchOf(...values: readonly (readonly Value[])[]): Batch {
  const parts = values.map((own, partition): Part => {
    const slices = [];
    for (let from = 0; from < own.length; from += 2) {
      const records = recordsOf(own.slice(from, from + 2), { from, partition });
      slices.push({ records, start: 0, end: records.count });
    }
    return partOf({ partition, from: 0, slices });
  });
  const intent = { epoch: 2, catalog: 3, atMs: 0, ranges: parts.map(({ range }) => range) };
  return { intent, parts, token: tokenOf("ods.t", intent), tries: 0 };
}

/** What warehouse and ledger heard, in words and in full. */
export interface Heard {
  readonly told: string[];
  readonly inserts: Insert[];
  readonly quarantine: Quarantined[];
  readonly markers: Marker[];
}

/** What goes wrong before a call of a kind, by how many of that kind came before. */
export type Fault = (what: string, nth: number) => Effect.Effect<void, WarehouseFailed>;

/** The warehouse did not do it. */
export const failed = (outcome: WarehouseFailed["outcome"], message: string) =>
  new WarehouseFailed({ outcome, code: 1, message });
const numbers = (body: Insert["body"]): string =>
  Buffer.concat([...body])
    .toString()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => /"_p":(\d+),"_o":(\d+)/.exec(line)?.slice(1).join("/"))
    .join(" ");

/** How a batch is landed; `seen` is what the ledger remembers of stored records, undefined where it is not to be asked. */
export interface LandOptions {
  readonly fault?: Fault;
  readonly deadlineMs?: number;
  readonly target?: Target;
  readonly seen?: Remembered[];
}

/** What landing asks of nobody. */
const UNASKED_LEDGER = {
  marker: () => UNASKED,
  positions: () => UNASKED,
  nowMs: UNASKED,
  partsSince: () => UNASKED,
  enter: () => UNASKED,
  noteGap: () => UNASKED,
} as const;

/** Lands a batch; `fault` is asked before each call, with its kind and how many of that kind came before. */
export function landed(batch: Batch, options: LandOptions = {}) {
  const { fault = () => Effect.void, deadlineMs = DEADLINE_MS, target = TARGET, seen } = options;
  const heard: Heard = { told: [], inserts: [], quarantine: [], markers: [] };
  const counts = new Map<string, number>();
  const call = (what: string, told: string) =>
    Effect.suspend(() => {
      heard.told.push(told);
      counts.set(what, (counts.get(what) ?? 0) + 1);
      return fault(what, (counts.get(what) as number) - 1);
    });
  const insert = (one: Insert) => {
    const what = one.statement === "PROBE" ? "probe" : "insert";
    const body = [...one.body];
    heard.inserts.push({ ...one, body });
    const isOdd = Buffer.concat(body).includes("odd");
    return call(what, `${what} ${numbers(body)}`).pipe(
      Effect.andThen(isOdd ? Effect.fail(failed("refused", "it is odd")) : Effect.succeed({ rowsWritten: 1 })),
    );
  };
  const ledger: Ledger["Service"] = {
    ...UNASKED_LEDGER,
    seen: (_, wanted) => {
      if (seen === undefined) return UNASKED;
      const asked = new Set(wanted.map(({ hash }) => hash));
      return Effect.as(
        call("seen", "seen?"),
        seen.filter(({ hash, partition, offset }) => {
          const { from } = batch.intent.ranges.find((range) => range.partition === partition)!;
          return asked.has(hash) && offset < from;
        }),
      );
    },
    remember: (_, rows) => {
      if (seen === undefined) return UNASKED;
      seen.push(...rows);
      return call("remember", `remember ${rows.map(({ partition, offset }) => `${partition}/${offset}`).join(" ")}`);
    },
    quarantine: (_, rows) => {
      heard.quarantine.push(...rows);
      return call(
        "quarantine",
        `quarantine ${rows.map(({ partition, offset }) => `${partition}/${offset}`).join(" ")}`,
      );
    },
    finish: (marker) => {
      heard.markers.push(marker);
      const more = marker.duplicate === 0 ? "" : `, ${marker.duplicate} again`;
      return call("marker", `marker ${marker.stored}+${marker.quarantined}${more}`);
    },
  };
  const program = prepare(target, batch.parts).pipe(
    Effect.flatMap((prepared) =>
      land(target, batch, {
        deadlineMs,
        nowMs: () => 0,
        prepared,
        suspend: () => Effect.die("there are no views here"),
      }),
    ),
    Effect.map(({ stored, quarantined }) => `${stored}+${quarantined}`),
    Effect.catchTag("LandingDelayed", (late) => Effect.succeed(`delayed: ${late.message}`)),
    Effect.catchTag("Drifted", Effect.die),
    Effect.catchTag("WarehouseFailed", Effect.die),
    Effect.provideService(Warehouse, { insert } as unknown as Warehouse["Service"]),
    Effect.provideService(Ledger, ledger),
    Effect.provide(TestClock.layer()),
  );
  return Effect.map(program, (result) => ({ result, ...heard }));
}

/** Runs what cannot fail. */
export const run = <A>(program: Effect.Effect<A>) => Effect.runPromise(program);
/** What everybody takes; what the judge refuses; what only the engine refuses. */
export const GOOD = '{"n":1}';
export const BAD = '{"n":"bad"}';
export const ODD = '{"n":"odd"}';
