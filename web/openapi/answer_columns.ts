/**
 * The columns of an API's answer: what the engine says of its SELECT, and what the columns behind it mean.
 *
 *   Api ──DESCRIBE, as `reader`──▶ names, types ──comments of the tables that it reads──▶ columns
 *
 * An answer's column of the same name and type as one of a table that is read is
 * taken to mean the same, and so down the lineage. Kept per published object, so a new definition is asked anew.
 *
 * @module
 */
import { readsOf } from "@weir/actors";
import { type Api, probeQuery, qualifiedName } from "@weir/sql";
import { Exit } from "effect";
import type { PublishedApi } from "../api/published.ts";
import type { Door } from "../door.ts";

/** A column of an answer. */
export interface AnswerColumn {
  readonly name: string;
  readonly type: string;
  readonly comment: string;
}

/** What is needed of the door. */
export type ColumnsDoor = Pick<Door, "catalog" | "run" | "warehouse">;

const SECONDS_MAX = 5;

/** Knows the columns of one door's APIs. */
export class AnswerColumns {
  readonly #door: ColumnsDoor;
  readonly #known = new WeakMap<PublishedApi, Promise<readonly AnswerColumn[] | undefined>>();

  constructor(door: ColumnsDoor) {
    this.#door = door;
  }

  /** The columns; undefined while the warehouse cannot say. */
  of(published: PublishedApi): Promise<readonly AnswerColumn[] | undefined> {
    const known = this.#known.get(published);
    if (known !== undefined) return known;
    // Whoever asks meanwhile waits for the same answer: many readers cost no more than one.
    const asked = this.#ask(published);
    this.#known.set(published, asked);
    return asked;
  }

  async #ask(published: PublishedApi): Promise<readonly AnswerColumn[] | undefined> {
    const { sql, params } = probeQuery(published.api);
    const values = Object.entries(params).map(([name, value]) => [`param_${name}`, value] as const);
    const settings = { ...Object.fromEntries(values), readonly: 1, max_execution_time: SECONDS_MAX };
    const { run, warehouse, catalog } = this.#door;
    const exit = await run(warehouse.rows<{ name: string; type: string }>("reader", sql, settings));
    if (!Exit.isSuccess(exit)) {
      this.#known.delete(published);
      return undefined;
    }
    const comments = commentsBehind(catalog, published.api);
    return exit.value.map(({ name, type }) => ({
      name,
      type,
      comment: comments.get(`${name} ${type}`) ?? "",
    }));
  }
}

/** Columns of a table or view in force, by its qualified name. */
export function columnsBehind({ catalog }: Pick<Door, "catalog">, name: string): readonly AnswerColumn[] {
  const definition = definitionOf(catalog, name);
  return definition === undefined || !("columns" in definition) ? [] : definition.columns;
}

function definitionOf(catalog: Door["catalog"], name: string) {
  return catalog.all().find(({ definition }) => qualifiedName(definition) === name)?.definition;
}

/** Comments by column's name and type, of what the API reads and what that reads; the nearest one counts. */
function commentsBehind(catalog: Door["catalog"], { reads }: Api): ReadonlyMap<string, string> {
  const comments = new Map<string, string>();
  const names = new Set(reads);
  // A set goes on to what is added while it is walked.
  for (const name of names) {
    for (const { name: column, type, comment } of columnsBehind({ catalog }, name)) {
      const key = `${column} ${type}`;
      if (comment !== "" && !comments.has(key)) comments.set(key, comment);
    }
    const definition = definitionOf(catalog, name);
    for (const below of definition === undefined ? [] : readsOf(definition)) names.add(below);
  }
  return comments;
}
