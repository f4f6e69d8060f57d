/**
 * What an operator sees and changes: actors, the quarantine, definitions, tokens.
 *
 *   /v1/admin/actors · /v1/admin/quarantine · /v1/admin/definitions · /v1/admin/tokens ──▶ registry · warehouse · catalog
 *
 * All of it needs the scope `admin`.
 *
 * @module
 */
import type { RunningSource } from "@weir/actors";
import { Hono } from "hono";
import { definitions } from "./definitions.ts";
import type { Door, DoorEnv } from "./door.ts";
import { orRefuse, Refusal } from "./errors.ts";
import { scoped } from "./guard.ts";
import { lagIn } from "./lag.ts";
import { type Cursor, cursorOf, QUARANTINE_LIMITS, quarantined } from "./quarantine.ts";
import { adminTokens } from "./token_routes.ts";

/** The routes below `/v1/admin`. */
export function admin(door: Door): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  app.use(scoped("admin"));

  app.get("/actors", async (c) => {
    const sources = await Promise.all(door.sources.all().map((running) => lagOf(door, running)));
    return c.json({ actors: door.sources.registry.reports(), sources });
  });

  app.get("/quarantine", async (c) => {
    const { source, limit, before } = c.req.query();
    return c.json(
      await orRefuse(
        door.run(quarantined(door.warehouse, { source, limit: limitOf(limit), before: beforeOf(before) })),
      ),
    );
  });

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

function limitOf(text = String(QUARANTINE_LIMITS.rows)): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= QUARANTINE_LIMITS.rowsMax) return limit;
  throw new Refusal(400, "bad_parameter", "Cannot use the limit.", `Say 1 to ${QUARANTINE_LIMITS.rowsMax}.`, "limit");
}

function beforeOf(text: string | undefined): Cursor | undefined {
  if (text === undefined) return undefined;
  const cursor = cursorOf(text);
  if (cursor !== undefined) return cursor;
  throw new Refusal(
    400,
    "bad_parameter",
    "Cannot use `before`.",
    "Send the `next` of an answer, or a time such as 2026-01-31T00:00:00Z.",
    "before",
  );
}
