/**
 * Tests of the page as it is served: to whom, with which headers, and that it needs nothing from outside.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { buildConsole } from "./console.ts";
import { fakeDoor, Script } from "./door_fixture.ts";

const BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const { ask } = fakeDoor(new Script());
const page = (init: RequestInit = {}, path = "/") => ask(path, { headers: { accept: BROWSER }, token: null, ...init });
const scriptPath = async () => /src="([^"]+\.js)"/.exec(await (await page()).text())![1]!;

describe.each(["/", "/sql", "/docs"])("GET %s", (path) => {
  test("is the page for a browser, without a token, under a strict policy", async () => {
    const answer = await page({}, path);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/html;charset=utf-8"]);
    expect(answer.headers.get("content-security-policy")).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect([answer.headers.get("x-frame-options"), answer.headers.get("cache-control")]).toEqual(["DENY", "no-store"]);
  });

  test("has no inline script or style, and nothing from elsewhere", async () => {
    const html = await (await page({}, path)).text();
    expect(html).not.toMatch(/<script(?![^>]*src=)|<style|\son\w+=|style=/i);
    for (const [, url] of html.matchAll(/(?:src|href)="([^"]+)"/g)) expect(url).toStartWith("/console/");
  });

  test.each(["*/*", "application/json", "text/html-sandbox", undefined])("is not for %p", async (accept) => {
    const answer = await page({ headers: accept === undefined ? {} : { accept } }, path);
    expect(answer.status).toBe(404);
  });

  test("takes no POST", async () => {
    expect((await page({ method: "POST" }, path)).status).toBe(405);
  });
});

describe("GET /console/<file>", () => {
  test("serves the page's files, to be kept, packed if that is wanted", async () => {
    const path = await scriptPath();
    const plain = await ask(path, { token: null });
    expect(plain.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(plain.headers.get("content-type")).toStartWith("text/javascript");
    expect(plain.headers.get("content-encoding")).toBeNull();
    const packed = await ask(path, { token: null, headers: { "accept-encoding": "br, gzip" } });
    expect(packed.headers.get("content-encoding")).toBe("gzip");
    const text = await plain.text();
    expect(new TextDecoder().decode(Bun.gunzipSync(await packed.arrayBuffer()))).toBe(text);
    const refused = await ask(path, { token: null, headers: { "accept-encoding": "gzip;q=0" } });
    expect(refused.headers.get("content-encoding")).toBeNull();
  });

  test.each(["/console/nothing.js", "/console/page.html", "/console/page.tsx"])("has no %s", async (path) => {
    expect((await ask(path)).status).toBe(404);
  });
});

describe("buildConsole()", () => {
  test("builds for production, and calls nothing but the door", async () => {
    const { pages, files } = await buildConsole();
    const decoder = new TextDecoder();
    for (const [name, { bytes }] of files) {
      const text = decoder.decode(bytes);
      if (name.endsWith(".js"))
        expect({ name, found: /jsxDEV|\beval\(|new Function\(/.exec(text) }).toEqual({ name, found: null });
      if (name.endsWith(".css")) expect({ name, found: /url\(|@import/.exec(text) }).toEqual({ name, found: null });
    }
    for (const [path, bytesMax] of [
      ["/", 130_000],
      ["/docs", 100_000],
      ["/sql", 230_000],
    ] as const) {
      const html = decoder.decode(pages[path].bytes);
      const needed = [...html.matchAll(/(?:src|href)="\/console\/([^"]+)"/g)].map(([, name]) => files.get(name!)!);
      const bytes = needed.reduce((sum, { gzipped }) => sum + gzipped.byteLength, 0);
      expect({ path, isSmall: bytes < bytesMax && bytes > 1_000 }).toEqual({ path, isSmall: true });
    }
  });
});
