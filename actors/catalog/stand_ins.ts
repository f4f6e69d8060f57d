/**
 * Stand-ins: functions and dimensions that are planned, made under other names while models over them are judged.
 *
 *   per_km ──▶ per_km__planned        dim.airport ──▶ dim.airport__planned (empty)        gone with the scope
 *
 * So a plan sees what is not there yet, and changes nothing that is.
 *
 * @module
 */
import type { Warehouse, WarehouseFailed } from "@weir/connectors";
import {
  createDimensionTable,
  createFunction,
  type Dimension,
  dimensionTable,
  dropDimension,
  dropFunction,
  publishDimension,
  type SqlFunction,
} from "@weir/sql";
import { Effect, type Scope } from "effect";

const SUFFIX = "__planned";

/** The stand-ins of one plan. */
export class StandIns {
  readonly #warehouse: Warehouse["Service"];
  readonly #patterns: { readonly pattern: RegExp; readonly by: string }[] = [];

  constructor(warehouse: Warehouse["Service"]) {
    this.#warehouse = warehouse;
  }

  /** A question with the stand-ins' names in it. */
  readonly phrase = (sql: string): string =>
    this.#patterns.reduce((text, { pattern, by }) => text.replaceAll(pattern, by), sql);

  /** An answer with the names of what they stand for. */
  readonly plain = (answer: string): string => answer.replaceAll(SUFFIX, "");

  /** Makes a function under another name. */
  addFunction(definition: SqlFunction): Effect.Effect<void, WarehouseFailed, Scope.Scope> {
    const standIn = { ...definition, name: `${definition.name}${SUFFIX}` };
    const { command } = this.#warehouse;
    this.#patterns.push({ pattern: new RegExp(`\\b${definition.name}\\b(?=\\s*\\()`, "g"), by: standIn.name });
    return Effect.andThen(
      Effect.addFinalizer(() => Effect.ignore(command("writer", dropFunction(standIn)))),
      command("writer", createFunction(standIn)),
    );
  }

  /** Makes a dimension without rows under another name. */
  addDimension(definition: Dimension): Effect.Effect<void, WarehouseFailed, Scope.Scope> {
    const dimension: Dimension = { ...definition, name: `${definition.name}${SUFFIX}` };
    const { command } = this.#warehouse;
    this.#patterns.push({ pattern: new RegExp(`\\bdim\\.${definition.name}\\b`, "g"), by: `dim.${dimension.name}` });
    const make = [createDimensionTable(dimension, 0), ...publishDimension({ dimension, version: 0 }, undefined)];
    const drop = [...dropDimension(dimension), `DROP TABLE IF EXISTS ${dimensionTable(dimension, 0)} SYNC`];
    const all = (statements: readonly string[]) =>
      Effect.forEach(statements, (statement) => command("writer", statement), { discard: true });
    // What is made is dropped even when the rest of it fails.
    return Effect.andThen(
      Effect.addFinalizer(() => Effect.ignore(all(drop))),
      all(make),
    );
  }
}
