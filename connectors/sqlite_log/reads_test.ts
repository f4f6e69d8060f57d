import { describe, expect, test } from "bun:test";
import { Catalog } from "./catalog.ts";
import type { Link } from "./link.ts";
import type { ReaderCalls } from "./protocol.ts";
import { Reads } from "./reads.ts";

function catalogAt(latest: number): Catalog {
  const catalog = new Catalog();
  catalog.replace([{ id: "1", name: "t", retention: {}, partitions: [{ key: 1, partition: 0, earliest: 0, latest }] }]);
  return catalog;
}

describe("Reads", () => {
  test.each([
    ["no further than what is known here to be durable", 5, 100, 5],
    ["no more than was asked for", 5, 3, 3],
  ])("asks the Worker for %s", (_, offset, recordsMax, expected) => {
    const asked: unknown[] = [];
    const link = { call: (_name: string, body: unknown) => asked.push(body) } as unknown as Link<ReaderCalls>;
    const reads = new Reads(catalogAt(10), link);
    reads.read({ topic: "t", partition: 0, offset, recordsMax, bytesMax: 1_000, waitMs: 0 }, () => {});
    expect(asked).toEqual([{ key: 1, offset, recordsMax: expected, bytesMax: 1_000 }]);
  });
});
