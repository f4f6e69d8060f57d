/**
 * A real browser on pages of other origins: what it may do with a token and with tickets, and what not.
 *
 *   page (localhost:N) ──fetch · EventSource · sendBeacon──▶ door (127.0.0.1:M) ──▶ what came of it ──▶ /report
 *
 * Needs Chromium; without it the tests say that they are skipped.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chromiumFor, startChromium } from "./browser_fixture.ts";
import { temporaryFolder, until } from "./door_process.ts";
import { type Kept, openKept } from "./gateway_token_fixture.ts";

setDefaultTimeout(120_000);

const CHROMIUM = chromiumFor("tests/gateway_browser_test.ts");
const REPORT_MS_MAX = 60_000;

/** What a page says of each thing that it tried. */
interface Report {
  readonly token: string;
  readonly ticket: string;
  readonly beacon: boolean;
  /** Results that EventSource heard, or what ended it. */
  readonly live: readonly string[];
  readonly cookie: string;
  readonly admin: string;
}

/** The page: tries everything, then tells its own server. `__ASKED__` is where to and with what. */
const SCRIPT = `
const { door, token, read, write } = __ASKED__;
const tried = (url, init) => fetch(url, init).then(async (r) => r.status + " " + (await r.text()).slice(0, 200), (e) => e.name);
const path = door + "/v1/api/events";
const bearer = { authorization: "Bearer " + token };
const live = [];
const source = new EventSource(path + "/live?tenant=a&ticket=" + read);
const heard = (count) => new Promise((resolve) => {
  const look = setInterval(() => { if (live.length >= count) { clearInterval(look); resolve(); } }, 20);
});
source.addEventListener("result", (event) => live.push(event.data));
source.addEventListener("error", () => live.push("error " + source.readyState, "over"));
await heard(1);
const report = {
  token: await tried(path + "?tenant=a", { headers: bearer }),
  ticket: await tried(path + "?tenant=a&ticket=" + read),
  cookie: await tried(path + "?tenant=a&ticket=" + read, { credentials: "include" }),
  admin: await tried(door + "/v1/admin/tokens", { headers: bearer }),
  beacon: navigator.sendBeacon(door + "/v1/ingest/event?ticket=" + write, JSON.stringify({ id: "a2", tenant: "a" })),
  live,
};
await heard(2);
await fetch("/report", { method: "POST", body: JSON.stringify(report) });
`;

/** A web server of its own origin that serves the page, and waits for what it says. */
function openPage() {
  const report = Promise.withResolvers<Report>();
  let asked = "null";
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/report") report.resolve((await request.json()) as Report);
      const page = `<!doctype html><script type="module">${SCRIPT.replace("__ASKED__", asked)}</script>`;
      return pathname === "/" ? new Response(page, { headers: { "content-type": "text/html" } }) : new Response("");
    },
  });
  return {
    origin: `http://localhost:${server.port}`,
    /** Opens the page in a browser of its own; answers what it says. */
    visit: async (things: object): Promise<Report> => {
      asked = JSON.stringify(things);
      const browser = startChromium(CHROMIUM!, { flags: [], address: `http://localhost:${server.port}/` });
      try {
        const late = Bun.sleep(REPORT_MS_MAX).then(() => Promise.reject(new Error("The page said nothing.")));
        return await Promise.race([report.promise, late]);
      } finally {
        await browser.close();
      }
    },
    close: () => server.stop(true),
  };
}

describe.skipIf(CHROMIUM === undefined)("a page of another origin", () => {
  const folder = temporaryFolder("pages");
  const pages = { friend: openPage(), stranger: openPage() };
  let door: Kept;
  let things: { door: string; token: string; read: string; write: string };

  beforeAll(async () => {
    door = await openKept(folder.path);
    const { token } = await door.create({
      ...{ name: "page", scopes: ["api:events", "ingest:event"], origins: [pages.friend.origin], expires_in: "1 hour" },
    });
    const [read, write] = [await door.ticket(token, ["api:events"]), await door.ticket(token, ["ingest:event"])];
    things = { door: door.url, token, read, write };
  });
  afterAll(async () => {
    await Promise.all([pages.friend.close(), pages.stranger.close()]);
    await door.close();
    folder.remove();
  });

  const events = () => door.world.sql<{ n: string }>("SELECT count() AS n FROM ods.event WHERE tenant = 'a'");

  test("that no token allows reads nothing, hears nothing and writes nothing", async () => {
    const { live, beacon, ...rest } = await pages.stranger.visit(things);
    expect(rest).toEqual({ token: "TypeError", ticket: "TypeError", cookie: "TypeError", admin: "TypeError" });
    // Closed for good: a browser that is refused does not try again.
    expect(live).toEqual(["error 2", "over"]);
    expect(await events()).toEqual([{ n: "1" }]);
  });

  test("that its token allows reads with it, hears by ticket what it wrote by ticket, and is no administrator", async () => {
    const { token, ticket, cookie, admin, beacon, live } = await pages.friend.visit(things);
    for (const answer of [token, ticket]) expect(answer).toStartWith('200 {"data":[{"id":"a1","tenant":"a"}]');
    expect([cookie, admin, beacon]).toEqual(["TypeError", "TypeError", true]);
    expect(live.map((data) => /"a2"/.test(data))).toEqual([false, true]);
    await until("the beacon's event is there", events, { holds: ([row]) => row?.n === "2", withinMs: 10_000 });
  });
});
