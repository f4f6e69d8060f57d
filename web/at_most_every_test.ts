import { describe, expect, test } from "bun:test";
import { atMostEvery } from "./at_most_every.ts";

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
