/**
 * Watching a folder: when a look is due, and what a person at the terminal reads.
 *
 * @module
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { openPlatform, type Platform } from "../testing/platform.ts";
import { afterLook, type Sight, watchProject } from "./watch.ts";

const sight = (files: Readonly<Record<string, string>>): Sight => new Map(Object.entries(files));

describe("afterLook()", () => {
  const [one, two] = [sight({ a: "1" }), sight({ a: "2" })];
  test.each([
    ["waits while nothing changes", { applied: one, last: one }, one, false],
    ["waits for the second sight of a change", { applied: one, last: one }, two, false],
    ["waits while it goes on changing", { applied: one, last: two }, sight({ a: "3" }), false],
    ["applies what has settled", { applied: one, last: two }, two, true],
    ["applies a new file", { applied: one, last: sight({ a: "1", b: "1" }) }, sight({ a: "1", b: "1" }), true],
    ["applies without a file that went away", { applied: one, last: sight({}) }, sight({}), true],
    ["forgets what was taken back", { applied: one, last: two }, one, false],
  ] as const)("%s", (_, watched, seen, isDue) => {
    expect(afterLook(watched, seen)).toEqual({
      watched: { applied: isDue ? seen : watched.applied, last: seen },
      isDue,
    });
  });
});

const SOURCE = `/*---
kind: source
doc: Sales.
---*/
CREATE TABLE ods.sale (shop String, price UInt32, note Nullable(String))`;
const MODEL = `/*---
kind: model
doc: Sales of each shop.
---*/
SELECT shop, count() AS sales FROM ods.sale GROUP BY shop`;
const SHOPS = `/*---
kind: dimension
doc: Shops.
key: id
from: { file: shop.csv }
---*/
CREATE TABLE dim.shop (id String, name String)`;
const PRICE = `/*---
kind: source
doc: Prices.
format: { kind: avro, schema: price.avsc }
---*/
CREATE TABLE ods.price (id Nullable(String))`;
const WITHIN_MS = 30_000;

describe("watchProject()", () => {
  const dir = mkdtempSync(join(tmpdir(), "weir-watch-"));
  const said: string[] = [];
  const warned: string[] = [];
  let platform: Platform;
  const at = (file: string) => relative(process.cwd(), join(dir, file));
  const write = (file: string, text: string) => {
    mkdirSync(join(dir, file, ".."), { recursive: true });
    writeFileSync(join(dir, file), text);
  };
  /** Waits for a line that has what is looked for; answers it. */
  const line = async (lines: readonly string[], part: string): Promise<string> => {
    const deadlineMs = performance.now() + WITHIN_MS;
    for (;;) {
      const found = lines.find((one) => one.includes(part));
      if (found !== undefined) return found;
      if (performance.now() > deadlineMs)
        throw new Error(`'${part}' was not said: ${JSON.stringify({ said, warned })}`);
      await Bun.sleep(20);
    }
  };

  beforeAll(async () => {
    platform = await openPlatform();
  });
  beforeEach(() => {
    said.length = 0;
    warned.length = 0;
  });
  afterAll(async () => {
    await platform.close();
    rmSync(dir, { recursive: true, force: true });
  });

  test("says at first what is wrong, and where, and waits for the correction", async () => {
    write("ods/sale.sql", SOURCE.replace("UInt32", "UInt23"));
    const options = { projectDir: dir, say: (one: string) => said.push(one), warn: (one: string) => warned.push(one) };
    await watchProject(platform, options);
    expect(await line(warned, "UInt23")).toStartWith(`${at("ods/sale.sql")}:5:`);
    expect(platform.door.sources.all()).toEqual([]);
    write("ods/sale.sql", SOURCE);
    expect(await line(said, "ods.sale")).toMatch(/^ods\.sale: created in \d\.\d s$/);
    expect(JSON.parse(readFileSync(join(dir, ".weir/catalog.json"), "utf8"))).toEqual({ catalog: 1 });
  });

  test("applies a new file, and one that an editor renames into its place", async () => {
    const body = JSON.stringify([1, 2, 3].map((price) => ({ shop: "a", price })));
    await platform.request("/v1/ingest/sale?wait=1", {
      ...{ method: "POST", body, headers: { "content-type": "application/json" } },
    });
    write("dwa/shop_sales.sql", MODEL);
    await line(said, "dwa.shop_sales: created, 3 rows");
    write("dwa/.shop_sales.sql.new", MODEL.replace("count()", "count() * 2"));
    renameSync(join(dir, "dwa/.shop_sales.sql.new"), join(dir, "dwa/shop_sales.sql"));
    expect(await line(said, "rebuilt")).toMatch(/^dwa\.shop_sales: rebuilt, 3 rows in \d\.\d s$/);
  });

  test("says what is wrong with a half-written file, and nothing more once it is whole", async () => {
    write("dwa/shop_sales.sql", MODEL.replace(" GROUP BY shop", " GROUP B"));
    expect(await line(warned, "shop_sales")).toStartWith(`${at("dwa/shop_sales.sql")}:5:`);
    write("dwa/shop_sales.sql", MODEL);
    await line(said, "dwa.shop_sales: rebuilt");
    expect(warned).toHaveLength(1);
  });

  test("does not apply what would lose values, and says what does", async () => {
    write("ods/sale.sql", SOURCE.replace(", note Nullable(String)", ""));
    expect(await line(warned, "ods.sale")).toMatch(
      /:1:1: Cannot apply ods\.sale: .*Run weir apply --allow-destructive/,
    );
    expect(said).toEqual([]);
    write("ods/sale.sql", SOURCE);
    await line(said, "The project is in force as it is.");
  });

  test("picks up the data of a dimension: missing, there, changed", async () => {
    write("dim/shop.sql", SHOPS);
    expect(await line(warned, "shop.csv")).toStartWith(`${at("dim/shop.sql")}:1:1: `);
    write("dim/shop.csv", "id,name\na,Corner\n");
    await line(said, "dim.shop: created");
    write("dim/shop.csv", "id,name\na,Market\n");
    await line(said, "dim.shop: rebuilt");
    const answer = await platform.request("/v1/sql", { method: "POST", body: "SELECT name FROM dim.shop" });
    expect(await answer.json()).toMatchObject({ data: [{ name: "Market" }] });
  });

  test("picks up the schemas of a source: missing, there, changed", async () => {
    write("ods/price.sql", PRICE);
    expect(await line(warned, "price.avsc")).toStartWith(`${at("ods/price.sql")}:1:1: `);
    write("ods/price.avsc", '{"type":"record","name":"Price","fields":[]}');
    await line(said, "ods.price: created");
    write("ods/price.avsc", '{"type":"record","name":"Cost","fields":[]}');
    await line(said, "ods.price: described");
    rmSync(join(dir, "ods/price.sql"));
    await line(said, "ods.price: its file is gone");
  });

  test("mentions a file that is gone; another's change is a conflict, not overwritten", async () => {
    rmSync(join(dir, "dim/shop.sql"));
    await line(said, "dim.shop: its file is gone; the definition stays in force");
    write("dwa/never.sql", "SELECT 1");
    await line(warned, "never.sql:1:1: ");
    rmSync(join(dir, "dwa/never.sql"));
    await line(said, "The project is in force as it is.");
    expect(said.filter((one) => one.includes("gone"))).toHaveLength(1);
    const files = [{ path: "dwa/shop_sales.sql", text: MODEL.replace("count()", "count() * 3") }];
    await platform.request("/v1/admin/definitions", {
      ...{ method: "POST", body: JSON.stringify({ files }), headers: { "content-type": "application/json" } },
    });
    write("dwa/shop_sales.sql", MODEL.replace("count()", "count() * 4"));
    expect(await line(warned, "'test' changed it since")).toStartWith(`${at("dwa/shop_sales.sql")}:1:1: `);
  });
});
