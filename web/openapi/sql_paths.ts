/**
 * SQL in the document: the statement, its formats and parameters, the schema tree, and stopping a query.
 *
 * @module
 */
import { SQL_LIMITS } from "../sql.ts";
import { FORMATS } from "../sql_formats.ts";
import { sqlTables } from "../sql_scope.ts";
import type { Caller } from "../tokens.ts";
import { type Content, jsonContent, listOf, type Operation, objectOf, type Part, refusals } from "./operation.ts";

/** The routes of SQL, for a caller whose scopes name any. */
export function sqlPaths(caller: Caller): Part {
  if (sqlTables(caller) === undefined) return { paths: {} };
  return { paths: { "/v1/sql": { post: RUN }, "/v1/sql/schema": { get: SCHEMA }, "/v1/sql/{id}": { delete: STOP } } };
}

const UUID = { type: "string", format: "uuid" } as const;
const EXAMPLE_ID = "61f0c404-5cb3-11e7-907b-a6006ad3dba0";
const column = { name: { type: "string" }, type: { type: "string" } } as const;

const JSON_ANSWER = {
  ...objectOf({
    data: listOf({ type: "object" }),
    meta: {
      ...objectOf({
        rows: { type: "integer" },
        elapsed_ms: { type: "integer" },
        columns: listOf(objectOf(column)),
      }),
      description: "With `totals` where the statement has them.",
    },
  }),
  description: "64-bit and wider integers and Decimals are strings, times RFC 3339 in UTC.",
};

/** A body for every format; `compact` has the media type of `ndjson`. */
const ANSWERS: Content = Object.fromEntries(
  Object.values(FORMATS).map(({ type, isFramed }) => [type, { schema: isFramed ? JSON_ANSWER : { type: "string" } }]),
);

const RUN: Operation = {
  ...{ operationId: "run_sql", tags: ["SQL"], summary: "Runs one statement that reads, and streams its answer." },
  description: `At most ${SQL_LIMITS.executionSecondsMax} s. Settings cannot be given. A failure after the first row cuts the connection, so half an answer never looks whole.`,
  parameters: [
    {
      ...{ name: "format", in: "query", description: "How the rows are written; or say it with `Accept`." },
      schema: { enum: Object.keys(FORMATS), default: "json" },
    },
    {
      ...{ name: "csv", in: "query" },
      description: "`safe`, with the format csv: texts that a spreadsheet would compute get an apostrophe.",
      schema: { enum: ["safe"] },
    },
    {
      ...{ name: "params", in: "query", style: "form", explode: true },
      description: "Values of `{name:Type}` in the statement, each as `param_<name>`.",
      schema: {
        type: "object",
        propertyNames: { pattern: "^param_[A-Za-z_]\\w{0,63}$" },
        additionalProperties: { type: "string" },
      },
      example: { param_n: "42" },
    },
    {
      ...{ name: "X-Weir-Query-Id", in: "header", schema: UUID },
      description: "A new UUID by which the query can be stopped; the answer names it.",
    },
  ],
  requestBody: {
    required: true,
    content: { "text/plain": { schema: { type: "string" }, example: "SELECT {n:UInt64} AS n, 'text' AS text" } },
  },
  responses: {
    200: { description: "The rows.", content: ANSWERS },
    ...refusals(400, 403, 406, 409, 413, 415, 422, 429, 503),
  },
};

const SCHEMA: Operation = {
  ...{ operationId: "get_sql_schema", tags: ["SQL"], summary: "The tables and columns that the token may read." },
  responses: {
    200: {
      description: "Databases with their tables and columns.",
      content: jsonContent(
        objectOf({
          databases: listOf(
            objectOf({
              name: { type: "string" },
              tables: listOf(
                objectOf({
                  name: { type: "string" },
                  comment: { type: "string" },
                  columns: listOf(objectOf({ ...column, comment: { type: "string" } })),
                }),
              ),
            }),
          ),
        }),
      ),
    },
    ...refusals(403, 503),
  },
};

const STOP: Operation = {
  ...{
    operationId: "stop_sql",
    tags: ["SQL"],
    summary: "Stops a query of the token's own; an administrator, anybody's.",
  },
  parameters: [
    {
      ...{ name: "id", in: "path", required: true, schema: UUID, example: EXAMPLE_ID },
      description: "The query's `X-Weir-Query-Id`.",
    },
  ],
  responses: {
    200: { description: "It is stopped.", content: jsonContent(objectOf({ stopped: { const: true } })) },
    ...refusals(403, 404, 503),
  },
};
