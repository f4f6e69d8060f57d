/**
 * What an operator sees and changes: status, actors, sources' records, the quarantine, definitions, tokens.
 *
 *   /v1/admin/status · actors · sources · quarantine · definitions · tokens ──▶ registry · log · warehouse · catalog
 *
 * All of it needs the scope `admin`.
 *
 * @module
 */
import { Hono } from "hono";
import { backups } from "./backups.ts";
import { definitions } from "./definitions.ts";
import type { Door, DoorEnv } from "./door.ts";
import { scoped } from "./guard.ts";
import { lagOf } from "./lag.ts";
import { positionRoutes } from "./position_routes.ts";
import { quarantineRoutes } from "./quarantine_routes.ts";
import { statusOf } from "./status.ts";
import { tails } from "./tail.ts";
import { adminTokens } from "./token_routes.ts";

/** The routes below `/v1/admin`. */
export function admin(door: Door): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  app.use(scoped("admin"));

  app.get("/actors", async (c) => {
    const sources = await Promise.all(
      door.sources.all().map(async (running) => {
        const { name, topic } = running.applied.source;
        const partitions = await lagOf(door, running);
        // An operator looks here when things are broken: actors are shown even if the log does not answer.
        const lag = partitions?.reduce((sum, one) => sum + one.lag, 0) ?? null;
        return { source: name, topic, lag, partitions: partitions ?? [] };
      }),
    );
    return c.json({ actors: door.sources.registry.reports(), sources });
  });

  app.get("/status", async (c) => c.json(await statusOf(door)));

  app.route("/quarantine", quarantineRoutes(door));
  app.route("/sources", tails(door));
  app.route("/sources", positionRoutes(door));
  app.route("/backups", backups(door));
  app.route("/definitions", definitions(door));
  app.route("/tokens", adminTokens(door));
  return app;
}
