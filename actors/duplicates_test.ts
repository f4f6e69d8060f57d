/**
 * Duplicates: the rule as tables, and against a reader of one record at a time, wherever batches are cut.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { ONCE_HEADER, onceMarker, openRecords, RecordWriter } from "@weir/connectors";
import { type Part, partOf } from "./batch.ts";
import {
  type Candidate,
  canComeTwice,
  decide,
  type Identity,
  identifierOf,
  type Sighting,
  timeOf,
  wantedOf,
} from "./duplicates.ts";
import { leftOut } from "./left_out.ts";
import { randomOf, recordsOf } from "./records_fixture.ts";
import type { Projection } from "./target.ts";

const WITHIN_MS = 100;
const SEED = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 1e9));

const value = (hash: string): Identity => ({ hash, fingerprint: "", withinMs: WITHIN_MS });
const key = (hash: string, fingerprint: string): Identity => ({ hash, fingerprint, withinMs: WITHIN_MS });

/** A candidate at an offset, a time, with identities. */
function candidate(offset: number, timestampMs: number, ...identities: readonly Identity[]): Candidate {
  return { partition: 0, offset, timestampMs, identities, records: recordsOf(["{}"], { from: offset }), index: 0 };
}

/** The verdicts in words, by offset. */
function told(candidates: readonly Candidate[], sightings: readonly Sighting[] = [], refused: readonly number[] = []) {
  const bad = new Map([[0, new Set(refused)]]);
  const { duplicates, reused } = decide(candidates, { sightings, refused: bad });
  return candidates.map((one) => {
    if (reused.includes(one)) return "reused";
    if (duplicates.get(0)?.has(one.offset) === true) return "duplicate";
    return refused.includes(one.offset) ? "refused" : "stored";
  });
}

describe("decide()", () => {
  const a = value("a");
  const before = (atMs: number, fingerprint = ""): Sighting => ({ hash: "a", fingerprint, atMs });
  test.each<readonly [string, readonly Candidate[], readonly Sighting[], readonly string[]]>([
    ["stores what never came", [candidate(0, 0, a), candidate(1, 0, value("b"))], [], ["stored", "stored"]],
    ["keeps the first of a batch", [candidate(0, 5, a), candidate(1, 5, a)], [], ["stored", "duplicate"]],
    ["drops what was stored within the span", [candidate(9, 199, a)], [before(100)], ["duplicate"]],
    ["stores what came exactly the span later", [candidate(9, 200, a)], [before(100)], ["stored"]],
    ["drops what is older than the stored one: a clock went back", [candidate(9, 1, a)], [before(100)], ["duplicate"]],
    [
      "counts the span from the stored one, not from its repeats",
      [candidate(0, 0, a), candidate(1, 60, a), candidate(2, 120, a), candidate(3, 150, a)],
      [],
      ["stored", "duplicate", "stored", "duplicate"],
    ],
    [
      "takes the latest of several sightings",
      [candidate(9, 250, a)],
      [before(0), before(200), before(100)],
      ["duplicate"],
    ],
    ["drops the same request's record", [candidate(9, 10, key("a", "f"))], [before(0, "f")], ["duplicate"]],
    ["quarantines another content under a key", [candidate(9, 10, key("a", "g"))], [before(0, "f")], ["reused"]],
    ["forgets a key after its span", [candidate(9, 100, key("a", "g"))], [before(0, "f")], ["stored"]],
    [
      "knows either content of a key that was used for two",
      [candidate(7, 150, key("a", "g")), candidate(8, 160, key("a", "f")), candidate(9, 170, key("a", "g"))],
      [before(0, "f")],
      ["stored", "reused", "duplicate"],
    ],
    [
      "drops what either identity knows",
      [
        candidate(0, 0, a, key("k", "f")),
        candidate(1, 1, value("b"), key("k", "f")),
        candidate(2, 2, a, key("l", "f")),
      ],
      [],
      ["stored", "duplicate", "duplicate"],
    ],
    [
      "quarantines another content even if the value came before",
      [candidate(0, 0, a, key("k", "f")), candidate(1, 1, a, key("k", "g"))],
      [],
      ["stored", "reused"],
    ],
  ])("%s", (_, candidates, sightings, expected) => {
    expect<readonly string[]>(told(candidates, sightings)).toEqual(expected);
  });

  test.each([
    ["the next one is stored instead", [0], ["refused", "stored", "duplicate"]],
    ["and the next", [0, 1], ["refused", "refused", "stored"]],
    ["one that is a duplicate stays one", [1], ["stored", "duplicate", "duplicate"]],
  ] as const)("a refused record makes nothing a duplicate: %s", (_, refused, expected) => {
    expect(told([candidate(0, 0, a), candidate(1, 1, a), candidate(2, 2, a)], [], refused)).toEqual([...expected]);
  });

  test(`is what a reader of one record at a time decides, wherever batches are cut (WEIR_SEED=${SEED})`, () => {
    const random = randomOf(SEED);
    const below = (limit: number) => Math.floor(random() * limit);
    for (let run = 0; run < 300; run++) {
      let nowMs = 1_000;
      const all = Array.from({ length: 40 }, (_, offset) => {
        nowMs += below(60) - 10;
        const identities = [value(`v${below(6)}`), key(`k${below(6)}`, `f${below(2)}`)].filter(() => random() < 0.7);
        return candidate(offset, nowMs, ...identities);
      });
      const bad = new Set(all.filter(() => random() < 0.15).map(({ offset }) => offset));
      const one = inBatches(all, { bad, cut: () => 1 });
      expect(inBatches(all, { bad, cut: () => 1 + below(12) })).toEqual(one);
    }
  });
});

/** Lands candidates batch after batch; the engine refuses the bad ones that it is shown, and is asked until it takes all. */
function inBatches(all: readonly Candidate[], { bad, cut }: { bad: ReadonlySet<number>; cut: () => number }) {
  const verdicts: string[] = [];
  const seen: Sighting[] = [];
  for (let start = 0; start < all.length; ) {
    const batch = all.slice(start, start + cut());
    const wanted = new Map(wantedOf(batch).map(({ hash, sinceMs }) => [hash, sinceMs]));
    const known = seen.filter(({ hash, atMs }) => atMs > (wanted.get(hash) ?? Number.POSITIVE_INFINITY));
    const refused: number[] = [];
    for (let asked = true; asked; ) {
      const now = told(batch, known, refused);
      const found = batch.filter(({ offset }, index) => now[index] === "stored" && bad.has(offset));
      refused.push(...found.map(({ offset }) => offset));
      asked = found.length > 0;
    }
    const last = told(batch, known, refused);
    verdicts.push(...last);
    for (const [index, { timestampMs, identities }] of batch.entries())
      if (last[index] === "stored") seen.push(...identities.map((one) => ({ ...one, atMs: timestampMs })));
    start += batch.length;
  }
  return verdicts;
}

describe("wantedOf()", () => {
  test("asks for each identity once, back to the earliest time that matters", () => {
    const candidates = [candidate(0, 500, value("a")), candidate(1, 400, value("a")), candidate(2, 300, value("b"))];
    expect(wantedOf(candidates)).toEqual([
      { hash: "a", sinceMs: 300 },
      { hash: "b", sinceMs: 200 },
    ]);
  });
});

describe("leftOut()", () => {
  test("counts each record once, also one that was refused and is a duplicate", () => {
    const candidates = [candidate(1, 0, value("a")), candidate(2, 1, value("a")), candidate(3, 2, value("b"))];
    const row = { partition: 0, timestampMs: 0, column: "", reason: "bad", raw: null };
    const bad = new Map([[0, new Map([0, 2, 3].map((offset) => [offset, { ...row, offset }]))]]);
    const { places, duplicate, quarantined } = leftOut({ bad, candidates }, []);
    expect([...(places.get(0) as Set<number>)].sort()).toEqual([0, 2, 3]);
    expect(duplicate).toBe(1);
    expect(quarantined.map(({ offset }) => offset)).toEqual([0, 3]);
  });
});

const PROJECTION = {
  scanner: { scan: () => false, keyStart: -1, keyEnd: -1 },
  judge: (text: string) => ({ ok: true, key: (JSON.parse(text) as { id: string }).id }) as const,
} as unknown as Projection;
const BY_ID = { dedupe: { by: "id", withinMs: 5 }, projection: PROJECTION };

/** One record that carries a key. */
function marked(mark: string) {
  const writer = new RecordWriter();
  writer.add({ key: null, value: Buffer.from('{"id":"a"}'), timestampMs: 1, headers: { [ONCE_HEADER]: mark } });
  const run = { firstOffset: 0, count: 1, start: 0, end: writer.length };
  return openRecords({ topic: "t", partition: 0, next: 1 }, writer.packed(), [run]);
}

describe("identifierOf()", () => {
  const records = recordsOf(['{"id":"a","n":1}', '{"n":2,"id":"a"}', '{"id":"b"}']);
  const idsOf = (partition: number, by = "id") => {
    const identify = identifierOf({ ...BY_ID, dedupe: { by, withinMs: 5 } }, partition);
    return [0, 1, 2].map((index) => identify(records, index)[0]!.hash);
  };

  test("is the value's, whatever else the event says", () => {
    const [first, again, other] = idsOf(0);
    expect(again).toBe(first!);
    expect(other).not.toBe(first);
    expect(first).toMatch(/^[0-9a-f]{32}$/);
  });

  test("is another one in another partition and by another column", () => {
    expect(new Set([idsOf(0)[0], idsOf(1)[0], idsOf(0, "n")[0]]).size).toBe(3);
  });

  test("has the place in the request as well, if the record says it", () => {
    const mark = onceMarker({ key: "k", fingerprint: "f" });
    const both = identifierOf(BY_ID, 0)(marked(mark(3)), 0);
    expect(both.map(({ withinMs, fingerprint }) => [withinMs, fingerprint.length])).toEqual([
      [5, 0],
      [24 * 3_600_000, 32],
    ]);
    const alone = (index: number) => identifierOf({ projection: PROJECTION }, 0)(marked(mark(index)), 0);
    expect(alone(3)).toEqual([both[1]!]);
    expect(alone(4)[0]!.hash).not.toBe(both[1]!.hash);
  });
});

describe("timeOf()", () => {
  test.each([
    [1_700_000_000_000.7, 1_700_000_000_000],
    [-1, -1],
    [2 ** 63, 8.64e15],
    [-(2 ** 63), -8.64e15],
  ])("takes %d for %d", (timeMs, expected) => {
    expect(timeOf(recordsOf(["{}"], { timeMs }), 0)).toBe(expected);
  });
});

describe("canComeTwice()", () => {
  const partOfOne = (records: ReturnType<typeof recordsOf>): readonly Part[] => [
    partOf({ partition: 0, from: 0, slices: [{ records, start: 0, end: records.count }] }),
  ];
  test.each([
    ["not without dedupe and headers", {}, recordsOf(["{}"]), false],
    ["with dedupe", BY_ID, recordsOf(["{}"]), true],
    ["with a record that carries a key", {}, marked(onceMarker({ key: "k", fingerprint: "f" })(0)), true],
  ] as const)("%s", (_, target, records, expected) => {
    expect(canComeTwice(target, partOfOne(records))).toBe(expected);
  });
});
