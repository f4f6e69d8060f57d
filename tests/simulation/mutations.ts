/**
 * The mutation list: each rule of the exactly-once protocol, taken out of the code that ships.
 *
 *   rule ──▶ one edit of one file ──▶ simulation ──▶ must fail
 *
 * An edit replaces text that must occur exactly once, so that a change of the
 * protocol cannot leave a mutation behind which no longer changes anything.
 *
 * @module
 */

/** One rule broken by one edit. */
export interface Mutation {
  readonly rule: string;
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
    rule: "2 the intent is kept before the insert",
    file: "actors/table_step.ts",
    find: "metadata: encodeMark({ epoch: at.epoch, last: at.last, intent }) }];",
    replace: "metadata: encodeMark({ epoch: at.epoch, last: at.last, intent: undefined }) }];",
  },
  {
    rule: "3 the same batch has the same token on every try",
    file: "actors/intent.ts",
    find: "return `${statement}:${intent.catalog}:${intent.epoch}:${vector}`;",
    replace: "return `${statement}:${intent.catalog}:${intent.epoch}:${vector}:${intent.atMs}`;",
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
    rule: "9 a missing commit resumes from the ledger",
    file: "actors/position.ts",
    find: "const isNew = commit === undefined && ledger === undefined;",
    replace: "const isNew = commit === undefined;",
  },
  {
    rule: "10 a bad record never stops its partition",
    file: "actors/landing.ts",
    find: "yield* findByHalves(target, batch, { prepared, out, refusal, deadlineMs });",
    replace: "return yield* delayed(refusal);",
  },
  {
    rule: "10 a bad record is never silent",
    file: "actors/landing.ts",
    find: "const { places, duplicate, quarantined: rows } = out;",
    replace: "const { places, duplicate } = out;\n  const rows: Quarantined[] = [];",
  },
  {
    rule: "11 what stops at drift is not inserted",
    file: "actors/landing.ts",
    find: "yield* stopAtDrift(target, prepared);",
    replace: "",
  },
  {
    rule: "11 what was withdrawn waits again",
    file: "actors/table_drift.ts",
    find: "[...part.slices, ...(next?.slices ?? []), ...at.ready.slices]",
    replace: "at.ready.slices",
  },
];
