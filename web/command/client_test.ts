import { describe, expect, test } from "bun:test";
import { refused } from "./client.ts";

describe("refused()", () => {
  test.each([
    ["a place in a file", { file: "ods/a.sql", line: 3, column: 7 }, "ods/a.sql:3:7: Cannot a. Do b."],
    ["a place in a statement", { line: 3, column: 7 }, "Cannot a. Do b."],
    ["a parameter", "limit", "Cannot a. Do b."],
    ["nothing", null, "Cannot a. Do b."],
  ])("says what the door says, with %s", (_, at, message) => {
    const failure = refused({ error: { code: "x", message: "Cannot a.", hint: "Do b.", at } });
    expect([failure.message, failure.at]).toEqual([message, at]);
  });
});
