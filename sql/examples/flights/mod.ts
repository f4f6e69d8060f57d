/**
 * flights: the example warehouse, its definitions and where its data lies.
 *
 *   ods/flight.sql ◀── projectDir        vega-datasets/data/* ◀── flights20kPath · flights3mPath · airportsPath · statesPath
 *
 * Paths only: whoever needs a file reads it. The data comes from the npm package
 * `vega-datasets` (BSD-3; US Bureau of Transportation Statistics). Its exports name
 * only `.` (build/index.js), so `data/` is found beside `build/`.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

export * from "./flights.ts";

const dataUrl = new URL("../data/", import.meta.resolve("vega-datasets"));

/** Folder of the definitions, as `weir start --project` takes it. */
export const projectDir: string = fileURLToPath(new URL(".", import.meta.url));
/** 20,000 flights, January to March 2001, JSON. */
export const flights20kPath: string = fileURLToPath(new URL("flights-20k.json", dataUrl));
/** 3,000,000 flights, January to June 2001 and the first minute of July, Parquet. */
export const flights3mPath: string = fileURLToPath(new URL("flights-3m.parquet", dataUrl));
/** Outlines of the states, TopoJSON (US Census Bureau). */
export const statesPath: string = fileURLToPath(new URL("us-10m.json", dataUrl));
/** Airports by IATA code, CSV with a header. */
export const airportsPath: string = fileURLToPath(new URL("airports.csv", dataUrl));
