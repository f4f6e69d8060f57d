/**
 * The mutation list: each rule of the exactly-once protocol, taken out of the code that ships.
 *
 *   rule ──▶ one edit of one file ──▶ simulation ──▶ must fail
 *
 * An edit replaces text that must occur exactly once, so that a change of the
 * protocol cannot leave a mutation behind which no longer changes anything.
 * Not here, because only a real engine can tell: the settings of inserts (one
 * block, max_execution_time), and the SQL of `weir.seen`. Nor the half window of
 * rule 7: runs are too short for tokens to be forgotten while a batch is open. Nor, of rule 9, which epoch counts that
 * was kept before its first batch: one run in thousands comes to that, and `position_test.ts` has it.
 *
 * @module
 */

/** One rule broken by one edit. */
export interface Mutation {
  readonly rule: string;
  /** The first seed to try, where many do not notice it; 1 by default. */
  readonly seed?: number;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** Every rule that the simulation must notice the absence of. */
export const MUTATIONS: readonly Mutation[] = [
  {
    rule: "1 a batch takes every record of its ranges",
    file: "actors/batch.ts",
    find: "if (end < slice.end) return { slices, rest: [{ ...slice, start: end }, ...ready.slices.slice(index + 1)], bytes };",
    replace: "if (end < slice.end) return { slices, rest: ready.slices.slice(index + 1), bytes };",
  },
  {
    rule: "1 records are kept until the last batch that has some of them landed",
    file: "actors/table.ts",
    find: "if (end === records.count) records.release?.();",
    replace: "if (end > 0) records.release?.();",
  },
  {
    rule: "1 a batch is of one shard",
    file: "actors/batch.ts",
    find: "filled.filter(([partition]) => shardOf(partition, shards) === shard)",
    replace: "filled.filter(() => shard >= 0)",
  },
  {
    rule: "2 the intent is kept before the insert",
    file: "actors/table_state.ts",
    find: "encodeMark({ topic, epoch, last, intent, lateUntilMs });",
    replace: "encodeMark({ topic, epoch, last, intent: intent && undefined, lateUntilMs });",
  },
  {
    rule: "3 the same batch has the same token on every try",
    file: "actors/intent.ts",
    find: "export function tokenOf(statement: string, { epoch, catalog, ranges }: Intent): string {",
    replace:
      "export function tokenOf(statement: string, { epoch, catalog, ranges, atMs }: Intent): string {\n  statement += atMs;",
  },
  {
    rule: "3 a batch that is repeated keeps its cut",
    file: "actors/table_step.ts",
    find: 'return [next, [start({ kind: "land", batch, deadlineMs }), ...commands]];',
    replace:
      'const parts = batch.tries > 0 && batch.parts.length > 1 ? batch.parts.slice(1) : batch.parts;\n  return [next, [start({ kind: "land", batch: { ...batch, parts }, deadlineMs }), ...commands]];',
  },
  {
    rule: "4 tables remember tokens",
    file: "sql/source.ts",
    find: "DEDUPLICATION_WINDOW_PARTS: number = 100_000",
    replace: "DEDUPLICATION_WINDOW_PARTS: number = 0",
  },
  {
    rule: "5 an insert that is late is refused",
    file: "actors/table_step.ts",
    find: "const deadlineMs = batch.intent.atMs + state.setup.limits.deadlineMs;",
    replace: "const deadlineMs = Number.MAX_SAFE_INTEGER;",
  },
  {
    rule: "6 a finished batch has its marker before its commit",
    file: "actors/landing.ts",
    find: "yield* kept(ledger.finish(marker));",
    replace: "void marker;",
  },
  {
    rule: "6 bad records are kept before the commit",
    file: "actors/landing.ts",
    find: "if (rows.length > 0) yield* kept(",
    replace: "if (rows.length < 0) yield* kept(",
  },
  {
    rule: "7 an open intent is recovered first",
    file: "actors/table_step.ts",
    find: "if (intent !== undefined && !open.some((other) => sameCut(other, intent))) open.push(intent);",
    replace: "void sameCut;",
  },
  {
    rule: "7 what is announced is dated by the warehouse's clock",
    file: "actors/table.ts",
    find: "step: (state, message) => stepTable(state, message, hands.clock.nowMs()),",
    replace: "step: stepTable,",
  },
  {
    rule: "7 recovery proves that the records are the same",
    seed: 320,
    file: "actors/table.ts",
    find: "const same = part !== undefined && part.range.rows === range.rows && part.range.crc === range.crc;",
    replace: "const same = part !== undefined;",
  },
  {
    rule: "7 recovery repeats under the catalog of the intent",
    file: "actors/table_step.ts",
    find: "const batch: Batch = { intent, parts, token: tokenOf(state.setup.statement, intent), tries: 0 };",
    replace:
      "const own = { ...intent, catalog: state.setup.catalog };\n  const batch: Batch = { intent: own, parts, token: tokenOf(state.setup.statement, own), tries: 0 };",
  },
  {
    rule: "7 a partition without its records stops",
    file: "actors/table_step.ts",
    find: "if (owned.delete(partition)) stopped.set(partition, note);",
    replace: "void stopped.set(-1, note);",
  },
  {
    rule: "8 a fenced owner stops",
    file: "actors/table.ts",
    find: 'if (error === "fenced" || error === "not owned") return yield* new Fenced({ generation });',
    replace: 'if (error === "fenced" || error === "not owned") continue;',
  },
  {
    rule: "8 a position never goes backwards",
    file: "actors/table_step.ts",
    find: "if (at?.committed !== from) continue;",
    replace: "if (at === undefined) continue;",
  },
  {
    rule: "8 a fenced owner waits for the next assignment",
    file: "actors/table_step.ts",
    find: "return message.generation === state.generation ? onFenced(state) : [state, []];",
    replace: "return [state, []];",
  },
  {
    rule: "9 a missing commit resumes from the ledger",
    file: "actors/position.ts",
    find: "if (commit === undefined && ledger === undefined) return begun(",
    replace: "if (commit === undefined) return begun(",
  },
  {
    rule: "9 a topic that is shorter than the position was created anew",
    file: "actors/position.ts",
    find: "isLost = known > latest || (",
    replace: "isLost = (",
  },
  {
    rule: "9 a topic with another last record was created anew",
    file: "actors/position.ts",
    find: "&& held !== undefined && !sameRecord(last, held));",
    replace: "&& held !== undefined && false);",
  },
  {
    rule: "9 a topic created anew is a new epoch",
    file: "actors/position.ts",
    find: "const next = epochNow !== undefined && epochNow > epoch ? epochNow : Math.max(epoch, newest) + 1;",
    replace: "const next = epoch;",
  },
  {
    rule: "9 a compacted topic is not a new one",
    seed: 48,
    file: "actors/locating.ts",
    find: "if (records.count === 0 || records.offsets[0] !== at.offset) return undefined;",
    replace: "if (records.count === 0) return undefined;",
  },
  {
    rule: "10 a bad record never stops its partition",
    file: "actors/landing.ts",
    find: "yield* findByHalves(target, batch, { prepared, out, refusal, deadlineMs, nowMs });",
    replace: "return yield* delayed(refusal);",
  },
  {
    rule: "10 a bad record is never silent",
    file: "actors/landing.ts",
    find: "const { places, quarantined: rows } = out;",
    replace: "const { places } = out;\n  const rows: Quarantined[] = [];",
  },
  {
    rule: "11 a bad model never stops its source",
    file: "actors/landing.ts",
    find: "if (refusal.view !== undefined) yield* suspend(refusal.view, refusal.message);\n    else yield*",
    replace: "yield*",
  },
  {
    rule: "11 what stops at drift is not inserted",
    file: "actors/landing.ts",
    find: "yield* stopAtDrift(target, prepared.bad);",
    replace: "",
  },
  {
    rule: "11 what was withdrawn waits again",
    file: "actors/table_drift.ts",
    find: "[...part.slices, ...(next?.slices ?? []), ...at.ready.slices]",
    replace: "at.ready.slices",
  },
  {
    rule: "12 what was stored before a batch is asked for",
    file: "actors/landing.ts",
    find: "const sightings = wanted.length === 0 ? [] :",
    replace: "const sightings = wanted.length >= 0 ? [] :",
  },
  {
    rule: "12 what was stored is remembered before its marker",
    seed: 86,
    file: "actors/landing.ts",
    find: "if (seen.length > 0) yield* kept(ledger.remember({ statement, epoch, token }, seen));",
    replace:
      "yield* kept(ledger.finish(marker));\n  if (seen.length > 0) yield* kept(ledger.remember({ statement, epoch, token }, seen));",
  },
  {
    rule: "12 what the engine refuses makes nothing a duplicate",
    file: "actors/duplicates.ts",
    find: "else if (refused.get(partition)?.has(offset) !== true)",
    replace: "else",
  },
  {
    rule: "12 what is older than the window makes nothing a duplicate",
    file: "actors/duplicates.ts",
    find: "(latestMs.get(of) ?? Number.NEGATIVE_INFINITY) > timestampMs - withinMs;",
    replace: "latestMs.has(of);",
  },
  {
    rule: "13 visible means committed",
    file: "actors/table_step.ts",
    find: '{ kind: "cancel", timer: "age" },\n      start(',
    replace:
      '{ kind: "cancel", timer: "age" },\n      act({ kind: "visible", positions: new Map(fresh.intent.ranges.map((range) => [range.partition, range.to])) }),\n      start(',
  },
  {
    rule: "a change waits for what is announced",
    file: "actors/hold.ts",
    find: "if (!mayBeOpen && (yield* isOpen(name, commits))) return 0;",
    replace: "void isOpen(name, commits) ?? mayBeOpen;",
  },
  {
    rule: "a change waits for the last insert of a lost owner",
    seed: 5_400,
    file: "actors/hold.ts",
    find: "if (lateMs > 0) return (yield* Clock.currentTimeMillis) + lateMs;",
    replace: "",
  },
  {
    rule: "a change carries the end of its hold",
    seed: 150,
    file: "actors/hold.ts",
    find: "if (untilMs >= (yield* Clock.currentTimeMillis) + HELD_MS_MIN) return untilMs;",
    replace: "if (untilMs >= (yield* Clock.currentTimeMillis) + HELD_MS_MIN) return Number.MAX_SAFE_INTEGER;",
  },
  {
    rule: "a hold that was lost is noticed",
    seed: 150,
    file: "actors/hold.ts",
    find: "untilMs: () => (isLost ? Number.NEGATIVE_INFINITY : membership.heldUntilMs()),",
    replace: "untilMs: () => Number.MAX_SAFE_INTEGER,",
  },
];
