/**
 * Tests of `answer_stream.ts`: no byte of a failure's block reaches the
 * consumer, however the network cut it; every byte of rows does.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { exceptionGuard } from "./answer_stream.ts";

const TAG = "abcdefghijklmnop";
const BLOCK = `__exception__\r\n${TAG}\r\nCode: 395. DB::Exception: no. (NAME) (version 26.7.2.1)\r\n52 ${TAG}\r\n__exception__\r\n`;

function pass(text: string, size: number) {
  const guard = exceptionGuard(TAG);
  const bytes = Buffer.from(text);
  let out = "";
  for (let at = 0; at < bytes.length; at += size) {
    out += Buffer.from(guard.push(bytes.subarray(at, at + size))).toString("latin1");
  }
  return { out: out + Buffer.from(guard.rest()).toString("latin1"), failure: guard.failure() };
}

describe("exceptionGuard()", () => {
  const sizes = Array.from({ length: 60 }, (_, index) => index + 1);

  test.each([
    "1\n2\n3\n",
    "",
    "\r\n",
    "a\r\n__exception__\r\nother\r\nb",
    "__exception",
    `\r\n__exception__\r\n${TAG}`,
  ])("lets %j through whole", (rows) => {
    for (const size of sizes) expect(pass(rows, size)).toEqual({ out: rows, failure: undefined });
  });

  test("holds the block back and says why, however it is cut", () => {
    for (const size of sizes) {
      const { out, failure } = pass(`1\n2\n\r\n${BLOCK}`, size);
      expect(out).toBe("1\n2\n");
      expect(failure).toMatchObject({ outcome: "refused", code: 395, message: "no." });
    }
  });

  test("holds a block back that is the whole answer", () => {
    expect(pass(BLOCK, 1000)).toMatchObject({ out: "", failure: { code: 395 } });
  });
});
