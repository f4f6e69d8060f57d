import { describe, expect, test } from "bun:test";
import { DEPTH_MAX, parseExact } from "./exact.ts";

describe("parseExact()", () => {
  test("keeps number texts, order, repeated fields and __proto__", () => {
    const root = parseExact('{"b":9007199254740993, "__proto__":1.50 ,"b":[-0,1E2]}');
    expect(root.fields.map(({ name, node }) => [name, node.kind, node.value])).toEqual([
      ["b", "number", "9007199254740993"],
      ["__proto__", "number", "1.50"],
      ["b", "array", ""],
    ]);
    expect(root.fields[2].node.items.map(({ value }) => value)).toEqual(["-0", "1E2"]);
  });

  test("knows where everything stands", () => {
    const text = ' {"a" : "x\\n" }';
    const [field] = parseExact(text).fields;
    expect(text.slice(field.start, field.node.end)).toBe('"a" : "x\\n"');
  });

  test.each([
    ['"a\\u00e9\\ud83d\\ude00\\/"', "aé😀/", true, false],
    ['"\\ud800"', "\ud800", true, true],
    ['"\\ude00\\ud83d"', "\ude00\ud83d", true, true],
    ['"plain 😀"', "plain 😀", false, false],
  ])("reads the string %s", (text, value, isEscaped, isBroken) => {
    expect(parseExact(text)).toMatchObject({ kind: "string", value, isEscaped, isBroken });
  });

  test.each([
    "",
    " ",
    "nul",
    "nulll",
    "tru",
    "+1",
    "01",
    "1.",
    ".5",
    "-",
    "1e",
    "0x1",
    "NaN",
    "'a'",
    '"a',
    '"\\q"',
    '"\\u12g4"',
    '"\\u+123"',
    '"\\x41"',
    '"a\nb"',
    '"\u0000"',
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1",
    '{"a":1,}',
    "{a:1}",
    '{"a"}',
    '{"a":}',
    '{"a":1 "b":2}',
    "{}{}",
    "1 2",
    "\ufeff1",
    "\u00a01",
    "[1]//",
    "]",
    '{"a":1]',
  ])("refuses %j like JSON.parse", (text) => {
    expect(() => JSON.parse(text)).toThrow();
    expect(() => parseExact(text)).toThrow("is not JSON");
  });

  test("bounds the depth", () => {
    const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    expect(parseExact(nested(DEPTH_MAX)).kind).toBe("array");
    expect(() => parseExact(nested(DEPTH_MAX + 2))).toThrow("inside each other");
    expect(() => parseExact(nested(100_000))).toThrow("inside each other");
  });
});
