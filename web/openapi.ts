/**
 * The API document: `GET /v1/openapi.json`, generated from what is in force.
 *
 *   definitions · scopes ──Documents──▶ OpenAPI 3.1 ──▶ /docs, generated clients, tools
 *
 * It needs a token like everything below /v1, and shows a caller what its scopes
 * reach: names of tables, columns and APIs are the warehouse's own business.
 *
 * @module
 */
import { Hono } from "hono";
import type { Door, DoorEnv } from "./door.ts";
import { Documents } from "./openapi/document.ts";

/** The route `GET /v1/openapi.json`. */
export function openapi(door: Door): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  const documents = new Documents(door);
  // Only known callers come here: the guard lets nobody else into /v1.
  app.get("/", async (c) => c.json(await documents.for(c.get("caller")!)));
  return app;
}
