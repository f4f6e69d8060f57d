/**
 * What may be said of where a source is to begin. What becomes of it is tried in `tests/position_test.ts`.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import type { ResetTo } from "@weir/actors";
import { fakeDoor, Script } from "./door_fixture.ts";
import { resetTo } from "./position_routes.ts";

const NOW_MS = Date.parse("2026-01-31T12:00:00Z");

describe("resetTo()", () => {
  test.each<[string, ResetTo | undefined]>([
    ["earliest", { kind: "earliest" }],
    ["latest", { kind: "latest" }],
    ["2026-01-31T00:00:00Z", { kind: "time", ms: NOW_MS - 12 * 3_600_000 }],
    ["90 min", { kind: "time", ms: NOW_MS - 90 * 60_000 }],
    ["0:120", { kind: "offsets", offsets: new Map([[0, 120]]) }],
    [
      "1:98,0:0",
      {
        kind: "offsets",
        offsets: new Map([
          [1, 98],
          [0, 0],
        ]),
      },
    ],
    ["", undefined],
    ["EARLIEST", undefined],
    ["0:1,0:2", undefined],
    ["0:1,", undefined],
    ["0:-1", undefined],
    ["0:9999999999999999", undefined],
    ["0", undefined],
    ["tomorrow", undefined],
  ])("reads '%s'", (text, expected) => {
    expect(resetTo(text, NOW_MS)).toEqual(expected as never);
  });
});

describe("POST /v1/admin/sources/<source>/position", () => {
  test.each([
    ["a reset", { to: "earliest" }, 404, "Cannot reset 'none': there is no such source."],
    ["a gap", { accept_gap: true }, 404, "Cannot accept a gap of 'none': there is no such source."],
    ["both", { accept_gap: true, to: "earliest" }, 422, "either `accept_gap` or `to`"],
    ["a gap that drops rows", { accept_gap: true, allow_destructive: true }, 422, "Leave out `allow_destructive`"],
  ])("refuses %s where it makes no sense", async (_, body, status, message) => {
    const init = { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    const answer = await fakeDoor(new Script()).ask("/v1/admin/sources/none/position", init);
    const { error } = (await answer.json()) as { error: { message: string } };
    expect([answer.status, error.message]).toEqual([status, expect.stringContaining(message)]);
  });
});
