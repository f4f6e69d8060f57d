/**
 * web: the door. HTTP in, the rooms below out; no business rule lives here.
 *
 *   request ──guard──▶ /v1/ingest · /v1/sql · /v1/api · /v1/admin · /v1/tickets · health ──▶ answer, or {"error":{…}}
 *
 * @module
 */
import { Effect } from "effect";
import { Hono } from "hono";
import { admin } from "./admin.ts";
import { api } from "./api.ts";
import { consolePage } from "./console.ts";
import type { Door, DoorEnv } from "./door.ts";
import { answerOf, refusalOfError } from "./errors.ts";
import { answered, knownCaller, ownOrigin, unrouted } from "./guard.ts";
import { health } from "./health.ts";
import { ingest } from "./ingest.ts";
import { metrics } from "./metrics.ts";
import { openapi } from "./openapi.ts";
import { sql } from "./sql.ts";
import { stderrLogger } from "./stderr_logger.ts";
import { tickets } from "./token_routes.ts";

export { type Apis, NO_APIS, type PublishedApi } from "./api/published.ts";
export { readConfig, SETTINGS } from "./config.ts";
export { Counters } from "./counters.ts";
export type { Door } from "./door.ts";
export { INGEST_LIMITS } from "./ingest.ts";
export { type Parts, partsOfDoor } from "./parts.ts";
export { keepTokens } from "./token_rows.ts";
export { Tokens } from "./tokens.ts";

/** The whole door: the guard, then one route file per resource. */
export function app(door: Door): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  app.onError(async (error) => {
    const refusal = refusalOfError(error);
    if (refusal.code === "internal") {
      const log = Effect.logError("a request failed unexpectedly", refusal.cause);
      await door.run(Effect.provide(log, stderrLogger));
    }
    return answerOf(refusal);
  });
  app.use(answered(door), ownOrigin(door), knownCaller(door));
  app.route("/v1/admin", admin(door));
  app.route("/", health(door));
  app.route("/", metrics(door));
  // A worker is looked after here, and by nobody else.
  if (door.role !== "worker") {
    app.route("/v1/ingest", ingest(door));
    app.route("/v1/sql", sql(door));
    app.route("/v1/api", api(door));
    app.route("/v1/tickets", tickets(door));
    app.route("/v1/openapi.json", openapi(door));
    app.route("/", consolePage());
  }
  app.notFound(unrouted(app, door.role));
  return app;
}
