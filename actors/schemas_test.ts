/**
 * Schemas over a warehouse that remembers tokens: what is kept first, what two processes make of one id, what is asked.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import {
  type RegistryAnswer,
  RegistryAway,
  type SchemaRegistry,
  type Warehouse,
  WarehouseFailed,
} from "@weir/connectors";
import type { Source } from "@weir/sql";
import { Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import { type SchemasAt, schemasOf } from "./schemas.ts";

const record = (name: string) => JSON.stringify({ type: "record", name, fields: [] });
const schema = (name: string): RegistryAnswer => ({ kind: "schema", text: record(name), references: [] });
const UNKNOWN: RegistryAnswer = { kind: "unknown" };
const SOURCE = {
  ...{ layer: "ods", name: "price", drift: "quarantine" },
  format: { kind: "avro", schema: undefined, isChange: false },
} as unknown as Source;
const STRICT = { ...SOURCE, drift: "stop" } as const;

/** A warehouse with weir.schema alone; `faults` are how its next calls end. */
function warehouseWith(faults: ("refused" | "unknown")[] = []) {
  const kept = new Map<string, Record<string, unknown>>();
  const told: string[] = [];
  const failing = Effect.suspend(() => {
    const outcome = faults.shift();
    return outcome === undefined
      ? Effect.void
      : Effect.fail(new WarehouseFailed({ outcome, code: 0, message: "it is away" }));
  });
  const warehouse = {
    insert: ({ body, settings }: { body: readonly Uint8Array[]; settings: Record<string, string> }) =>
      Effect.andThen(
        failing,
        Effect.sync(() => {
          const token = String(settings.insert_deduplication_token);
          told.push(token);
          const row = JSON.parse(Buffer.concat([...body]).toString()) as Record<string, unknown>;
          if (!kept.has(token)) kept.set(token, row);
          return { rowsWritten: 1 };
        }),
      ),
    rows: (_: string, sql: string) =>
      Effect.map(failing, () => [...kept.values()].filter(({ id, slot }) => sql.includes(`(${id}, ${slot})`))),
  } as unknown as Warehouse["Service"];
  return { warehouse, kept, told };
}

/** A registry that says one thing after the other, the last for ever. */
function registryOf(...answers: readonly (RegistryAnswer | RegistryAway)[]) {
  const asked: number[] = [];
  const registry: SchemaRegistry = {
    schema: (id) =>
      Effect.suspend(() => {
        const answer = answers[Math.min(asked.push(id), answers.length) - 1]!;
        return answer instanceof RegistryAway ? Effect.fail(answer) : Effect.succeed(answer);
      }),
  };
  return { registry, asked };
}

const AWAY = new RegistryAway({ message: "it is away" });
const at = (timestampMs = 0) => [{ value: new Uint8Array([0, 0, 0, 0, 7]), timestampMs }];
/** What schema 7 is, by its name or by why it is none. */
const said = (schemasAt: SchemasAt, timestampMs = 0): string => {
  const one = schemasAt(timestampMs)(7);
  return one.kind === "schema" ? one.schema.type.name : one.reason;
};
const now = async (parts: Parameters<typeof schemasOf>[0], timestampMs = 0) =>
  said(await Effect.runPromise(schemasOf(parts).of(SOURCE)!.now(at(timestampMs))), timestampMs);
const slices = [{ records: recordsOf7(), start: 0, end: 1 }];
function recordsOf7() {
  const bytes = new Uint8Array([0, 0, 0, 0, 7]);
  return { bytes, valueStarts: [0], valueEnds: [5], timestamps: [0] } as never;
}

describe("schemasOf()", () => {
  test("has none for a source that says them itself", () => {
    const { warehouse } = warehouseWith();
    const inline = { ...SOURCE, format: { kind: "avro", schema: record("R"), isChange: false } } as Source;
    expect(schemasOf({ warehouse, registry: undefined }).of(inline)).toBeUndefined();
  });

  test("two processes that hear different things at the same time use the first that was kept", async () => {
    const { warehouse, kept } = warehouseWith();
    const answers = [schema("A"), UNKNOWN, schema("B")];
    const heard = await Promise.all(answers.map((answer) => now({ warehouse, registry: registryOf(answer).registry })));
    expect(new Set(heard).size).toBe(1);
    expect(kept.size).toBeLessThanOrEqual(2);
  });

  test("keeps a no for its minute: the next one is asked again, the first answer stays", async () => {
    const { warehouse, told } = warehouseWith();
    const { registry, asked } = registryOf(UNKNOWN, schema("A"));
    const parts = { warehouse, registry };
    expect(await now(parts)).toStartWith("the schema registry does not know schema 7: register it");
    expect(await now(parts)).toStartWith("the schema registry does not know schema 7: register it");
    expect(await now(parts, 120_000)).toBe("A");
    expect(asked).toHaveLength(2);
    expect(told).toEqual(["schema:7/0", "schema:7/1", "schema:7/2"]);
  });

  test("refuses what is no schema of Avro, as it refuses what the registry refuses", async () => {
    const { warehouse } = warehouseWith();
    const { registry } = registryOf({ kind: "schema", text: '"string"', references: [] });
    expect(await now({ warehouse, registry })).toBe(
      "schema 7 cannot be used: it is no schema of Avro: its outermost type is string, and rows are records",
    );
  });

  test("says for the moment that nobody answers, and keeps nothing", async () => {
    const { warehouse, kept } = warehouseWith();
    expect(await now({ warehouse, registry: registryOf(AWAY).registry })).toBe("it is away");
    expect(await now({ warehouse, registry: undefined })).toContain("Set SCHEMA_REGISTRY_URL");
    expect(kept.size).toBe(0);
  });

  test("does not spin where a row was deleted whose token is remembered", async () => {
    const { warehouse, told } = warehouseWith();
    const empty = { ...warehouse, rows: () => Effect.succeed([]) } as unknown as Warehouse["Service"];
    expect(await now({ warehouse: empty, registry: registryOf(schema("A")).registry })).toContain("Restore the rows");
    expect(told).toHaveLength(1);
  });

  test("uses what is kept where there is no registry any more", async () => {
    const { warehouse } = warehouseWith();
    await now({ warehouse, registry: registryOf(schema("A")).registry });
    expect(await now({ warehouse, registry: undefined })).toBe("A");
  });

  test.each<readonly [string, Source, readonly (RegistryAnswer | RegistryAway)[]]>([
    ["a registry that is away", SOURCE, [AWAY, AWAY, schema("A")]],
    ["a warehouse that is away", SOURCE, [schema("A")]],
    ["a schema, where a row must not be missing", STRICT, [UNKNOWN, { kind: "refused", reason: "no" }, schema("A")]],
  ])("waits for %s, and tells", async (_, source, answers) => {
    const { warehouse, kept } = warehouseWith(answers.length === 1 ? ["unknown", "unknown"] : []);
    const { registry, asked } = registryOf(...answers);
    const notes: string[] = [];
    const program = Effect.gen(function* () {
      const known = schemasOf({ warehouse, registry })
        .of(source)!
        .known(slices, (note) => Effect.sync(() => notes.push(note)));
      const fiber = yield* Effect.forkChild(known);
      yield* TestClock.adjust("1 minute");
      return said(yield* Fiber.join(fiber));
    });
    expect(await Effect.runPromise(Effect.provide(program, TestClock.layer()))).toBe("A");
    expect(asked).toHaveLength(answers.length);
    expect(notes).toHaveLength(answers.length - 1);
    expect([...kept.keys()]).toEqual(["schema:7/0"]);
  });
});
