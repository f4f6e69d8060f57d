import { describe, expect, test } from "bun:test";
import { BytesInFlight } from "./bytes_in_flight.ts";

describe("BytesInFlight", () => {
  test("takes up to the bound over all requests, and again what was given back", () => {
    const inFlight = new BytesInFlight({ bytesMax: 10 });
    const [one, other] = [inFlight.open(), inFlight.open()];
    one.take(4);
    other.take(5);
    one.take(1);
    expect(() => other.take(1)).toThrow("Cannot take the body: the door holds as much");
    expect(inFlight.bytes).toBe(10);
    one.giveBack();
    one.giveBack();
    expect(inFlight.bytes).toBe(5);
    other.take(5);
    other.giveBack();
    expect(inFlight.bytes).toBe(0);
  });
});
