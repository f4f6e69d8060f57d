/**
 * Entries: the rows of `weir.definition`, which say what is defined and in which state it is.
 *
 *   apply ──enter──▶ weir.definition ──newest row of a name──▶ in force
 *
 * Rows are only added. A definition's text is the truth; everything else is
 * derived from it again.
 *
 * @module
 */
import { type LogFailed, Warehouse, type WarehouseFailed } from "@weir/connectors";
import { literal } from "@weir/sql";
import { Effect } from "effect";
import { insertHeld } from "../held_insert.ts";
import { NUMBERS } from "../read_settings.ts";

/** What a definition's newest entry says about it. */
export type EntryState = "building" | "active" | "suspended" | "removed";

/** One version of one definition. */
export interface Entry {
  /** Version of the whole catalog, one more with every apply. */
  readonly catalog: number;
  readonly kind: string;
  /** The folder: `ods`, `dim`, …, `functions`, `api`. */
  readonly layer: string;
  readonly name: string;
  /** Number of the physical table. */
  readonly version: number;
  readonly state: EntryState;
  /** Why it is in this state; empty when there is nothing to say. */
  readonly note: string;
  readonly file: string;
  readonly text: string;
  /** sha256 of the data that came with the definition; empty if none did. */
  readonly digest: string;
  readonly author: string;
}

/** An entry as the catalog keeps it. */
export interface KeptEntry extends Entry {
  readonly applied_at: string;
}

/** `dwf.flight`, as definitions are called everywhere. */
export const nameOf = ({ layer, name }: Pick<Entry, "layer" | "name">): string => `${layer}.${name}`;

const COLUMNS = "catalog, kind, layer, name, version, state, note, file, text, digest, author";

/** The newest entry of every definition, or of the one that is named, at a version of the catalog. */
export const newestEntries = Effect.fnUntraced(function* (
  of: { readonly kind?: string; readonly layer?: string; readonly name?: string; readonly catalog?: number } = {},
): Effect.fn.Return<readonly KeptEntry[], WarehouseFailed, Warehouse> {
  const warehouse = yield* Warehouse;
  const { catalog, ...named } = of;
  const conditions = Object.entries(named).map(([column, value]) => `${column} = ${literal(value)}`);
  if (catalog !== undefined) conditions.push(`catalog <= ${Math.trunc(catalog)}`);
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  const rows = yield* warehouse.rows<KeptEntry>(
    "writer",
    `SELECT ${COLUMNS}, applied_at FROM weir.definition ${where}
     ORDER BY catalog DESC, applied_at DESC LIMIT 1 BY layer, name`,
    NUMBERS,
  );
  return rows.filter(({ state }) => state !== "removed");
});

/**
 * The number that a definition's next version gets, by name: one more than any that was ever used. A build that
 * failed at the barrier has no entry, but chunks that are marked as done or positions to begin at: its number is used
 * too.
 */
export const nextVersions = Effect.fnUntraced(function* () {
  const warehouse = yield* Warehouse;
  const rows = yield* warehouse.rows<{ layer: string; name: string; newest: number }>(
    "writer",
    `SELECT layer, name, max(version) AS newest
     FROM (SELECT layer, name, version FROM weir.definition UNION ALL SELECT layer, name, version FROM weir.backfill
           UNION ALL SELECT 'ods' AS layer, substring(statement, 5) AS name, version FROM weir.reset)
     GROUP BY layer, name`,
    NUMBERS,
  );
  return new Map(rows.map(({ layer, name, newest }) => [`${layer}.${name}`, newest + 1]));
});

/** The newest version of the catalog; 0 when nothing was ever applied. */
export const catalogVersion = Effect.fnUntraced(function* () {
  const warehouse = yield* Warehouse;
  const [{ newest }] = yield* warehouse.rows<{ newest: number }>(
    "writer",
    "SELECT max(catalog) AS newest FROM weir.definition",
    NUMBERS,
  );
  return newest;
});

/** How many entries were ever written. They are only added, so another number means that something changed. */
export const entryCount = Effect.fnUntraced(function* () {
  const warehouse = yield* Warehouse;
  const sql = "SELECT count() AS count FROM weir.definition";
  const [{ count }] = yield* warehouse.rows<{ count: number }>("writer", sql, NUMBERS);
  return count;
});

/** Types of COLUMNS, for an insert that has a deadline. */
const TYPES =
  "catalog UInt32, kind String, layer String, name String, version UInt32, state String, note String, file String, text String, digest String, author String";
/**
 * Writes entries, all of them or none: from now on they say what is in force. A lost answer is asked for again, with
 * the same token, until it is known. Fails if it is refused, or if this process lost what it must hold for it.
 */
export const enter = Effect.fnUntraced(function* (
  entries: readonly Entry[],
): Effect.fn.Return<void, WarehouseFailed | LogFailed, Warehouse> {
  const [first] = entries;
  if (first === undefined) return;
  const token = entries
    .map(({ catalog, layer, name, version, state }) => `${layer}.${name}:${catalog}:v${version}:${state}`)
    .join(",");
  yield* insertHeld({
    ...{ into: "weir.definition", columns: COLUMNS, types: TYPES, rows: entries.map(plain) },
    token: `definition:${token}`,
    isThere: isEntered(first),
  });
});

const isEntered = Effect.fnUntraced(function* ({ catalog, layer, name, version, state }: Entry) {
  const warehouse = yield* Warehouse;
  const named = `layer = ${literal(layer)} AND name = ${literal(name)} AND state = ${literal(state)}`;
  const sql = `SELECT 1 FROM weir.definition WHERE ${named} AND catalog = ${catalog} AND version = ${version} LIMIT 1`;
  return (yield* warehouse.rows("writer", sql)).length > 0;
});

function plain(entry: Entry): Entry {
  const { catalog, kind, layer, name, version, state, note, file, text, digest, author } = entry;
  return { catalog, kind, layer, name, version, state, note, file, text, digest, author };
}
