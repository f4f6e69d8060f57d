/**
 * What an operator sees and changes: status, actors, sources' records, the quarantine, definitions, tokens.
 *
 *   /v1/admin/status · actors · sources · quarantine · definitions · tokens ──▶ registry · log · warehouse · catalog
 *
 * All of it needs the scope `admin`.
 *
 * @module
 */
import type { RunningSource } from "@weir/actors";
import { Hono } from "hono";
import { backups } from "./backups.ts";
import { definitions } from "./definitions.ts";
import type { Door, DoorEnv } from "./door.ts";
import { scoped } from "./guard.ts";
import { lagIn } from "./lag.ts";
import { quarantineRoutes } from "./quarantine_routes.ts";
import { statusOf } from "./status.ts";
import { tails } from "./tail.ts";
import { adminTokens } from "./token_routes.ts";

/** The routes below `/v1/admin`. */
export function admin(door: Door): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  app.use(scoped("admin"));

  app.get("/actors", async (c) => {
    const sources = await Promise.all(door.sources.all().map((running) => lagOf(door, running)));
    return c.json({ actors: door.sources.registry.reports(), sources });
  });

  app.get("/status", async (c) => c.json(await statusOf(door)));

  app.route("/quarantine", quarantineRoutes(door));
  app.route("/sources", tails(door));
  app.route("/backups", backups(door));
  app.route("/definitions", definitions(door));
  app.route("/tokens", adminTokens(door));
  return app;
}

/** One source's partitions: what the log holds, what can be queried, and the records between. */
async function lagOf({ log, run, sources }: Door, { applied, target }: RunningSource) {
  const { name, topic } = applied.source;
  const visible = sources.visible.of(target.statement);
  const exit = await run(log.offsets(topic));
  // An operator looks here when things are broken: actors are shown even if the log does not answer.
  if (exit._tag === "Failure") return { source: name, topic, lag: null, partitions: [] };
  const partitions = exit.value.map((range) => ({
    ...range,
    visible: visible.get(range.partition) ?? null,
    lag: lagIn(range, visible),
  }));
  return { source: name, topic, lag: partitions.reduce((sum, { lag }) => sum + lag, 0), partitions };
}
