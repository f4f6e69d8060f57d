/**
 * Tests of `token_scopes.ts`: what is taken, and what is said of the rest.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { isTicketScope, originProblem, scopeProblem } from "./token_scopes.ts";

describe("scopeProblem()", () => {
  test.each([
    ...["admin", "ingest:flight", "ingest:*", "api:state_minute", "api:*", "sql:read"],
    ...["sql:ods", "sql:dim", "sql:dwf", "sql:dws", "sql:dwa", "sql:dws.airport_hour", "sql:ods.a1"],
  ])("takes %s", (scope) => expect(scopeProblem(scope)).toBeUndefined());

  test.each([
    ["", "there are admin, ingest:<source>"],
    ["*", "'*' is no scope; there are admin"],
    ["Admin", "there are admin"],
    ["admin ", "there are admin"],
    ["admin:*", "there are admin"],
    ["ingest", "there are admin"],
    ["write:flight", "'write:flight' is no scope"],
    ["__proto__", "there are admin"],
    ["constructor:x", "there are admin"],
    ["ingest:", "after 'ingest:' comes a name such as flight, or *"],
    ["ingest:Flight", "after 'ingest:'"],
    ["ingest:fl*", "after 'ingest:'"],
    ["ingest:flight ", "after 'ingest:'"],
    ["ingest:flight\n", "after 'ingest:'"],
    ["ingest:ods.flight", "after 'ingest:'"],
    ["api:state-minute", "after 'api:' comes a name such as state_minute, or *"],
    ["api:**", "after 'api:'"],
    [`api:${"a".repeat(65)}`, "after 'api:'"],
    ["sql:*", "after 'sql:' comes read, a layer (ods, dim, dwf, dws, dwa), or a table"],
    ["sql:weir", "after 'sql:'"],
    ["sql:system.tables", "after 'sql:'"],
    ["sql:dws.", "after 'sql:'"],
    ["sql:dws.*", "after 'sql:'"],
    ["sql:dws.a.b", "after 'sql:'"],
    ["sql:read.x", "after 'sql:'"],
    ["sql:dws.a;b", "after 'sql:'"],
  ])("refuses '%s'", (scope, problem) => expect(scopeProblem(scope)).toContain(problem));
});

describe("isTicketScope()", () => {
  test.each([
    ["api:minutes", true],
    ["api:*", true],
    ["ingest:flight", true],
    ["admin", false],
    ["sql:read", false],
  ])("of %s is %s", (scope, is) => expect(isTicketScope(scope)).toBe(is));
});

describe("originProblem()", () => {
  test.each([
    ...["https://app.example.com", "http://localhost:5173", "https://xn--bcher-kva.example", "http://[::1]:8081"],
  ])("takes %s", (origin) => expect(originProblem(origin)).toBeUndefined());

  test.each([
    ...["*", "null", "", "https://*.example.com", "app.example.com", "https://app.example.com/", "https://a.example/x"],
    ...["HTTPS://a.example", "https://A.example", "https://a.example:443", "ftp://a.example", "file://", "data:,x"],
    ...[
      "https://user@a.example",
      "javascript:alert(1)",
      "https://a.example https://b.example",
      "https://bücher.example",
    ],
  ])("refuses '%s'", (origin) => expect(originProblem(origin)).toContain("is no origin"));
});
