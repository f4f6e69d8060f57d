/**
 * Tests of `errors.ts`: what each error means for the caller.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { cleanMessage, failedView, failureOf, lostExchange, MESSAGE_CHARS_MAX, outcomeOf } from "./errors.ts";

describe("outcomeOf()", () => {
  const whole = "Too many partitions for single INSERT block (more than 100)";
  test.each([
    ["a text that does not parse", 6, "", "refused"],
    ["an escape sequence", 25, "", "refused"],
    ["a quoted string", 26, "", "refused"],
    ["an input that is not as expected", 27, "", "refused"],
    ["a date and time", 41, "", "refused"],
    ["a type mismatch", 53, "", "refused"],
    ["an argument out of bound", 69, "", "refused"],
    ["a conversion", 70, "", "refused"],
    ["a number", 72, "", "refused"],
    ["incorrect data", 117, "", "refused"],
    ["a string that is too large", 131, "", "refused"],
    ["a value out of range", 321, "", "refused"],
    ["a null that may not be", 349, "", "refused"],
    ["throwIf", 395, "deadline passed", "refused"],
    ["a division by zero, also in a view", 153, "while pushing to view dwf.f", "refused"],
    ["a syntax error", 62, "", "refused"],
    ["an unknown table", 60, "", "refused"],
    ["an unknown setting", 115, "", "refused"],
    ["a write by a reader", 164, "", "refused"],
    ["a raised limit", 452, "", "refused"],
    ["a missing right", 497, "", "refused"],
    ["a wrong password", 516, "", "refused"],
    ["too many rows asked for", 396, "", "refused"],
    ["too many partitions in a block", 252, whole, "refused"],
    ["too many parts", 252, "Too many parts (3000)", "not done"],
    ["too many parts behind a view", 252, "Too many parts (3000): while pushing to view dwf.f", "unknown"],
    ["memory", 241, "", "not done"],
    ["memory of a view, after the table has its rows", 241, "while pushing to view dwf.f", "unknown"],
    ["a read-only table", 242, "", "not done"],
    ["a full disk", 243, "", "not done"],
    ["too many queries", 202, "", "not done"],
    ["a session in use", 373, "", "not done"],
    ["a time-out", 159, "", "unknown"],
    ["a query that is too slow", 160, "", "unknown"],
    ["a socket's time-out", 209, "", "unknown"],
    ["a network error", 210, "", "unknown"],
    ["a cancelled query", 394, "", "unknown"],
    ["the keeper", 999, "", "unknown"],
    ["a bug of the engine", 49, "", "unknown"],
    ["a number of a later version", 4711, "", "unknown"],
  ] as const)("judges %s (%i)", (_, code, message, expected) => {
    expect(outcomeOf(code, { status: 500, message })).toBe(expected);
  });

  test.each([
    [400, "refused"],
    [413, "refused"],
    [408, "unknown"],
    [429, "not done"],
    [502, "unknown"],
    [503, "unknown"],
  ] as const)("judges a proxy's %i without a code", (status, expected) => {
    expect(outcomeOf(0, { status, message: "" })).toBe(expected);
  });
});

describe("cleanMessage()", () => {
  test.each([
    [
      "Code: 60. DB::Exception: Table a.b does not exist. (UNKNOWN_TABLE) (version 26.7.2.1)\n",
      "Table a.b does not exist.",
    ],
    ["Code: 62. DB::Exception: Syntax error: SELEC 1\nStack trace:\n0. /src/x.cpp", "Syntax error: SELEC 1"],
    [
      "Code: 62. DB::Exception: Received from ch-1.internal:9000. DB::Exception: no. (SYNTAX_ERROR) (version 25.8.1.1 (official build))",
      "no.",
    ],
    ["Code: 210. DB::NetException: Connection refused (10.0.0.7:9000). (NETWORK_ERROR)", "Connection refused."],
    ["Code: 27. DB::Exception: got '12:30' at (a:1)", "got '12:30' at (a:1)"],
    ["", ""],
  ])("cleans %j", (text, expected) => {
    expect(cleanMessage(text)).toBe(expected);
  });

  test("is bounded", () => {
    expect(cleanMessage("x".repeat(10_000)).length).toBe(MESSAGE_CHARS_MAX);
  });
});

describe("failureOf()", () => {
  test("takes the code from the header, then from the text", () => {
    expect(failureOf({ status: 500, codeHeader: "241", text: "Code: 1. DB::Exception: no" }).code).toBe(241);
    expect(failureOf({ status: 500, codeHeader: undefined, text: "Code: 60. DB::Exception: no" }).code).toBe(60);
    expect(failureOf({ status: 502, codeHeader: undefined, text: "" }).message).toContain("502");
  });
});

describe("lostExchange()", () => {
  test.each([
    ["ECONNREFUSED", "not done"],
    ["ENOTFOUND", "not done"],
    ["ECONNRESET", "unknown"],
    ["EPIPE", "unknown"],
    ["ABORTED", "unknown"],
  ] as const)("judges %s", (code, expected) => {
    const failure = lostExchange(Object.assign(new Error("connect 10.0.0.7"), { code }));
    expect(failure.outcome).toBe(expected);
    expect(failure.message).not.toContain("10.0.0.7");
  });
});

describe("failedView()", () => {
  const pushed =
    "Code: 153. DB::Exception: Division by zero: while executing 'FUNCTION intDiv(100_UInt8 :: 3)': while pushing to view weir_state.dws__a__v1__fill: while pushing to view weir_state.dwf__b__v2__fill. (ILLEGAL_DIVISION) (version 26.7.2.1)";
  test.each([
    ["names the innermost view, whose query failed", pushed, "weir_state.dws__a__v1__fill"],
    [
      "reads quoted names",
      "x: while pushing to view `weir_state`.`a__fill`. (TYPE_MISMATCH) (version 26.7.2.1 (official build))\n",
      "weir_state.a__fill",
    ],
    [
      "says nothing of other errors",
      "Code: 27. DB::Exception: Cannot parse input: expected '\"' (at row 1)",
      undefined,
    ],
    [
      "is not misled by data that an error quotes",
      "Code: 27. DB::Exception: Cannot parse ': while pushing to view weir_state.a__fill': (at row 1). (CANNOT_PARSE) (version 26.7.2.1)",
      undefined,
    ],
    [
      "is not misled by a line that data ends",
      "Code: 27. DB::Exception: Cannot parse ': while pushing to view weir_state.a__fill. (A) (version 1)\n': (at row 1). (CANNOT_PARSE) (version 26.7.2.1)",
      undefined,
    ],
  ] as const)("%s", (_, text, expected) => {
    expect(failedView(text)).toBe(expected as never);
  });
});
