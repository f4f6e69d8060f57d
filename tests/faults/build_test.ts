/**
 * A real process, killed while it builds models and events come in: the build goes on by itself, or never was.
 *
 *   producer ──▶ door ◀──apply── test ──kill -9──▶ where did it die? ──▶ next life ──▶ … ──▶ models equal their SELECT over ods
 *
 * @module
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { clickHouseWarehouse, embeddedClickHouse, Warehouse } from "@weir/connectors";
import { Effect } from "effect";
import { type DoorProcess, startProcess, temporaryFolder, until } from "../door_process.ts";
import { apply, model } from "../models_fixture.ts";
import { generator } from "../simulation/world.ts";
import { Producer, SOURCE, stored } from "./producer.ts";

const SEED = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 1e9));
/** Kills of the door; more where there is time. */
const KILLS = Math.ceil(Number(process.env.WEIR_KILLS ?? 8) / 4);
/** A kill that is still missing one of the two places after KILLS tries is tried this often in all. */
const KILLS_MAX = 30;
/** Many chunks of few rows, so that a kill meets them. */
const ENV = { WEIR_BACKFILL_ROWS: "400" };
const ROWS_BEFORE = 5_000;

type Place = "before the catalog row" | "in the backfill" | "elsewhere";

const folder = temporaryFolder("build");
const projectDir = join(folder.path, "project");
const dataDir = join(folder.path, "data");
const random = generator(SEED);

beforeAll(() => {
  mkdirSync(join(projectDir, "ods"), { recursive: true });
  writeFileSync(join(projectDir, "ods", "number.sql"), SOURCE);
});
afterAll(folder.remove);

const copy = (round: number) => `SELECT id, n, ${round} AS round FROM ods.number`;
const digits = (from: string) =>
  `SELECT round, n % 10 AS digit, count() AS events, sum(n) AS total FROM ${from} GROUP BY round, digit`;

/** Sends the next version of both models; nobody waits for the answer. */
function build(door: DoorProcess, round: number): void {
  const files = { "dwf/copy.sql": model(copy(round)), "dws/digits.sql": model(digits("dwf.copy")) };
  apply(door, files).catch(() => undefined);
}

/** Looks into a dead data directory: what is there of a build? */
function placeOfDeath(): Promise<Place> {
  const look = Effect.gen(function* () {
    const { connection } = yield* embeddedClickHouse({ dataDir });
    return yield* Effect.gen(function* () {
      const { rows } = yield* Warehouse;
      const [state] = yield* rows<{ version: string; state: string }>(
        "admin",
        `SELECT version, state FROM weir.definition WHERE layer = 'dwf' AND name = 'copy'
         ORDER BY catalog DESC, applied_at DESC LIMIT 1`,
      );
      const tables = yield* rows<{ name: string }>(
        "admin",
        "SELECT name FROM system.tables WHERE database = 'weir_state' AND match(name, '^dwf__copy__v[0-9]+$')",
      );
      const newest = Math.max(0, ...tables.map(({ name }) => Number(/\d+$/.exec(name)?.[0])));
      if (newest > Number(state?.version ?? 0)) return "before the catalog row";
      return state?.state === "building" ? "in the backfill" : "elsewhere";
    }).pipe(Effect.provide(clickHouseWarehouse(connection)));
  });
  return Effect.runPromise(Effect.scoped(look)) as Promise<Place>;
}

const isBuilding = (seen: readonly string[]) => seen.includes("building");

/** A view and the SELECT that it must equal. */
async function both(door: DoorProcess, view: string, select: string): Promise<void> {
  const [live, batch] = [
    await door.sql(`SELECT count() AS rows, sum(cityHash64(*)) AS hash FROM ${view}`),
    await door.sql(`SELECT count() AS rows, sum(cityHash64(*)) AS hash FROM (${select})`),
  ];
  expect(live, view).toEqual(batch);
}

/** The version of the newest table of `dwf.copy`: there before the catalog says so. */
async function newestTable(door: DoorProcess): Promise<number> {
  const [{ version }] = await door.sql<{ version: number }>(
    `SELECT max(toUInt32OrZero(extract(name, '\\d+$'))) AS version FROM system.tables
     WHERE database = 'weir_state' AND match(name, '^dwf__copy__v[0-9]+$')`,
  );
  return version;
}

/** What the catalog says of the two models. */
async function states(door: DoorProcess): Promise<readonly string[]> {
  const { definitions } = (await (await door.get("/v1/admin/definitions")).json()) as {
    definitions: readonly { kind: string; state: string }[];
  };
  return definitions.flatMap(({ kind, state }) => (kind === "model" ? [state] : []));
}

test(`kill -9 during builds under load: they go on by themselves, every row once (WEIR_SEED=${SEED})`, async () => {
  let door = await startProcess({ dataDir, projectDir, env: ENV });
  const producer = new Producer(door, { senders: 1, batch: 20 });
  const places = new Map<Place, number>();
  await until("rows to begin with", () => producer.promised.events, {
    holds: (events) => events >= ROWS_BEFORE,
    withinMs: 30_000,
  });
  const isDone = (kill: number) =>
    kill >= KILLS && places.has("before the catalog row") && places.has("in the backfill");
  for (let kill = 0; kill < KILLS_MAX && !isDone(kill); kill++) {
    const before = await newestTable(door);
    build(door, kill);
    if (kill % 2 === 0) {
      await until("the catalog row", () => states(door), { holds: isBuilding, withinMs: 10_000 });
      await Bun.sleep(random() * 100);
    } else {
      const holds = (newest: number) => newest > before;
      await until("the table", () => newestTable(door), { holds, withinMs: 10_000, everyMs: 1 });
    }
    producer.door = undefined;
    await door.kill();
    const place = await placeOfDeath();
    places.set(place, (places.get(place) ?? 0) + 1);
    door = await startProcess({ dataDir, projectDir, env: ENV });
    producer.door = door;
    const holds = (seen: readonly string[]) => seen.every((state) => state === "active");
    await until("the build", () => states(door), { holds, withinMs: 30_000 });
    if (place === "in the backfill") expect(await states(door)).toHaveLength(2);
  }
  await producer.stop();
  console.log(`killed ${[...places].map(([place, count]) => `${count} x ${place}`).join(", ")}`);
  expect(isDone(KILLS)).toBe(true);
  const { events, sum } = producer.promised;
  const seen = await until("landing", () => stored(door), {
    holds: ({ markers }) => markers >= events,
    withinMs: 30_000,
  });
  expect(seen).toEqual({ rows: events, ids: events, records: events, sum, markers: events });
  const [{ round }] = await door.sql<{ round: number }>("SELECT max(round) AS round FROM dwf.copy");
  await both(door, "dwf.copy", copy(round));
  await both(door, "dws.digits", digits(`(${copy(round)})`));
  const strays = await door.sql<{ name: string }>(
    "SELECT name FROM system.tables WHERE database = 'weir_state' AND match(name, '^dw') ORDER BY name",
  );
  expect(strays.filter(({ name }) => !name.endsWith("__fill"))).toHaveLength(2);
  expect(strays).toHaveLength(4);
  await door.stop();
}, 180_000);

test("kill -9 of ClickHouse during a build under load: the build waits for the next one and ends", async () => {
  const door = await startProcess({ dataDir: join(folder.path, "engine"), projectDir, env: ENV });
  const producer = new Producer(door, { senders: 1, batch: 20 });
  await until("rows to begin with", () => producer.promised.events, {
    holds: (events) => events >= ROWS_BEFORE,
    withinMs: 30_000,
  });
  build(door, 1);
  await until("the build", () => states(door), { holds: isBuilding, withinMs: 10_000 });
  process.kill(door.engine(), "SIGKILL");
  const isBuilt = (seen: readonly string[]) => seen.length === 2 && seen.every((state) => state === "active");
  await until("the build's end", () => states(door), { holds: isBuilt, withinMs: 60_000 });
  await producer.stop();
  const { events } = producer.promised;
  const holds = ({ markers }: { markers: number }) => markers >= events;
  await until("landing", () => stored(door), { holds, withinMs: 30_000 });
  await both(door, "dwf.copy", copy(1));
  await both(door, "dws.digits", digits(`(${copy(1)})`));
  await door.stop();
}, 120_000);
