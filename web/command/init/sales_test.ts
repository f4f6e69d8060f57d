/**
 * Tests of this warehouse, each on the real thing: events go in at the door, answers come out of it.
 *
 * @module
 */
import { afterAll, beforeEach, expect, test } from "bun:test";
import { openWarehouse } from "weir/test";

const warehouse = await openWarehouse({ project: import.meta.dir, now: "2026-03-08T10:00:00Z" });
afterAll(() => warehouse.close());
beforeEach(() => warehouse.clear());

const sale = { order_id: "a-1", sold_at: "2026-03-08T09:30:00Z", product: "tea", price: "4.50", quantity: 2 };

test("a sale is counted on its day", async () => {
  await warehouse.ingest("sale", [sale, { ...sale, order_id: "a-2", price: "3.20", quantity: 1 }]);
  expect(await warehouse.sql`SELECT * FROM dwa.sales_day`).toEqual([
    { day: "2026-03-08", product: "tea", orders: "2", revenue: "12.2" },
  ]);
});

test("sales of the newest days are served, older ones are not", async () => {
  await warehouse.ingest("sale", [sale, { ...sale, order_id: "a-3", sold_at: "2026-03-01T23:59:59Z" }]);
  expect(await warehouse.api("recent_sales", { days: 7 })).toEqual([{ day: "2026-03-08", orders: "1", revenue: "9" }]);
  warehouse.setTime("2026-03-20T10:00:00Z");
  expect(await warehouse.api("recent_sales", { days: 7 })).toEqual([]);
  warehouse.setTime("2026-03-08T10:00:00Z");
});

test("a quantity below zero is refused, and kept with the reason", async () => {
  const [refused] = await warehouse.rejected("sale", { ...sale, quantity: -1 });
  expect(refused?.column).toBe("quantity");
  expect(await warehouse.quarantine()).toMatchObject([{ source: "sale", column: "quantity" }]);
});

test("what is stored is what a recomputation finds", async () => {
  await warehouse.ingest("sale", sale);
  expect(await warehouse.check()).toEqual([{ model: "dwa.sales_day", rows: 1 }]);
});
