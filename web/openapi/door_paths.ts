/**
 * What belongs to no other part of the document: tickets, health, and the document itself.
 *
 * @module
 */
import { ticketBody } from "../token_routes.ts";
import { isTicketScope } from "../token_scopes.ts";
import type { Caller } from "../tokens.ts";
import { bodyOf, jsonContent, listOf, type Operation, objectOf, type Part, refusals, TEXT, TIME } from "./operation.ts";

/** The routes that are there for everybody with a token, or without one. */
export function doorPaths(caller: Caller): Part {
  const own = caller.scopes.includes("admin") ? ["api:*"] : caller.scopes.filter(isTicketScope);
  return {
    paths: {
      ...(own.length === 0 ? {} : { "/v1/tickets": { post: ticket(own.slice(0, 1)) } }),
      "/v1/openapi.json": { get: DOCUMENT },
      "/healthz": { get: HEALTHZ },
      "/readyz": { get: READYZ },
      "/metrics": { get: METRICS },
    },
  };
}

const TAG = { tags: ["Door"] } as const;
/** Open to everybody who reaches the port. */
const OPEN = { security: [] } as const;

function ticket(scopes: readonly string[]): Operation {
  return {
    ...{ operationId: "create_ticket", ...TAG, summary: "Trades the token for a ticket that travels in an address." },
    description:
      "For what cannot send headers: `?ticket=` in the address of an API, of its stream or of an ingest route. It carries some of the token's scopes for a short time.",
    requestBody: bodyOf(ticketBody, { scopes: [...scopes], expires_in: "1 minute" }),
    responses: {
      201: {
        description: "The ticket.",
        content: jsonContent(objectOf({ ticket: TEXT, expires_at: TIME })),
      },
      ...refusals(400, 403, 413, 415, 422),
    },
  };
}

const DOCUMENT: Operation = {
  ...{ operationId: "get_openapi", ...TAG, summary: "This document: what the token reaches of this door." },
  responses: { 200: { description: "OpenAPI 3.1.", content: jsonContent({ type: "object" }) }, ...refusals() },
};

const HEALTHZ: Operation = {
  ...{
    operationId: "get_health",
    ...TAG,
    ...OPEN,
    summary: "Whether the process is alive; versions for administrators.",
  },
  responses: { 200: { description: "It is.", content: jsonContent(objectOf({ status: { const: "ok" } })) } },
};

const READYZ: Operation = {
  ...{ operationId: "get_readiness", ...TAG, ...OPEN, summary: "Whether warehouse, log and actors are ready." },
  parameters: [
    {
      ...{
        name: "for",
        in: "query",
        description: "`ingest`: whether the log is ready, which is all that events need.",
      },
      schema: { type: "string", enum: ["all", "ingest"], default: "all" },
    },
  ],
  responses: {
    200: { description: "They are.", content: jsonContent(objectOf({ status: { const: "ready" } })) },
    503: {
      description: "They are not.",
      content: jsonContent(objectOf({ status: { const: "not ready" }, reasons: listOf(TEXT) })),
    },
    ...refusals(400),
  },
};

const METRICS: Operation = {
  ...{ operationId: "get_metrics", ...TAG, ...OPEN, summary: "Counters and gauges for Prometheus." },
  responses: { 200: { description: "Text format 0.0.4.", content: { "text/plain": { schema: TEXT } } } },
};
