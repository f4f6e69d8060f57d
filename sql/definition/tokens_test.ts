/**
 * Tokens: how a column list is cut, and how names and strings are read and written.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { identifier, literal, meaning, namesIn, type Token, tokenize } from "./tokens.ts";

describe("tokenize()", () => {
  test.each<readonly [string, readonly (readonly [Token["kind"], string])[]]>([
    ["", []],
    [" \t\r\n ", []],
    [
      "a UInt8",
      [
        ["word", "a"],
        ["word", "UInt8"],
      ],
    ],
    [
      "Decimal(18,4)",
      [
        ["word", "Decimal"],
        ["symbol", "("],
        ["number", "18"],
        ["symbol", ","],
        ["number", "4"],
        ["symbol", ")"],
      ],
    ],
    [
      "größe _x9",
      [
        ["word", "größe"],
        ["word", "_x9"],
      ],
    ],
    [
      '`a b` "c""d"',
      [
        ["quoted", "`a b`"],
        ["quoted", '"c""d"'],
      ],
    ],
    [
      "`a\\`b` `c``d`",
      [
        ["quoted", "`a\\`b`"],
        ["quoted", "`c``d`"],
      ],
    ],
    [
      "'it''s' 'it\\'s' ''",
      [
        ["string", "'it''s'"],
        ["string", "'it\\'s'"],
        ["string", "''"],
      ],
    ],
    [
      "'a -- b' 'c /* d'",
      [
        ["string", "'a -- b'"],
        ["string", "'c /* d'"],
      ],
    ],
    [
      "a -- gone\nb",
      [
        ["word", "a"],
        ["word", "b"],
      ],
    ],
    ["a -- gone", [["word", "a"]]],
    [
      "a /* gone\n, */ b /**/c",
      [
        ["word", "a"],
        ["word", "b"],
        ["word", "c"],
      ],
    ],
    [
      "a /* /* nests */ gone */ b # gone 'x\nc",
      [
        ["word", "a"],
        ["word", "b"],
        ["word", "c"],
      ],
    ],
    [
      "$$it's$$ $x$ $$ $x$",
      [
        ["string", "$$it's$$"],
        ["string", "$x$ $$ $x$"],
      ],
    ],
    [
      "'never ends",
      [
        ["symbol", "'"],
        ["word", "never"],
        ["word", "ends"],
      ],
    ],
    [
      "a /* never ends",
      [
        ["word", "a"],
        ["symbol", "/"],
        ["symbol", "*"],
        ["word", "never"],
        ["word", "ends"],
      ],
    ],
    [
      "1.5e3 𝄞",
      [
        ["number", "1.5e3"],
        ["symbol", "𝄞"],
      ],
    ],
  ])("cuts %p", (text, expected) => {
    expect(tokenize(text).map(({ kind, text }) => [kind, text] as const)).toEqual([...expected]);
  });

  test("says where each token stands", () => {
    const text = "a /* 𝄞 */ 'b c',\n`d`";
    for (const token of tokenize(text)) expect(text.slice(token.start, token.end)).toBe(token.text);
  });
});

describe("meaning()", () => {
  test.each([
    ["word", "word"],
    ["`a b`", "a b"],
    ["`a``b`", "a`b"],
    ["`a\\`b`", "a`b"],
    ['"a""b"', 'a"b'],
    ["'it''s'", "it's"],
    ["'it\\'s'", "it's"],
    ["'a\\\\''b'", "a\\'b"],
    ["'line\\nline\\ttab\\0'", "line\nline\ttab\0"],
    ["''", ""],
    ["$$it's$$", "it's"],
    ["$x$ $$ $x$", " $$ "],
  ])("of %p is %p", (text, expected) => {
    expect(meaning(tokenize(text)[0])).toBe(expected);
  });
});

describe("literal() and identifier()", () => {
  test.each(["", "plain", "it's", "back\\slash", "\\'", "`tick`", "line\nline", "'; DROP TABLE x; --", "größe 𝄞"])(
    "write %p so that it is read again",
    (text) => {
      const [string, ...none] = tokenize(literal(text));
      expect([meaning(string), string.kind, none]).toEqual([text, "string", []]);
      const [name, ...neither] = tokenize(identifier(text));
      expect([meaning(name), name.kind, neither]).toEqual([text, "quoted", []]);
    },
  );
});

describe("namesIn()", () => {
  test.each([
    ["SELECT a.n, per_km (x) FROM dwf.a", ["a.n", "functions.per_km", "dwf.a"]],
    ["SELECT dictGet('dim.spot', `b`.c, 1) -- dwf.comment", ["functions.dictGet", "dim.spot", "b.c"]],
    ["SELECT 1", []],
  ])("%s", (text, names) => expect([...namesIn(text)].toSorted()).toEqual(names.toSorted()));
});
