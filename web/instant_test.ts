import { describe, expect, test } from "bun:test";
import { instantMs } from "./instant.ts";

const NOW_MS = Date.parse("2026-01-31T00:00:00Z");

describe("instantMs()", () => {
  test.each([
    ["2026-01-30T23:00:00Z", NOW_MS - 3_600_000],
    ["2026-01-31T01:00:00+01:00", NOW_MS],
    ["1 hour", NOW_MS - 3_600_000],
    ["999999999 years", 0],
    ["0000-01-01T00:00:00Z", undefined],
    ["2026-02-31T25:00:00Z", undefined],
    ["yesterday", undefined],
    ["-1 hour", undefined],
    ["", undefined],
  ] as const)("28: %p is %p", (text, ms) => expect(instantMs(text, NOW_MS)).toBe(ms));
});
