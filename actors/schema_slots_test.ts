/**
 * Slots: which answers a record looks at, by its bytes, its time and its source alone.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { type Registered, readAvroSchema } from "@weir/sql";
import { found, keyOf, slotsOf, wantedOf } from "./schema_slots.ts";

const SCHEMA: Registered = {
  kind: "schema",
  schema: readAvroSchema('{"type":"record","name":"R","fields":[]}'),
};
const NONE: Registered = { kind: "refused", reason: "none" };
const MINUTE_MS = 60_000;

describe("slotsOf()", () => {
  test.each<readonly [string, number, boolean, readonly string[]]>([
    ["looks at the first answer, then at that of the record's minute", 3 * MINUTE_MS - 1, false, ["7/0", "7/2"]],
    ["is another one a minute later", 3 * MINUTE_MS, false, ["7/0", "7/3"]],
    ["is one for all times before 1970", -5e12, false, ["7/0", "7/1"]],
    ["asks for no minute where records wait", 3 * MINUTE_MS, true, ["7/0", "7/-1"]],
  ])("%s", (_, timestampMs, waits, slots) => {
    expect(slotsOf({ id: 7, timestampMs }, waits).map(keyOf)).toEqual([...slots]);
  });
});

describe("found()", () => {
  const slots = slotsOf({ id: 7, timestampMs: 5 * MINUTE_MS }, false);
  test.each<readonly [string, Readonly<Record<string, Registered>>, unknown]>([
    ["misses the first answer", {}, { kind: "missing", slot: slots[0] }],
    ["takes a schema that came first, whatever came later", { "7/0": SCHEMA, "7/5": NONE }, SCHEMA],
    ["looks further behind a no", { "7/0": NONE }, { kind: "missing", slot: slots[1] }],
    ["takes a schema of its minute", { "7/0": NONE, "7/5": SCHEMA }, SCHEMA],
    ["takes a no of its minute", { "7/0": NONE, "7/5": NONE, "7/6": SCHEMA }, NONE],
  ])("%s", (_, kept, expected) => {
    expect(found(slots, (slot) => kept[keyOf(slot)])).toEqual(expected as never);
  });
});

describe("wantedOf()", () => {
  const value = (hex: string, minute: number) => ({
    value: new Uint8Array(Buffer.from(hex, "hex")),
    timestampMs: minute * MINUTE_MS,
  });

  test("asks for each id once for each minute, and for nothing that is refused anyway", () => {
    const values = [
      ...[value("0000000007ff", 1), value("0000000007ff", 1), value("000000000800", 1), value("0000000007", 1)],
      ...[value("0000000007", 2), value("00000007", 3), value("0100000007", 3), value("0080000000", 3)],
      { value: null, timestampMs: 0 },
    ];
    expect(wantedOf(values).map(({ id, timestampMs }) => `${id} at ${timestampMs / MINUTE_MS}`)).toEqual([
      ...["7 at 1", "8 at 1", "7 at 2"],
    ]);
  });
});
