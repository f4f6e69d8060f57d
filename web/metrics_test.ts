import { describe, expect, setSystemTime, test } from "bun:test";
import { Effect } from "effect";
import { fakeDoor, Script } from "./door_fixture.ts";

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
