/**
 * Spans of time and sizes, as people write them.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { duration, durationMs, size, spanText } from "./duration.ts";

describe("duration and durationMs()", () => {
  test.each([
    ["10 ms", 10],
    ["10 s", 10_000],
    ["10s", 10_000],
    ["1 second", 1_000],
    ["1.5 seconds", 1_500],
    ["5 min", 300_000],
    ["5 minutes", 300_000],
    ["2 h", 7_200_000],
    ["1 hour", 3_600_000],
    [" 7  DAYS ", 604_800_000],
    ["1 d", 86_400_000],
    ["2 weeks", 1_209_600_000],
    ["1 year", 31_536_000_000],
    ["0 s", 0],
    ["0.0004 s", 0],
  ])("reads %p", (text, expected) => {
    expect(duration.parse(text)).toBe(expected);
    expect(durationMs(text)).toBe(expected);
  });

  test.each([
    "",
    "10",
    "s",
    "10 x",
    "-1 s",
    "1e3 s",
    "ten s",
    "10 s 5 ms",
    "1,5 s",
    "10 sms",
    "1 month",
    "3 constructor",
    `${"9".repeat(16)} s`,
  ])("does not read %p", (text) => {
    expect(durationMs(text)).toBeUndefined();
    const { error } = duration.safeParse(text);
    expect(error?.issues[0].message).toBe("Write a span of time, for example 10 s, 5 minutes, 7 days");
  });
});

describe("size", () => {
  test.each([
    ["512 B", 512],
    ["1 KiB", 1_024],
    ["500 MiB", 500 * 2 ** 20],
    ["2GiB", 2 ** 31],
    ["1.5 tib", 1.5 * 2 ** 40],
    ["1 KB", 1_000],
    ["2 GB", 2e9],
  ])("reads %p", (text, expected) => {
    expect(size.parse(text)).toBe(expected);
  });

  test.each(["", "12", "12 s", "GiB", "-1 B"])("does not read %p", (text) => {
    const { error } = size.safeParse(text);
    expect(error?.issues[0].message).toBe("Write a size, for example 500 MiB, 2 GiB");
  });
});

describe("spanText()", () => {
  test.each([
    [86_400_000, "1 day"],
    [7 * 86_400_000, "7 days"],
    [3_600_000, "1 hour"],
    [90 * 60_000, "90 min"],
    [1_500, "1500 ms"],
    [1_000, "1 s"],
  ])("writes %d as it reads it", (ms, text) => {
    expect(spanText(ms)).toBe(text);
    expect(duration.parse(text)).toBe(ms);
  });
});
