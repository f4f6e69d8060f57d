import { describe, expect, test } from "bun:test";
import { FETCHING_BYTES_MAX, fetchBytesMax, LANES_MAX } from "./reads.ts";

describe("fetchBytesMax()", () => {
  test.each([1, 2, 3, 8])("keeps what all fetches bring within the bound at %d brokers", (brokers) => {
    expect(LANES_MAX * brokers * fetchBytesMax(brokers)).toBeLessThanOrEqual(FETCHING_BYTES_MAX);
    expect(LANES_MAX * brokers * fetchBytesMax(brokers)).toBeGreaterThan(FETCHING_BYTES_MAX * 0.9);
  });

  test("leaves room for a batch however many brokers there are", () => {
    expect(fetchBytesMax(1_000)).toBe(1 << 20);
  });
});
