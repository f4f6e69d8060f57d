/**
 * Tests of `torn_tokens.ts`: what is torn at a log's end, and an engine that was killed between a token and its part.
 *
 * @module
 */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect, Exit, Logger, Scope } from "effect";
import { Warehouse } from "../warehouse.ts";
import { clickHouseWarehouse } from "./client.ts";
import { embeddedClickHouse } from "./embedded.ts";
import { forgetTornTokens, tornAt } from "./torn_tokens.ts";

const root = mkdtempSync(join(tmpdir(), "weir-torn-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("tornAt()", () => {
  const kept = "1\tall_1_1_0\tall_11_11\n";
  const last = "1\tall_2_2_0\tall_22_22\n";
  test.each<readonly [string, string, readonly string[], string]>([
    ["nothing of an empty log", "", [], ""],
    ["nothing while every part is there", kept + last, ["all_1_1_0", "all_2_2_0"], kept + last],
    ["nothing once the part was merged", kept + last, ["all_1_2_1"], kept + last],
    ["nothing once the part was mutated", last, ["all_2_2_0_5"], last],
    ["the token of a part that is nowhere", kept + last, ["all_1_1_0", "tmp_insert_all_2_2_0", "detached"], kept],
    ["the token of a part that is in another partition", last, ["2026_2_2_0"], ""],
    ["the last part alone", kept + last, [], kept],
    ["all tokens of the last part", `${kept}${last}1\tall_2_2_0\tall_33_33\n`, ["all_1_1_0"], kept],
    ["nothing behind a dropped token", `${kept}2\tall_1_1_0\tall_11_11\n`, [], `${kept}2\tall_1_1_0\tall_11_11\n`],
    ["a line without its end", `${kept}1\tall_2_`, ["all_1_1_0"], kept],
    ["nothing in what is no part's name", "1\tall\tall_1_1\n", [], "1\tall\tall_1_1\n"],
    ["nothing before a line that is cut off", `1_0\tall_11_11\n${last}`, [], "1_0\tall_11_11\n"],
  ])("is %s", (_, tail, partNames, rest) => {
    expect(tail.slice(0, tornAt(tail, partNames))).toBe(rest);
  });
});

describe("forgetTornTokens()", () => {
  const enginePath = join(root, "clickhouse");

  /** Runs `work` on an engine, and ends that with kill -9. */
  async function killedAfter<A>(work: (warehouse: Warehouse["Service"]) => Effect.Effect<A, unknown>): Promise<A> {
    const scope = Effect.runSync(Scope.make());
    const restart = { delayMsMin: 1, delayMsMax: 1, failuresInRowMax: 0, steadyMsMin: 600_000 };
    const starting = embeddedClickHouse({ dataDir: root, restart }).pipe(Scope.provide(scope));
    const engine = await Effect.runPromise(Effect.provide(starting, Logger.layer([])));
    const answer = await Effect.runPromise(
      Effect.flatMap(Warehouse, work).pipe(Effect.provide(clickHouseWarehouse(engine.connection))),
    );
    process.kill(engine.pid(), "SIGKILL");
    await Effect.runPromise(Effect.flip(engine.fallen));
    await Effect.runPromise(Scope.close(scope, Exit.void));
    return answer;
  }

  const insert = (warehouse: Warehouse["Service"], token: string) =>
    warehouse.insert({
      statement: `INSERT INTO ods.t SELECT number, '${token}' FROM numbers(2)`,
      body: [],
      settings: { insert_deduplication_token: token },
    });
  const stored = (warehouse: Warehouse["Service"]) =>
    warehouse.rows("admin", "SELECT groupArraySorted(9)(token) AS tokens FROM ods.t");

  test("does nothing where no engine has been, or one that was killed before it had a table", () => {
    expect(forgetTornTokens(enginePath)).toEqual([]);
    const early = mkdtempSync(join(root, "early-"));
    writeFileSync(join(early, "status"), "");
    expect(forgetTornTokens(early)).toEqual([]);
  });

  test("lets the insert be repeated whose part never came to its place, and no other", async () => {
    const [table] = await killedAfter((warehouse) =>
      Effect.gen(function* () {
        yield* warehouse.command("admin", "CREATE DATABASE ods");
        yield* warehouse.command(
          "admin",
          `CREATE TABLE ods.t (a UInt64, token String) ENGINE = MergeTree ORDER BY a
           SETTINGS non_replicated_deduplication_window = 100`,
        );
        for (const token of ["one", "two"]) yield* insert(warehouse, token);
        return yield* warehouse.rows<{ path: string }>(
          "admin",
          "SELECT data_paths[1] AS path FROM system.tables WHERE database = 'ods' AND name = 't'",
        );
      }),
    );
    const { path } = table!;
    expect(readdirSync(path)).toContain("all_2_2_0");
    // What a kill leaves between the two steps: the token, and no part.
    rmSync(join(path, "all_2_2_0"), { recursive: true });
    const tokens = await killedAfter((warehouse) =>
      Effect.gen(function* () {
        expect(yield* stored(warehouse)).toEqual([{ tokens: ["one", "one"] }]);
        // While it runs, its tokens are its own.
        expect(forgetTornTokens(enginePath)).toEqual([]);
        for (const token of ["one", "two", "three", "two"]) yield* insert(warehouse, token);
        return yield* stored(warehouse);
      }),
    );
    expect(tokens).toEqual([{ tokens: ["one", "one", "three", "three", "two", "two"] }]);
    expect(existsSync(join(enginePath, "status"))).toBe(true);
    expect(forgetTornTokens(enginePath)).toEqual([]);
  });
});
