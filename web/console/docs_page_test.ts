/**
 * Tests of the API documents' decisions: what fields begin with, and the requests and lines that they make.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { curlOf, firstValues, type Operation, requestOf } from "./docs_document.ts";
import { typeText } from "./docs_schema.tsx";

const OPERATION: Operation = {
  ...{ method: "POST", path: "/v1/things/{name}", operationId: "change", tags: ["Things"], summary: "Changes it." },
  parameters: [
    { name: "name", in: "path", required: true, schema: { type: "string" }, example: "a b" },
    { name: "limit", in: "query", schema: { type: "integer", default: 5 }, example: 5 },
    { name: "wait", in: "query", schema: { type: "string" }, example: "1" },
    { name: "params", in: "query", schema: { type: "object" }, example: { param_n: 42 } },
    { name: "Idempotency-Key", in: "header", schema: { type: "string" } },
  ],
  requestBody: { content: { "application/json": { schema: {}, example: { it: "isn't" } } } },
  responses: {},
};
const how = { origin: "http://localhost:8080", isLive: false, isOpen: false };

describe("requestOf()", () => {
  test("sends examples, and leaves out what has a default", () => {
    expect(requestOf(OPERATION, firstValues(OPERATION))).toEqual({
      ...{
        method: "POST",
        path: "/v1/things/a%20b?wait=1&param_n=42",
        headers: { "Content-Type": "application/json" },
      },
      body: '{\n  "it": "isn\'t"\n}',
    });
  });

  test("sends what is written, and no pair that is not written to its end", () => {
    const values = {
      ...firstValues(OPERATION),
      parameters: { name: "x", limit: "9", params: '{"param_', "Idempotency-Key": "k" },
    };
    expect(requestOf(OPERATION, values)).toMatchObject({
      ...{ path: "/v1/things/x?limit=9", headers: { "Idempotency-Key": "k" } },
    });
  });
});

describe("curlOf()", () => {
  test("is a line for a shell, without the token", () => {
    expect(curlOf(requestOf(OPERATION, firstValues(OPERATION)), how)).toBe(
      [
        "curl -X POST 'http://localhost:8080/v1/things/a%20b?wait=1&param_n=42'",
        '-H "Authorization: Bearer $WEIR_TOKEN"',
        "-H 'Content-Type: application/json'",
        `--data-binary '{\n  "it": "isn'\\''t"\n}'`,
      ].join(" \\\n  "),
    );
  });

  test("follows a stream, and sends no token where none is needed", () => {
    const request = { method: "GET", path: "/v1/x/live", headers: {}, body: undefined };
    expect(curlOf(request, { ...how, isLive: true, isOpen: true })).toBe("curl -N 'http://localhost:8080/v1/x/live'");
  });
});

describe("typeText()", () => {
  const document = { tags: [], paths: {}, components: { responses: {}, schemas: { Thing: { properties: {} } } } };
  test.each([
    [{ type: "integer", minimum: 1, maximum: 9, "x-clickhouse-type": "UInt8" }, "integer · 1 to 9 · UInt8"],
    [{ type: ["string", "null"], format: "date-time" }, "string or null · date-time"],
    [{ enum: ["a", null] }, "a | null"],
    [{ items: { $ref: "#/components/schemas/Thing" } }, "list of object"],
    [{ anyOf: [{ type: "string" }, { type: "string" }, {}] }, "string or anything"],
  ])("of %j", (schema, expected) => {
    expect(typeText(document, schema)).toBe(expected);
  });
});
