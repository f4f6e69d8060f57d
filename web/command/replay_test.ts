/**
 * Tests of the replay: the pace by table, and a door that refuses, breaks off and repeats.
 *
 * @module
 */
import { afterEach, describe, expect, test } from "bun:test";
import type { Flight, FlightEvent } from "@weir/flights";
import {
  ask,
  ONCE_EVENTS,
  PACE_LIMITS,
  type Pace,
  paceStep,
  pause,
  ReplayFailed,
  replayEndless,
  replayOnce,
  retryDelayMs,
} from "./replay.ts";

const LIMITS = { delayMsMin: 1, delayMsMax: 4, giveUpMsMax: 10_000, tryMsMax: 5_000 };

describe("paceStep()", () => {
  const at = (fromMs: number, sentCount: number): Pace => ({ fromMs, sentCount });

  test.each([
    ["sends the first event at once", at(1_000, 0), 1_000, 50, { pace: at(1_000, 1), timesMs: [1_000], waitMs: 200 }],
    [
      "sends what a tick made due",
      at(1_000, 1),
      1_100,
      50,
      { pace: at(1_000, 6), timesMs: [1_020, 1_040, 1_060, 1_080, 1_100], waitMs: 200 },
    ],
    ["sends nothing before its time", at(1_000, 1), 1_019, 50, { pace: at(1_000, 1), timesMs: [], waitMs: 200 }],
    [
      "waits for the next event of a slow rate",
      at(1_000, 0),
      1_000,
      0.1,
      { pace: at(1_000, 1), timesMs: [1_000], waitMs: 10_000 },
    ],
    [
      "is not late between the events of a slow rate",
      at(1_000, 1),
      11_000,
      0.1,
      { pace: at(1_000, 2), timesMs: [11_000], waitMs: 10_000 },
    ],
    [
      "catches up what is a little late",
      at(1_000, 1),
      3_000,
      1,
      { pace: at(1_000, 3), timesMs: [2_000, 3_000], waitMs: 1_000 },
    ],
    ["begins anew when it is too late", at(1_000, 1), 9_000, 50, { pace: at(9_000, 1), timesMs: [9_000], waitMs: 200 }],
    ["begins anew when the clock went back", at(1_000, 7), 900, 50, { pace: at(900, 1), timesMs: [900], waitMs: 200 }],
  ] as const)("%s", (_, pace, nowMs, rate, expected) => {
    expect(paceStep(pace, nowMs, rate)).toEqual(expected);
  });

  test("bounds a batch and does not wait while more is due", () => {
    const { timesMs, waitMs } = paceStep(at(0, 0), 1_000, 100_000);
    expect([timesMs.length, waitMs]).toEqual([PACE_LIMITS.eventsMax, 0]);
  });

  test.each([0.5, 3, 7, 50, 333, 5_000])(
    "keeps %p events a second over ten minutes, times in order and never ahead",
    (rate) => {
      const durationMs = 600_000;
      let pace = at(0, 0);
      let sent = 0;
      let lastMs = 0;
      for (let nowMs = 0; nowMs < durationMs; ) {
        const step = paceStep(pace, nowMs, rate);
        pace = step.pace;
        sent += step.timesMs.length;
        for (const timeMs of step.timesMs) {
          if (timeMs < lastMs || timeMs > nowMs) throw new Error(`event at ${timeMs} after ${lastMs}, now ${nowMs}`);
          lastMs = timeMs;
        }
        nowMs += step.waitMs;
      }
      expect(Math.abs(sent - (durationMs / 1_000) * rate)).toBeLessThanOrEqual(1 + rate * 0.2);
    },
  );
});

describe("retryDelayMs()", () => {
  const limits = { delayMsMin: 100, delayMsMax: 5_000, giveUpMsMax: 60_000, tryMsMax: 1_000 };

  test.each([
    ["begins small", 0, null, 100],
    ["doubles", 3, null, 800],
    ["stops growing", 40, null, 5_000],
    ["does what the door asks", 0, "2", 2_000],
    ["never waits longer than its limit", 0, "3600", 5_000],
    ["never hammers", 5, "0", 100],
    ["ignores a date", 1, "Wed, 21 Oct 2015 07:28:00 GMT", 200],
    ["ignores an empty header", 1, " ", 200],
  ] as const)("%s", (_, tries, retryAfter, expected) => {
    expect(retryDelayMs(tries, limits, retryAfter)).toBe(expected);
  });
});

/** One request as the fake door saw it. */
interface Seen {
  readonly key: string | null;
  readonly body: string;
  readonly url: string;
  readonly authorization: string | null;
}

const servers: Bun.Server<unknown>[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(true);
});

/** A door on loopback that keeps what it saw and answers as told. */
function fakeDoor(answer: (seen: readonly Seen[]) => Response | Promise<Response>) {
  const seen: Seen[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const { headers, url } = request;
      seen.push({
        key: headers.get("idempotency-key"),
        body: await request.text(),
        url,
        authorization: headers.get("authorization"),
      });
      return answer(seen);
    },
  });
  servers.push(server);
  return { door: { url: `http://127.0.0.1:${server.port}`, token: "secret" }, seen };
}

function accept({ body }: Seen): Response {
  return Response.json(
    { accepted: body.split("\n").length, duplicates: 0, rejected: [], position: "p" },
    { status: 202 },
  );
}

function flightsOf(count: number): readonly Flight[] {
  return Array.from({ length: count }, (_, i) => ({
    departedMs: Date.UTC(2001, 0, 1, 0, i),
    origin: "SFO",
    destination: "LAX",
    distance: 337,
    delay: i,
  }));
}

function eventsOf(seen: readonly Seen[]): readonly FlightEvent[] {
  return seen.flatMap(({ body }) => body.split("\n").map((line) => JSON.parse(line) as FlightEvent));
}

describe("ask()", () => {
  const request = { path: "/v1/ingest/flight", headers: { "idempotency-key": "k-1" }, body: '{"a":1}' };

  test.each([
    ["429", () => new Response("{}", { status: 429 })],
    ["503", () => new Response("{}", { status: 503, headers: { "retry-after": "0" } })],
    ["an answer that is cut", () => new Response("{", { status: 200 })],
  ] as const)("repeats after %s with the same key and body", async (_, refuse) => {
    const { door, seen } = fakeDoor((all) => (all.length < 4 ? refuse() : Response.json({ done: true })));
    expect(await ask(door, request, LIMITS)).toEqual({ done: true });
    expect(seen.length).toBe(4);
    for (const one of seen)
      expect(one).toEqual({
        key: "k-1",
        body: '{"a":1}',
        url: `${door.url}/v1/ingest/flight`,
        authorization: "Bearer secret",
      });
  });

  test("repeats after connections that are cut before an answer, with the same key and body", async () => {
    const requests: string[] = [];
    const listener = Bun.listen<{ text: string }>({
      port: 0,
      hostname: "127.0.0.1",
      socket: {
        open: (socket) => {
          socket.data = { text: "" };
        },
        data: (socket, bytes) => {
          socket.data.text += bytes.toString();
          if (!socket.data.text.endsWith(request.body)) return;
          requests.push(socket.data.text);
          if (requests.length < 3) socket.terminate();
          else socket.end('HTTP/1.1 200 OK\r\ncontent-length: 13\r\nconnection: close\r\n\r\n{"done":true}');
        },
      },
    });
    try {
      const door = { url: `http://127.0.0.1:${listener.port}`, token: "secret" };
      expect(await ask(door, request, LIMITS)).toEqual({ done: true });
      expect(requests.length).toBe(3);
      for (const one of requests) expect(one).toMatch(/idempotency-key: k-1\r\n.*\r\n\r\n\{"a":1\}$/is);
    } finally {
      listener.stop(true);
    }
  });

  test.each([
    [
      "400",
      400,
      { error: { code: "not_json", message: "Cannot read the body.", hint: "Send JSON." } },
      "400: Cannot read the body. Send JSON.",
    ],
    [
      "422",
      422,
      { error: { code: "nothing_accepted", message: "Cannot take the event.", hint: "" } },
      "422: Cannot take the event.",
    ],
    ["500 without the door's form", 500, "broken", '500: "broken"'],
  ] as const)("stops at %s with the server's message", async (_, status, body, message) => {
    const { door, seen } = fakeDoor(() => Response.json(body, { status }));
    await expect(ask(door, request, LIMITS)).rejects.toThrow(
      new ReplayFailed(`Cannot ask /v1/ingest/flight of the door: ${message}`),
    );
    await ask(door, request, LIMITS).catch(() => {});
    expect(seen.length).toBe(2);
  });

  test("gives up after giveUpMsMax and says how often it tried", async () => {
    const { door } = fakeDoor(() => new Response('{"error":{"message":"Cannot take events: full."}}', { status: 503 }));
    await expect(ask(door, request, { ...LIMITS, giveUpMsMax: 20 })).rejects.toThrow(
      /503: Cannot take events: full\. \(tried \d+ times\)/,
    );
  });

  test("stops repeating when signalled", async () => {
    const stop = new AbortController();
    const { door } = fakeDoor(() => {
      stop.abort();
      return new Response("{}", { status: 429 });
    });
    await expect(
      ask(door, { ...request, signal: stop.signal }, { ...LIMITS, delayMsMin: 60_000, delayMsMax: 60_000 }),
    ).rejects.toThrow(ReplayFailed);
  });
});

describe("replayOnce()", () => {
  test("sends every flight once, in order, with its own time, and waits with the last batch", async () => {
    const { door, seen } = fakeDoor((all) => accept(all[all.length - 1]));
    const flights = flightsOf(2 * ONCE_EVENTS + 1);
    const counts = await replayOnce(door, flights, { signal: new AbortController().signal });
    expect(counts).toEqual({ accepted: flights.length, rejected: 0 });
    expect(seen.map(({ key, url }) => [key, new URL(url).search])).toEqual([
      ["flights-once-1-1000", ""],
      ["flights-once-1001-2000", ""],
      ["flights-once-2001-2001", "?wait=1"],
    ]);
    const events = eventsOf(seen);
    expect(events.map(({ flight_id }) => flight_id)).toEqual(flights.map((_, i) => `0-${i + 1}`));
    expect(events.map(({ departed_at }) => departed_at)).toEqual(
      flights.map(({ departedMs }) => new Date(departedMs).toISOString()),
    );
  });

  test("counts a repeated batch as accepted, and what was rejected", async () => {
    const answers = [
      { accepted: 0, duplicates: 1_000, rejected: [] },
      { accepted: 990, duplicates: 0, rejected: [{}], rejected_total: 10 },
    ];
    const { door } = fakeDoor((all) => Response.json(answers[all.length - 1]));
    const counts = await replayOnce(door, flightsOf(2_000), { signal: new AbortController().signal });
    expect(counts).toEqual({ accepted: 1_990, rejected: 10 });
  });
});

describe("replayEndless()", () => {
  test("goes round in loops with new keys, ids that never repeat, and times that are now", async () => {
    const stop = new AbortController();
    const { door, seen } = fakeDoor((all) => {
      if (eventsOf(all).length >= 8) stop.abort();
      return accept(all[all.length - 1]);
    });
    const beganMs = Date.now();
    const run = { rate: 200, loop: 4, runId: "run", signal: stop.signal };
    const counts = await replayEndless(door, flightsOf(3), run);
    const events = eventsOf(seen);
    expect(counts).toEqual({ accepted: events.length, rejected: 0 });
    expect(events.slice(0, 8).map(({ flight_id }) => flight_id)).toEqual([
      "4-1",
      "4-2",
      "4-3",
      "5-1",
      "5-2",
      "5-3",
      "6-1",
      "6-2",
    ]);
    expect(seen.map(({ key }) => key)).toEqual(seen.map((_, i) => `flights-run-${i}`));
    const times = events.map(({ departed_at }) => Date.parse(departed_at));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times.every((ms) => ms >= beganMs && ms <= Date.now())).toBe(true);
  });

  test("stops with the server's message when it refuses", async () => {
    const { door } = fakeDoor(() =>
      Response.json({ error: { message: "Cannot take events: unknown.", hint: "" } }, { status: 404 }),
    );
    const run = { rate: 50, loop: 1, runId: "run", signal: new AbortController().signal };
    await expect(replayEndless(door, flightsOf(3), run)).rejects.toThrow("404: Cannot take events: unknown.");
  });
});

describe("pause()", () => {
  test.each(["before", "while"])("ends with a signal that comes %s it waits", async (when) => {
    const stop = new AbortController();
    if (when === "before") stop.abort();
    const paused = pause(600_000, stop.signal);
    stop.abort();
    await paused;
    expect(stop.signal.aborted).toBe(true);
  });
});
