/**
 * Tests of watching: what is told of answers, cuts and refusals. The browser's parts that it uses are stand-ins.
 *
 * @module
 */
import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { until } from "../until_fixture.ts";
import { type Watched, watch } from "./watch.ts";

const real = { fetch: globalThis.fetch, document: globalThis.document };
let page: EventTarget & { hidden: boolean };

beforeEach(() => {
  page = Object.assign(new EventTarget(), { hidden: false });
  globalThis.document = page as unknown as Document;
});
afterEach(() => {
  globalThis.fetch = real.fetch;
  globalThis.document = real.document;
});

const events = (...texts: readonly string[]) =>
  new Response(texts.join(""), { headers: { "content-type": "text/event-stream" } });
const result = (id: string, data: string) => `id: ${id}\nevent: result\ndata: {"data":${data},"meta":{}}\n\n`;
const refused = (status: number) => () => Response.json({ error: { message: "No.", hint: "Ask." } }, { status });
const open = (text: string) => (signal: AbortSignal) =>
  new Response(
    new ReadableStream({
      start: (controller) => {
        controller.enqueue(new TextEncoder().encode(text));
        signal.addEventListener("abort", () => controller.error(new Error("aborted")));
      },
    }),
  );

/** Watches a door that gives these answers one after the other, and is refused after the last. */
async function watched(...answers: readonly ((signal: AbortSignal) => Response | Promise<Response>)[]) {
  const stop = new AbortController();
  const told: Watched<number>[] = [];
  const asked: (string | null)[] = [];
  const left = [...answers];
  globalThis.fetch = (async (_path: string, { headers, signal }: { headers: HeadersInit; signal: AbortSignal }) => {
    asked.push(new Headers(headers).get("last-event-id"));
    return await (left.shift() ?? refused(401))(signal);
  }) as unknown as typeof fetch;
  const tell = (one: Watched<number>) => {
    told.push(one);
    // The pause before the next try ends when the browser is online again.
    if (one.kind === "away" || one.kind === "missing") setTimeout(() => dispatchEvent(new Event("online")));
  };
  const ended = watch<number>({ path: "/v1/api/a/live", token: "t", tell, signal: stop.signal });
  return { told, asked, stop, ended };
}

const kindsOf = (told: readonly Watched<number>[]) =>
  told.map((one) => (one.kind === "live" ? `live ${one.result.data.join()}` : one.kind));

describe("watch()", () => {
  test.each([401, 403])("ends with a refused token: %d", async (status) => {
    const { told, ended } = await watched(refused(status));
    await ended;
    expect(told).toEqual([{ kind: "refused", status }]);
  });

  test("tells every result, then that the door is away, and comes again for the whole result", async () => {
    const { told, asked, ended } = await watched(
      () => events("retry: 1000\n\n", result("a", "[1]"), result("b", "[2]")),
      () => Promise.reject(new Error("refused connection")),
      () => new Response("busy", { status: 503 }),
      () => events(result("b", "[2]")),
    );
    await ended;
    expect(kindsOf(told)).toEqual(["live 1", "live 2", "away", "away", "away", "live 2", "away", "refused"]);
    expect(asked).toEqual([null, null, null, null, null]);
  });

  test("tells what the door says when there is no such API, and looks again", async () => {
    const { told, ended } = await watched(refused(404), () => events(result("a", "[1]")));
    await ended;
    expect(told[0]).toEqual({ kind: "missing", message: "No.", hint: "Ask." });
    expect(kindsOf(told).slice(1, 2)).toEqual(["live 1"]);
  });

  test("tells a failure inside the stream, and that it is over", async () => {
    const failure = 'event: failure\ndata: {"error":{"message":"Away.","hint":"Wait."}}\n\n';
    const { told, ended } = await watched(() => events(result("a", "[1]"), failure, result("a", "[1]")));
    await ended;
    expect(kindsOf(told).slice(0, 3)).toEqual(["live 1", "missing", "live 1"]);
  });

  test("lets go while the tab is hidden, and then asks for what is newer", async () => {
    const { told, asked, ended } = await watched(open(result("a", "[1]")), () => events());
    await until(() => told.length > 0);
    const listens = spyOn(page, "addEventListener");
    page.hidden = true;
    page.dispatchEvent(new Event("visibilitychange"));
    // It listens again: for the tab to come back, or for a connection that it must not have.
    await until(() => listens.mock.calls.length > 0);
    expect(asked).toEqual([null]);
    page.hidden = false;
    page.dispatchEvent(new Event("visibilitychange"));
    await ended;
    expect(asked.slice(0, 2)).toEqual([null, "a"]);
    expect(kindsOf(told)).toEqual(["live 1", "away", "refused"]);
  });

  test("ends when nobody watches any more", async () => {
    const { told, stop, ended } = await watched(open(result("a", "[1]")));
    await until(() => told.length > 0);
    stop.abort();
    await ended;
    expect(kindsOf(told)).toEqual(["live 1"]);
  });
});
