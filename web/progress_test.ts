/**
 * Tests of `progress.ts`.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import type { DoorEnv } from "./door.ts";
import { Refusal } from "./errors.ts";
import { answerWithProgress, type Ended } from "./progress.ts";

const NDJSON = { accept: "application/x-ndjson" };

/** Asks for work that ends when `end` is called. */
function asked(headers: Readonly<Record<string, string>>) {
  const { promise: ended, resolve: end } = Promise.withResolvers<Ended>();
  const app = new Hono<DoorEnv>().get("/", (c) => answerWithProgress(c, { ended, progress: () => ({ rows: 7 }) }));
  return { end, ended, answer: Promise.resolve(app.request("/", { headers })) };
}

describe("answerWithProgress()", () => {
  test("says how far it is, then what came of it", async () => {
    const { end, answer } = asked(NDJSON);
    const lines = (await answer).body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await lines.read()).value).toBe('{"progress":{"rows":7}}\n');
    end({ status: 201, body: { name: "a" } });
    expect((await lines.read()).value).toBe('{"status":201,"answer":{"name":"a"}}\n');
    expect((await lines.read()).done).toBeTrue();
  });

  test("says nothing to a listener that left: the door goes on", async () => {
    const { end, ended, answer } = asked(NDJSON);
    const reader = (await answer).body!.getReader();
    const waiting = reader.read();
    await reader.cancel();
    end({ status: 200, body: {} });
    await ended;
    // What nobody catches would fail the test here, and end a door.
    await Bun.sleep(0);
    expect((await waiting).done).toBeTrue();
  });

  test.each([
    ["an answer", { status: 201, body: { name: "a" } }, 201, { name: "a" }],
    [
      "a refusal",
      new Refusal(409, "taken", "Cannot.", "Wait."),
      409,
      { error: { code: "taken", message: "Cannot.", hint: "Wait.", at: null } },
    ],
  ] as const)("gives others %s at the end", async (_, came, status, body) => {
    const { end, answer } = asked({});
    end(came);
    expect((await answer).status).toBe(status);
    expect(await (await answer).json()).toEqual(body);
  });
});
