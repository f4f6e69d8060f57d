/**
 * Health: is it alive, is it ready.
 *
 *   /healthz (the process) · /readyz (warehouse, log, actors) · /readyz?for=ingest (log)
 *
 * Open to everybody who reaches the port, so nothing here names more than
 * sources and actors, and whoever asks meanwhile shares one look; versions are
 * for administrators.
 *
 * @module
 */
import { CATALOG, type Report } from "@weir/actors";
import { Effect, Exit } from "effect";
import { Hono } from "hono";
import { atMostEvery } from "./at_most_every.ts";
import type { Door, DoorEnv } from "./door.ts";
import { Refusal } from "./errors.ts";
import { PART_MS_MAX } from "./lag.ts";
import { mayDo } from "./tokens.ts";

/** States of a table actor in which nothing lands any more. */
export const DOWN: ReadonlySet<string> = new Set(["stopped", "failed"]);

/** For so long the last look is good enough. */
const LOOK_MS_MIN = 250;

/** `/healthz` and `/readyz`. */
export function health(door: Door): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  const looks: Readonly<Record<string, () => Promise<readonly string[]>>> = {
    all: atMostEvery(LOOK_MS_MIN, () => reasonsNotReady(door)),
    ingest: atMostEvery(LOOK_MS_MIN, () => reasonsNoIngest(door)),
  };

  app.get("/healthz", async (c) => {
    const caller = c.get("caller");
    if (caller === undefined || !mayDo(caller, "admin")) return c.json({ status: "ok" });
    return c.json({ status: "ok", versions: { bun: Bun.version, clickhouse: await warehouseVersion(door) } });
  });

  app.get("/readyz", async (c) => {
    const what = c.req.query("for") ?? "all";
    const look = Object.hasOwn(looks, what) ? looks[what] : undefined;
    if (look === undefined) {
      const message = `Cannot say whether it is ready for '${what.slice(0, 40)}'.`;
      throw new Refusal(400, "bad_parameter", message, "Ask for=ingest, for=all, or leave it out.", "for");
    }
    const reasons = await look();
    if (reasons.length === 0) return c.json({ status: "ready" });
    return c.json({ status: "not ready", reasons }, 503, { "retry-after": "2" });
  });
  return app;
}

async function warehouseVersion({ warehouse, run }: Door): Promise<string | null> {
  const query = warehouse.rows<{ version: string }>("admin", "SELECT version() AS version", { readonly: 1 });
  const exit = await run(Effect.timeout(query, PART_MS_MAX));
  return Exit.isSuccess(exit) ? (exit.value[0]?.version ?? null) : null;
}

/** Why the door is not ready; empty if it is. */
export async function reasonsNotReady(door: Door): Promise<string[]> {
  const { warehouse, sources, run } = door;
  const [answers, noIngest] = await Promise.all([run(warehouse.ready(PART_MS_MAX)), reasonsNoIngest(door)]);
  const down = tablesDown(sources.registry.reports());
  return [
    ...(Exit.isSuccess(answers) && answers.value ? [] : ["the warehouse does not answer"]),
    ...noIngest,
    ...down.map(({ address, state }) => `${address} is ${state}`),
  ];
}

/** Why the door can take no events: they need the log alone, and wait there for everything else. */
async function reasonsNoIngest({ log, run }: Door): Promise<string[]> {
  const found = await run(Effect.timeout(log.topic(CATALOG.topic), PART_MS_MAX));
  return Exit.isSuccess(found) ? [] : ["the log does not answer"];
}

/** Table actors that land nothing any more. */
export const tablesDown = (reports: readonly Report[]): readonly Report[] =>
  reports.filter(({ kind, state }) => kind === "table" && DOWN.has(state));
