/**
 * Published APIs in the document: each with its parameters, its answer's columns, and its stream.
 *
 * @module
 */
import { answerSchema, type JsonSchema, paramHint, paramJsonSchema, paramValue } from "@weir/sql";
import { mayAsk } from "../api/fixed_params.ts";
import type { PublishedApi } from "../api/published.ts";
import type { Door } from "../door.ts";
import { type Caller, mayDo } from "../tokens.ts";
import { type AnswerColumn, AnswerColumns } from "./answer_columns.ts";
import { Examples } from "./examples.ts";
import { jsonContent, listOf, type Operation, objectOf, type Parameter, type Part, refusals } from "./operation.ts";

const AFTER: Parameter = {
  name: "after",
  in: "query",
  description: "The `position` of an ingest answer: the answer waits until those events are in it.",
  schema: { type: "string" },
};
const TOKEN_OR_TICKET = [{ token: [] }, { ticket: [] }] as const;

/** Describes the APIs of one door. */
export class ApiPaths {
  readonly #apis: Door["apis"];
  readonly #columns: AnswerColumns;
  readonly #examples: Examples;

  constructor(door: Door) {
    this.#apis = door.apis;
    this.#columns = new AnswerColumns(door);
    this.#examples = new Examples(door);
  }

  /** The list of APIs, and every API that the caller may ask. */
  async for(caller: Caller): Promise<Part> {
    if (!caller.scopes.some((scope) => scope === "admin" || scope.startsWith("api:"))) return { paths: {} };
    const paths: Record<string, Part["paths"][string]> = { "/v1/api": { get: LIST } };
    const schemas: Record<string, JsonSchema> = {};
    // One after the other: the engine has better to do, and what it said is kept.
    for (const published of this.#apis.all()) {
      const { api } = published;
      if (!mayDo(caller, `api:${api.id}`) || !mayAsk(caller, api)) continue;
      const parameters = await this.#parameters(published, caller);
      schemas[rowName(api.id)] = rowSchema(await this.#columns.of(published));
      paths[`/v1/api/${api.id}`] = { get: answered(published, parameters) };
      paths[`/v1/api/${api.id}/live`] = { get: live(published, parameters) };
    }
    return { paths, schemas };
  }

  /** Those that the token does not fix. */
  async #parameters(published: PublishedApi, caller: Caller): Promise<readonly Parameter[]> {
    const free = published.api.params.filter(({ name }) => caller.fixedParams?.has(name) !== true);
    const parameters: Parameter[] = [];
    for (const param of free) {
      const texts = await this.#examples.of(published, { param, caller });
      const said = [param.doc, `Send ${paramHint(param)}.`].filter((text) => text !== "");
      const isLeftOut = !param.required && param.default === undefined && param.example === undefined;
      parameters.push({
        ...{ name: param.name, in: "query", required: param.required, description: said.join(" — ") },
        ...(param.type.startsWith("Array") ? { style: "form", explode: true } : {}),
        schema: paramJsonSchema(param),
        ...(isLeftOut ? {} : { example: paramValue(param, texts) }),
      });
    }
    return parameters;
  }
}

const rowName = (id: string) => `${id}_row`;
const rowRef = (id: string) => ({ $ref: `#/components/schemas/${rowName(id)}` });

function rowSchema(columns: readonly AnswerColumn[] | undefined): JsonSchema {
  if (columns === undefined)
    return { type: "object", description: "The warehouse cannot say its columns at the moment." };
  return objectOf(
    Object.fromEntries(
      columns.map(({ name, type, comment }) => {
        const said = comment === "" ? {} : { description: comment };
        return [name, { ...answerSchema(type), ...said }];
      }),
    ),
  );
}

function answered({ api: { id, doc } }: PublishedApi, parameters: readonly Parameter[]): Operation {
  const schema = objectOf({ data: listOf(rowRef(id)), meta: { $ref: "#/components/schemas/ApiMeta" } });
  return {
    ...{ operationId: `get_${id}`, tags: ["APIs"], summary: doc, security: TOKEN_OR_TICKET },
    parameters: [...parameters, AFTER],
    responses: {
      200: { description: "The rows, and how new they are.", content: jsonContent(schema) },
      ...refusals(400, 403, 404, 422, 503, 504),
    },
  };
}

function live({ api: { id, doc } }: PublishedApi, parameters: readonly Parameter[]): Operation {
  const description = [
    "Server-Sent Events: the answer now, and a new one whenever the data behind it changes, at most every 200 ms.",
    "Each event is called `result`; `contentSchema` says what its data is.",
    "A browser's EventSource sends no headers: trade the token for a ticket first.",
  ].join(" ");
  const result = objectOf({ data: listOf(rowRef(id)), meta: { $ref: "#/components/schemas/LiveMeta" } });
  const schema = { type: "string", contentMediaType: "application/json", contentSchema: result };
  return {
    ...{ operationId: `watch_${id}`, tags: ["APIs"], summary: `Live: ${doc}`, description, security: TOKEN_OR_TICKET },
    parameters,
    responses: {
      200: { description: "A stream that never ends.", content: { "text/event-stream": { schema } } },
      ...refusals(400, 403, 404, 422, 503),
    },
  };
}

const LIST: Operation = {
  ...{ operationId: "list_apis", tags: ["APIs"], summary: "The published APIs that the token may ask." },
  responses: {
    200: {
      description: "Their ids and parameters.",
      content: jsonContent(
        objectOf({
          apis: listOf(
            objectOf({
              id: { type: "string" },
              doc: { type: "string" },
              params: listOf(
                objectOf({ name: { type: "string" }, type: { type: "string" }, required: { type: "boolean" } }),
              ),
            }),
          ),
        }),
      ),
    },
    ...refusals(403),
  },
};
