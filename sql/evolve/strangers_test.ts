/**
 * Strangers: what each field that no column declares comes to, as the judge says it.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { conform } from "../conform/conform.ts";
import { sourceWith } from "./evolve_fixture.ts";

const LEFT_OUT = sourceWith({ evolved: ["coupon"], leaveOut: ["total"] });
const { judge, scanner, settings } = conform(LEFT_OUT);
const fields = (count: number) => Array.from({ length: count }, (_, index) => `"f${index}":1`).join(",");

/** A verdict in words. */
function said(record: string, of = judge): string {
  const verdict = of(record, 0);
  if (!verdict.ok) return `${verdict.column ?? ""}: ${verdict.reason}`;
  return (verdict.awaits ?? []).map(({ name, type }) => `+${name} ${type}`).join(", ") || "fits";
}

describe("the judge of a source that evolves", () => {
  test.each([
    ["what is declared", '{"id":"a","n":1}', "fits"],
    ["a truth", '{"id":"a","x":false}', "+x Nullable(Bool)"],
    ["a whole number", '{"id":"a","x":-9223372036854775808}', "+x Nullable(Int64)"],
    ["a fraction", '{"id":"a","x":1.5}', "+x Nullable(Float64)"],
    ["an exponent", '{"id":"a","x":1e3}', "+x Nullable(Float64)"],
    ["a text, whatever it looks like", '{"id":"a","x":"12"}', "+x Nullable(String)"],
    ["several", '{"x":1,"id":"a","y":"b"}', "+x Nullable(Int64), +y Nullable(String)"],
    ["a word of SQL", '{"id":"a","index":1}', "+index Nullable(Int64)"],
    ["null, which says no type", '{"id":"a","x":null}', "fits"],
    ["null under any name", '{"id":"a","_x":null,"":null,"total":null}', "fits"],
    ["null beside others", '{"id":"a","x":null,"y":1}', "+y Nullable(Int64)"],
  ])("takes %s", (_, record, expected) => {
    expect(said(record)).toBe(expected);
  });

  const declare = "declare it, apply, then replay";
  test.each([
    ["what else is wrong first", '{"x":1,"id":7}', "id: 7 is not a string, which String needs"],
    ["a field twice", '{"id":"a","x":1,"x":1}', "x: appears more than once"],
    ["a field twice as null", '{"id":"a","x":null,"x":1}', "x: appears more than once"],
    [
      "an object",
      '{"id":"a","x":{"y":1}}',
      `x: {"y":1} is no plain value, which is all that evolve adds columns for: ${declare}`,
    ],
    ["a list", '{"id":"a","x":[1]}', `x: [1] is no plain value, which is all that evolve adds columns for: ${declare}`],
    [
      "more than Int64",
      '{"id":"a","x":9223372036854775808}',
      `x: 9223372036854775808 is a whole number beyond Int64, which Float64 would round: ${declare}`,
    ],
    [
      "many digits",
      `{"id":"a","x":1${"0".repeat(300)}}`,
      `x: 1${"0".repeat(99)}… is a whole number beyond Int64, which Float64 would round: ${declare}`,
    ],
    ["more than Float64", '{"id":"a","x":1e999}', "x: 1e999 is out of range for Float64"],
    ["half a character", '{"id":"a","x":"\\ud800"}', 'x: "\\ud800" has half of a surrogate pair'],
    [
      "a name of Weir's",
      '{"id":"a","_offset":1}',
      "_offset: no column is named _offset, and names that begin with an underscore are Weir's own: rename it where it is sent",
    ],
    [
      "no name",
      '{"id":"a","":1}',
      `: no column is named , and evolve adds names of letters, digits and underscores only: ${declare}`,
    ],
    [
      "SQL as a name",
      '{"id":"a","x` String); DROP":1}',
      `x\` String); DROP: no column is named x\` String); DROP, and evolve adds names of letters, digits and underscores only: ${declare}`,
    ],
    [
      "a name of 65 characters",
      `{"id":"a","${"x".repeat(65)}":1}`,
      `${"x".repeat(65)}: no column is named ${"x".repeat(65)}, and evolve adds names of 64 characters at most: ${declare}`,
    ],
    [
      "a column in another case",
      '{"id":"a","ID":1}',
      "ID: no column is named ID, and only its case tells it from id: rename it where it is sent",
    ],
    [
      "two cases of a name",
      '{"id":"a","x":1,"X":2}',
      "X: no column is named X, and only its case tells it from x: rename it where it is sent",
    ],
    [
      "what is left out",
      '{"id":"a","total":1}',
      `total: no column is named total, which leave_out keeps out: ${declare}`,
    ],
    [
      "too many at once",
      `{"id":"a",${fields(21)}}`,
      "f0: the record has 21 fields which no column declares; evolve adds 20 for a record at most: declare them, apply, then replay",
    ],
    [
      "another type than the first",
      '{"id":"a","coupon":7}',
      "coupon: 7 is not a string, which String needs; evolve took the type from the first value; correct it in the definition, apply, then replay",
    ],
  ])("refuses %s", (_, record, expected) => {
    expect(said(record)).toBe(expected);
  });

  test("refuses what would be beyond the bound, and adds up to it", () => {
    const evolved = Array.from({ length: 97 }, (_, index) => `e${index}`);
    const { judge: near } = conform(sourceWith({ evolved, leaveOut: ["total"] }));
    expect(said(`{"id":"a",${fields(2)}}`, near)).toBe("+f0 Nullable(Int64), +f1 Nullable(Int64)");
    expect(said(`{"id":"a",${fields(3)}}`, near)).toBe(
      "f0: evolve has decided on 98 fields of this source, and does so for 100 at most: declare it, apply, then replay, or make its columns yours with comments of your own",
    );
  });

  test("keys a record that awaits columns as any other", () => {
    expect(judge('{"id":"a","x":1}', 0)).toMatchObject({ ok: true, key: "a" });
  });

  test("leaves everything that awaits columns to the judge, and null to the engine", () => {
    const bytes = Buffer.from('{"id":"a","x":null}');
    expect(scanner.scan(bytes, 0, bytes.length, 0)).toBe(false);
    expect(settings.input_format_skip_unknown_fields).toBe(1);
  });
});
