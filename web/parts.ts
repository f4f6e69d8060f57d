/**
 * The parts behind a door, out of their layers.
 *
 *   layers (main.ts, testing/, tests/world.ts) ──partsOfDoor──▶ log · warehouse · refusals · sources · catalog · apis ──▶ Door
 *
 * @module
 */
import { Backups, Catalog, Refusals, Sources } from "@weir/actors";
import { Log, Warehouse } from "@weir/connectors";
import { Effect } from "effect";
import type { Door } from "./door.ts";

/** The parts of a running platform. */
export type Parts = Log | Warehouse | Sources | Catalog | Refusals | Backups;

/** The parts as a door holds them. */
export const partsOfDoor: Effect.Effect<
  Pick<Door, "log" | "warehouse" | "refusals" | "sources" | "catalog" | "backups" | "apis">,
  never,
  Parts
> = Effect.gen(function* () {
  const [log, warehouse, refusals] = [yield* Log, yield* Warehouse, yield* Refusals];
  const [sources, catalog, backups] = [yield* Sources, yield* Catalog, yield* Backups];
  return { log, warehouse, refusals, sources, catalog, backups, apis: { get: catalog.api, all: catalog.apis } };
});
