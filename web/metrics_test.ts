import { describe, expect, setSystemTime, test } from "bun:test";
import { Effect } from "effect";
import { fakeDoor, Script } from "./door_fixture.ts";
import { atMostEvery } from "./metrics.ts";

describe("atMostEvery()", () => {
  test("16: looks once for all who ask meanwhile, however long it takes, and again later", async () => {
    const looks: PromiseWithResolvers<number>[] = [];
    const look = atMostEvery(1, () => {
      looks.push(Promise.withResolvers<number>());
      return looks.at(-1)!.promise;
    });
    const first = [look(), look()];
    await Bun.sleep(5);
    first.push(look());
    expect(looks.length).toBe(1);
    looks[0]!.resolve(1);
    expect(await Promise.all(first)).toEqual([1, 1, 1]);
    const second = look();
    looks[1]!.reject(new Error("no answer"));
    expect(await second.catch((error: Error) => error.message)).toBe("no answer");
    await Bun.sleep(2);
    void look();
    expect(looks.length).toBe(3);
  });
});

describe("GET /metrics", () => {
  test("16: answers while the warehouse does not, and says that it is not ready", async () => {
    const { warehouse } = fakeDoor(new Script()).door;
    const silent = { ...warehouse, ready: () => Effect.succeed(false), rows: () => Effect.never };
    const { ask } = fakeDoor(new Script(), { warehouse: silent });
    // Late enough for there to be batches that it has to ask for.
    setSystemTime(new Date(Date.now() + 60_000));
    const answer = await ask("/metrics", { token: null }).finally(() => setSystemTime());
    expect(answer.status).toBe(200);
    expect(await answer.text()).toMatch(/^weir_ready 0$/m);
  });
});
