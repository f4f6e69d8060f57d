/**
 * The oracle against the definitions: the authors' SELECTs, run by the engine as they stand over one replay's events.
 *
 *   events ──▶ ods.flight (scratch) ◀── dwf.flight ◀── dws.airport_hour, dwa.* (views) ──modelQuery──▶ compared
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { embeddedClickHouse } from "@weir/connectors";
import { airportsPath, flightEvent, flights20kPath, parseFlights, projectDir } from "@weir/flights";
import {
  createDimensionTable,
  createFunction,
  createWeirTables,
  dimensionTable,
  finishDimension,
  finishFunction,
  loadStatements,
  namesQuestion,
  publishDimension,
  readApi,
  readDimension,
  readFunction,
  treeQuestion,
  typesQuestion,
} from "@weir/sql";
import { Effect, Exit, Logger, Scope } from "effect";
import { modelDifferences, modelQuery } from "./check.ts";
import { type ExpectedModel, expectedModels, MODEL_TABLES } from "./expected.ts";

const dataDir = mkdtempSync(join(tmpdir(), "weir-oracle-"));
const scope = Scope.makeUnsafe();
const definition = (path: string) => readFileSync(join(projectDir, path), "utf8");
const expected = new Map<string, ExpectedModel>();
let ask: (
  sql: string,
  body?: Uint8Array<ArrayBuffer> | string,
  more?: Record<string, string | number>,
) => Promise<string>;

async function rows<Row = Record<string, unknown>>(sql: string, params: Record<string, string> = {}): Promise<Row[]> {
  const named = Object.entries(params).map(([name, value]) => [`param_${name}`, value]);
  const format = { default_format: "JSONEachRow", output_format_json_quote_64bit_integers: 1 };
  const answer = await ask(sql, undefined, { ...format, ...Object.fromEntries(named) });
  return answer === "" ? [] : answer.split("\n").map((line) => JSON.parse(line) as Row);
}

beforeAll(async () => {
  const starting = embeddedClickHouse({ dataDir }).pipe(Scope.provide(scope), Effect.provide(Logger.layer([])));
  const { url, accounts } = (await Effect.runPromise(starting)).connection;
  ask = async (sql, body, more = {}) => {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(more)) search.set(name, String(value));
    search.set("wait_end_of_query", "1");
    if (body !== undefined) search.set("query", sql);
    const { user, password } = accounts.admin;
    const headers = { "x-clickhouse-user": user, "x-clickhouse-key": password };
    const request = { method: "POST", body: body ?? sql, headers, keepalive: false };
    const response = await fetch(`${url}/?${search}`, request);
    const answer = await response.text();
    if (!response.ok) throw new Error(answer);
    return answer.trimEnd();
  };
  for (const statement of createWeirTables()) await ask(statement);
  const flights = readFileSync(flights20kPath, "utf8");
  for (const model of expectedModels(flights, readFileSync(airportsPath, "utf8"))) expected.set(model.table, model);
  await makeAirports();
  await makeFlights(flights);
  const delayClass = readFunction("functions/delay_class.sql", definition("functions/delay_class.sql"));
  const tree = await rows<never>(treeQuestion(delayClass));
  const known = await rows<never>(namesQuestion(delayClass, tree));
  await ask(createFunction(finishFunction(delayClass, { tree, known })));
  for (const model of ["dwf.flight", "dws.airport_hour", "dwa.state_minute", "dwa.route_day"]) {
    const [, select] = definition(`${model.replace(".", "/")}.sql`).split("---*/\n");
    await ask(`CREATE VIEW ${model} AS ${select}`);
  }
});

afterAll(async () => {
  await Effect.runPromise(Scope.close(scope, Exit.void));
  rmSync(dataDir, { recursive: true, force: true });
});

async function makeAirports(): Promise<void> {
  const draft = readDimension("dim/airport.sql", definition("dim/airport.sql"));
  const airport = finishDimension(draft, await rows(typesQuestion(draft)));
  await ask(createDimensionTable(airport, 1));
  const bytes = new Uint8Array(readFileSync(airportsPath));
  for (const { statement, settings } of loadStatements(airport, dimensionTable(airport, 1)))
    await ask(statement, bytes, settings);
  for (const statement of publishDimension({ dimension: airport, version: 1 }, undefined)) await ask(statement);
}

/** One replay, and an event of an endless one that the comparison must leave out. */
async function makeFlights(text: string): Promise<void> {
  await ask(`CREATE TABLE ods.flight (flight_id String, departed_at DateTime64(3, 'UTC'), origin LowCardinality(String),
    destination LowCardinality(String), distance UInt32, delay Int32) ENGINE = MergeTree ORDER BY flight_id`);
  const flights = parseFlights(text);
  const events = flights.map((flight, at) => flightEvent(flight, { loop: 0, number: at + 1, shiftMs: 0 }));
  const endless = flightEvent(flights[0], { loop: 1, number: 1, shiftMs: 20 * 365 * 86_400_000 });
  const body = [...events, endless].map((event) => JSON.stringify(event)).join("\n");
  await ask("INSERT INTO ods.flight FORMAT JSONEachRow", body, { date_time_input_format: "best_effort" });
}

describe("the flights warehouse", () => {
  test.each([...MODEL_TABLES])("%s is what was worked out by hand, in every group", async (table) => {
    const model = expected.get(table) as ExpectedModel;
    const check = modelDifferences(model, await rows(modelQuery(model)));
    expect(check.differences.slice(0, 5)).toEqual([]);
    expect([check.groups, check.found]).toEqual([model.groups.size, model.groups.size]);
  });

  test("notices one event that is missing, in every model over flights", async () => {
    await ask("ALTER TABLE ods.flight DELETE WHERE flight_id = '0-777' SETTINGS mutations_sync = 1");
    for (const table of MODEL_TABLES.slice(1)) {
      const model = expected.get(table) as ExpectedModel;
      expect(modelDifferences(model, await rows(modelQuery(model))).differences.length).toBeGreaterThan(0);
    }
  });

  test.each([
    ["api/state_minute.sql", { state: "CA", limit: "5" }, 5],
    ["api/worst_airports.sql", { from: "2001-01-01 00:00:00", hours: "24", flights: "5", limit: "3" }, 3],
    ["api/flight.sql", { flight_id: "0-1" }, 1],
  ] as const)("%s answers", async (path, params, count) => {
    const api = readApi(path, definition(path));
    expect(await rows(api.sql, params)).toHaveLength(count);
  });
});
