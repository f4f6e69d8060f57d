/**
 * CSV: cells as RFC 4180 has them, what is no value, and every damaged line.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { readType } from "../conform/column_type.ts";
import { cellsOf, csvDecoder } from "./csv.ts";
import { Undecodable } from "./undecodable.ts";

const TYPES = { id: "String", n: "Nullable(Int64)", ok: "Nullable(Bool)", tags: "Array(UInt8)" };
const types = new Map(Object.entries(TYPES).map(([name, type]) => [name, readType(type)]));

function decoded(line: string | Uint8Array, delimiter = ","): string {
  try {
    const decode = csvDecoder({ kind: "csv", delimiter, columns: Object.keys(TYPES) }, types);
    const said = decode(typeof line === "string" ? Buffer.from(line) : line);
    return said.kind === "row" ? said.text : said.kind;
  } catch (error) {
    if (!(error instanceof Undecodable)) throw error;
    return error.message;
  }
}

describe("csvDecoder()", () => {
  test.each([
    ["plain cells", "a,9223372036854775807,true,[1]", '{"id":"a","n":"9223372036854775807","ok":true,"tags":[1]}'],
    ["quoted cells", '"a,b","-1","0","[1,2]"', '{"id":"a,b","n":"-1","ok":false,"tags":[1,2]}'],
    ["quotes in quotes", '"say ""hi""",1,1,[]', '{"id":"say \\"hi\\"","n":"1","ok":true,"tags":[]}'],
    ["a line break in quotes", '"a\r\nb",1,1,[]', '{"id":"a\\r\\nb","n":"1","ok":true,"tags":[]}'],
    ["the end of the line", "a,1,1,[]\r\n", '{"id":"a","n":"1","ok":true,"tags":[]}'],
    ["nothing as null where that may be", "a,,,[]", '{"id":"a","n":null,"ok":null,"tags":[]}'],
    ["nothing as missing where it may not be", ",1,1,[]", '{"n":"1","ok":true,"tags":[]}'],
    ["an empty text in quotes", '"",1,1,[]', '{"id":"","n":"1","ok":true,"tags":[]}'],
    ["spaces as they are", " a ,1,1,[]", '{"id":" a ","n":"1","ok":true,"tags":[]}'],
    ["what fits no column, for the judge", "a,x,yes,[1", '{"id":"a","n":"x","ok":"yes","tags":"[1"}'],
    ["a name of JavaScript's own", "a,1,constructor,[]", '{"id":"a","n":"1","ok":"constructor","tags":[]}'],
    ["too few cells", "a,1", "the line has 2 cells, not 4 (id, n, ok, tags)"],
    ["too many cells", "a,1,1,[],", "the line has 5 cells, not 4 (id, n, ok, tags)"],
    ["nothing at all", "", "the line has 1 cells, not 4 (id, n, ok, tags)"],
    ["two lines", "a,1,1,[]\nb,1,1,[]", "the line has a line break in a cell without quotes, at character 8"],
    ["a quote inside a cell", 'a"b,1,1,[]', "the line has a quote in a cell without quotes, at character 1"],
    ["a quote that is never closed", 'a,"1,1,[]', "the line has a quote that is never closed, at character 2"],
    ["only an open quote", '"', "the line has a quote that is never closed, at character 0"],
    ["something behind a quote", '"a"b,1,1,[]', "the line has something behind a closing quote, at character 3"],
  ])("reads %s", (_, line, expected) => {
    expect(decoded(line)).toBe(expected);
  });

  test("takes another delimiter", () => {
    expect(decoded('a,b;"1;";1;[]', ";")).toBe('{"id":"a,b","n":"1;","ok":true,"tags":[]}');
    expect(decoded("a\t1\t1\t[]", "\t")).toBe('{"id":"a","n":"1","ok":true,"tags":[]}');
  });

  test("refuses what is not UTF-8", () => {
    expect(decoded(Uint8Array.from([0xff, 0x2c]))).toBe("the record is not valid UTF-8");
  });
});

describe("cellsOf()", () => {
  test("is as fast on a mebibyte of quotes", () => {
    const startMs = performance.now();
    expect(cellsOf(`"${'""'.repeat(2 ** 19)}"`, ",")).toHaveLength(1);
    expect(cellsOf(",".repeat(2 ** 20), ",")).toHaveLength(2 ** 20 + 1);
    expect(performance.now() - startMs).toBeLessThan(2_000);
  });
});
