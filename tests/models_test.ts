/**
 * Models over a running platform: new ones, changed ones and checked ones, while events go on landing.
 *
 *   sender ──events all the while──▶ ods ──views, backfills──▶ models ──▶ equal to their SELECT over ods
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Effect } from "effect";
import { until } from "./door_process.ts";
import {
  applied,
  apply,
  check,
  equals,
  holdsAll,
  inForce,
  JSON_TYPE,
  model,
  projectFiles,
  source,
} from "./models_fixture.ts";
import {
  expectedGroups,
  groupsIn,
  MONEY_QUERIES,
  type MoneyTable,
  moneyProjectDir,
  saleEvents,
} from "./money/money.ts";
import { Sender } from "./sender.ts";
import { openWorld, type World } from "./world.ts";

const SEED = Number(process.env.WEIR_TEST_SEED ?? 20240229);

setDefaultTimeout(60_000);
let world: World;
beforeAll(async () => {
  world = await openWorld({ chunkRows: 170 });
});
afterAll(() => world.close());

const command = (sql: string) => Effect.runPromise(world.door.warehouse.command("admin", sql));

/** Sends while `change` happens, and a good while before and after. */
async function whileSending(name: string, change: (sender: Sender) => Promise<void>): Promise<Sender> {
  const sender = new Sender(world, { source: name, senders: 2, batch: 10, pauseMs: 15 });
  await sender.sent(700);
  await change(sender);
  await sender.sent(sender.promised.events + 200);
  await sender.stop();
  return sender;
}

/** Chunks of the newest backfill of a model. */
async function chunksOf(name: string): Promise<number> {
  const [row] = await world.sql<{ chunks: string }>(
    `SELECT count() AS chunks FROM weir.backfill WHERE concat(layer, '.', name) = '${name}'
     GROUP BY version ORDER BY version DESC LIMIT 1`,
  );
  return Number(row?.chunks ?? 0);
}

describe("money", () => {
  const events = saleEvents(SEED, 2_000);
  const post = (some: typeof events) => world.post("/v1/ingest/sale?wait=1", JSON.stringify(some), JSON_TYPE);

  test(`is exact in every layer, half of it backfilled and half landed (WEIR_TEST_SEED=${SEED})`, async () => {
    const files = projectFiles(moneyProjectDir);
    await applied(
      world,
      files.filter(({ path }) => path.startsWith("ods/")),
    );
    expect((await post(events.slice(0, 1_000))).status).toBe(200);
    await applied(world, files);
    expect((await post(events.slice(1_000))).status).toBe(200);
    const expected = expectedGroups(events);
    for (const [table, query] of Object.entries(MONEY_QUERIES))
      expect(groupsIn(await world.sql(query)), table).toEqual(expected[table as MoneyTable]);
    for (const table of Object.keys(MONEY_QUERIES))
      expect(await check(world, table), table).toMatchObject({ differing: 0, differences: [] });
    expect(await check(world, "dwf.sale")).toMatchObject({ rows: events.length });
  });

  test("check finds a row too much and a group that is wrong, with their keys", async () => {
    const day = "SELECT * FROM weir_state.dws__product_day__v1 WHERE product = 'crane' ORDER BY day LIMIT 1";
    const [{ day: planted }] = await world.sql<{ day: string }>(day);
    await command(`INSERT INTO weir_state.dws__product_day__v1 ${day}`);
    const found = await check(world, "dws.product_day");
    expect(found.differing).toBe(2);
    const shown = found.differences.map(({ batch, live }) => JSON.parse((batch ?? live) as string));
    for (const one of shown) expect(one).toMatchObject({ product: "crane", day: planted });
    await command("INSERT INTO weir_state.dwf__sale__v1 SELECT * FROM weir_state.dwf__sale__v1 WHERE sale_id = '7'");
    const [difference] = (await check(world, "dwf.sale")).differences;
    expect(JSON.parse(difference.live as string)).toMatchObject({ sale_id: "7" });
  });

  test("no check leaves anything behind", async () => {
    expect(await world.sql("SELECT name FROM system.tables WHERE name LIKE '%check%'")).toEqual([]);
  });
});

describe("new models over existing rows while events land", () => {
  const clean = (more = "") => `SELECT id, n, toUInt64(id) % 7 AS g, n * 2 AS twice${more} FROM ods.lot`;
  const group =
    "SELECT g, count() AS events, sum(twice) AS total, max(n) AS largest, uniqExact(id) AS ids, sum(twice) / count() AS average FROM dwf.lot GROUP BY g";
  const half = "SELECT g % 2 AS half, sum(events) AS events, sum(total) AS total FROM dws.lot GROUP BY half";
  const tens = "SELECT intDiv(n, 10) AS ten, count() AS events, sum(twice) AS total FROM dwf.lot GROUP BY ten";
  const over = (select: string) =>
    select.replace("FROM dws.lot", `FROM (${group})`).replace("FROM dwf.lot", `FROM (${clean()})`);

  test("a chain at once, another fold over it, then another version: all rows, each once", async () => {
    await applied(world, { "ods/lot.sql": source("lot") });
    const sender = await whileSending("lot", async () => {
      const chain = { "dwf/lot.sql": model(clean()), "dws/lot.sql": model(group), "dwa/half.sql": model(half) };
      expect(await applied(world, chain)).toEqual(["create dwf.lot", "create dws.lot", "create dwa.half"]);
      expect(await chunksOf("dwf.lot")).toBeGreaterThan(3);
      expect(await applied(world, { "dwa/tens.sql": model(tens) })).toEqual(["create dwa.tens"]);
      expect(await chunksOf("dwa.tens")).toBeGreaterThan(3);
      const changed = { "dwf/lot.sql": model(clean(", n + 1 AS next")) };
      expect(await applied(world, changed)).toEqual([
        ...["rebuild dwf.lot", "rebuild dws.lot", "rebuild dwa.half", "rebuild dwa.tens"],
      ]);
    });
    await holdsAll(world, "lot", sender);
    await equals(world, "dwf.lot", clean(", n + 1 AS next"));
    for (const [name, select] of [
      ["dws.lot", group],
      ["dwa.half", half],
      ["dwa.tens", tens],
    ] as const)
      await equals(world, name, over(select));
    for (const name of ["dwf.lot", "dws.lot", "dwa.half", "dwa.tens"])
      expect(await check(world, name), name).toMatchObject({ differing: 0 });
    expect(sender.refused).toEqual([]);
    const tables = await world.sql<{ name: string }>(
      "SELECT name FROM system.tables WHERE database = 'weir_state' AND name LIKE 'dw%lot__v%' ORDER BY name",
    );
    expect(tables.map(({ name }) => name)).toEqual([
      ...["dwf__lot__v2", "dwf__lot__v2__fill", "dws__lot__v2", "dws__lot__v2__fill"],
    ]);
  });

  test("a build that fails leaves nothing behind: the next one backfills everything", async () => {
    await world.post("/v1/ingest/lot?wait=1", '{"id":"1000000","n":4000000000}', JSON_TYPE);
    const narrow = model("SELECT accurateCast(n, 'UInt16') AS n FROM ods.lot");
    const refused = await apply(world, { "dwf/narrow.sql": narrow });
    expect({ status: refused.status, error: refused.answer.error }).toMatchObject({
      status: 409,
      error: {
        code: "change_failed",
        at: "dwf.narrow",
        message: expect.stringContaining("cannot be safely converted"),
      },
    });
    expect(await inForce(world, "dwf.narrow")).toBeUndefined();
    expect(await world.sql("SELECT name FROM system.tables WHERE name LIKE '%narrow%'")).toEqual([]);
    expect(await applied(world, { "dwf/narrow.sql": model("SELECT n FROM ods.lot") })).toEqual(["create dwf.narrow"]);
    await equals(world, "dwf.narrow", "SELECT n FROM ods.lot");
  });

  test("a rebuild that fails at the barrier, after its first chunks, changes nothing: the next one has all rows", async () => {
    const columns = "id String, n UInt32, note Nullable(String)";
    const files = (select: string) => ({ "ods/late.sql": source("late", columns), "dwf/late.sql": model(select) });
    await applied(world, { "ods/late.sql": source("late"), "dwf/late.sql": model("SELECT id, n FROM ods.late") });
    const send = (from: number, to: number) => {
      const numbers = Array.from({ length: to - from }, (_, index) => ({ id: String(from + index), n: from + index }));
      return world.post("/v1/ingest/late?wait=1", JSON.stringify(numbers), JSON_TYPE);
    };
    await send(0, 900);
    await send(900, 1_000);
    const { status, answer } = await apply(world, files("SELECT id, n, intDiv(1, n - 950) AS x FROM ods.late"));
    expect({ status, error: answer.error }).toMatchObject({
      status: 409,
      error: { code: "change_failed", at: "dwf.late", message: expect.stringContaining("Division by zero") },
    });
    await send(1_000, 1_001);
    await equals(world, "dwf.late", "SELECT id, n FROM ods.late");
    expect(await applied(world, files("SELECT id, n, note FROM ods.late"))).toEqual([
      ...["rebuild ods.late", "rebuild dwf.late"],
    ]);
    await equals(world, "dwf.late", "SELECT id, n, note FROM ods.late");
    expect(await check(world, "dwf.late")).toMatchObject({ rows: 1_001, differing: 0 });
  });

  test("a source with another column rebuilds what is above it", async () => {
    const sender = await whileSending("lot2", async (sender) => {
      const columns = "id String, n UInt32, note Nullable(String)";
      const wider = { "ods/lot2.sql": source("lot2", columns) };
      expect(await applied(world, wider)).toEqual([...["rebuild ods.lot2", "rebuild dwf.lot2", "rebuild dws.lot2"]]);
      await sender.pausedWith({ note: "new" });
      const noted = { "dws/noted.sql": model("SELECT note, count() AS events FROM ods.lot2 GROUP BY note") };
      await applied(world, noted);
      await sender.pausedWith({});
      const narrow = {
        "ods/lot2.sql": source("lot2"),
        "dws/noted.sql": model("SELECT count() AS events FROM ods.lot2"),
      };
      expect((await apply(world, narrow)).answer.error?.code).toBe("destructive");
      expect(await applied(world, narrow, { allow_destructive: true })).toEqual([
        ...["rebuild ods.lot2", "rebuild dwf.lot2", "rebuild dws.lot2", "rebuild dws.noted"],
      ]);
    });
    await holdsAll(world, "lot2", sender);
    await equals(world, "dwf.lot2", "SELECT id, n FROM ods.lot2");
    await equals(world, "dws.lot2", "SELECT n, count() AS events FROM ods.lot2 GROUP BY n");
    await equals(world, "dws.noted", "SELECT count() AS events FROM ods.lot2");
    const old = "SELECT name FROM system.tables WHERE database = 'weir_state' AND name LIKE 'ods\\_\\_lot2%'";
    expect(await world.sql(old)).toEqual([{ name: "ods__lot2__v3" }]);
  });
  beforeAll(() =>
    applied(world, {
      "ods/lot2.sql": source("lot2"),
      "dwf/lot2.sql": model("SELECT id, n FROM ods.lot2"),
      "dws/lot2.sql": model("SELECT n, count() AS events FROM dwf.lot2 GROUP BY n"),
    }),
  );
});

describe("what a change rebuilds", () => {
  const place = (columns: string) =>
    `/*---\nkind: dimension\ndoc: Places.\nkey: code\nfrom: { file: place.csv }\n---*/\nCREATE TABLE dim.place ( ${columns} )\n`;
  const dimension = (columns: string, data: string) => ({ path: "dim/place.sql", text: place(columns), data });
  const label = (body: string) => ({
    path: "functions/label.sql",
    text: `/*---\nkind: function\ndoc: A label.\n---*/\nCREATE FUNCTION label AS (n) -> ${body}\n`,
  });
  const placed = (name = "name", front = "", doc = "Placed.") => ({
    path: "dwf/placed.sql",
    text: model(
      `SELECT id, label(n) AS label, dictGet('dim.place', '${name}', toString(n % 2)) AS place FROM ods.placed`,
      { front, doc },
    ),
  });
  const version = async () => (await inForce(world, "dwf.placed"))?.version;
  const rows = () => world.sql("SELECT id, label, place FROM dwf.placed ORDER BY id");
  const send = (id: string, n: number) => world.post("/v1/ingest/placed?wait=1", JSON.stringify({ id, n }), JSON_TYPE);

  beforeAll(async () => {
    await applied(world, { "ods/placed.sql": source("placed") });
    await send("a", 1);
    await applied(world, [
      label("concat('n', toString(n))"),
      dimension("code String, name String", "code,name\n0,Even\n1,Odd\n"),
      placed(),
    ]);
  });

  test("other rows of a dimension: nothing, what is landed keeps what it looked up", async () => {
    expect(await rows()).toEqual([{ id: "a", label: "n1", place: "Odd" }]);
    const changed = dimension("code String, name String", "code,name\n0,Even\n1,Uneven\n");
    expect(await applied(world, [changed])).toEqual(["rebuild dim.place"]);
    await send("b", 1);
    expect(await rows()).toEqual([
      { id: "a", label: "n1", place: "Odd" },
      { id: "b", label: "n1", place: "Uneven" },
    ]);
    expect(await version()).toBe(1);
  });

  test("other columns of a dimension: the models that look up in it, together with it", async () => {
    const renamed = dimension("code String, title String", "code,title\n0,Even\n1,Odd\n");
    const { answer } = await apply(world, [renamed]);
    expect(answer.errors[0]).toMatchObject({ file: "dwf/placed.sql", line: 5 });
    const failing = placed("title");
    const failed = await apply(world, [
      renamed,
      { ...failing, text: failing.text.replace("id,", "intDiv(1, n - 1) AS x,") },
    ]);
    expect(failed.answer.error).toMatchObject({ code: "change_failed", at: "dwf.placed" });
    expect(await world.sql("SELECT dictGet('dim.place', 'name', '1') AS name")).toEqual([{ name: "Uneven" }]);
    expect((await send("c", 1)).status).toBe(200);
    expect((await rows()).at(-1)).toEqual({ id: "c", label: "n1", place: "Uneven" });
    const sender = new Sender(world, { source: "placed", senders: 2, batch: 10, pauseMs: 15 });
    await sender.sent(500);
    expect(await applied(world, [renamed, placed("title")])).toEqual(["rebuild dim.place", "rebuild dwf.placed"]);
    await sender.stop();
    expect(await inForce(world, "dwf.placed")).toMatchObject({ version: 2, state: "active", note: "" });
    const counts =
      "SELECT count() AS rows, uniqExact(id) AS ids, countIf(place = if(id IN ('a', 'b', 'c') OR toUInt64(id) % 2 = 1, 'Odd', 'Even')) AS right FROM dwf.placed";
    const all = String(sender.promised.events + 3);
    expect(await world.sql(counts)).toEqual([{ rows: all, ids: all, right: all }]);
  });

  test("a function: the models that call it", async () => {
    expect(await applied(world, [label("concat('number ', toString(n))")])).toEqual([
      ...["rebuild functions.label", "rebuild dwf.placed"],
    ]);
    expect((await rows()).slice(-2)).toEqual([
      { id: "b", label: "number 1", place: "Odd" },
      { id: "c", label: "number 1", place: "Odd" },
    ]);
    expect(await version()).toBe(3);
  });

  test("a function whose models cannot be built with it stays as it was", async () => {
    const { status, answer } = await apply(world, [label("toString(intDiv(1, n - 1))")]);
    expect({ status, code: answer.error?.code, at: answer.error?.at }).toEqual({
      status: 409,
      code: "change_failed",
      at: "dwf.placed",
    });
    expect((await send("d", 1)).status).toBe(200);
    expect((await rows()).at(-1)).toEqual({ id: "d", label: "number 1", place: "Odd" });
    expect(await inForce(world, "functions.label")).toMatchObject({
      text: label("concat('number ', toString(n))").text,
    });
    expect(await applied(world, [label("concat('number ', toString(n))")])).toEqual(["same functions.label"]);
    expect(await check(world, "dwf.placed")).toMatchObject({ differing: 0 });
  });

  test("a description: nothing; a sort key: the model", async () => {
    const before = await version();
    expect(await applied(world, [placed("title", "", "Other words.")])).toEqual(["describe dwf.placed"]);
    expect(await world.sql("SELECT comment FROM system.tables WHERE database = 'dwf' AND name = 'placed'")).toEqual([
      { comment: "Other words." },
    ]);
    expect(await version()).toBe(before);
    expect(await applied(world, [placed("title", "order_by: [label]\n")])).toEqual(["rebuild dwf.placed"]);
    const [{ sorting_key: key }] = await world.sql<{ sorting_key: string }>(
      `SELECT sorting_key FROM system.tables WHERE database = 'weir_state' AND name LIKE 'dwf\\_\\_placed\\_\\_v%' AND engine = 'MergeTree'`,
    );
    expect(key).toBe("(label)");
    expect((await rows()).at(-1)).toEqual({ id: "d", label: "number 1", place: "Odd" });
  });
});

describe("what is refreshed", () => {
  test("a model has its first result when it is applied, over models of the same apply, and new ones on its schedule", async () => {
    const every = "refresh: { every: 1 s }\n";
    const files = {
      "ods/tick.sql": source("tick"),
      "dwf/tick.sql": model("SELECT id, n FROM ods.tick"),
      "dws/ranked.sql": model("SELECT id, row_number() OVER (ORDER BY n DESC) AS rank FROM dwf.tick", { front: every }),
      "dim/top.sql": `/*---\nkind: dimension\ndoc: The largest.\nkey: id\nrefresh: { every: 1 s }\n---*/\nSELECT id, max(n) AS n FROM ods.tick GROUP BY id\n`,
    };
    expect(await applied(world, { "ods/tick.sql": files["ods/tick.sql"] })).toEqual(["create ods.tick"]);
    await world.post("/v1/ingest/tick?wait=1", '[{"id":"a","n":1},{"id":"b","n":2}]', JSON_TYPE);
    await applied(world, files);
    expect(await world.sql("SELECT id, rank FROM dws.ranked ORDER BY rank")).toEqual([
      { id: "b", rank: "1" },
      { id: "a", rank: "2" },
    ] as never);
    await world.post("/v1/ingest/tick?wait=1", '{"id":"c","n":3}', JSON_TYPE);
    const first = () => world.sql<{ id: string }>("SELECT id FROM dws.ranked WHERE rank = 1");
    await until("the model refreshed", first, { holds: ([row]) => row.id === "c", withinMs: 5_000 });
    const failing = { "dws/ranked.sql": model("SELECT id, intDiv(1, n - 3) AS rank FROM dwf.tick", { front: every }) };
    const { status, answer } = await apply(world, failing);
    expect({ status, error: answer.error }).toMatchObject({
      status: 409,
      error: { code: "change_failed", at: "dws.ranked", message: expect.stringContaining("Division by zero") },
    });
    expect(await inForce(world, "dws.ranked")).toMatchObject({ state: "active", version: 1 });
    await world.post("/v1/ingest/tick?wait=1", '{"id":"d","n":4}', JSON_TYPE);
    await until("the old one goes on", first, { holds: ([row]) => row.id === "d", withinMs: 5_000 });
    const top = () => world.sql<{ n: string }>("SELECT dictGet('dim.top', 'n', 'c') AS n");
    await until("the dimension refreshed", top, { holds: ([row]) => Number(row.n) === 3, withinMs: 5_000 });
  });
});
