/**
 * Tests of `errors.ts`: one row per tagged error, and what must not leave.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { ClickHouseStartFailed, KeyReused, LogFailed, OffsetGap } from "@weir/connectors";
import { DefinitionError } from "@weir/sql";
import { Cause } from "effect";
import { z } from "zod";
import { warehouseFailed } from "./door_fixture.ts";
import { answerOf, placeIn, Refusal, refusalOf, refusalOfError } from "./errors.ts";

const log = (reason: LogFailed["reason"]) =>
  new LogFailed({ reason, message: "Cannot: /var/lib/weir/log.sqlite", retriable: true });

describe("refusalOfError()", () => {
  test.each([
    ["log: disk full", log("disk full"), 503, "log_full"],
    ["log: unavailable", log("unavailable"), 503, "log_unavailable"],
    ["log: fenced", log("fenced"), 503, "busy"],
    ["log: damaged", log("damaged"), 503, "log_damaged"],
    ["log: unknown topic", log("unknown topic"), 404, "unknown_topic"],
    ["log: topic exists", log("topic exists"), 409, "topic_exists"],
    ["log: invalid", log("invalid"), 422, "log_refused"],
    ["a gap", new OffsetGap({ topic: "t", partition: 0, asked: 1, earliest: 5, latest: 9 }), 410, "offset_gone"],
    ["a key reused", new KeyReused({ key: "k" }), 422, "idempotency_key_reused"],
    ["a syntax error", warehouseFailed("refused", 62), 400, "sql_refused"],
    ["readonly", warehouseFailed("refused", 164), 403, "sql_forbidden"],
    ["missing rights", warehouseFailed("refused", 497), 403, "sql_forbidden"],
    ["a time limit, whose outcome is unknown", warehouseFailed("unknown", 159), 422, "query_limit"],
    ["a result limit", warehouseFailed("refused", 396), 422, "query_limit"],
    ["the query's memory", warehouseFailed("not done", 241, "Query memory limit exceeded"), 422, "query_limit"],
    ["the machine's memory", warehouseFailed("not done", 241, "(total) memory limit exceeded"), 503, "query_memory"],
    ["too many queries", warehouseFailed("not done", 202), 503, "busy"],
    ["an id that runs", warehouseFailed("not done", 216), 409, "query_id_in_use"],
    ["a stopped query", warehouseFailed("unknown", 394), 409, "query_stopped"],
    ["no warehouse", warehouseFailed("not done", 0), 503, "warehouse_unavailable"],
    ["a lost answer", warehouseFailed("unknown", 0), 503, "warehouse_unavailable"],
    ["a new code", warehouseFailed("unknown", 99_999), 500, "warehouse_failed"],
    [
      "a bad definition",
      new DefinitionError({ file: "ods/a.sql", line: 2, column: 3 }, "Cannot.", "Do."),
      422,
      "definition_invalid",
    ],
    ["no engine", new ClickHouseStartFailed({ message: "Cannot start: /root/x" }), 503, "warehouse_unavailable"],
    ["anything else", new TypeError("secret at /root/x"), 500, "internal"],
    ["not even an error", undefined, 500, "internal"],
    ["a refusal", new Refusal(418, "teapot", "Cannot.", "Do."), 418, "teapot"],
  ] as const)("%s", async (_, error, status, code) => {
    const answer = answerOf(refusalOfError(error));
    expect(answer.status).toBe(status);
    const text = await answer.text();
    const { error: body } = JSON.parse(text);
    expect(Object.keys(body)).toEqual(["code", "message", "hint", "at"]);
    expect(body.code).toBe(code);
    expect(body.hint).not.toBe("");
    expect(text).not.toMatch(/\/root|\/var|secret|\.ts:/);
    expect(answer.headers.has("retry-after")).toBe(status === 503);
  });

  test("points into a body that zod refused", () => {
    const { error } = z
      .object({ files: z.array(z.object({ "a/b": z.string() })) })
      .safeParse({ files: [{ "a/b": 1 }] });
    expect(refusalOfError(error)).toMatchObject({ status: 422, code: "invalid_body", at: "/files/0/a~1b" });
  });

  test("names the file, line and column of a definition", () => {
    const error = new DefinitionError({ file: "ods/a.sql", line: 2, column: 3 }, "Cannot.", "Do.");
    expect(refusalOfError(error).at).toEqual({ file: "ods/a.sql", line: 2, column: 3 });
  });

  test("takes accounts and paths out of the engine's messages, and leaves other slashes", () => {
    const message = "weir_admin: bad a/b in file/uri /data/weir/clickhouse/x.csv or '/api/x'. .";
    expect(refusalOfError(warehouseFailed("refused", 36, message)).message).toBe(
      "bad a/b in file/uri <path> or '/api/x'.",
    );
  });
});

describe("refusalOf()", () => {
  test("says 499 when the client left", () => {
    expect(refusalOf(Cause.interrupt(1)).status).toBe(499);
  });

  test("keeps the place of a syntax error", () => {
    const cause = Cause.fail(
      warehouseFailed("refused", 62, "Syntax error: failed at position 12 (b) (line 2, col 3): b."),
    );
    expect(refusalOf(cause, "SELECT 1,\na b").at).toEqual({ line: 2, column: 2 });
  });
});

describe("placeIn()", () => {
  test.each([
    ["the first character", "failed at position 1 (x)", "x", { line: 1, column: 1 }],
    [
      "after characters of several bytes",
      "failed at position 23 (1)",
      "SELECT 'é', 'é' FRM 1 2",
      { line: 1, column: 21 },
    ],
    ["after a character of four bytes", "failed at position 15 (F): F", "SELECT '😀' F", { line: 1, column: 12 }],
    ["the end", "failed at position 10 (end of query)", "SELECT 1\n", { line: 2, column: 1 }],
    ["no position", "Unknown table", "SELECT 1", null],
  ] as const)("finds %s", (_, message, sql, place) => {
    expect(placeIn(message, sql)).toEqual(place);
  });
});

describe("answerOf()", () => {
  test("asks for a token on 401", () => {
    expect(answerOf(new Refusal(401, "unauthorized", "Cannot.", "Do.")).headers.get("www-authenticate")).toStartWith(
      "Bearer",
    );
  });
});
