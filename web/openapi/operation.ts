/**
 * The words of an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1): paths, operations, answers.
 *
 *   api_paths · ingest_paths · sql_paths · admin_paths · door_paths ──Part──▶ document.ts
 *
 * Plain data. Every refusal has one form, so an operation only lists its statuses.
 *
 * @module
 */
import type { JsonSchema } from "@weir/sql";
import { z } from "zod";

/** A parameter in the query string, a header or the path. */
export interface Parameter {
  readonly name: string;
  readonly in: "query" | "header" | "path";
  readonly description?: string;
  readonly required?: boolean;
  readonly style?: "form";
  readonly explode?: boolean;
  readonly schema: JsonSchema;
  readonly example?: unknown;
}

/** Bodies by media type. */
export type Content = Readonly<Record<string, { readonly schema: JsonSchema; readonly example?: unknown }>>;

/** An answer: its own, or one of the document's refusals. */
export type Answer = { readonly description: string; readonly content?: Content } | { readonly $ref: string };

/** One method of one path. */
export interface Operation {
  /** Unique in the document; what generated clients call it. */
  readonly operationId: string;
  readonly tags: readonly [Tag];
  readonly summary: string;
  readonly description?: string;
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly description?: string; readonly content: Content };
  readonly responses: Readonly<Record<string, Answer>>;
}

/** Methods by path. */
export type Paths = Readonly<Record<string, Readonly<Partial<Record<"get" | "post" | "delete", Operation>>>>>;

/** A part of the document: paths, and the schemas that they refer to. */
export interface Part {
  readonly paths: Paths;
  readonly schemas?: Readonly<Record<string, JsonSchema>>;
}

/** What operations are about, in the order in which they are shown. */
export const TAGS = {
  APIs: "Published SELECTs with typed parameters: one answer, or a new one whenever it changes.",
  Ingest: "Events in. An answer of 202 means that they are durable; with `wait=1`, 200 means that they can be queried.",
  SQL: "One statement that reads, over the tables that the token may read.",
  Door: "Tickets, health and this document.",
  Administration: "Definitions, tokens, actors and the quarantine; needs the scope `admin`.",
} as const;

/** The name of a tag. */
export type Tag = keyof typeof TAGS;

const REFUSALS = {
  400: ["BadRequest", "The request is not as it should be: `at` names the parameter or the place in the SQL."],
  401: ["Unauthorized", "The token is missing, unknown, revoked or expired."],
  403: ["Forbidden", "The token lacks the scope, or the statement reads what it may not."],
  404: ["NotFound", "There is nothing of that name."],
  406: ["NotAcceptable", "There is no such format."],
  409: ["Conflict", "What is in force does not allow it."],
  413: ["TooLarge", "The request is larger than its bound."],
  415: ["UnsupportedMediaType", "The body is of another type than is taken."],
  422: ["Unprocessable", "The content cannot be used, or the answer would be beyond its bounds."],
  429: ["TooManyQueries", "Too many queries of this token run already; `Retry-After` says when to try again."],
  500: ["Failed", "It failed inside; the operator finds the reason in the log."],
  503: ["Unavailable", "The log or the warehouse cannot do it at the moment; `Retry-After` says when to try again."],
  504: ["NotVisible", "The position of `after` did not become visible in time."],
} as const;

/** A status with which a request is refused. */
export type RefusalStatus = keyof typeof REFUSALS;

/** The answers to refused requests: the given statuses, and those that every guarded route has. */
export function refusals(...statuses: readonly RefusalStatus[]): Readonly<Record<string, Answer>> {
  const all = [...new Set<RefusalStatus>([401, ...statuses, 500])].sort((a, b) => a - b);
  return Object.fromEntries(
    all.map((status) => [String(status), { $ref: `#/components/responses/${REFUSALS[status][0]}` }]),
  );
}

/** The document's answers to refused requests, by name. */
export function refusalResponses(): Readonly<Record<string, Answer>> {
  const content = jsonContent({ $ref: "#/components/schemas/Refusal" });
  return Object.fromEntries(Object.values(REFUSALS).map(([name, description]) => [name, { description, content }]));
}

/** A JSON body. */
export function jsonContent(schema: JsonSchema, example?: unknown): Content {
  return { "application/json": { schema, ...(example === undefined ? {} : { example }) } };
}

/** A body as the route's own schema takes it, with an example that it takes. */
export function bodyOf<Schema extends z.ZodType>(
  schema: Schema,
  example: z.input<Schema>,
): NonNullable<Operation["requestBody"]> {
  const { $schema: _, ...shape } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return { required: true, content: jsonContent(shape as JsonSchema, example) };
}

/** An object whose fields are all there, and may have others later. */
export function objectOf(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return { type: "object", properties, required: Object.keys(properties) };
}

/** A list. */
export function listOf(items: JsonSchema): JsonSchema {
  return { type: "array", items };
}

const FRESH_TO: JsonSchema = {
  type: ["string", "null"],
  format: "date-time",
  description: "When the newest commit behind the answer became visible; null if that is not known.",
};

/** Schemas that every document has. */
export const SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  Refusal: {
    ...objectOf({ error: { $ref: "#/components/schemas/Error" } }),
    description: "Errors have one form everywhere.",
  },
  Error: objectOf({
    code: { type: "string", description: "Stable, for programs." },
    message: { type: "string", description: "For people." },
    hint: { type: "string", description: "What to do about it." },
    at: {
      description: "Where: a parameter or a JSON pointer, or a place in a text, counted from 1.",
      anyOf: [
        { type: ["string", "null"] },
        {
          type: "object",
          properties: { file: { type: "string" }, line: { type: "integer" }, column: { type: "integer" } },
          required: ["line", "column"],
        },
      ],
    },
  }),
  ApiMeta: objectOf({
    rows: { type: "integer" },
    elapsed_ms: { type: "integer" },
    fresh_to: FRESH_TO,
    cache: { enum: ["hit", "miss", "shared", "none"] },
  }),
  LiveMeta: objectOf({ rows: { type: "integer" }, fresh_to: FRESH_TO }),
};

/** A text. */
export const TEXT = { type: "string" } as const;
/** A whole number that a double keeps. */
export const WHOLE = { type: "integer" } as const;
/** RFC 3339. */
export const TIME = { type: "string", format: "date-time" } as const;

/** The tag of what needs the scope `admin`. */
export const ADMIN_TAG = { tags: ["Administration"] } as const satisfies Pick<Operation, "tags">;

/** The answers of a route for administrators. */
export function adminAnswers(
  {
    description,
    schema,
    refused = [],
  }: { description: string; schema: JsonSchema; refused?: readonly RefusalStatus[] },
  status = "200",
): Operation["responses"] {
  return { [status]: { description, content: jsonContent(schema) }, ...refusals(403, ...refused) };
}
