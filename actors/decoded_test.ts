/**
 * Decoding: a batch of another format lands like one of JSON, with its own bytes in the quarantine; and where drift stops it.
 *
 * The decoder here knows one letter, the op, and a JSON text behind it; `x` is damaged, a tombstone says nothing. The
 * warehouse refuses what has `odd` in it.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { type Insert, Warehouse, WarehouseFailed } from "@weir/connectors";
import { Effect } from "effect";
import { type Part, partOf } from "./batch.ts";
import { tokenOf } from "./intent.ts";
import { land } from "./landing.ts";
import { Ledger, type Marker, type Quarantined } from "./ledger.ts";
import { prepare } from "./prepare.ts";
import { recordsOf } from "./records_fixture.ts";
import type { Batch } from "./table_state.ts";
import type { Projection, Target } from "./target.ts";

const PROJECTION: Projection = {
  settings: {},
  source: { unknown: "reject", format: { kind: "debezium" }, drift: "quarantine" },
  decoder: (value) => {
    if (value === null) return { kind: "nothing", reason: "a tombstone" };
    const text = Buffer.from(value).toString();
    if (text.startsWith("x")) return { kind: "refused", column: "n", reason: "is damaged" };
    return { kind: "row", op: text[0] as "c", text: text.slice(1) };
  },
  insert: () => "INSERT",
  probe: () => "PROBE",
  companions: () => ({ partition: "_p", offset: "_o", time: "_t", op: "_op" }),
  scanner: { scan: () => false, keyStart: -1, keyEnd: -1 },
  judge: (text) => (text.includes("bad") ? { ok: false, column: "n", reason: "is bad" } : { ok: true, key: undefined }),
  normalise: (text) => text.replace("unknown", "_rest"),
};
const TARGET: Target = { statement: "ods.t", topic: "t", table: "t", catalog: 1, projection: PROJECTION };

/** A batch with one part for each list of values; each part from reads of two records. */
function batchOf(...values: readonly (readonly (string | null)[])[]): Batch {
  const parts = values.map((own, partition): Part => {
    const slices = [];
    for (let from = 0; from < own.length; from += 2) {
      const records = recordsOf(own.slice(from, from + 2), { from, partition });
      slices.push({ records, start: 0, end: records.count });
    }
    return partOf({ partition, from: 0, slices });
  });
  const intent = { epoch: 1, catalog: 1, atMs: 0, ranges: parts.map(({ range }) => range) };
  return { intent, parts, token: tokenOf("ods.t", intent), tries: 0 };
}

/** Prepares and lands a batch; where it stopped, or what warehouse and ledger heard. */
async function landed(batch: Batch, projection = PROJECTION) {
  const bodies: string[] = [];
  const quarantine: Quarantined[] = [];
  const markers: Marker[] = [];
  const insert = ({ body, statement }: Insert) => {
    const text = Buffer.concat([...body]).toString();
    bodies.push(`${statement}\n${text}`);
    if (!text.includes("odd")) return Effect.succeed({ rowsWritten: 1 });
    return Effect.fail(new WarehouseFailed({ outcome: "refused", code: 1, message: "it is odd" }));
  };
  const ledger = {
    quarantine: (_: unknown, rows: readonly Quarantined[]) => Effect.sync(() => void quarantine.push(...rows)),
    finish: (marker: Marker) => Effect.sync(() => void markers.push(marker)),
  };
  const target = { ...TARGET, projection };
  const suspend = () => Effect.die("there are no views here");
  const program = Effect.flatMap(prepare(target, batch.parts), (prepared) =>
    land(target, batch, { deadlineMs: Number.MAX_SAFE_INTEGER, nowMs: () => 0, prepared, suspend }),
  ).pipe(
    Effect.as(undefined),
    Effect.catchTag("Drifted", (drifted) => Effect.succeed(drifted.drifts)),
    Effect.provideService(Warehouse, { insert } as unknown as Warehouse["Service"]),
    Effect.provideService(Ledger, ledger as unknown as Ledger["Service"]),
  );
  const drifts = await Effect.runPromise(program);
  const [{ stored, duplicate, quarantined } = { stored: 0, duplicate: 0, quarantined: 0 }] = markers;
  return { bodies, quarantine, counts: { stored, duplicate, quarantined }, drifts };
}

const GOOD = '{"n":1}';

describe("a batch of another format", () => {
  test("is stored as JSON with what happened to its rows, refused with its own bytes, or counted as duplicate", async () => {
    const { bodies, quarantine, counts } = await landed(
      batchOf([`u${GOOD}`, null, "x", 'd{"n":"bad"}', null], [null], [`d${GOOD}`]),
    );
    expect(bodies).toEqual([
      'INSERT\n{"_p":0,"_o":0,"_op":"u","_t":1000,"n":1}\n{"_p":2,"_o":0,"_op":"d","_t":1000,"n":1}\n',
    ]);
    expect(quarantine).toMatchObject([
      { offset: 2, timestampMs: 1_002, column: "n", reason: "is damaged", raw: new Uint8Array(Buffer.from("x")) },
      { offset: 3, column: "n", reason: "is bad", raw: new Uint8Array(Buffer.from('d{"n":"bad"}')) },
    ]);
    expect(counts).toEqual({ stored: 2, duplicate: 3, quarantined: 2 });
  });

  test("is searched by halves for what only the engine refuses, with the same verdict on every try", async () => {
    const batch = batchOf([null, `c${GOOD}`, 'c{"n":"odd"}', "x"], [`c${GOOD}`, null]);
    const [first, second] = [await landed(batch), await landed(batch)];
    expect(first.counts).toEqual({ stored: 2, duplicate: 2, quarantined: 2 });
    expect(first.quarantine).toMatchObject([
      { offset: 3, reason: "is damaged" },
      { offset: 2, reason: "it is odd", raw: new Uint8Array(Buffer.from('c{"n":"odd"}')) },
    ]);
    expect(second).toEqual(first);
  });

  test("is marked without an insert when none of it is a row", async () => {
    const { bodies, counts } = await landed(batchOf([null, null], [null]));
    expect([bodies, counts]).toEqual([[], { stored: 0, duplicate: 3, quarantined: 0 }]);
  });

  test("says nothing of ops where its records do not, and keeps unknown fields", async () => {
    const source = {
      unknown: "keep",
      format: { kind: "csv", delimiter: ",", columns: [] },
      drift: "quarantine",
    } as const;
    const { bodies } = await landed(batchOf(['c{"unknown":1}']), { ...PROJECTION, source });
    expect(bodies).toEqual(['INSERT\n{"_p":0,"_o":0,"_t":1000,"_rest":1}\n']);
  });

  test("keeps every character, however long its texts are", async () => {
    const texts = Array.from({ length: 300 }, (_, n) => "é€😀".repeat(n));
    const { bodies } = await landed(batchOf(texts.map((n) => `c${JSON.stringify({ n })}`)));
    const lines = bodies[0]!.trimEnd().split("\n").slice(1);
    expect(lines.map((line) => (JSON.parse(line) as { n: string }).n)).toEqual(texts);
  });
});

describe("a batch of a source that stops at drift", () => {
  const stopping = { ...PROJECTION, source: { ...PROJECTION.source, drift: "stop" } } as const;

  test("lands as always while everything fits", async () => {
    const { drifts, counts } = await landed(batchOf([`c${GOOD}`, null]), stopping);
    expect([drifts, counts]).toEqual([undefined, { stored: 1, duplicate: 1, quarantined: 0 }]);
  });

  test("inserts nothing, and says of each partition what does not fit first and what to do", async () => {
    const values = [[`c${GOOD}`, 'c{"n":"bad"}', "x"], [`c${GOOD}`], ["x"]];
    const { drifts, bodies, quarantine } = await landed(batchOf(...values), stopping);
    const todo = "Correct the source or say `drift: quarantine`, and apply it.";
    expect(drifts).toEqual([
      { partition: 0, offset: 1, note: `Cannot land t/0 from offset 1 on: n: is bad. ${todo}` },
      { partition: 2, offset: 0, note: `Cannot land t/2 from offset 0 on: n: is damaged. ${todo}` },
    ]);
    expect([bodies, quarantine]).toEqual([[], []]);
  });

  test("stops too where only the engine refuses: nothing has landed then", async () => {
    const { drifts, quarantine } = await landed(batchOf([`c${GOOD}`, 'c{"n":"odd"}']), stopping);
    expect(drifts).toMatchObject([{ partition: 0, offset: 1, note: expect.stringContaining("it is odd") }]);
    expect(quarantine).toEqual([]);
  });
});
