/**
 * Landing of records that can come twice: what is left out, remembered and counted, on every try.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { Effect } from "effect";
import { partOf } from "./batch.ts";
import { tokenOf } from "./intent.ts";
import {
  batchOf,
  type Fault,
  failed,
  type Heard,
  landed,
  PROJECTION,
  run,
  TARGET,
  type Value,
} from "./landing_fixture.ts";
import type { Remembered } from "./ledger.ts";
import { recordsOf } from "./records_fixture.ts";
import type { Batch } from "./table_state.ts";
import type { Projection, Target } from "./target.ts";

describe("land(): records that came before", () => {
  const projection: Projection = {
    ...PROJECTION,
    judge: (text) => {
      const { id, n } = JSON.parse(text) as { id: string; n: string };
      return n === "bad" ? { ok: false, column: "n", reason: "is bad" } : { ok: true, key: id };
    },
  };
  const target: Target = { ...TARGET, projection, dedupe: { by: "id", withinMs: 1_000 } };
  const event = (id: string, n = "1") => JSON.stringify({ id, n });
  /** One that begins behind `skip` earlier records. */
  const later = (skip: number, ...values: readonly (readonly Value[])[]): Batch => {
    const parts = values.map((own, partition) => {
      const records = recordsOf(own, { from: skip, partition });
      return partOf({ partition, from: skip, slices: [{ records, start: 0, end: records.count }] });
    });
    const intent = { epoch: 2, catalog: 3, atMs: 0, ranges: parts.map(({ range }) => range) };
    return { intent, parts, token: tokenOf("ods.t", intent), tries: 0 };
  };

  test("are left out and counted; the others are remembered between the insert and the marker", async () => {
    const seen: Remembered[] = [];
    const first = await run(
      landed(batchOf([event("a"), event("b", "bad"), event("a")], [event("a")]), { target, seen }),
    );
    expect(first.told).toEqual([
      "seen?",
      "insert 0/0 1/0",
      "remember 0/0 1/0",
      "quarantine 0/1",
      "marker 2+1, 1 again",
    ]);
    const second = await run(landed(later(3, [event("b"), event("a")], [event("c")]), { target, seen }));
    expect(second.told).toEqual(["seen?", "insert 0/3 1/3", "remember 0/3 1/3", "marker 2+0, 1 again"]);
    expect(seen.every(({ keptMs }) => keptMs > 1_000)).toBe(true);
  });

  test("need no insert if there is nothing else", async () => {
    const seen: Remembered[] = [];
    await run(landed(batchOf([event("a")]), { target, seen }));
    const { told, result } = await run(landed(later(1, [event("a"), event("a")]), { target, seen }));
    expect([result, ...told]).toEqual(["0+0", "seen?", "marker 0+0, 2 again"]);
  });

  test("are decided anew when the engine refuses the first of them", async () => {
    const seen: Remembered[] = [];
    const batch = batchOf([event("a", "odd"), event("a", "odd"), event("a"), event("a")]);
    const { told, quarantine, inserts } = await run(landed(batch, { target, seen }));
    expect(told.filter((one) => !one.startsWith("probe"))).toEqual([
      "seen?",
      "insert 0/0",
      "insert 0/1",
      "insert 0/2",
      "remember 0/2",
      "quarantine 0/0 0/1",
      "marker 1+2, 1 again",
    ]);
    expect(quarantine.map(({ reason }) => reason)).toEqual(["it is odd", "it is odd"]);
    const tokens = inserts
      .map(({ settings }) => settings.insert_deduplication_token)
      .filter((one) => one !== undefined);
    expect(new Set(tokens)).toEqual(new Set([batch.token]));
  });

  test.each(["insert", "remember", "quarantine", "marker"])(
    "have the same verdict when the answer to the %s is lost and the batch is repeated",
    async (what) => {
      const seen: Remembered[] = [];
      await run(landed(batchOf([event("a")]), { target, seen }));
      const batch = later(1, [event("a"), event("b"), event("b"), event("c", "bad")]);
      const lost: Fault = (called) => (called === what ? Effect.fail(failed("unknown", "cut")) : Effect.void);
      const first = await run(landed(batch, { target, seen, fault: lost }));
      expect(first.result).toBe("delayed: cut");
      const second = await run(landed(batch, { target, seen }));
      expect(second.told.at(-1)).toBe("marker 1+1, 2 again");
      const inserted = ({ inserts }: Heard) => inserts.map(({ body }) => Buffer.concat([...body]).toString());
      expect(inserted(second)).toEqual(inserted(first));
    },
  );

  test("are waited for: nothing is inserted while nobody says what came before", async () => {
    const away: Fault = (what) => (what === "seen" ? Effect.fail(failed("not done", "away")) : Effect.void);
    const heard = await run(landed(batchOf([event("a")]), { target, seen: [], fault: away }));
    expect([heard.result, ...heard.told]).toEqual(["delayed: away", "seen?"]);
  });
});
