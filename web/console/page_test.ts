/**
 * Tests of the page's decisions: projection, colours, events, tokens, numbers.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { delayColour, delayWord } from "./colour.ts";
import { project } from "./projection.ts";
import { summed } from "./rows.tsx";
import { dayName, seriesOf, share, tenths } from "./rows_api.ts";
import { EventCutter } from "./sse.ts";
import { tokenIn } from "./token.ts";
import { PAUSE_MS, pauseMs } from "./watch.ts";

describe("project()", () => {
  test.each([
    ["the middle of the 48", -96, 38.3, 484, 290],
    ["Seattle", -122.31, 47.45, 97, 42],
    ["Miami", -80.29, 25.79, 784, 534],
    ["Anchorage", -149.99, 61.17, 130, 513],
    ["Honolulu", -157.92, 21.32, 282, 525],
  ])("puts %s where it belongs", (_, longitude, latitude, x, y) => {
    const point = project(longitude, latitude)!;
    expect(Math.hypot(point.x - x, point.y - y)).toBeLessThan(16);
  });

  test.each([
    ["San Juan", -66.0, 18.44],
    ["Guam", 144.8, 13.48],
    ["nowhere", 0, 0],
  ])("leaves out %s", (_, longitude, latitude) => {
    expect(project(longitude, latitude)).toBeUndefined();
  });

  test("shows the west end of the Aleutians, beyond the antimeridian, to the west", () => {
    expect(project(174.1, 52.7)!.x).toBeLessThan(project(-165, 54.4)!.x);
  });
});

describe("delayColour() and delayWord()", () => {
  test.each([
    [-99, "rgb(44 123 182)", "early"],
    [-15, "rgb(44 123 182)", "early"],
    [0, "rgb(32 160 146)", "on time"],
    [4, "rgb(86 175 119)", "on time"],
    [15, "rgb(246 186 48)", "on time"],
    [60, "rgb(190 24 60)", "late"],
    [999, "rgb(190 24 60)", "very late"],
  ])("of %d minutes", (minutes, colour, word) => {
    expect([delayColour(minutes), delayWord(minutes)]).toEqual([colour, word]);
  });
});

describe("EventCutter", () => {
  const whole =
    'retry: 1000\n\nid: a\nevent: result\ndata: {"x":1}\n\n: still here\n\nid: b\nevent: result\ndata: 2\n\n';
  const expected = [
    { kind: "result", id: "a", data: '{"x":1}' },
    { kind: "result", id: "b", data: "2" },
  ];

  test("cuts a stream into events, however it was cut on its way", () => {
    for (const size of [1, 2, 3, 7, 1_000]) {
      const cutter = new EventCutter();
      const chunks = whole.match(new RegExp(`[\\s\\S]{1,${size}}`, "g"))!;
      expect(chunks.flatMap((chunk) => cutter.push(chunk))).toEqual(expected);
    }
  });

  test("keeps what is not whole, and joins lines of data", () => {
    const cutter = new EventCutter();
    expect(cutter.push("data: a\ndata: b\n")).toEqual([]);
    expect(cutter.push("\n")).toEqual([{ kind: "message", id: "", data: "a\nb" }]);
  });
});

describe("tokenIn()", () => {
  test.each([
    ["#token=weir_a-B", "weir_a-B"],
    ["#x=1&token=a%2Bb", "a+b"],
    ["", undefined],
    ["#token=", undefined],
    ["#token=a%20b", undefined],
    ["#token=a%0Ab", undefined],
    [`#token=${"a".repeat(513)}`, undefined],
  ])("of %p", (fragment, token) => {
    expect(tokenIn(fragment)).toBe(token);
  });
});

describe("pauseMs()", () => {
  test("grows to a bound, and is spread", () => {
    expect([0, 1, 2, 3].map((failures) => pauseMs(failures, 1))).toEqual([500, 1_000, 2_000, 4_000]);
    expect([pauseMs(99, 1), pauseMs(99, 0)]).toEqual([PAUSE_MS.upTo, PAUSE_MS.upTo / 2]);
  });
});

describe("seriesOf()", () => {
  const minute = (time: string, departures: string, average_delay: number | null) => ({
    ...{ minute: `2026-01-31T${time}:00Z`, departures, late_departures: "1", average_delay },
  });

  test("puts minutes in order, with those between in which nothing departed", () => {
    const { times, departures, late, delay } = seriesOf([minute("10:03", "5", 1.5), minute("10:01", "4", 2)], 4);
    expect(times.map((time) => new Date(time * 1_000).toISOString().slice(14, 16))).toEqual(["00", "01", "02", "03"]);
    expect([departures, late, delay]).toEqual([
      [0, 4, 0, 5],
      [0, 1, 0, 1],
      [null, 2, null, 1.5],
    ]);
  });

  test("is empty without minutes", () => {
    expect(seriesOf([], 60)).toEqual({ times: [], departures: [], late: [], delay: [] });
  });
});

describe("numbers", () => {
  test("are written for people", () => {
    expect([share(1, 3), share("0", "0"), tenths(-3.44), dayName("2026-01-31")]).toEqual([
      "33.3%",
      "–",
      "−3.4",
      "Saturday, January 31, 2026",
    ]);
  });
});

describe("summed()", () => {
  test("adds a counter's series, and no other counter's", () => {
    const metrics = '# HELP a x\na{s="1"} 2\na{s="2"} 3\na_more{s="1"} 9\na 1\n';
    expect([summed(metrics, "a"), summed(metrics, "b")]).toEqual([6, 0]);
  });
});
