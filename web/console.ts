/**
 * The console: the pages that a browser gets, built when one is first asked for.
 *
 *   GET / · /sql · /docs (Accept: text/html) ──▶ page      GET /console/<file> ──▶ its scripts, styles and icon
 *
 * What must hold: a page loads and calls nothing but this door (its policy says
 * so), runs no inline script, and shows inside no other page. Pages are for
 * everybody; what they show needs the token that they ask for.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { Hono } from "hono";
import type { DoorEnv } from "./door.ts";
import { Refusal } from "./errors.ts";
import { SECURITY_HEADERS } from "./guard.ts";
import { statesOutline } from "./states_outline.ts";

/** Files of the pages, by path: flights as they land, the SQL editor, the API documents. */
const PAGES = { "/": "page", "/sql": "sql", "/docs": "docs" } as const;
type PagePath = keyof typeof PAGES;
/** Below `/`, where the page's files are. */
const FOLDER = "/console/";
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");
/** A file's name has its content's hash in it. */
const FOR_EVER = "public, max-age=31536000, immutable";

interface BuiltFile {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly gzipped: Uint8Array<ArrayBuffer>;
}

/** The pages by path, and their files by name. */
export interface BuiltConsole {
  readonly pages: Readonly<Record<PagePath, BuiltFile>>;
  readonly files: ReadonlyMap<string, BuiltFile>;
}

/** The routes of the pages. */
export function consolePage(): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();

  for (const path of Object.keys(PAGES) as PagePath[]) {
    app.get(path, async (c) => {
      if (!wantsHtml(c.req.header("accept"))) {
        const hint = "Open it in a browser, or ask /v1/api, /v1/sql or /v1/openapi.json.";
        throw new Refusal(404, "not_found", `Cannot find that: \`${path}\` is a page for browsers.`, hint);
      }
      const { pages } = await built();
      const headers = { ...SECURITY_HEADERS, "content-security-policy": PAGE_POLICY, vary: "accept, accept-encoding" };
      return served(pages[path], { headers, encodings: c.req.header("accept-encoding") });
    });
  }

  app.get("/console/:file", async (c) => {
    const file = (await built()).files.get(c.req.param("file"));
    if (file === undefined) {
      throw new Refusal(404, "not_found", "Cannot find that: the page has no such file.", "Load the page again.");
    }
    const headers = { ...SECURITY_HEADERS, "cache-control": FOR_EVER, vary: "accept-encoding" };
    return served(file, { headers, encodings: c.req.header("accept-encoding") });
  });
  return app;
}

/** A browser names HTML itself; other clients take anything. */
function wantsHtml(accept = ""): boolean {
  return /(?:^|,)\s*text\/html\s*(?:[;,]|$)/i.test(accept.slice(0, 1_000));
}

function served(
  { type, bytes, gzipped }: BuiltFile,
  { headers, encodings = "" }: { headers: Readonly<Record<string, string>>; encodings: string | undefined },
): Response {
  const isGzip = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/i.test(encodings);
  const encoding: Record<string, string> = isGzip ? { "content-encoding": "gzip" } : {};
  return new Response(isGzip ? gzipped : bytes, { headers: { ...headers, ...encoding, "content-type": type } });
}

let building: Promise<BuiltConsole> | undefined;

/** The console, built once per process; a build that failed is tried again. */
function built(): Promise<BuiltConsole> {
  building ??= buildConsole().catch((error: unknown) => {
    building = undefined;
    throw error;
  });
  return building;
}

/** Builds pages, scripts and styles in memory; what several pages use is one file. */
export async function buildConsole(): Promise<BuiltConsole> {
  const { outputs } = await Bun.build({
    entrypoints: Object.values(PAGES).map((name) => fileURLToPath(new URL(`console/${name}.html`, import.meta.url))),
    target: "browser",
    minify: true,
    splitting: true,
    publicPath: FOLDER,
    naming: { entry: "[name]-[hash].[ext]", chunk: "[name]-[hash].[ext]", asset: "[name]-[hash].[ext]" },
    define: { "process.env.NODE_ENV": '"production"', STATES_OUTLINE: JSON.stringify(await statesOutline()) },
  });
  const files = new Map<string, BuiltFile>();
  for (const output of outputs) {
    const bytes = new Uint8Array(await output.arrayBuffer());
    files.set(output.path.split("/").at(-1)!, { type: output.type, bytes, gzipped: Bun.gzipSync(bytes) });
  }
  const pages = Object.entries(PAGES).map(([path, name]) => {
    const [file, page] = [...files].find(([file]) => file.startsWith(`${name}-`) && file.endsWith(".html"))!;
    files.delete(file);
    return [path, page];
  });
  return { pages: Object.fromEntries(pages), files };
}
