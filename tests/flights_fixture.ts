/**
 * The flights warehouse for tests: all its definitions applied to a world, with its airports and some flights in it.
 *
 *   sql/examples/flights ──apply──▶ World ◀──ingest── the first flights of vega-datasets
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { airportsPath, flightEvent, flights20kPath, parseFlights, projectDir } from "@weir/flights";
import { apply, JSON_TYPE, projectFiles } from "./models_fixture.ts";
import { openWorld, type World } from "./world.ts";

const FLIGHTS = 500;

/** Opens a world with the warehouse in it; every flight can be queried. */
export async function openFlights(): Promise<World> {
  const world = await openWorld();
  const files = projectFiles(projectDir).map((file) =>
    file.path === "dim/airport.sql" ? { ...file, data: readFileSync(airportsPath, "utf8") } : file,
  );
  const { answer } = await apply(world, files);
  if (!answer.done) throw new Error(`The flights were not applied: ${JSON.stringify(answer)}`);
  const flights = parseFlights(readFileSync(join(flights20kPath), "utf8")).slice(0, FLIGHTS);
  const events = flights.map((flight, index) => flightEvent(flight, { loop: 0, number: index + 1, shiftMs: 0 }));
  const landed = await world.post("/v1/ingest/flight?wait=1", JSON.stringify(events), JSON_TYPE);
  if (landed.status !== 200) throw new Error(`The flights did not land: ${await landed.text()}`);
  return world;
}
