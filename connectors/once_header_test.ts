import { describe, expect, test } from "bun:test";
import { carriesOnce, ONCE_HEADER, ONCE_HEADER_BYTES, onceMarker, onceMarkOf } from "./once_header.ts";
import { openRecords, RecordWriter } from "./records.ts";

const mark = onceMarker({ key: "shop\nkey", fingerprint: "f" });

/** One record with headers, read back. */
function recordWith(headers: Readonly<Record<string, string>> | undefined, value: string | null = "v") {
  const writer = new RecordWriter();
  const parts = { key: Buffer.from('"weir-once"'), value: value === null ? null : Buffer.from(value), timestampMs: 1 };
  writer.add(headers === undefined ? parts : { ...parts, headers });
  const run = { firstOffset: 0, count: 1, start: 0, end: writer.length };
  return openRecords({ topic: "t", partition: 0, next: 1 }, writer.packed(), [run]);
}

describe("onceMarker() and onceMarkOf()", () => {
  test("say the same key, content and index again, and tell others apart", () => {
    const seen = onceMarkOf(recordWith({ trace: "1", [ONCE_HEADER]: mark(7) }), 0);
    expect(seen).toEqual({ key: expect.any(String), index: 7, fingerprint: expect.any(String) });
    const others = [
      onceMarker({ key: "shop\nkez", fingerprint: "f" })(7),
      onceMarker({ key: "shop\nkey", fingerprint: "g" })(7),
      mark(8),
    ];
    for (const other of others) expect(onceMarkOf(recordWith({ [ONCE_HEADER]: other }), 0)).not.toEqual(seen);
  });

  test("stay within the bytes that are counted for them", () => {
    expect(JSON.stringify({ [ONCE_HEADER]: mark(199_999) }).length).toBeLessThanOrEqual(ONCE_HEADER_BYTES);
  });

  test.each([
    ["no headers", undefined, "v"],
    ["other headers", { trace: '"weir-once"' }, "v"],
    ["a value that speaks of it", undefined, '{"weir-once":"x"}'],
    ["a header that is not of the form", { [ONCE_HEADER]: "a.1.b" }, "v"],
    ["an index without bound", { [ONCE_HEADER]: mark(1).replace(".1.", ".1234567890.") }, "v"],
    ["no value", { [ONCE_HEADER]: mark(1) }, null],
  ] as const)("find nothing in a record with %s", (_, headers, value) => {
    expect(onceMarkOf(recordWith(headers, value), 0)).toBeUndefined();
  });
});

describe("carriesOnce()", () => {
  test("looks at headers alone, neither at key nor value", () => {
    expect(carriesOnce(recordWith({ a: "1" }, '"weir-once"'), 0)).toBe(false);
    expect(carriesOnce(recordWith({ [ONCE_HEADER]: "" }), 0)).toBe(true);
  });
});
