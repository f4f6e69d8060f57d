/**
 * Landing: what becomes of a batch whose records, target or ledger are in trouble.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import type { Insert, WarehouseFailed } from "@weir/connectors";
import { Effect } from "effect";
import {
  BAD,
  batchOf,
  DEADLINE_MS,
  type Fault,
  failed,
  GOOD,
  type Heard,
  landed,
  ODD,
  PROJECTION,
  run,
  TARGET,
  type Value,
} from "./landing_fixture.ts";
import type { Target } from "./target.ts";

describe("land(): whole batches", () => {
  test.each<readonly [string, readonly (readonly Value[])[], string, readonly string[]]>([
    [
      "stores good records of all partitions with one insert",
      [[GOOD, GOOD, GOOD], [GOOD]],
      "4+0",
      ["insert 0/0 0/1 0/2 1/0", "marker 4+0"],
    ],
    [
      "leaves bad records out, keeps them before the marker",
      [[GOOD, BAD, GOOD], [BAD]],
      "2+2",
      ["insert 0/0 0/2", "quarantine 0/1 1/0", "marker 2+2"],
    ],
    ["inserts nothing when all are bad", [[BAD], [BAD, BAD]], "0+3", ["quarantine 0/0 1/0 1/1", "marker 0+3"]],
    ["takes the scanner's word", [['{"fast":"bad"}', GOOD]], "2+0", ["insert 0/0 0/1", "marker 2+0"]],
    ["quarantines tombstones", [[null, GOOD]], "1+1", ["insert 0/1", "quarantine 0/0", "marker 1+1"]],
  ])("%s", async (_, values, result, told) => {
    const heard = await run(landed(batchOf(...values)));
    expect(heard.result).toBe(result);
    expect(heard.told).toEqual([...told]);
  });

  test("says in the quarantine what and why", async () => {
    const invalid = Uint8Array.from([0x7b, 0xff, 0x7d]);
    const { quarantine } = await run(landed(batchOf([GOOD, BAD, null, invalid])));
    expect(quarantine).toEqual([
      {
        partition: 0,
        offset: 1,
        timestampMs: 1_001,
        column: "n",
        reason: "is bad",
        raw: new Uint8Array(Buffer.from(BAD)),
      },
      { partition: 0, offset: 2, timestampMs: 1_002, column: "", reason: "the record has no value", raw: null },
      {
        partition: 0,
        offset: 3,
        timestampMs: 1_003,
        column: "",
        reason: "the record is not valid UTF-8",
        raw: invalid,
      },
    ]);
  });

  test("marks the batch with its token, ranges and last records", async () => {
    const batch = batchOf([GOOD, BAD], [GOOD]);
    const { markers } = await run(landed(batch));
    const { ranges } = batch.intent;
    const lasts = batch.parts.map(({ last }) => last);
    const counts = { stored: 2, duplicate: 0, quarantined: 1 };
    expect(markers).toEqual([
      { statement: "ods.t", token: batch.token, epoch: 2, catalog: 3, ranges, lasts, ...counts },
    ]);
  });

  test("says every setting that exactly-once rests on, the source's own as well", async () => {
    const batch = batchOf([GOOD]);
    const { inserts } = await run(landed(batch));
    expect(inserts[0]).toMatchObject({
      statement: `INSERT INTO weir_state.ods__t__v1 BEFORE ${DEADLINE_MS}`,
      settings: {
        date_time_input_format: "basic",
        insert_deduplication_token: batch.token,
        async_insert: 0,
        insert_deduplicate: 1,
        deduplicate_blocks_in_dependent_materialized_views: 1,
        materialized_views_ignore_errors: 0,
        wait_end_of_query: 1,
        max_insert_threads: 1,
        max_threads: 1,
        max_execution_time: 60,
      },
    });
  });

  test("inserts records of a source that keeps unknown fields as they are normalised", async () => {
    const target = {
      ...TARGET,
      projection: { ...PROJECTION, source: { ...PROJECTION.source, unknown: "keep" } },
    } as Target;
    const { inserts } = await run(landed(batchOf(['{"unknown":1}']), { target }));
    expect(Buffer.concat([...inserts[0].body]).toString()).toContain('"_rest":1}');
  });
});

describe("land(): records which only the engine refuses", () => {
  test("are found by halves, left out, and the batch keeps its token", async () => {
    const batch = batchOf([GOOD, GOOD, GOOD, ODD], [GOOD, GOOD]);
    const { result, told, inserts, quarantine } = await run(landed(batch));
    expect(result).toBe("5+1");
    expect(told).toEqual([
      "insert 0/0 0/1 0/2 0/3 1/0 1/1",
      "probe 0/0 0/1 0/2 0/3 1/0 1/1",
      "probe 0/0 0/1",
      "probe 0/2 0/3 1/0 1/1",
      "probe 0/2 0/3",
      "probe 0/2",
      "probe 0/3",
      // Without records: so that a record is blamed only when it is at fault.
      "probe ",
      "probe 1/0 1/1",
      "insert 0/0 0/1 0/2 1/0 1/1",
      "quarantine 0/3",
      "marker 5+1",
    ]);
    expect(quarantine).toMatchObject([{ offset: 3, column: "", reason: "it is odd" }]);
    const tokens = inserts
      .filter(({ statement }) => statement !== "PROBE")
      .map((one) => one.settings.insert_deduplication_token);
    expect(tokens).toEqual([batch.token, batch.token]);
  });

  test("are asked for without effect and without a token", async () => {
    const { inserts } = await run(landed(batchOf([ODD, GOOD])));
    const probe = inserts.find(({ statement }) => statement === "PROBE") as Insert;
    expect(probe.settings).toMatchObject({ insert_deduplicate: 0 });
    expect(probe.settings.insert_deduplication_token).toBeUndefined();
  });

  test.each<readonly [string, readonly Value[], string]>([
    ["alone", [ODD], "0+1"],
    ["all of them", [ODD, ODD, ODD, ODD, ODD], "0+5"],
    ["first and last", [ODD, GOOD, GOOD, GOOD, ODD], "3+2"],
    ["beside bad ones", [BAD, ODD, GOOD, BAD, ODD, GOOD], "2+4"],
  ])("are found: %s", async (_, values, result) => {
    const heard = await run(landed(batchOf(values)));
    expect(heard.result).toBe(result);
    const reasons = heard.quarantine.map(({ offset, reason }) => [offset, reason]);
    const expected = values.flatMap((value, offset) =>
      value === ODD ? [[offset, "it is odd"]] : value === BAD ? [[offset, "is bad"]] : [],
    );
    expect(reasons.sort()).toEqual(expected.sort());
  });

  test("have the same verdict on every try", async () => {
    const batch = batchOf([GOOD, ODD, BAD], [BAD, ODD]);
    const again = {
      fault: (what: string) => (what === "marker" ? Effect.fail(failed("unknown", "cut")) : Effect.void),
    };
    const first = await run(landed(batch, again));
    const second = await run(landed(batch));
    expect(first.quarantine).toEqual(second.quarantine);
    const inserted = ({ inserts }: Heard) => inserts.map(({ body }) => Buffer.concat([...body]).toString());
    expect(inserted(first)).toEqual(inserted(second));
  });
});

describe("land(): trouble", () => {
  const once =
    (what: string, outcome: WarehouseFailed["outcome"]): Fault =>
    (called, nth) =>
      called === what && nth === 0 ? Effect.fail(failed(outcome, "trouble")) : Effect.void;
  const always =
    (what: string, outcome: WarehouseFailed["outcome"]): Fault =>
    (called) =>
      called === what ? Effect.fail(failed(outcome, "trouble")) : Effect.void;

  test.each<readonly [string, Fault, readonly Value[], string, readonly string[]]>([
    ["the answer to the insert is lost", once("insert", "unknown"), [GOOD, BAD], "delayed: trouble", ["insert 0/0"]],
    ["the warehouse is out of memory", once("insert", "not done"), [GOOD, BAD], "delayed: trouble", ["insert 0/0"]],
    [
      "the target refuses what the probe takes",
      always("insert", "refused"),
      [GOOD, BAD],
      "delayed: weir_state.ods__t__v1 refuses good records: trouble",
      ["insert 0/0", "probe 0/0"],
    ],
    [
      "a probe is not answered",
      once("probe", "unknown"),
      [GOOD, ODD],
      "delayed: trouble",
      ["insert 0/0 0/1", "probe 0/0 0/1"],
    ],
    [
      "the quarantine is not written",
      once("quarantine", "unknown"),
      [GOOD, BAD],
      "delayed: trouble",
      ["insert 0/0", "quarantine 0/1"],
    ],
    [
      "the quarantine refuses",
      once("quarantine", "refused"),
      [GOOD, BAD],
      "delayed: trouble",
      ["insert 0/0", "quarantine 0/1"],
    ],
    ["the marker is not written", once("marker", "not done"), [GOOD], "delayed: trouble", ["insert 0/0", "marker 1+0"]],
  ])("delays the batch when %s", async (_, fault, values, result, told) => {
    const heard = await run(landed(batchOf(values), { fault }));
    expect(heard.result).toBe(result);
    expect(heard.told).toEqual([...told]);
  });

  test("delays a batch that met its deadline, and quarantines nothing", async () => {
    const late: Fault = (what) => (what === "insert" ? Effect.fail(failed("refused", "too late")) : Effect.void);
    const heard = await run(landed(batchOf([GOOD, BAD]), { fault: late, deadlineMs: 0 }));
    expect(heard.result).toBe("delayed: the batch met its deadline: too late");
    expect(heard.told).toEqual(["insert 0/0"]);
  });

  test("delays a batch whose deadline passed on the warehouse's clock alone", async () => {
    const late: Fault = (what) => (what === "insert" ? Effect.fail(failed("refused", "too late")) : Effect.void);
    const heard = await run(landed(batchOf([GOOD, GOOD]), { fault: late }));
    expect(heard.result).toContain("refuses good records: too late");
    expect(heard.quarantine).toEqual([]);
  });
});
