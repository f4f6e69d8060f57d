/**
 * Tests of turns: who runs, who waits, who is sent away.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { Turns } from "./turns.ts";

/** Work that ends when the test says so. */
function work() {
  const gate = Promise.withResolvers<void>();
  const running = { isRunning: false };
  return {
    ...gate,
    running,
    run: async () => {
      running.isRunning = true;
      await gate.promise;
      running.isRunning = false;
    },
  };
}

const settled = async () => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};

describe("take()", () => {
  test("runs so many at once, in order, and sends away who comes when enough wait", async () => {
    const turns = new Turns({ runningMax: 2, waitingMax: 1 });
    const all = [work(), work(), work()];
    const taken = all.map(({ run }) => turns.take(run));
    await settled();
    expect(all.map(({ running }) => running.isRunning)).toEqual([true, true, false]);
    expect(await turns.take(async () => 1).catch((error: { status: number }) => error.status)).toBe(503);
    all[1]!.resolve();
    await settled();
    expect(all.map(({ running }) => running.isRunning)).toEqual([true, false, true]);
    for (const { resolve } of all) resolve();
    await Promise.all(taken);
    expect(await turns.take(async () => 2)).toBe(2);
  });

  test("gives the place on when work fails", async () => {
    const turns = new Turns({ runningMax: 1, waitingMax: 1 });
    const failing = work();
    const first = turns.take(failing.run);
    const second = turns.take(async () => 2);
    failing.reject(new Error("no"));
    expect(await first.catch((error: Error) => error.message)).toBe("no");
    expect(await second).toBe(2);
  });
});
