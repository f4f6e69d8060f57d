import { describe, expect, test } from "bun:test";
import { PARTITION_LIMITS, partitionLimits, READ_BYTES_MAX } from "./owners.ts";

describe("partitionLimits()", () => {
  test.each([0, 1, 4, 8])("gives %d partitions all that one can use", (partitions) => {
    expect(partitionLimits(partitions)).toEqual(PARTITION_LIMITS);
  });

  test.each([9, 64, 1_024, 10_000])("keeps what the readers of %d partitions hold within the bound", (partitions) => {
    const { recordsMax, bytesMax, aheadBytesMax } = partitionLimits(partitions);
    const rounding = 2 * partitions;
    expect(partitions * (bytesMax + aheadBytesMax)).toBeLessThanOrEqual(READ_BYTES_MAX + rounding);
    expect(partitions * (bytesMax + aheadBytesMax)).toBeGreaterThan(READ_BYTES_MAX * 0.99);
    expect(recordsMax).toBeGreaterThan(0);
  });
});
