/**
 * The console's SQL editor and API documents in a real browser, over the flights warehouse.
 *
 *   Chromium ──/sql · /docs──▶ door (127.0.0.1:N) ──▶ rows, marks, files        console errors, policy violations ──▶ problems
 *
 * Needs Chromium; without it the tests say that they are skipped.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { app } from "@weir/web";
import { type Browser, type BrowserPage, chromiumFor, openBrowser } from "./browser_fixture.ts";
import { until } from "./door_process.ts";
import { openFlights } from "./flights_fixture.ts";
import { addToken } from "./gateway_sql_fixture.ts";
import type { World } from "./world.ts";

setDefaultTimeout(120_000);

const CHROMIUM = chromiumFor("tests/console_browser_test.ts");
const EDITOR = 'document.querySelector(".editor").shadowRoot';
const STATUS = 'document.querySelector(".run-status")';
const XSS = "<img src=x onerror=alert(1)>";

describe.skipIf(CHROMIUM === undefined)("the console", () => {
  let world: World;
  let server: ReturnType<typeof Bun.serve>;
  let browser: Browser;
  const url = (path: string) => `http://127.0.0.1:${server.port}${path}`;

  beforeAll(async () => {
    [world, browser] = await Promise.all([openFlights(), openBrowser(CHROMIUM!)]);
    const web = app(world.door);
    server = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 120, fetch: web.fetch });
    addToken(world, "reads_apis", ["api:*"]);
    addToken(world, "reads_dwa", ["sql:dwa"]);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop(true);
    await world?.close();
  });

  /** Opens the editor on a statement, with a token in the address. */
  const openSql = async (sql: string, token = world.token) => {
    const page = await browser.page(url(`/sql#${new URLSearchParams({ token, q: sql })}`));
    await page.until(
      "the editor is there",
      'document.querySelector(".editor")?.shadowRoot?.querySelector(".cm-content")',
    );
    return page;
  };
  const ended = (page: BrowserPage, kind: string) =>
    page.until(`the run is ${kind}`, `${STATUS}?.dataset.kind === "${kind}"`);
  const run = async (page: BrowserPage, kind = "done") => {
    await page.click(`${EDITOR}.querySelector(".cm-content")`);
    await page.press("Control+Enter");
    await ended(page, kind);
  };
  const left = async (page: BrowserPage) => {
    expect(page.problems).toEqual([]);
    await page.close();
  };
  const texts = (page: BrowserPage, selector: string) =>
    page.evaluate<string[]>(
      `[...document.querySelectorAll(${JSON.stringify(selector)})].map((one) => one.textContent)`,
    );

  test("shows 100,000 rows as they are, drawing few of them, to the last one", async () => {
    const page = await openSql(
      "SELECT number + 18446744073709451616 AS n, if(number = 1, NULL, 'x') AS x FROM numbers(100000)",
    );
    await run(page);
    expect(await texts(page, ".run-status")).toEqual([expect.stringMatching(/^Done 100,000 rows · [\d.]+ MiB · /)]);
    expect(await texts(page, "tbody tr:nth-child(2) td")).toEqual(["2", "18446744073709451617", "null"]);
    await page.evaluate('document.querySelector(".grid").focus()');
    await page.press("Control+End");
    await page.until(
      "the last row is in sight",
      '[...document.querySelectorAll("tbody tr")].at(-1)?.ariaRowIndex === "100001"',
    );
    expect(await texts(page, 'tbody tr[aria-rowindex="100001"] td')).toEqual(["100000", "18446744073709551615", "x"]);
    expect(await page.evaluate<number>('document.querySelectorAll("tbody tr").length')).toBeLessThan(100);
    expect(await texts(page, ".whole pre")).toEqual(["18446744073709551615"]);
    const place = 'document.querySelector("tbody tr td:nth-child(2)")';
    expect(await page.evaluate<string>(`getComputedStyle(${place}).textAlign`)).toBe("right");
    await left(page);
  });

  test("says that it is cut at its bound, and stops the query", async () => {
    const page = await openSql("SELECT number FROM numbers(5000000)");
    await run(page, "capped");
    expect(await texts(page, ".notice")).toEqual([expect.stringMatching(/^Only the first 200,000 rows are shown/)]);
    await until("no query runs", () => running(world), { holds: ([row]) => row!.n === "0", withinMs: 5_000 });
    await left(page);
  });

  test("marks an error at its place, and takes the mark away", async () => {
    const page = await openSql("SELECT 1,\n  2 FRM numbers(3)");
    await run(page, "failed");
    const marked = `${EDITOR}.querySelector(".cm-wrong")?.textContent`;
    expect(await page.evaluate<string>(marked)).toBe("numbers");
    expect(await texts(page, ".problem p")).toEqual([
      expect.stringContaining("(line 2, column 9)"),
      "Correct the SQL at the place that `at` names.",
    ]);
    await page.write(" ");
    expect(await page.evaluate(marked)).toBeUndefined();
    await left(page);
  });

  test("runs the selection alone, and marks its error where it stands in the whole", async () => {
    const page = await openSql("nonsense\nSELECT 'ü', nope(1)");
    await page.click(`${EDITOR}.querySelector(".cm-content")`);
    await page.press("Control+End");
    await page.press("Shift+Home");
    await page.press("Control+Enter");
    await ended(page, "failed");
    // The engine names no place for an unknown function; its name stands there once.
    const marked = `[...${EDITOR}.querySelectorAll(".cm-wrong")].map((one) => one.textContent)`;
    expect(await page.evaluate<string[]>(marked)).toEqual(["nope"]);
    await left(page);
  });

  test("downloads what the door sends, with formulas as texts for spreadsheets", async () => {
    const page = await openSql("SELECT '=1+1' AS a, number FROM numbers(2)");
    // The browser's own download cannot be looked into: the file is caught where it is given away.
    await page.evaluate(
      "{ const give = URL.createObjectURL; URL.createObjectURL = (file) => { globalThis.saved = file; return give(file); } }",
    );
    const saved = async (name: string) => {
      await page.evaluate("{ globalThis.saved = undefined; }");
      await page.click('document.querySelector(".menu summary")');
      await page.click(`[...document.querySelectorAll(".menu button")].find((one) => one.textContent === "${name}")`);
      await page.until(`${name} is saved`, "globalThis.saved");
      return page.evaluate<string>("globalThis.saved.text()");
    };
    expect(await saved("CSV")).toBe('"a","number"\n"=1+1",0\n"=1+1",1\n');
    expect(await saved("CSV for spreadsheets (formulas become texts)")).toBe('"a","number"\n"\'=1+1",0\n"\'=1+1",1\n');
    expect(await saved("NDJSON")).toBe('{"a":"=1+1","number":"0"}\n{"a":"=1+1","number":"1"}\n');
    expect((await saved("Parquet")).slice(0, 4)).toBe("PAR1");
    await left(page);
  });

  test("stops a query, also when the page is left", async () => {
    const page = await openSql("SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1");
    await page.click(`${EDITOR}.querySelector(".cm-content")`);
    await page.press("Control+Enter");
    const runs = () =>
      until("the query runs", () => running(world), { holds: ([row]) => row!.n === "1", withinMs: 5_000 });
    const ends = () =>
      until("no query runs", () => running(world), { holds: ([row]) => row!.n === "0", withinMs: 5_000 });
    await runs();
    await page.click('document.querySelector(".stop")');
    await ended(page, "stopped");
    await ends();
    await page.click(`${EDITOR}.querySelector(".cm-content")`);
    await page.press("Control+Enter");
    await runs();
    await page.goTo(url("/docs"));
    await ends();
    await left(page);
  });

  test("keeps the statement in a link, without the token, and runs nothing by itself", async () => {
    const page = await openSql("SELECT 'first'");
    await run(page);
    await page.press("Control+a");
    await page.write("SELECT 'ü + second' AS \"x&y\"");
    await run(page);
    const link = await page.evaluate<string>("location.href");
    expect(link).not.toContain(world.token);
    await left(page);
    const linked = await browser.page(`${link}&token=${world.token}`);
    await linked.until(
      "the editor is there",
      'document.querySelector(".editor")?.shadowRoot?.querySelector(".cm-content")',
    );
    expect(await linked.evaluate<string>("location.href")).toBe(link);
    expect(await linked.evaluate<string>(`${EDITOR}.querySelector(".cm-content").textContent`)).toBe(
      "SELECT 'ü + second' AS \"x&y\"",
    );
    expect(await linked.evaluate(STATUS)).toBeNull();
    await left(linked);
  });

  test("22: shows markup in names, values and errors as text", async () => {
    const page = await openSql(`SELECT '${XSS}' AS \`${XSS}\`, ['${XSS}'] AS list`);
    await run(page);
    expect(await texts(page, "thead th strong")).toEqual([XSS, "list"]);
    expect(await texts(page, "tbody td")).toEqual(["1", XSS, JSON.stringify([XSS])]);
    await page.click('document.querySelector("tbody td:nth-child(2)")');
    expect(await texts(page, ".whole pre")).toEqual([XSS]);
    await page.click(`${EDITOR}.querySelector(".cm-content")`);
    await page.press("Control+a");
    await page.write(`SELECT \`${XSS}\``);
    await run(page, "failed");
    expect((await texts(page, ".problem strong"))[0]).toContain(XSS);
    expect(await page.evaluate<number>('document.querySelectorAll("img, .work script").length')).toBe(0);
    await left(page);
  });

  test("writes names out of the schema, and completes them", async () => {
    const page = await openSql(" ", "reads_dwa");
    await page.until("the schema is there", 'document.querySelector(".schema .name")');
    expect(await texts(page, ".schema .name")).toEqual(["route_day", "state_minute"]);
    await page.click('document.querySelectorAll(".schema .fold")[1]');
    await page.until("columns are shown", 'document.querySelector(".schema .leaf")');
    await page.click('document.querySelectorAll(".schema .name")[1]');
    expect(await page.evaluate<string>(`${EDITOR}.querySelector(".cm-content").textContent.trim()`)).toBe(
      "dwa.state_minute",
    );
    await page.press("Control+a");
    await page.write("SELECT * FROM dwa.stat");
    await page.until(
      "completion is offered",
      `${EDITOR}.querySelector(".cm-tooltip-autocomplete li")?.textContent === "state_minute"`,
    );
    // The list is first drawn out of sight, then put in its place: it is clicked until that was done in its place.
    const item = `${EDITOR}.querySelector(".cm-tooltip-autocomplete li")`;
    const written = () => page.evaluate<string>(`${EDITOR}.querySelector(".cm-content").textContent`);
    const taken = async () => {
      if (await page.evaluate<boolean>(`(${item}?.getBoundingClientRect().top ?? -1) > 0`)) await page.click(item);
      return written();
    };
    await until("it is taken", taken, { holds: (sql) => sql === "SELECT * FROM dwa.state_minute", withinMs: 5_000 });
    await left(page);
  });

  test("asks for another token where the scope is missing, and keeps it for the other pages", async () => {
    const gate = await browser.page(url("/sql#token=reads_apis"));
    await gate.until(
      "the form says why",
      'document.querySelector("#problem")?.textContent.includes("lacks the scope")',
    );
    await gate.goTo(url("/docs"));
    await gate.until("the document is there", 'document.querySelector(".operation")');
    expect(await texts(gate, ".schema h2")).toEqual(["APIs", "Door"]);
    await left(gate);
  });

  test("sends what its documents say, and follows a stream until it is stopped", async () => {
    const page = await browser.page(url(`/docs#token=${world.token}`));
    await page.until("the document is there", 'document.querySelector(".operation")');
    await page.goTo(url("/docs#get_flight"));
    await page.until(
      "the operation is chosen",
      'document.querySelector(".operation code").textContent === "/v1/api/flight"',
    );
    await page.click('document.querySelector(".operation .tools button")');
    await page.until(
      "the flight is there",
      'document.querySelector(".answer pre")?.textContent.includes(\'"flight_id": "0-1"\')',
    );
    expect(await texts(page, ".curl pre")).toEqual([expect.stringContaining("/v1/api/flight?flight_id=0-1'")]);
    expect((await texts(page, ".curl pre"))[0]).not.toContain(world.token);
    await page.goTo(url("/docs#watch_today"));
    await page.until(
      "the operation is chosen",
      'document.querySelector(".operation code").textContent === "/v1/api/today/live"',
    );
    await page.click('document.querySelector(".operation .tools button")');
    await page.until("an event is there", 'document.querySelector(".answer p")?.textContent.includes("1 event")');
    await page.click('document.querySelector(".operation .stop")');
    await page.until("the stream is over", 'document.querySelector(".operation .stop") === null');
    await left(page);
  });

  test("22: shows markup in what definitions say as text", async () => {
    const doc = `${XSS} [x](javascript:alert(1)) </script>`;
    const columns = `id String COMMENT '${XSS}'`;
    await world.apply({
      hostile: `/*---\nkind: source\ndoc: ${JSON.stringify(doc)}\n---*/\nCREATE TABLE ods.hostile ( ${columns} )`,
    });
    const page = await browser.page(url(`/docs#token=${world.token}`));
    await page.until("the document is there", 'document.querySelector(".operation")');
    await page.goTo(url("/docs#ingest_hostile"));
    const shown = `document.querySelector(".operation")?.textContent.split(${JSON.stringify(XSS)}).length`;
    await page.until("the doc and the comment are there", `${shown} >= 3`);
    expect(await page.evaluate<string>('document.querySelector(".operation").textContent')).toContain(doc);
    const made = 'document.querySelectorAll("img, .operation script, [href^=javascript]").length';
    expect(await page.evaluate<number>(made)).toBe(0);
    await left(page);
  });
});

/** How many queries of people the engine runs, this one not counted. */
function running(world: World) {
  return world.sql<{ n: string }>(
    "SELECT count() AS n FROM system.processes WHERE query_id LIKE 'sql-%' AND query NOT LIKE '%system.processes%'",
  );
}
