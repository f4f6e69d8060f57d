/**
 * Health: is it alive, is it ready.
 *
 *   /healthz (the process) · /readyz (warehouse, log, actors)
 *
 * Open to everybody who reaches the port, so nothing here names more than
 * sources and actors; versions are for administrators.
 *
 * @module
 */
import type { Report } from "@weir/actors";
import { Effect, Exit } from "effect";
import { Hono } from "hono";
import type { Door, DoorEnv } from "./door.ts";
import { PART_MS_MAX } from "./lag.ts";
import { mayDo } from "./tokens.ts";

/** States of a table actor in which nothing lands any more. */
export const DOWN: ReadonlySet<string> = new Set(["stopped", "failed"]);

/** `/healthz` and `/readyz`. */
export function health(door: Door): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();

  app.get("/healthz", async (c) => {
    const caller = c.get("caller");
    if (caller === undefined || !mayDo(caller, "admin")) return c.json({ status: "ok" });
    return c.json({ status: "ok", versions: { bun: Bun.version, clickhouse: await warehouseVersion(door) } });
  });

  app.get("/readyz", async (c) => {
    const reasons = await reasonsNotReady(door);
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
export async function reasonsNotReady({ warehouse, log, sources, run }: Door): Promise<string[]> {
  const [answers, topics] = await Promise.all([
    run(warehouse.ready(PART_MS_MAX)),
    run(Effect.timeout(log.topic("weir.control"), PART_MS_MAX)),
  ]);
  const down = tablesDown(sources.registry.reports());
  return [
    ...(Exit.isSuccess(answers) && answers.value ? [] : ["the warehouse does not answer"]),
    ...(Exit.isSuccess(topics) ? [] : ["the log does not answer"]),
    ...down.map(({ address, state }) => `${address} is ${state}`),
  ];
}

/** Table actors that land nothing any more. */
export const tablesDown = (reports: readonly Report[]): readonly Report[] =>
  reports.filter(({ kind, state }) => kind === "table" && DOWN.has(state));
