/**
 * Tests of `token_rows.ts`: what is written, what is read again, and what happens while the warehouse is away.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import type { Insert, WarehouseFailed } from "@weir/connectors";
import { Effect, Exit } from "effect";
import { fakeDoor, Script, warehouseFailed } from "./door_fixture.ts";
import { keepTokens, revokeToken, storeCreated, TOKEN_ROWS } from "./token_rows.ts";
import { hashOf, type KnownToken, Tokens } from "./tokens.ts";
import { until } from "./until_fixture.ts";

const AWAY = warehouseFailed("not done", 0);
const AT_MS = Date.UTC(2026, 0, 31);
/** So often is looked here for what is new. */
const EVERY_MS = 10;

/** A warehouse that holds rows, can be away, and remembers what it was told. */
function opened() {
  const engine = {
    rows: [] as object[],
    fails: undefined as WarehouseFailed | undefined,
    inserts: [] as { token: unknown; row: Record<string, unknown> }[],
    reads: [] as string[],
    /** Calls that failed. */
    failed: 0,
  };
  const answer = <A>(value: () => A) =>
    Effect.suspend(() => {
      if (engine.fails === undefined) return Effect.sync(value);
      engine.failed += 1;
      return Effect.fail(engine.fails);
    });
  const script = new Script();
  const { door } = fakeDoor(script, { tokens: new Tokens() });
  const warehouse: typeof door.warehouse = {
    ...door.warehouse,
    rows: <Row>(_: unknown, sql: string) =>
      answer(() => {
        engine.reads.push(sql);
        return engine.rows as unknown as readonly Row[];
      }),
    insert: ({ body, settings }: Insert) =>
      answer(() => {
        engine.inserts.push({
          token: settings.insert_deduplication_token,
          row: JSON.parse(Buffer.concat([...body]).toString()),
        });
        return { rowsWritten: 1 };
      }),
  };
  return { engine, door: { ...door, warehouse } };
}

const created = (token: string, more: object = {}) => ({
  ...{ id: `id_${token}`, event: "created", hash: Buffer.from(hashOf(token)).toString("hex"), name: token },
  ...{ scopes: ["api:*"], origins: [], fixed_params: "{}", expires_ms: null, author: "admin", at_ms: AT_MS },
  ...more,
});
const revoked = (token: string) => ({ ...created(token), event: "revoked", hash: "", fixed_params: "", scopes: [] });

const isKnown = ({ tokens }: { tokens: Tokens }, token: string) => tokens.callerOf(`Bearer ${token}`) !== undefined;

describe("keepTokens()", () => {
  test("loads what is in force, whole", async () => {
    const { engine, door } = opened();
    const expiresMs = Date.now() + 60_000;
    engine.rows = [
      created("one", { fixed_params: '{"tenant":["a"]}', expires_ms: expiresMs, origins: ["https://a.b"] }),
    ];
    await keepTokens(door, { until: AbortSignal.abort() });
    expect(door.tokens.get("id_one")).toEqual({
      ...{ id: "id_one", hash: new Uint8Array(hashOf("one")), expiresMs, createdMs: AT_MS, createdBy: "admin" },
      caller: {
        ...{ id: "id_one", name: "one", scopes: ["api:*"], origins: ["https://a.b"] },
        fixedParams: new Map([["tenant", ["a"]]]),
      },
    });
  });

  test("learns with the next looks what others created and revoked, and ends when told to", async () => {
    const { engine, door } = opened();
    const closing = new AbortController();
    engine.rows = [created("one")];
    await keepTokens(door, { until: closing.signal, everyMs: EVERY_MS });
    engine.rows = [created("one"), revoked("one"), created("two")];
    const before = engine.reads.length;
    await until(() => engine.reads.length > before + 1);
    expect([isKnown(door, "one"), isKnown(door, "two")]).toEqual([false, true]);
    expect(engine.reads.at(-1)).toContain(`${AT_MS - TOKEN_ROWS.overlapMs}`);
    closing.abort();
    const reads = engine.reads.length;
    await Bun.sleep(5 * EVERY_MS);
    expect(engine.reads.length).toBe(reads);
  });

  test("goes on with what it knows while the warehouse is away, and catches up", async () => {
    const { engine, door } = opened();
    const closing = new AbortController();
    engine.rows = [created("one")];
    await keepTokens(door, { until: closing.signal, everyMs: EVERY_MS });
    engine.fails = AWAY;
    await until(() => engine.failed > 0);
    expect(isKnown(door, "one")).toBe(true);
    engine.rows = [created("one"), revoked("one")];
    engine.fails = undefined;
    await until(() => !isKnown(door, "one"));
    closing.abort();
  });

  test("forgets in time what expires, and tells who watches", async () => {
    const { engine, door } = opened();
    const closing = new AbortController();
    engine.rows = [created("one", { expires_ms: Date.now() + 300 })];
    await keepTokens(door, { until: closing.signal, everyMs: EVERY_MS });
    let ended = false;
    door.tokens.onEnd(door.tokens.callerOf("Bearer one")!, () => {
      ended = true;
    });
    await until(() => ended);
    closing.abort();
  });
});

describe("storeCreated()", () => {
  test("writes the hash and never the token", async () => {
    const { engine, door } = opened();
    const token: KnownToken = {
      ...{ id: "id_x", hash: hashOf("secret"), expiresMs: AT_MS + 1, createdBy: "admin" },
      caller: { name: "x", scopes: ["api:*"], origins: ["https://a.b"], fixedParams: new Map([["tenant", ["a"]]]) },
    };
    await door.run(storeCreated(door, token));
    expect(engine.inserts).toEqual([
      {
        token: "token:id_x:created",
        row: {
          ...{ id: "id_x", event: "created", hash: Buffer.from(hashOf("secret")).toString("hex"), name: "x" },
          ...{ scopes: ["api:*"], origins: ["https://a.b"], fixed_params: '{"tenant":["a"]}', author: "admin" },
          expires_at: "2026-01-31 00:00:00.001",
        },
      },
    ]);
    expect(JSON.stringify(engine.inserts)).not.toContain("secret");
  });
});

describe("revokeToken()", () => {
  test("is in force here even if it cannot be written, and is written as soon as it can", async () => {
    const { engine, door } = opened();
    const closing = new AbortController();
    engine.rows = [created("one")];
    await keepTokens(door, { until: closing.signal, everyMs: EVERY_MS });
    engine.fails = warehouseFailed("refused", 242);
    const exit = await door.run(revokeToken(door, { id: "id_one", author: "admin" }));
    expect([Exit.isFailure(exit), isKnown(door, "one")]).toEqual([true, false]);
    engine.fails = undefined;
    await until(() => engine.inserts.length > 0);
    expect(engine.inserts).toEqual([
      { token: "token:id_one:revoked", row: { id: "id_one", event: "revoked", author: "admin" } },
    ]);
    expect(isKnown(door, "one")).toBe(false);
    closing.abort();
  });
});
