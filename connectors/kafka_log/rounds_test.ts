import { describe, expect, test } from "bun:test";
import type { Once, Write } from "../log.ts";
import { headersOf, RecordWriter } from "../records.ts";
import { decompress } from "./compression.ts";
import { takeRecords } from "./record_batch.ts";
import { type Batch, type Part, placesOf, roundsOf } from "./rounds.ts";

const BYTES_MAX = 1_000;
const producer = { id: 1n, epoch: 0 };
const utf8 = new TextEncoder();

/** One write of values named `<name><index>`, each of so many bytes. */
function write(name: string, sizes: readonly number[], { topic = "t", partition = 0 } = {}) {
  const records = new RecordWriter();
  for (const [i, size] of sizes.entries())
    records.add({ key: null, value: utf8.encode(`${name}${i}`.padEnd(size, ".")), timestampMs: 1 });
  return { topic, partition, records };
}

const wholes = (writes: readonly Write[], once?: Once): readonly Part[] =>
  placesOf(writes, { once, failure: undefined }).map((place) => ({ place, from: 0, to: place.write.records.count }));

function recordsOf(batch: Batch) {
  const bounds = { topic: "t", partition: 0, offset: 0, recordsMax: 1e6, bytesMax: 1e9, aborted: [] };
  return takeRecords(batch.records.seal(producer, 0), { ...bounds, decompress });
}

/** Names of the values in a batch. */
function valuesOf(batch: Batch): string {
  const { bytes, count, valueStarts, valueEnds } = recordsOf(batch);
  const names = Array.from({ length: count }, (_, i) =>
    new TextDecoder().decode(bytes.subarray(valueStarts[i], valueEnds[i])).replace(/\.*$/, ""),
  );
  return names.join(" ");
}

/** Rounds as text: `topic/partition: values` of each batch. */
const said = (parts: readonly Part[], bytesMax: (topic: string) => number = () => BYTES_MAX) =>
  roundsOf(parts, bytesMax).map((round) =>
    round.map((batch) => `${batch.topic}/${batch.partition}: ${valuesOf(batch)}`).join(", "),
  );

describe("roundsOf()", () => {
  const table: [string, ReturnType<typeof write>[], string[]][] = [
    ["nothing", [], []],
    ["a write without records", [write("a", [])], []],
    ["writes of one partition, one behind the other", [write("a", [9, 9]), write("b", [9])], ["t/0: a0 a1 b0"]],
    [
      "writes of several partitions and topics, side by side",
      [write("a", [9]), write("b", [9], { partition: 1 }), write("c", [9], { topic: "u" })],
      ["t/0: a0, t/1: b0, u/0: c0"],
    ],
    ["a write whole into the next batch", [write("a", [500]), write("b", [300, 300])], ["t/0: a0", "t/0: b0 b1"]],
    [
      "a write that no batch holds, in its order",
      [write("a", [9]), write("b", [600, 600, 9]), write("c", [9])],
      ["t/0: a0", "t/0: b0", "t/0: b1 b2 c0"],
    ],
    [
      "a record that no batch has room for, alone",
      [write("a", [9, 2_000, 9]), write("b", [3_000])],
      ["t/0: a0", "t/0: a1", "t/0: a2", "t/0: b0"],
    ],
    [
      "each partition by itself",
      [write("a", [600, 600]), write("b", [9], { partition: 1 })],
      ["t/0: a0, t/1: b0", "t/0: a1"],
    ],
  ];
  test.each(table)("packs %s", (_, writes, expected) => {
    expect(said(wholes(writes))).toEqual(expected);
  });

  test("packs no more into a batch than its topic takes", () => {
    const writes = [write("a", [9, 9]), write("b", [9, 9], { topic: "u" })];
    expect(said(wholes(writes), (topic) => (topic === "u" ? 1 : BYTES_MAX))).toEqual([
      "t/0: a0 a1, u/0: b0",
      "u/0: b1",
    ]);
  });

  test("divides parts again, and says which records each batch has", () => {
    const parts = wholes([write("a", [9, 9, 9]), write("b", [9])]);
    const [[batch]] = roundsOf(parts, () => BYTES_MAX) as [[Batch]];
    const ranges = (batches: readonly Batch[]) =>
      batches.map((one) =>
        one.parts.map(({ place, from, to }) => [parts.findIndex((p) => p.place === place), from, to]),
      );
    expect(ranges([batch])).toEqual([
      [
        [0, 0, 3],
        [1, 0, 1],
      ],
    ]);
    const divided = roundsOf(batch.parts, () => 70).flat();
    expect(divided.map(valuesOf)).toEqual(["a0 a1", "a2 b0"]);
    expect(ranges(divided)).toEqual([
      [[0, 0, 2]],
      [
        [0, 2, 3],
        [1, 0, 1],
      ],
    ]);
    const rest = [{ place: parts[0]!.place, from: 1, to: 3 }];
    expect(said(rest)).toEqual(["t/0: a1 a2"]);
  });

  test("names each record of an append that happens once, however it is divided", () => {
    const once = { key: "k", fingerprint: "f", answer: "" };
    const writes = [{ ...write("a", [9, 9, 9]), indexes: [7, 5, 3] }, write("b", [9, 9])];
    const named = (bytesMax: number) =>
      roundsOf(wholes(writes, once), () => bytesMax)
        .flat()
        .flatMap((batch) => {
          const records = recordsOf(batch);
          return Array.from({ length: records.count }, (_, i) => headersOf(records, i)["weir-once"]?.split(".")[1]);
        });
    expect(named(BYTES_MAX)).toEqual(["7", "5", "3", "0", "1"]);
    expect(named(1)).toEqual(named(BYTES_MAX));
  });
});
