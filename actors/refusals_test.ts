/**
 * Refusals: what the door refused is kept within bounds, and counted beyond them.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { type Insert, Warehouse, WarehouseFailed } from "@weir/connectors";
import { Effect, Logger } from "effect";
import { TestClock } from "effect/testing";
import { REFUSALS_EVERY_MS, Refusals, type RefusedEvent, refusalsEvery } from "./refusals.ts";

const ROWS_MAX = 2_000;
const BYTES_MAX = 8 * 2 ** 20;
const RAW_BYTES_MAX = 64 * 2 ** 10;

const event = (raw: Uint8Array = Buffer.from('{"a":')): RefusedEvent => ({
  source: "flight",
  topic: "flight",
  column: "",
  reason: "is not JSON",
  raw,
  timestampMs: 1_700_000_000_000.5,
});

/** Runs with refusals over a warehouse that only notes what is inserted; `fails` says which inserts fail. */
function run<A>(
  program: (inserts: Insert[]) => Effect.Effect<A, never, Refusals>,
  fails: (index: number) => boolean = () => false,
) {
  const inserts: Insert[] = [];
  const failed = new WarehouseFailed({ outcome: "not done", code: 241, message: "memory limit" });
  const insert = (one: Insert) =>
    Effect.suspend(() => (fails(inserts.push(one) - 1) ? Effect.fail(failed) : Effect.succeed({ rowsWritten: 1 })));
  const warehouse = { insert } as unknown as Warehouse["Service"];
  return Effect.runPromise(
    program(inserts).pipe(
      Effect.provide(refusalsEvery(REFUSALS_EVERY_MS)),
      Effect.provideService(Warehouse, warehouse),
      Effect.provide(TestClock.layer()),
      Effect.provide(Logger.layer([])),
      Effect.map((result) => ({ result, inserts })),
    ),
  );
}

const rowsOf = (insert: Insert) =>
  Buffer.concat([...insert.body])
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const second = TestClock.adjust(1_000);

describe("Refusals", () => {
  test("are inserted every second, together", () =>
    run((inserts) =>
      Effect.gen(function* () {
        const refusals = yield* Refusals;
        expect([refusals.offer(event()), refusals.offer(event())]).toEqual([true, true]);
        yield* TestClock.adjust(999);
        expect(inserts.length).toBe(0);
        yield* TestClock.adjust(1);
        expect(inserts.map((insert) => rowsOf(insert).length)).toEqual([2]);
        yield* second;
        expect(inserts.length).toBe(1);
        refusals.offer(event());
        yield* second;
        expect(inserts.length).toBe(2);
        expect(refusals.dropped()).toBe(0);
      }),
    ));

  test("say where they came from, without a place in the log", async () => {
    const { inserts } = await run(() =>
      Effect.flatMap(Refusals, (refusals) => Effect.sync(() => refusals.offer(event()))),
    );
    expect(rowsOf(inserts[0])).toEqual([
      {
        id: expect.stringMatching(/^flight\.door\.[0-9a-f]{16}$/),
        source: "flight",
        topic: "flight",
        epoch: 0,
        partition: -1,
        offset: -1,
        column: "",
        reason: "is not JSON",
        raw: Buffer.from('{"a":').toString("base64"),
        raw_bytes: 5,
        event_ms: 1_700_000_000_000,
      },
    ]);
    expect(inserts[0].statement).toContain("INSERT INTO weir.quarantine");
  });

  test("carry a token of their own with every insert", async () => {
    const { inserts } = await run(() =>
      Effect.gen(function* () {
        const refusals = yield* Refusals;
        for (let flush = 0; flush < 3; flush++) {
          refusals.offer(event());
          yield* second;
        }
      }),
    );
    const tokens = inserts.map(({ settings }) => settings.insert_deduplication_token);
    expect(new Set(tokens).size).toBe(3);
  });

  test("are inserted at the end as well", async () => {
    const { inserts } = await run(() =>
      Effect.flatMap(Refusals, (refusals) => Effect.sync(() => refusals.offer(event()))),
    );
    expect(inserts.map((insert) => rowsOf(insert).length)).toEqual([1]);
  });

  test(`are kept up to ${ROWS_MAX} and counted beyond`, () =>
    run((inserts) =>
      Effect.gen(function* () {
        const refusals = yield* Refusals;
        for (let count = 0; count < ROWS_MAX; count++) expect(refusals.offer(event())).toBe(true);
        for (let count = 0; count < 3; count++) expect(refusals.offer(event())).toBe(false);
        expect(refusals.dropped()).toBe(3);
        yield* second;
        expect(rowsOf(inserts[0]).length).toBe(ROWS_MAX);
        expect(refusals.offer(event())).toBe(true);
      }),
    ));

  test("are cut to their beginning, and kept up to 8 MiB", () =>
    run((inserts) =>
      Effect.gen(function* () {
        const refusals = yield* Refusals;
        const huge = event(new Uint8Array(3 * RAW_BYTES_MAX));
        const fit = BYTES_MAX / RAW_BYTES_MAX;
        for (let count = 0; count < fit; count++) expect(refusals.offer(huge)).toBe(true);
        expect(refusals.offer(event())).toBe(false);
        yield* second;
        const [row, ...rest] = rowsOf(inserts[0]);
        expect(rest.length).toBe(fit - 1);
        expect(Buffer.from(String(row.raw), "base64").length).toBe(RAW_BYTES_MAX);
        expect(row.raw_bytes).toBe(3 * RAW_BYTES_MAX);
        expect(refusals.offer(huge)).toBe(true);
      }),
    ));

  test("are not held by the buffer they came in", () =>
    run((inserts) =>
      Effect.gen(function* () {
        const refusals = yield* Refusals;
        const raw = Buffer.from("before");
        refusals.offer(event(raw));
        raw.write("behind");
        yield* second;
        expect(Buffer.from(String(rowsOf(inserts[0])[0].raw), "base64").toString()).toBe("before");
      }),
    ));

  test("are counted when the warehouse does not take them, and the next ones are tried", () =>
    run(
      (inserts) =>
        Effect.gen(function* () {
          const refusals = yield* Refusals;
          refusals.offer(event());
          refusals.offer(event());
          yield* second;
          expect(refusals.dropped()).toBe(2);
          refusals.offer(event());
          yield* second;
          expect(inserts.length).toBe(2);
          expect(refusals.dropped()).toBe(2);
        }),
      (index) => index === 0,
    ));
});
