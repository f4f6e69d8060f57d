/**
 * Schemas of a registry: kept in the warehouse before they are used, so that one id means one thing for ever.
 *
 *   id ──in memory?──▶ weir.schema? ──▶ registry ──first row of its slot──▶ weir.schema ──read back──▶ in memory ──▶ decoder
 *                                          └──away──▶ asked again, longer and longer; nothing is decided
 *
 * Two processes that ask at the same time insert under the same token, and both
 * use what they read afterwards: the first row. A partition asks before its
 * records are offered to their table, so what lands, and what is recovered after
 * a kill, only reads what is kept; a registry that is away holds back the
 * partitions whose records it is asked about, and nothing else.
 *
 * @module
 */
import {
  type RegistryAnswer,
  RegistryAway,
  type SchemaRegistry,
  type Warehouse,
  type WarehouseFailed,
} from "@weir/connectors";
import { type Registered, readAvroSchema, type SchemaOf, SchemaRefused, type Source, usesRegistry } from "@weir/sql";
import { Effect, Schedule, Semaphore } from "effect";
import { whileAway } from "./away_retry.ts";
import type { Slice } from "./batch.ts";
import { ONCE_SETTINGS } from "./once_settings.ts";
import { NUMBERS } from "./read_settings.ts";
import { found, keyOf, type Slot, slotsOf, type Value, valuesOf, type Wanted, wantedOf } from "./schema_slots.ts";

/** Bounds of what is kept in memory: answers, and characters of their schemas. */
export const KEPT_LIMITS = { answersMax: 10_000, charsMax: 4 * 2 ** 20 } as const;
/** Slots that one query reads. */
const SLOTS_PER_QUERY = 1_000;
/** Pauses between questions to a registry that is away: 250 ms, doubled, 10 s at most. */
const ASK_RETRY = Schedule.min([Schedule.exponential("250 millis"), Schedule.spaced("10 seconds")]);

/** What the ids of a record mean, by its time in the log. */
export type SchemasAt = (timestampMs: number) => SchemaOf;

/** The schemas of one source. */
export interface SourceSchemas {
  /** Waits until all schemas of these records are kept; `waits` hears why, again at every try. */
  readonly known: (
    slices: Iterable<Slice>,
    waits?: (note: string) => Effect.Effect<unknown>,
  ) => Effect.Effect<SchemasAt, WarehouseFailed>;
  /** What can be said now, for those who look: what the registry does not answer is refused for the moment. */
  readonly now: (values: Iterable<Value>) => Effect.Effect<SchemasAt, WarehouseFailed>;
}

/** The schemas of one process. */
export interface Schemas {
  readonly hasRegistry: boolean;
  /** Those of a source; undefined if its definition says them itself. */
  readonly of: (source: Source) => SourceSchemas | undefined;
}

/** What schemas are made from. */
export interface SchemaParts {
  readonly warehouse: Warehouse["Service"];
  /** Undefined: the operator has named none. */
  readonly registry: SchemaRegistry | undefined;
}

/** The schemas of a process, over its warehouse and the registry that its operator named. */
export function schemasOf({ warehouse, registry }: SchemaParts): Schemas {
  const site: Site = { warehouse, registry, memory: new Memory(), asking: Semaphore.makeUnsafe(1) };
  return {
    hasRegistry: registry !== undefined,
    of: (source) => {
      if (!usesRegistry(source.format)) return undefined;
      const statement = `${source.layer}.${source.name}`;
      const waits = source.drift === "stop";
      return {
        known: (slices, note) => patiently(site, { wanted: wantedOf(valuesOf(slices)), statement, waits }, note),
        now: (values) => atOnce(site, { wanted: wantedOf(values), statement, waits: false }),
      };
    },
  };
}

interface Site extends SchemaParts {
  readonly memory: Memory;
  /** One question at a time: producers may write any number of ids. */
  readonly asking: Semaphore.Semaphore;
}

interface Asking {
  readonly wanted: readonly Wanted[];
  readonly statement: string;
  /** Whether records wait for a schema instead of being refused without one. */
  readonly waits: boolean;
}

type Settled<A> = Effect.Effect<A, RegistryAway | WarehouseFailed>;

function patiently(
  site: Site,
  asking: Asking,
  note: (note: string) => Effect.Effect<unknown> = () => Effect.void,
): Effect.Effect<SchemasAt, WarehouseFailed> {
  // What is known once stays: a try begins where the one before ended.
  const answers = new Map<string, Registered>();
  const settled = Effect.gen(function* () {
    yield* load(site, asking, answers);
    for (const one of asking.wanted) yield* settle(site, { ...asking, one, answers });
  });
  return whileAway(settled).pipe(
    Effect.tapError((failed) => (failed instanceof RegistryAway ? note(failed.message) : Effect.void)),
    Effect.retry({ while: (failed) => failed instanceof RegistryAway, schedule: ASK_RETRY }),
    Effect.catchTag("RegistryAway", Effect.die),
    Effect.as(at(asking, answers)),
  );
}

const atOnce = Effect.fnUntraced(function* (site: Site, asking: Asking): Effect.fn.Return<SchemasAt, WarehouseFailed> {
  const answers = new Map<string, Registered>();
  yield* load(site, asking, answers);
  let away: RegistryAway | undefined;
  for (const one of asking.wanted) {
    // Who is away for one is not asked for the others.
    if (away !== undefined) break;
    away = yield* settle(site, { ...asking, one, answers }).pipe(
      Effect.as(undefined),
      Effect.catchTag("RegistryAway", (failed) => Effect.succeed(failed)),
    );
  }
  return at(asking, answers, away?.message);
});

/** The answers as a decoder takes them. */
function at({ waits }: Asking, answers: ReadonlyMap<string, Registered>, away?: string): SchemasAt {
  return (timestampMs) => (id) => {
    const said = found(slotsOf({ id, timestampMs }, waits), (slot) => answers.get(keyOf(slot)));
    return said.kind === "missing" ? { kind: "refused", reason: away ?? `schema ${id} was not asked for` } : said;
  };
}

interface Settling extends Asking {
  readonly one: Wanted;
  /** What is known so far of this asking's slots; grows. */
  readonly answers: Map<string, Registered>;
}

/** Asks until all slots of one id are known that count. */
const settle = (site: Site, { one, statement, waits, answers }: Settling): Settled<void> => {
  const slots = slotsOf(one, waits);
  const missing = () => found(slots, (slot) => answers.get(keyOf(slot)));
  if (missing().kind !== "missing") return Effect.void;
  return site.asking.withPermit(
    Effect.gen(function* () {
      // Somebody else may have asked meanwhile.
      yield* load(site, { wanted: [one], waits }, answers);
      let answer: RegistryAnswer | undefined;
      for (let said = missing(); said.kind === "missing"; said = missing()) {
        answer ??= yield* ask(site, one.id);
        if (waits && answer.kind !== "schema") return yield* new RegistryAway({ message: insists(one.id, answer) });
        yield* keep(site, { ...said.slot, statement, answer });
        yield* load(site, { wanted: [one], waits }, answers);
        // Its token is remembered and its row is not there: somebody has deleted rows. Without a pause this would spin.
        if (!answers.has(keyOf(said.slot))) return yield* new RegistryAway({ message: isGone(one.id) });
      }
    }),
  );
};

const ask = Effect.fnUntraced(function* (
  { registry }: Site,
  id: number,
): Effect.fn.Return<RegistryAnswer, RegistryAway> {
  if (registry === undefined) {
    const message = `Cannot ask for schema ${id}: no schema registry is configured. Set SCHEMA_REGISTRY_URL where Weir is started.`;
    return yield* new RegistryAway({ message });
  }
  const answer = yield* registry.schema(id);
  if (answer.kind !== "schema") return answer;
  const read = registered(answer);
  return read.kind === "schema" ? answer : { kind: "refused", reason: `schema ${id} cannot be used: ${read.reason}` };
});

/** A schema as a decoder takes it; what cannot be read is refused. */
function registered({ text, references }: Extract<RegistryAnswer, { kind: "schema" }>): Registered {
  try {
    return { kind: "schema", schema: readAvroSchema(text, references) };
  } catch (error) {
    if (!(error instanceof SchemaRefused)) throw error;
    return { kind: "refused", reason: error.message };
  }
}

const unknown = (id: number) =>
  `the schema registry does not know schema ${id}: register it, then replay; it is asked again every minute`;

const reasonOf = (id: number, answer: Exclude<RegistryAnswer, { kind: "schema" }>) =>
  answer.kind === "unknown" ? unknown(id) : answer.reason;

function insists(id: number, answer: Exclude<RegistryAnswer, { kind: "schema" }>): string {
  const state = answer.kind === "unknown" ? "the schema registry does not know it" : answer.reason;
  return `Cannot decode records of schema ${id}: ${state}. Register it, or say \`drift: quarantine\` and apply.`;
}

const isGone = (id: number) =>
  `Cannot keep what schema ${id} is: weir.schema takes its row for one that is there, and it is not. Restore the rows that were deleted.`;

const INSERT = "INSERT INTO weir.schema (id, slot, verdict, text, refers_to, reason, asked_for) FORMAT JSONEachRow";

/** Writes an answer into its slot, unless somebody was first. */
function keep(
  { warehouse }: Site,
  { id, slot, statement, answer }: Slot & { readonly statement: string; readonly answer: RegistryAnswer },
): Settled<void> {
  const said =
    answer.kind === "schema"
      ? { text: answer.text, refers_to: answer.references, reason: "" }
      : { text: "", refers_to: [], reason: reasonOf(id, answer) };
  const row = { id, slot, verdict: answer.kind, ...said, asked_for: statement };
  const settings = { ...ONCE_SETTINGS, insert_deduplication_token: `schema:${keyOf({ id, slot })}` };
  return Effect.asVoid(warehouse.insert({ statement: INSERT, body: [Buffer.from(JSON.stringify(row))], settings }));
}

interface SchemaRow extends Slot {
  readonly verdict: RegistryAnswer["kind"];
  readonly text: string;
  readonly refers_to: readonly string[];
  readonly reason: string;
}

/** Puts what is known of the slots of ids into `answers`: from memory, else from the warehouse. */
const load = Effect.fnUntraced(function* (
  { warehouse, memory }: Site,
  { wanted, waits }: Pick<Asking, "wanted" | "waits">,
  answers: Map<string, Registered>,
): Effect.fn.Return<void, WarehouseFailed> {
  const absent = new Map<string, Slot>();
  for (const slot of wanted.flatMap((one) => slotsOf(one, waits))) {
    const key = keyOf(slot);
    const known = answers.get(key) ?? memory.get(key);
    if (known === undefined) absent.set(key, slot);
    else answers.set(key, known);
  }
  // Slots behind a first answer that is a schema are never written.
  const all = [...absent.values()].filter(({ id }) => answers.get(keyOf({ id, slot: 0 }))?.kind !== "schema");
  for (let from = 0; from < all.length; from += SLOTS_PER_QUERY) {
    const places = all.slice(from, from + SLOTS_PER_QUERY).map(({ id, slot }) => `(${id}, ${slot})`);
    const sql = `SELECT id, slot, verdict, text, refers_to, reason FROM weir.schema
WHERE (id, slot) IN (${places.join(", ")}) ORDER BY at, verdict, text LIMIT 1 BY id, slot`;
    for (const row of yield* warehouse.rows<SchemaRow>("writer", sql, NUMBERS)) {
      const { text, refers_to: references, reason } = row;
      const one: Registered =
        row.verdict === "schema" ? registered({ kind: "schema", text, references }) : { kind: "refused", reason };
      answers.set(keyOf(row), one);
      memory.set(keyOf(row), one);
    }
  }
});

/** What was answered, the least recently used going first. */
class Memory {
  readonly #answers = new Map<string, Registered>();
  #chars = 0;

  get(key: string): Registered | undefined {
    const one = this.#answers.get(key);
    if (one === undefined) return undefined;
    this.#answers.delete(key);
    this.#answers.set(key, one);
    return one;
  }

  set(key: string, one: Registered): void {
    this.#forget(key);
    this.#answers.set(key, one);
    this.#chars += charsOf(one);
    const { answersMax, charsMax } = KEPT_LIMITS;
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size <= answersMax && this.#chars <= charsMax) return;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    const one = this.#answers.get(key);
    if (one === undefined) return;
    this.#answers.delete(key);
    this.#chars -= charsOf(one);
  }
}

const charsOf = (one: Registered): number => (one.kind === "schema" ? one.schema.chars : one.reason.length);
