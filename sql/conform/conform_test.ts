import { describe, expect, test } from "bun:test";
import type { Source } from "../source.ts";
import { conform } from "./conform.ts";

function sourceOf(columns: Readonly<Record<string, string>>, about: Partial<Source> = {}): Source {
  return {
    kind: "source",
    layer: "ods",
    name: "flight",
    doc: "",
    topic: "flight",
    partitions: 4,
    key: undefined,
    eventTime: undefined,
    unknown: "reject",
    format: { kind: "json" },
    drift: "quarantine",
    retention: {},
    partitionBy: "month",
    columns: Object.entries(columns).map(([name, type]) => ({ name, type, comment: "", codec: "" })),
    ...about,
  };
}

const TIME_MS = Date.UTC(2024, 0, 31);

describe("judge()", () => {
  test.each([
    ["UInt8", '{"v":300}', "300 is out of range for UInt8 (0 to 255)"],
    ["UInt8", '{"v":-1}', "-1 is out of range for UInt8 (0 to 255)"],
    ["UInt8", '{"v":1.0}', "1.0 has a fraction or an exponent, which UInt8 does not take"],
    ["UInt8", '{"v":null}', "null is not allowed for UInt8"],
    ["UInt8", '{"v":true}', "true is not an integer for UInt8"],
    ["UInt8", '{"v":""}', '"" is not an integer for UInt8'],
    ["UInt8", '{"x":1}', "no column is named x"],
    ["UInt8", '{"v":1,"v":1}', "appears more than once"],
    ["Nullable(UInt8)", "{}", "has no fields"],
    ["UInt8", "[1]", "[1] is not an object"],
    ["UInt8", '{"v":1', "it is not JSON: a comma or } is missing at 6"],
    ["String", '{"v":12}', "12 is not a string, which String needs"],
    ["String", '{"v":"\\ud800"}', '"\\ud800" has half of a surrogate pair'],
    ["FixedString(2)", '{"v":"é!"}', '"é!" has 3 bytes, FixedString(2) exactly 2'],
    ["Decimal(5, 2)", '{"v":1.234}', "1.234 has more than 2 digits after the point, which Decimal(5, 2) would drop"],
    ["Decimal(5, 2)", '{"v":1234}', "1234 has more than 3 digits before the point, too many for Decimal(5, 2)"],
    ["Float64", '{"v":1e999}', "1e999 is out of range for Float64"],
    ["Enum8('a' = 1)", '{"v":"b"}', '"b" is none of a'],
    ["Array(UInt8)", '{"v":[1,256]}', "[1,256] has 256 which is out of range for UInt8 (0 to 255)"],
  ])("refuses for %s the record %s", (type, text, reason) => {
    expect(conform(sourceOf({ v: type })).judge(text, TIME_MS)).toMatchObject({ ok: false, reason });
  });

  test("cuts long values in its reasons", () => {
    const verdict = conform(sourceOf({ v: "UInt8" })).judge(`{"v":"${"x".repeat(5_000)}"}`, TIME_MS);
    expect(verdict).toMatchObject({ ok: false, column: "v" });
    expect(verdict.ok ? 0 : verdict.reason.length).toBeLessThan(160);
  });

  test.each([`{"v":"${"1".repeat(300_000)}x"}`, `{"v":1${"0".repeat(300_000)}1}`, `{"v":0.${"0".repeat(300_000)}1}`])(
    "is quick to refuse endless digits",
    (text) => {
      for (const type of ["Decimal(10, 2)", "Float64", "UInt64", "DateTime"]) {
        const started = performance.now();
        conform(sourceOf({ v: type })).judge(text, TIME_MS);
        expect(performance.now() - started).toBeLessThan(500);
      }
    },
  );

  test("measures the future from the record's own time", () => {
    const { judge } = conform(sourceOf({ v: "DateTime" }, { eventTime: "v" }));
    const text = '{"v":"2024-01-31T01:00:00Z"}';
    expect(judge(text, TIME_MS).ok).toBe(true);
    expect(judge(text, TIME_MS - 1)).toMatchObject({ ok: false, column: "v" });
  });
});

describe("scanner", () => {
  const form = conform(
    sourceOf(
      {
        id: "String",
        at: "DateTime64(3, 'UTC')",
        n: "Nullable(Int64)",
        naïve: "Float64",
        ok: "Bool",
        kind: "Enum8('é' = 1)",
      },
      { key: "id", eventTime: "at" },
    ),
  );
  const good = '{"id":"k1","at":"2024-01-31T00:59:59.5Z","n":-12,"naïve":1.5,"ok":true,"kind":"é"}';
  const scan = (text: string) => {
    const bytes = new TextEncoder().encode(`}"${text}"{`);
    const end = bytes.length - 2;
    return form.scanner.scan(bytes, 2, end, TIME_MS)
      ? new TextDecoder().decode(bytes.subarray(form.scanner.keyStart, form.scanner.keyEnd))
      : undefined;
  };

  test.each([
    ["as written", good],
    ["with spaces", good.replaceAll('":', '": ').replaceAll(",", ",\n ")],
    ["in another order", '{"kind":"é","ok":false,"naïve":-0.5,"n":null,"at":"2024-01-31 00:00:00+01:00","id":"k1"}'],
    ["without the nullable", good.replace('"n":-12,', "")],
    ["with quoted numbers", good.replace("-12", '"-12"').replace("1.5", '"1.5"')],
  ])("says yes to a record %s", (_, text) => {
    expect(form.judge(text, TIME_MS)).toEqual({ ok: true, key: "k1" });
    expect(scan(text)).toBe("k1");
  });

  test.each([
    ["a repeated field", good.replace("}", ',"ok":true}')],
    ["an unknown field", good.replace("}", ',"x":true}')],
    ["a missing field", good.replace('"ok":true,', "")],
    ["the far future", good.replace("00:59:59", "01:59:59")],
    ["an integer with a fraction", good.replace("-12", "12.0")],
    ["minus zero", good.replace("-12", "-0")],
    ["zeros in front", good.replace("-12", "012")],
    ["a bad day", good.replace("2024-01-31", "2024-02-30")],
    ["a bare time", good.replace('"2024-01-31T00:59:59.5Z"', "1700000000")],
    ["digits that would drop", good.replace("59.5Z", "59.5001Z")],
    ["an escape", good.replace("k1", "k\\u0031")],
    ["a control byte", good.replace("k1", "k\t1")],
    ["a cut", good.slice(0, -1)],
    ["something after", `${good} 1`],
    ["a second record", `${good}${good}`],
  ])("leaves %s to the judge", (_, text) => {
    expect(scan(text)).toBeUndefined();
  });

  test("forgets the key of the record before", () => {
    const { scanner } = conform(sourceOf({ k: "Nullable(String)", v: "UInt8" }, { key: "k" }));
    const bytes = new TextEncoder().encode('{"k":"a","v":1}{"v":1}{"k":null,"v":1}');
    expect([scanner.scan(bytes, 0, 15, 0), scanner.keyStart]).toEqual([true, 6]);
    expect([scanner.scan(bytes, 15, 22, 0), scanner.keyStart]).toEqual([true, -1]);
    expect([scanner.scan(bytes, 22, 38, 0), scanner.keyStart]).toEqual([true, -1]);
  });
});

describe("conform()", () => {
  test.each([
    [{ v: "JSON" }, {}, "Cannot use type JSON for column v: use String"],
    [{ _offset: "UInt8" }, {}, "Cannot use the name _offset"],
    [{ v: "Float64" }, { key: "v" }, "Cannot use column v of flight as key"],
    [{ v: "String" }, { key: "w" }, "Cannot use column w of flight as key"],
    [{ v: "String" }, { eventTime: "v" }, "Cannot use column v of flight as event time"],
  ] as const)("refuses %j with %j", (columns, about, message) => {
    expect(() => conform(sourceOf(columns, about))).toThrow(message);
  });

  test("writes names and texts so that they stay names and texts", () => {
    const form = conform(sourceOf({ "a`b\\": "String" }));
    const sql = form.insert({ table: "ods.flight", topic: "it's", epoch: 1, salt: "x", deadlineMs: 5 });
    expect(sql).toStartWith("INSERT INTO ods.flight (`a\\`b\\\\`, `_topic`");
    expect(sql).toContain("'it\\'s'");
    expect(sql).toEndWith("FORMAT JSONEachRow");
  });
});
