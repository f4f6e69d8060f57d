/**
 * Values to try an API with: what its definition says, else one that is really in the table behind it.
 *
 *   example: · default: · values: ──▶ that       WHERE id = {id:String} ──one row of the table──▶ its id       else any value of the type
 *
 * What must hold: a document shows nothing that its reader could not read
 * anyway. A value out of a table goes only to callers whose SQL may read that
 * table, and to none whose token fixes parameters.
 *
 * @module
 */
import {
  type Api,
  type ApiParam,
  checkParam,
  comparedColumn,
  exampleTexts,
  identifier,
  readParamType,
} from "@weir/sql";
import { Exit } from "effect";
import type { PublishedApi } from "../api/published.ts";
import type { Door } from "../door.ts";
import { sqlTables } from "../sql_scope.ts";
import type { Caller } from "../tokens.ts";
import { columnsBehind } from "./answer_columns.ts";

/** What is needed of the door. */
export type ExamplesDoor = Pick<Door, "catalog" | "run" | "warehouse">;

/** Bounds of one look into a table: a view over much data is not worth more. */
const LOOK_SETTINGS = { readonly: 1, max_execution_time: 1, max_threads: 1, max_memory_usage: 256 * 2 ** 20 } as const;

/** After so long, what was not found is looked for again. */
const NOT_FOUND_MS = 60_000;

/** What a look into a table finds, and until when that counts. */
interface Seen {
  readonly value: Promise<string | undefined>;
  untilMs: number;
}

/** Finds values for parameters of one door's APIs. */
export class Examples {
  readonly #door: ExamplesDoor;
  /** By table and column, for as long as the API is as it is. */
  readonly #seen = new WeakMap<PublishedApi, Map<string, Seen>>();

  constructor(door: ExamplesDoor) {
    this.#door = door;
  }

  /** What to send for the parameter, as texts that the API takes. */
  async of(
    published: PublishedApi,
    { param, caller }: { param: ApiParam; caller: Caller },
  ): Promise<readonly string[]> {
    const { api } = published;
    const sample = exampleTexts(param);
    if (!param.required || param.example !== undefined || param.values !== undefined) return sample;
    const type = readParamType(param.type);
    for (const place of placesOf(this.#door, { api, param, caller })) {
      const value = await this.#look(published, place);
      if (value !== undefined && checkParam(type, [value], param).ok) return [value];
    }
    // An empty text finds nothing and says nothing.
    return sample.length === 1 && sample[0] === "" ? [param.name] : sample;
  }

  async #look(published: PublishedApi, { table, column }: Place): Promise<string | undefined> {
    const key = `${table}.${column}`;
    const seen = this.#seen.get(published) ?? new Map<string, Seen>();
    this.#seen.set(published, seen);
    const known = seen.get(key);
    if (known !== undefined && Date.now() < known.untilMs) return known.value;
    // Whoever asks meanwhile waits for the same look.
    const look = { value: this.#lookAt({ table, column }), untilMs: Date.now() + NOT_FOUND_MS };
    seen.set(key, look);
    const value = await look.value;
    if (value !== undefined) look.untilMs = Number.POSITIVE_INFINITY;
    return value;
  }

  async #lookAt({ table, column }: Place): Promise<string | undefined> {
    const from = table.split(".").map(identifier).join(".");
    const sql = `SELECT toString(${identifier(column)}) AS value FROM ${from} WHERE value != '' LIMIT 1`;
    const exit = await this.#door.run(this.#door.warehouse.rows<{ value: string }>("reader", sql, LOOK_SETTINGS));
    // An example is not worth a failure: any value of the type does too.
    return Exit.isSuccess(exit) ? exit.value[0]?.value : undefined;
  }
}

interface Place {
  /** Qualified. */
  readonly table: string;
  readonly column: string;
}

/** The columns to which a parameter is compared, in tables that the caller may read by SQL. */
function placesOf(door: ExamplesDoor, of: { api: Api; param: ApiParam; caller: Caller }): readonly Place[] {
  const tables = sqlTables(of.caller);
  const column = comparedColumn(of.api, of.param.name);
  if (tables === undefined || column === undefined || of.caller.fixedParams !== undefined) return [];
  return of.api.reads.flatMap((table) => {
    const [database = "", name = ""] = table.split(".");
    const isThere = columnsBehind(door, table).some((one) => one.name === column);
    return isThere && tables.mayRead({ database, name }) ? [{ table, column }] : [];
  });
}
