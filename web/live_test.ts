/**
 * Tests of live answers: who is told what, how often, and what it costs. Time stands still unless a test moves it.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { Visible } from "@weir/actors";
import type { Answered, ApiAnswer } from "./api/answers.ts";
import { apisOf, published } from "./api/api_fixture.ts";
import type { PublishedApi } from "./api/published.ts";
import { fakeDoor, Script, TOKENS } from "./door_fixture.ts";
import { Refusal } from "./errors.ts";
import { type Clock, LIVE_LIMITS, Live } from "./live.ts";

/** A clock that a test moves; what is planned runs in order of its time. */
class HandClock implements Clock {
  #nowMs = 0;
  readonly #planned = new Set<{ readonly atMs: number; readonly run: () => void }>();

  nowMs = () => this.#nowMs;
  after = (ms: number, run: () => void) => {
    const plan = { atMs: this.#nowMs + ms, run };
    this.#planned.add(plan);
    return () => void this.#planned.delete(plan);
  };

  /** Moves time, running what falls due, each followed by what it sets off. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      await settled();
      const [next] = [...this.#planned].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#planned.delete(next);
      this.#nowMs = next.atMs;
      next.run();
    }
    this.#nowMs = untilMs;
  }
}

/** Lets everything run that waits for nothing but its turn. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

/** Live answers over a fake that answers `text` and counts how often it is asked. */
function watched(one: PublishedApi = published()) {
  const visible = new Visible();
  const clock = new HandClock();
  const closing = new AbortController();
  const engine = { text: "[1]", fails: undefined as Refusal | undefined, queries: 0, served: [one] };
  const get = async (): Promise<Answered> => {
    engine.queries += 1;
    if (engine.fails !== undefined) throw engine.fails;
    const answer: ApiAnswer = { data: Buffer.from(engine.text), rows: 1, freshTo: null };
    return { answer, cache: "miss" };
  };
  const apis = { get: (id: string) => apisOf(...engine.served).get(id) };
  const live = new Live({ answers: { get }, apis, visible, closing: closing.signal, clock });
  let offset = 0;
  const commit = (source = "ods.flight") => visible.publish(source, new Map([[0, ++offset]]));
  const open = async (state = "CA", client = {}) => readerOf(await live.open(one, { state, limit: "1" }, client));
  return { live, engine, clock, closing, commit, open };
}

/** Reads events as a browser does; `next` answers undefined when nothing has come. */
function readerOf(stream: ReadableStream<Uint8Array>) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let waiting: Promise<string> | undefined;
  const read = async () => {
    const { done, value } = await reader.read();
    return done ? "end" : shown(decoder.decode(value));
  };
  return {
    next: async () => {
      waiting ??= read();
      const nothing = settled().then(() => undefined);
      const came = await Promise.race([waiting, nothing]);
      if (came !== undefined) waiting = undefined;
      return came;
    },
    leave: () => reader.cancel(),
  };
}

/** An event without its id: what it is, and its data. */
function shown(text: string): string {
  return text
    .replace(/^retry: 1000\n\n/, "retry ")
    .replace(/id: \w+\n/, "")
    .replace(/event: (\w+)\ndata: /, "$1 ")
    .replace(/,"meta":.*\}/, "}")
    .trim();
}

const result = (text: string) => `result {"data":${text}}`;

describe("open()", () => {
  test("sends the present result, then each one that differs", async () => {
    const { engine, clock, commit, open } = watched();
    const client = await open();
    expect(await client.next()).toBe(`retry ${result("[1]")}`);
    expect(await client.next()).toBeUndefined();
    engine.text = "[2]";
    commit();
    await clock.pass(LIVE_LIMITS.everyMs);
    expect(await client.next()).toBe(result("[2]"));
  });

  test("sends nothing while the bytes are the same, and nothing for other sources", async () => {
    const { engine, clock, commit, open } = watched();
    const client = await open();
    await client.next();
    commit();
    await clock.pass(1_000);
    expect([await client.next(), engine.queries]).toEqual([undefined, 2]);
    engine.text = "[2]";
    commit("ods.other");
    await clock.pass(1_000);
    expect([await client.next(), engine.queries]).toEqual([undefined, 2]);
  });

  test("does not repeat the result that a client has already", async () => {
    const { engine, clock, commit, open } = watched();
    const id = Bun.hash("[1]").toString(36);
    const client = await open("CA", { lastId: id });
    expect(await client.next()).toBe("retry");
    engine.text = "[2]";
    commit();
    await clock.pass(1_000);
    expect(await client.next()).toBe(result("[2]"));
    expect(await (await open("CA", { lastId: id })).next()).toBe(`retry ${result("[2]")}`);
  });

  test("looks at once after a pause, then at most every 200 ms", async () => {
    const { engine, clock, commit, open } = watched();
    await open();
    await clock.pass(10_000);
    commit();
    await clock.pass(0);
    expect(engine.queries).toBe(2);
    for (let count = 0; count < 1_000; count++) {
      commit();
      await clock.pass(1);
    }
    expect(engine.queries).toBe(2 + 5);
    await clock.pass(10_000);
    expect(engine.queries).toBe(2 + 5);
  });

  test("costs one query for a thousand subscribers", async () => {
    const { live, engine, clock, commit, open } = watched();
    const first = await open();
    const clients = [first, ...(await Promise.all(Array.from({ length: 999 }, () => open())))];
    expect([engine.queries, live.size]).toEqual([1, { subscribers: 1_000, channels: 1 }]);
    for (const client of clients) await client.next();
    engine.text = "[2]";
    commit();
    await clock.pass(1_000);
    const events = await Promise.all(clients.map((client) => client.next()));
    expect([engine.queries, new Set(events)]).toEqual([2, new Set([result("[2]")])]);
  });

  test("keeps other parameters apart", async () => {
    const { live, engine, open } = watched();
    await Promise.all([open("CA"), open("NV")]);
    expect([engine.queries, live.size]).toEqual([2, { subscribers: 2, channels: 2 }]);
  });

  test("skips results that a slow client has not taken", async () => {
    const { engine, clock, commit, open } = watched();
    const [slow, quick] = [await open(), await open()];
    await quick.next();
    for (const text of ["[2]", "[3]", "[4]"]) {
      engine.text = text;
      commit();
      await clock.pass(LIVE_LIMITS.everyMs);
      expect(await quick.next()).toBe(result(text));
    }
    expect(await slow.next()).toBe(result("[4]"));
    expect(await slow.next()).toBeUndefined();
  });

  test("looks now and then where the sources are unknown", async () => {
    const { engine, clock, open } = watched(published("minutes", { sources: null }));
    const client = await open();
    await client.next();
    engine.text = "[2]";
    await clock.pass(LIVE_LIMITS.unknownEveryMs);
    expect([await client.next(), engine.queries]).toEqual([result("[2]"), 2]);
    await clock.pass(3 * LIVE_LIMITS.unknownEveryMs);
    expect(engine.queries).toBe(5);
  });

  test("looks at once after a commit, and now and then, where the SELECT asks for the time", async () => {
    const sql = "SELECT count() AS n FROM dwf.flight WHERE departed_at > now() - 60 LIMIT {limit:UInt32}";
    const { engine, clock, commit, open } = watched(published("minutes", { sql }));
    const client = await open();
    await client.next();
    engine.text = "[2]";
    commit();
    await clock.pass(LIVE_LIMITS.everyMs);
    expect(await client.next()).toBe(result("[2]"));
    engine.text = "[1]";
    await clock.pass(LIVE_LIMITS.unknownEveryMs);
    expect([await client.next(), engine.queries]).toEqual([result("[1]"), 3]);
  });

  test("sends a sign of life to who waits", async () => {
    const { clock, open } = watched();
    const client = await open();
    await client.next();
    expect(await client.next()).toBeUndefined();
    await clock.pass(LIVE_LIMITS.heartbeatMs);
    expect(await client.next()).toBe(": still here");
    expect(await client.next()).toBeUndefined();
    await clock.pass(LIVE_LIMITS.heartbeatMs);
    expect(await client.next()).toBe(": still here");
  });
});

describe("a failure", () => {
  const away = new Refusal(503, "warehouse_unavailable", "Cannot answer.", "Later.");

  test("of the first result refuses the request, and leaves nothing behind", async () => {
    const { live, engine, open } = watched();
    engine.fails = away;
    expect(await open().catch((error: unknown) => error)).toBe(away);
    expect(live.size).toEqual({ subscribers: 0, channels: 0 });
  });

  test("later is told once, tried again ever more rarely, and its end is told", async () => {
    const { engine, clock, commit, open } = watched();
    const client = await open();
    await client.next();
    engine.fails = away;
    commit();
    await clock.pass(LIVE_LIMITS.everyMs);
    expect(await client.next()).toStartWith('failure {"error":{"code":"warehouse_unavailable"');
    await clock.pass(1_000 + 2_000 + 4_000 + 8_000);
    expect(engine.queries).toBe(2 + 4);
    engine.fails = undefined;
    await clock.pass(LIVE_LIMITS.retryMsMax);
    const events = [await client.next(), await client.next()];
    expect(events).toContain(result("[1]"));
    await clock.pass(LIVE_LIMITS.everyMs);
    expect(engine.queries).toBe(2 + 5);
  });
});

describe("an end", () => {
  test("comes when a client leaves, and the last one takes the channel with it", async () => {
    const { live, engine, clock, commit, open } = watched();
    const left = new AbortController();
    const [one, other] = [await open(), await open("CA", { left: left.signal })];
    await one.leave();
    expect(live.size).toEqual({ subscribers: 1, channels: 1 });
    left.abort();
    expect(live.size).toEqual({ subscribers: 0, channels: 0 });
    expect(await other.next()).toBe("end");
    commit();
    await clock.pass(1_000);
    expect(engine.queries).toBe(1);
  });

  test("comes when the door closes; nobody comes in any more", async () => {
    const { live, closing, open } = watched();
    const client = await open();
    await client.next();
    closing.abort();
    expect([await client.next(), live.size]).toEqual(["end", { subscribers: 0, channels: 0 }]);
    expect(await open().catch((error: Refusal) => error.code)).toBe("closing");
  });

  test("comes when the caller may watch no more, at once if that is so already; who left is not told", async () => {
    const { live, open } = watched();
    const ends = new Set<() => void>();
    const client = {
      ends: (end: () => void) => {
        ends.add(end);
        return () => void ends.delete(end);
      },
    };
    const [stays, leaves] = [await open("CA", client), await open("CA", client)];
    await stays.next();
    await leaves.next();
    await leaves.leave();
    expect(ends.size).toBe(1);
    for (const end of [...ends]) end();
    expect([await stays.next(), ends.size, live.size.subscribers]).toEqual(["end", 0, 0]);
    const atOnce = (end: () => void) => {
      end();
      return () => undefined;
    };
    const over = await open("CA", { ends: atOnce });
    expect([await over.next(), live.size.subscribers]).toEqual(["end", 0]);
  });

  test("comes when the API is applied anew", async () => {
    const { engine, clock, commit, open } = watched();
    const [changed, quiet] = [await open("CA"), await open("NV")];
    await changed.next();
    await quiet.next();
    engine.served = [published()];
    commit();
    await clock.pass(LIVE_LIMITS.everyMs);
    expect([await changed.next(), await quiet.next()]).toEqual(["end", "end"]);
  });

  test("comes at the next sign of life when the API is gone and nothing is committed", async () => {
    const { engine, clock, open } = watched();
    const client = await open();
    await client.next();
    engine.served = [];
    await clock.pass(LIVE_LIMITS.heartbeatMs);
    expect(await client.next()).toBe("end");
  });
});

describe("bounds", () => {
  test("refuse one subscriber too many, and let the next in when one leaves", async () => {
    const { open } = watched();
    const [one] = await Promise.all(Array.from({ length: LIVE_LIMITS.subscribersMax }, () => open()));
    const refusal = (await open().catch((error: unknown) => error)) as Refusal;
    expect([refusal.status, refusal.code]).toEqual([503, "too_many_subscribers"]);
    await one!.leave();
    await open();
  });

  test("refuse one different result too many", async () => {
    const { open } = watched();
    await Promise.all(Array.from({ length: LIVE_LIMITS.channelsMax }, (_, index) => open(String(index))));
    expect(await open("more").catch((error: Refusal) => error.code)).toBe("too_many_subscribers");
    await open("1");
  });
});

describe("GET /v1/api/<id>/live", () => {
  const ask = (query = "?state=CA", init: Parameters<ReturnType<typeof fakeDoor>["ask"]>[1] = {}) => {
    const pieces = ['{"meta":[]}\n', '{"row":{"a":1}}\n'];
    return fakeDoor(Object.assign(new Script(), { pieces, apis: apisOf(published()) })).ask(
      `/v1/api/minutes/live${query}`,
      init,
    );
  };

  test("answers a stream of events", async () => {
    const answer = await ask();
    expect(answer.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const client = readerOf(answer.body!);
    expect(await client.next()).toBe(`retry ${result('[{"a":1}]')}`);
    await client.leave();
  });

  test("answers HEAD without watching", async () => {
    const script = Object.assign(new Script(), { apis: apisOf(published()) });
    const answer = await fakeDoor(script).ask("/v1/api/minutes/live?state=CA", { method: "HEAD" });
    expect([answer.status, answer.body, script.queries]).toEqual([200, null, []]);
  });

  test.each([
    ["no token", "?state=CA", { token: null }, 401],
    ["a token without the scope", "?state=CA", { token: TOKENS.ingest }, 403],
    ["a missing parameter", "", {}, 400],
    ["a position", "?state=CA&after=x", {}, 400],
  ])("refuses %s", async (_, query, init, status) => {
    expect((await ask(query, init)).status).toBe(status);
  });
});
