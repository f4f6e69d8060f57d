/**
 * Administration in the document: definitions and tokens. What an operator watches is in `operator_paths.ts`.
 *
 * @module
 */
import { qualifiedName } from "@weir/sql";
import { definitionsBody } from "../definitions.ts";
import type { Door } from "../door.ts";
import { tokenBody } from "../token_routes.ts";
import { type Caller, mayDo } from "../tokens.ts";
import {
  ADMIN_TAG,
  adminAnswers,
  bodyOf,
  listOf,
  type Operation,
  objectOf,
  type Parameter,
  type Part,
  TEXT,
  WHOLE,
} from "./operation.ts";

/** Definitions and tokens below /v1/admin, for administrators. */
export function adminPaths({ catalog }: Pick<Door, "catalog">, caller: Caller): Part {
  if (!mayDo(caller, "admin")) return { paths: {} };
  const model = catalog.all().find(({ definition }) => definition.kind === "model")?.definition;
  const parameters = [{ ...MODEL, example: model === undefined ? "dwf.example" : qualifiedName(model) }];
  return {
    paths: {
      "/v1/admin/definitions": { get: DEFINITIONS, post: APPLY },
      "/v1/admin/definitions/schemas": { get: SCHEMAS },
      "/v1/admin/definitions/{name}/check": { post: { ...CHECK, parameters } },
      "/v1/admin/definitions/{name}/resume": { post: { ...RESUME, parameters } },
      "/v1/admin/tokens": { get: TOKENS, post: CREATE_TOKEN },
      "/v1/admin/tokens/{id}": { delete: REVOKE_TOKEN },
    },
    schemas: { Token: TOKEN, Change: CHANGE },
  };
}

const TIME_OR_NULL = { type: ["string", "null"], format: "date-time" } as const;

const DEFINITIONS: Operation = {
  ...{
    operationId: "list_definitions",
    ...ADMIN_TAG,
    summary: "Everything in force, with its text, and who reads whom.",
  },
  responses: adminAnswers({
    description: "Definitions, edges of the lineage, and backfills under way.",
    schema: objectOf({
      definitions: listOf(
        objectOf({
          kind: TEXT,
          layer: TEXT,
          name: TEXT,
          version: WHOLE,
          catalog: WHOLE,
          state: TEXT,
          note: TEXT,
          file: TEXT,
          text: TEXT,
        }),
      ),
      edges: listOf(objectOf({ from: TEXT, to: TEXT })),
      backfills: listOf(objectOf({ name: TEXT, rows: WHOLE, rows_total: WHOLE })),
    }),
  }),
};

const SCHEMAS: Operation = {
  ...{ operationId: "get_definition_schemas", ...ADMIN_TAG, summary: "JSON Schemas of front matter, for editors." },
  responses: adminAnswers({
    description: "A schema by kind.",
    schema: { type: "object", additionalProperties: { type: "object" } },
  }),
};

const CHANGE = objectOf({
  changes: listOf(objectOf({ kind: TEXT, name: TEXT })),
  errors: listOf(objectOf({ file: TEXT, line: WHOLE, column: WHOLE, message: TEXT, hint: TEXT })),
  conflicts: listOf({ type: "object" }),
  catalog: WHOLE,
  done: { type: "boolean", description: "False for a dry run, and when nothing had to be done." },
});
const CHANGE_REF = { $ref: "#/components/schemas/Change" } as const;

const PROGRESS =
  'A client that accepts `application/x-ndjson` hears of the progress: lines of `{"progress":[…]}`, at last `{"status","answer"}`.';
const EXAMPLE_FILE = {
  path: "api/one.sql",
  text: "/*---\nkind: api\ndoc: The number one.\n---*/\nSELECT 1 AS one\n",
};

const APPLY: Operation = {
  ...{ operationId: "apply_definitions", ...ADMIN_TAG, summary: "Plans (`dry_run`) or applies definitions." },
  description: `A change that would lose values needs \`allow_destructive\`. ${PROGRESS}`,
  requestBody: bodyOf(definitionsBody, { files: [EXAMPLE_FILE], dry_run: true }),
  responses: adminAnswers({
    description: "What was done, or would be.",
    schema: CHANGE_REF,
    refused: [400, 409, 413, 415, 422, 503],
  }),
};

const MODEL: Parameter = {
  ...{ name: "name", in: "path", required: true, schema: TEXT },
  description: "The model with its layer, for example `dwa.state_minute`.",
};

const CHECK: Operation = {
  ...{ operationId: "check_model", ...ADMIN_TAG, summary: "Recomputes a model from its source and compares." },
  responses: adminAnswers({
    description: "How many rows were compared, and those that differ.",
    schema: objectOf({
      ...{ model: TEXT, rows: WHOLE, differing: WHOLE, elapsed_ms: WHOLE },
      differences: listOf({ type: "object" }),
    }),
    refused: [404, 503],
  }),
};

const RESUME: Operation = {
  ...{ operationId: "resume_model", ...ADMIN_TAG, summary: "Makes a suspended model anew, from all rows." },
  description: PROGRESS,
  responses: adminAnswers({ description: "What was done.", schema: CHANGE_REF, refused: [404, 409, 422, 503] }),
};

const SCOPES = {
  ...listOf(TEXT),
  description: "admin, ingest:<source>, ingest:*, api:<id>, api:*, sql:read, sql:<layer>, sql:<layer>.<table>",
} as const;

const TOKEN = objectOf({
  ...{ id: TEXT, name: TEXT, scopes: SCOPES, origins: listOf(TEXT) },
  fixed_params: { type: "object", additionalProperties: listOf(TEXT) },
  ...{ created_at: TIME_OR_NULL, created_by: { type: ["string", "null"] }, expires_at: TIME_OR_NULL },
});
const TOKEN_REF = { $ref: "#/components/schemas/Token" } as const;

const TOKENS: Operation = {
  ...{ operationId: "list_tokens", ...ADMIN_TAG, summary: "The tokens in force, without their secrets." },
  responses: adminAnswers({
    description: "Tokens, the newest first.",
    schema: objectOf({ tokens: listOf(TOKEN_REF) }),
  }),
};

const CREATE_TOKEN: Operation = {
  ...{
    operationId: "create_token",
    ...ADMIN_TAG,
    summary: "Makes a token; its secret is answered once and never kept.",
  },
  requestBody: bodyOf(tokenBody, { name: "dashboard", scopes: ["api:*"], expires_in: "1 hour" }),
  responses: adminAnswers(
    {
      description: "The token.",
      schema: { allOf: [TOKEN_REF, objectOf({ token: TEXT })] },
      refused: [400, 409, 413, 415, 422, 503],
    },
    "201",
  ),
};

const REVOKE_TOKEN: Operation = {
  ...{ operationId: "revoke_token", ...ADMIN_TAG, summary: "Revokes a token at once; its live streams end." },
  parameters: [{ name: "id", in: "path", required: true, schema: TEXT, example: "0123456789abcdef" }],
  responses: adminAnswers({
    description: "It is revoked.",
    schema: objectOf({ id: TEXT, revoked: { const: true } }),
    refused: [404, 409, 503],
  }),
};
