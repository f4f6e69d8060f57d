/**
 * The test kit as its users see it: what it answers, what it refuses, the set time, and that nothing is left.
 *
 * @module
 */
import { afterAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openWarehouse, WarehouseRefused } from "weir/test";
import { temporaryFolder, until } from "./door_process.ts";

const SALE = `/*---
kind: source
doc: What was sold.
dedupe: { by: order_id }
event_time: sold_at
---*/
CREATE TABLE ods.sale (order_id String, sold_at DateTime64(3, 'UTC'), price Decimal(12, 2), quantity UInt16, note Nullable(String))`;
const SALES_DAY = `/*---
kind: model
doc: What was sold on each day.
---*/
SELECT toDate(sold_at) AS day, count() AS orders, sum(price * quantity) AS revenue FROM ods.sale GROUP BY day`;
const EXPIRING = SALES_DAY.replace("each day.", "each day, for a while.\nttl: 1 day");
const RECENT = `/*---
kind: api
doc: The newest days.
params: { days: { default: 7 }, only: { default: null } }
---*/
SELECT day, orders, today() AS today FROM dwa.sales_day
WHERE day > today() - {days:UInt32} AND (isNull({only:Nullable(Date)}) OR day = {only:Nullable(Date)}) ORDER BY day`;

const sale = (order_id: string, sold_at: string, more: object = {}) => ({
  ...{ order_id, sold_at, price: "1.50", quantity: 2 },
  ...more,
});

const warehouse = await openWarehouse({
  definitions: {
    "ods/sale.sql": SALE,
    "dwa/sales_day.sql": SALES_DAY,
    "dwa/expiring.sql": EXPIRING,
    "api/recent.sql": RECENT,
  },
  now: "2026-03-01T10:00:00Z",
});
afterAll(() => warehouse.close());

/** The message of the refusal that a promise ends with. */
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => "not refused",
    (error: unknown) => (error instanceof WarehouseRefused ? error.message : Promise.reject(error)),
  );

describe("a warehouse", () => {
  test("answers what was ingested, in SQL, in APIs and after a recomputation", async () => {
    await warehouse.ingest("sale", [sale("a", "2026-03-01T09:00:00Z"), sale("b", "2026-02-20T09:00:00Z")]);
    const day = new Date("2026-03-01T00:00:00Z");
    expect(await warehouse.sql`SELECT orders, revenue FROM dwa.sales_day WHERE day = toDate(${day})`).toEqual([
      { orders: "1", revenue: "3" },
    ]);
    const text = "SELECT order_id FROM ods.sale WHERE order_id IN {ids:Array(String)} ORDER BY order_id";
    expect(await warehouse.sql(text, { ids: ["a", "b", "it's"] })).toEqual([{ order_id: "a" }, { order_id: "b" }]);
    expect(await warehouse.api("recent", { days: 2 })).toEqual([
      { day: "2026-03-01", orders: "1", today: "2026-03-01" },
    ]);
    expect(await warehouse.check()).toEqual([
      { model: "dwa.sales_day", rows: 2 },
      { model: "dwa.expiring", rows: 2 },
    ]);
  });

  test("forgets its rows and nothing else", async () => {
    await warehouse.ingest("sale", sale("c", "2026-03-01T09:00:00Z"));
    await warehouse.rejected("sale", {});
    await warehouse.clear();
    expect(await warehouse.api("recent")).toEqual([]);
    expect(await warehouse.quarantine()).toEqual([]);
    await warehouse.ingest("sale", sale("c", "2026-03-01T09:00:00Z"));
    expect(await warehouse.api("recent")).toEqual([{ day: "2026-03-01", orders: "1", today: "2026-03-01" }]);
    await warehouse.clear();
  });

  test("takes changed definitions, and says what became of them", async () => {
    await warehouse.ingest("sale", sale("d", "2026-03-01T09:00:00Z"));
    const changed = SALES_DAY.replace("count() AS orders", "count() * 10 AS orders");
    expect(await warehouse.apply({ "dwa/sales_day.sql": changed })).toEqual([
      { name: "dwa.sales_day", kind: "rebuild" },
    ]);
    expect(await warehouse.sql`SELECT orders FROM dwa.sales_day`).toEqual([{ orders: "10" }]);
    await warehouse.apply({ "dwa/sales_day.sql": SALES_DAY });
    await warehouse.clear();
  });

  test("runs beside another one", async () => {
    await using other = await openWarehouse({ definitions: { "ods/sale.sql": SALE } });
    await other.ingest("sale", sale("e", "2026-03-01T09:00:00Z"));
    expect(await other.sql`SELECT count() AS n FROM ods.sale`).toEqual([{ n: "1" }]);
    expect(await warehouse.sql`SELECT count() AS n FROM ods.sale`).toEqual([{ n: "0" }]);
  });
});

describe("the set time", () => {
  test("judges and stamps events", async () => {
    const ahead = sale("f", "2026-03-01T11:00:01Z");
    expect(await warehouse.rejected("sale", [ahead])).toEqual([
      {
        index: 0,
        column: "sold_at",
        reason: '"2026-03-01T11:00:01Z" is more than an hour after the record\'s own time',
      },
    ]);
    warehouse.setTime("2026-03-01T11:30:00+01:00");
    await warehouse.ingest("sale", ahead);
    expect(await warehouse.sql`SELECT _ingest_time FROM ods.sale`).toEqual([
      { _ingest_time: "2026-03-01T10:30:00.000Z" },
    ]);
    await warehouse.clear();
  });

  test("is what SQL says it is, whatever the clock is called", async () => {
    warehouse.setTime(new Date("2031-01-01T00:30:00.250Z"));
    const text = `SELECT now(), now64(), now64(1), today(), yesterday(), curdate(), CURRENT_DATE, CURRENT_TIMESTAMP AS stamp,
      nowInBlock(), UTCTimestamp(), localtime(), toString(now('Asia/Tokyo')) AS tokyo, toTypeName(now('Asia/Tokyo')) AS type`;
    expect(await warehouse.sql(text)).toEqual([
      {
        ...{
          "now()": "2031-01-01T00:30:00Z",
          "now64()": "2031-01-01T00:30:00.250Z",
          "now64(1)": "2031-01-01T00:30:00.2Z",
        },
        ...{
          "today()": "2031-01-01",
          "yesterday()": "2030-12-31",
          "curdate()": "2031-01-01",
          CURRENT_DATE: "2031-01-01",
        },
        ...{ stamp: "2031-01-01T00:30:00Z", "nowInBlock()": "2031-01-01T00:30:00Z" },
        ...{ "UTCTimestamp()": "2031-01-01T00:30:00Z", "localtime()": "00:30:00" },
        ...{ tokyo: "2031-01-01 09:30:00", type: "DateTime('Asia/Tokyo')" },
      },
    ]);
    const composed =
      "SELECT now() - INTERVAL 1 DAY, arrayMap(x -> today() + x, [1]) AS days, count() FROM numbers(3) WHERE number < now()";
    expect(await warehouse.sql(composed)).toEqual([
      { "minus(now(), toIntervalDay(1))": "2030-12-31T00:30:00Z", days: ["2031-01-02"], "count()": "3" },
    ]);
  });

  test("changes what an API answers though nothing was committed, and lets no row expire", async () => {
    warehouse.setTime("2020-03-01T10:00:00Z");
    await warehouse.ingest("sale", sale("g", "2020-03-01T09:00:00Z"));
    expect(await warehouse.api("recent")).toHaveLength(1);
    warehouse.setTime("2020-03-09T10:00:00Z");
    expect(await warehouse.api("recent")).toEqual([]);
    expect(await warehouse.api("recent", { days: 30, only: "2020-03-01" })).toHaveLength(1);
    expect(await warehouse.sql`SELECT orders FROM dwa.expiring`).toEqual([{ orders: "1" }]);
    await warehouse.clear();
    warehouse.setTime("2026-03-01T10:00:00Z");
  });
});

describe("a mistake", () => {
  test("in an event is a failure with the column and the reason, and is kept in the quarantine", async () => {
    const bad = sale("h", "2026-03-01T09:00:00Z", { quantity: -1 });
    expect(await refusal(warehouse.ingest("sale", [sale("i", "2026-03-01T09:00:00Z"), bad]))).toMatch(
      /^Cannot ingest into 'sale': 1 of 2 events refused\. .*\n {2}event 1: quantity: -1 .*\n {4}\{"order_id":"h"/,
    );
    expect(await warehouse.quarantine("sale")).toMatchObject([
      { source: "sale", column: "quantity", raw: JSON.stringify(bad) },
    ]);
    await warehouse.clear();
  });

  test.each([
    ["an unknown source", () => warehouse.ingest("sales", {}), /no source 'sales'. Known sources: sale\./],
    ["an unknown API", () => warehouse.api("recently"), /recently/],
    ["a wrong parameter", () => warehouse.api("recent", { day: 1 }), /no parameter 'day'. Known are days, only/],
    ["an unknown table", () => warehouse.sql`SELECT * FROM dwa.sales_month`, /sales_month.*\n {2}in: SELECT/],
    ["an unknown model", () => warehouse.check("dwa.sales_month"), /sales_month/],
    [
      "a time without an offset",
      async () => warehouse.setTime("2026-03-01 10:00"),
      /^Cannot set the time: '2026-03-01 10:00' is none/,
    ],
    ["no time at all", async () => warehouse.setTime(new Date("x")), /^Cannot set the time: Invalid Date/],
  ] as const)("%s", async (_, act, expected) => {
    expect(await refusal(act())).toMatch(expected);
  });

  test("in a definition has its place; what would lose values has to be allowed", async () => {
    const wrong = SALES_DAY.replace("sum(price * quantity)", "sum(cost)");
    expect(await refusal(warehouse.apply({ "dwa/sales_day.sql": wrong }))).toMatch(
      /^dwa\/sales_day\.sql:\d+:\d+: .*cost/,
    );
    await warehouse.ingest("sale", sale("j", "2026-03-01T09:00:00Z"));
    const less = { "ods/sale.sql": SALE.replace(", note Nullable(String)", "") };
    expect(await refusal(warehouse.apply(less))).toMatch(/^ods\/sale\.sql:1:1: Cannot apply ods\.sale: stored values/);
    expect((await warehouse.apply(less, { allowDestructive: true }))[0]?.name).toBe("ods.sale");
    await warehouse.clear();
  });

  test("in the project's folder names the path from here, and leaves nothing open", async () => {
    const project = join(tmpdir(), "weir-no-such-project");
    expect(await refusal(openWarehouse({ project }).then((opened) => opened.close()))).toMatch(/no folder/);
    const dimension =
      "/*---\nkind: dimension\ndoc: Shops.\nkey: id\nfrom: { file: away.csv }\n---*/\nCREATE TABLE dim.shop (id String)";
    expect(await refusal(warehouse.apply({ "dim/shop.sql": dimension }))).toMatch(/^dim\/shop\.sql:1:1: .*'away\.csv'/);
  });

  test("that a warehouse is used after its end says how to write it", async () => {
    const closed = await openWarehouse();
    await closed.close();
    expect(await refusal(closed.sql`SELECT 1`)).toMatch(/closed.*afterAll/);
  });
});

describe("a refusal", () => {
  test("points at the line that asked, not into the kit", async () => {
    const asked = [
      () => warehouse.ingest("nothing", {}),
      () => warehouse.sql`SELECT`,
      () => warehouse.api("nothing"),
      () => warehouse.check("dwa.nothing"),
    ];
    for (const ask of asked) {
      const { stack } = await ask().then(
        () => expect.unreachable(),
        (error: Error) => error,
      );
      expect(stack!.split("\n").find((line) => /^\s+at /.test(line))).toContain(import.meta.path);
    }
  });
});

describe("afterwards", () => {
  test("nothing is left: of a closed one at once, of one whose process was killed soon", async () => {
    const folder = temporaryFolder("kit");
    const kit = new URL("../web/testing.ts", import.meta.url).pathname;
    const code = `const { openWarehouse } = await import(${JSON.stringify(kit)});
      const left = () => require("node:fs").readdirSync(process.env.TMPDIR).length;
      const first = await openWarehouse();
      const open = left();
      await first.close();
      const closed = left();
      await openWarehouse();
      console.log(JSON.stringify({ open, closed, second: left() }));`;
    const child = Bun.spawn([process.execPath, "-e", code], {
      env: { ...process.env, TMPDIR: folder.path },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const { value } = await child.stdout.getReader().read();
    expect(JSON.parse(new TextDecoder().decode(value))).toEqual({ open: 1, closed: 0, second: 1 });
    child.kill("SIGKILL");
    await until("the folder's end", () => readdirSync(folder.path), {
      holds: (left) => left.length === 0,
      withinMs: 20_000,
    });
    folder.remove();
  });
});
