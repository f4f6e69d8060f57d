import { describe, expect, test } from "bun:test";
import { safeCsv } from "./csv_safe.ts";

describe("safeCsv()", () => {
  test.each([
    ["a formula", '"=1+1"\n', '"\'=1+1"\n'],
    ["every beginning", '"+","-","@","\t","\r","\n","="\n', '"\'+","\'-","\'@","\'\t","\'\r","\'\n","\'="\n'],
    ["a wide equals sign", '"＝1"\n', '"\'＝1"\n'],
    ["numbers", "-1,+2,1e-3,\n", "-1,+2,1e-3,\n"],
    ["texts", '"a=1","","""=1","x""=1",\n', '"a=1","","""=1","x""=1",\n'],
    ["a text over lines", '"a\n=1","b,=1"\n', '"a\n=1","b,=1"\n'],
    ["a text behind an empty one", '"","=1"\n"=2"\n', '"","\'=1"\n"\'=2"\n'],
  ])("%s, however it is cut", async (_, text, expected) => {
    const bytes = Buffer.from(text);
    for (const size of [1, 2, 3, bytes.length]) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
        bytes.subarray(at * size, (at + 1) * size),
      );
      const out: Uint8Array[] = [];
      for await (const chunk of safeCsv(iterate(chunks))) out.push(chunk);
      expect(Buffer.concat(out).toString()).toBe(expected);
    }
  });
});

async function* iterate<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
