/**
 * Tests of the oracle over money, and of it against the definitions, run by the engine as they stand.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createWeirTables, readSource, structureOf } from "@weir/sql";
import { type Engine, engine } from "../conform_engine.ts";
import {
  expectedGroups,
  groupsIn,
  MONEY_QUERIES,
  type MoneyTable,
  moneyProjectDir,
  type SaleEvent,
  saleEvents,
  unitsOf,
  unitsText,
} from "./money.ts";

const SEED = Number(process.env.WEIR_TEST_SEED ?? 20240229);
const definition = (path: string) => readFileSync(join(moneyProjectDir, path), "utf8");

describe("unitsOf() and unitsText()", () => {
  test.each([
    ["0", 2, 0n, "0"],
    ["1.50", 2, 150n, "1.5"],
    ["-0.01", 2, -1n, "-0.01"],
    ["100", 0, 100n, "100"],
    ["9999999999999999.99", 2, 999999999999999999n, "9999999999999999.99"],
    ["0.0001", 4, 1n, "0.0001"],
  ] as const)("%s with scale %i", (text, scale, units, shortest) => {
    expect(unitsOf(text, scale)).toBe(units);
    expect(unitsText(units, scale)).toBe(shortest);
  });

  test("refuse what would lose a digit", () => {
    expect(() => unitsOf("1.005", 2)).toThrow("'1.005' is no number of scale 2");
  });
});

describe("saleEvents()", () => {
  test("makes the same events for the same seed, others for another", () => {
    expect(saleEvents(1, 50)).toEqual(saleEvents(1, 50));
    expect(saleEvents(1, 50)).not.toEqual(saleEvents(2, 50));
    expect(saleEvents(1, 100).slice(0, 50)).toEqual(saleEvents(1, 50));
  });

  test("has returns, nothing sold, the leap day and amounts beyond a double", () => {
    const events = saleEvents(SEED, 2_000);
    const has = (what: (event: SaleEvent) => boolean) => events.some(what);
    expect(has(({ quantity }) => quantity < 0) && has(({ quantity }) => quantity === 0)).toBe(true);
    expect(has(({ sold_at }) => sold_at.startsWith("2024-02-29"))).toBe(true);
    expect(has(({ price }) => price === "9007199254740993.01")).toBe(true);
  });
});

describe("expectedGroups()", () => {
  const sale = (more: Partial<SaleEvent>): SaleEvent => ({
    sale_id: "a",
    sold_at: "2024-02-29T23:59:59.999Z",
    region: "north",
    product: "nail",
    quantity: 3,
    price: "0.1",
    rate: "1.3333",
    ...more,
  });
  const groups = expectedGroups([
    sale({}),
    sale({ sale_id: "b", quantity: -1, price: "9999999999999999.99" }),
    sale({ sale_id: "c", product: "saw", sold_at: "2024-03-01T00:00:00.000Z", quantity: 7, price: "0.01" }),
  ]);

  test("is exact to the last digit", () => {
    expect(groups["dwf.sale"].a).toMatchObject({ revenue: "0.3", euros: "0.39999", price: "0.1", rate: "1.3333" });
    expect(groups["dwf.sale"].b.euros).toBe("-13332999999999999.986667");
    expect(groups["dws.product_day"]["nail 2024-02-29"]).toEqual({
      sales: "2",
      pieces: "2",
      total_revenue: "-9999999999999999.69",
      total_euros: "-13332999999999999.586677",
      cheapest: "0.1",
      dearest: "9999999999999999.99",
      average_sale: "-4999999999999999.845",
    });
    expect(groups["dwa.region_month"]).toEqual({
      "north 2024-02-01": {
        ...{ sales: "2", returns: "1", pieces: "2", average_pieces: "1", total_revenue: "-9999999999999999.69" },
        ...{ refunded: "-9999999999999999.99", total_euros: "-13332999999999999.586677", products: "1" },
      },
      "north 2024-03-01": {
        ...{ sales: "1", returns: "0", pieces: "7", average_pieces: "7", total_revenue: "0.07" },
        ...{ refunded: "0", total_euros: "0.093331", products: "1" },
      },
    });
  });
});

describe("the definitions", () => {
  let scratch: Engine;
  const events = saleEvents(SEED, 3_000);

  beforeAll(async () => {
    scratch = await engine();
    for (const statement of createWeirTables()) await scratch.run(statement);
    const { table } = readSource("ods/sale.sql", definition("ods/sale.sql"));
    await scratch.run(`CREATE TABLE ods.sale (${structureOf(table.columns)}) ENGINE = MergeTree ORDER BY sale_id`);
    const body = events.map((event) => JSON.stringify(event)).join("\n");
    const settings = { date_time_input_format: "best_effort" };
    await scratch.run("INSERT INTO ods.sale FORMAT JSONEachRow", { body, settings });
    for (const model of Object.keys(MONEY_QUERIES)) {
      const [, select] = definition(`${model.replace(".", "/")}.sql`).split("---*/\n");
      await scratch.run(`CREATE VIEW ${model} AS ${select}`);
    }
  });

  afterAll(() => scratch.stop());

  test.each(Object.keys(MONEY_QUERIES) as MoneyTable[])(`%s is exact for seed ${SEED}`, async (table) => {
    const answer = await scratch.run(`${MONEY_QUERIES[table]} FORMAT JSONEachRow`);
    const rows = answer.trimEnd().split("\n");
    expect(groupsIn(rows.map((row) => JSON.parse(row)))).toEqual(expectedGroups(events)[table]);
  });
});
