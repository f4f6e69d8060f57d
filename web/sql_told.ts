/**
 * What the author of refused SQL is told: the place of the name that it is about, and the name that was probably meant.
 *
 *   Refusal ──a name in quotes──▶ its place, if it stands in the text once
 *      └──engine's guess, taken out for all but administrators──▶ a guess among what the caller may read
 *
 * What must hold: nothing is suggested that the caller's own schema does not list.
 *
 * @module
 */
import type { Door } from "./door.ts";
import { Refusal } from "./errors.ts";
import { nearest } from "./nearest.ts";
import { type SchemaDatabase, schemaOf } from "./sql_schema.ts";
import type { SqlTables } from "./sql_scope.ts";
import { onlyPlaceOf } from "./statement.ts";

/** What a refusal is about. */
export interface Blamed {
  /** `other`: there is nothing to suggest. */
  readonly kind: "column" | "table" | "attribute" | "other";
  readonly name: string;
}

/** A refused statement of somebody. */
export interface Refusing {
  readonly sql: string;
  readonly tables: SqlTables;
}

const QUOTED = "[`']([^`']{1,200})[`']";
const BLAMED: readonly (readonly [kind: Blamed["kind"], message: RegExp])[] = [
  ["table", new RegExp(`^Unknown table expression identifier ${QUOTED}`)],
  ["table", new RegExp(`may not read ${QUOTED}, if there is such a table`)],
  ["table", new RegExp(`^Dictionary \\(${QUOTED}\\) not found`)],
  ["column", new RegExp(`^Unknown expression(?: or function)? identifier ${QUOTED}`)],
  ["column", new RegExp(`^Identifier ${QUOTED} cannot be resolved`)],
  ["other", new RegExp(`^Column ${QUOTED} is not under aggregate function`)],
  ["column", new RegExp(`using identifier ${QUOTED} cannot be resolved`)],
  ["attribute", new RegExp(`^No such attribute ${QUOTED}`)],
  ["other", new RegExp(`^Function with name ${QUOTED} does not exist`)],
];
const GUESS = /\.? ?Maybe you meant:? .*$/s;

/** What a message of the engine or of the judge is about; undefined if it names nothing that could be looked up. */
export function blamedIn(message: string): Blamed | undefined {
  for (const [kind, pattern] of BLAMED) {
    const name = pattern.exec(message)?.[1];
    if (name !== undefined) return { kind, name };
  }
  return undefined;
}

/** The refusal with its place and a suggestion; asks for what the caller may read only where that could help. */
export async function told(
  door: Pick<Door, "run" | "warehouse">,
  refusal: Refusal,
  { sql, tables }: Refusing,
): Promise<Refusal> {
  if (refusal.code !== "sql_refused" && refusal.code !== "sql_forbidden") return refusal;
  // The engine guesses among what its account sees, and the caller perhaps not.
  const message = tables.isAdmin ? refusal.message : refusal.message.replace(GUESS, ".");
  const blamed = blamedIn(message);
  const at = refusal.at ?? (blamed === undefined ? null : placeOfName(sql, blamed.name));
  const isOpen = blamed !== undefined && blamed.kind !== "other" && !GUESS.test(message);
  const meant = isOpen ? meantBy(blamed, { sql, schema: await readable(door, tables) }) : undefined;
  const hint =
    meant === undefined ? refusal.hint : `Maybe ${meant} was meant. GET /v1/sql/schema lists what can be read.`;
  return new Refusal(refusal.status, refusal.code, message, hint, at, refusal.cause);
}

/** As it is written, or without what the engine put before it: `dwf.number.a` for `a`. */
function placeOfName(sql: string, name: string) {
  return onlyPlaceOf(sql, name) ?? onlyPlaceOf(sql, lastPart(name));
}

/** Nothing if that cannot be asked: the refusal itself must be told. */
async function readable(door: Pick<Door, "run" | "warehouse">, tables: SqlTables): Promise<readonly SchemaDatabase[]> {
  try {
    return await schemaOf(door, tables);
  } catch (error) {
    if (error instanceof Refusal) return [];
    throw error;
  }
}

/** The nearest name of the same kind: among all tables, or among the columns of those that the text names. */
export function meantBy(
  { kind, name }: Blamed,
  { sql, schema }: { readonly sql: string; readonly schema: readonly SchemaDatabase[] },
): string | undefined {
  const all = schema.flatMap((database) =>
    database.tables.map(({ name: table, columns }) => ({ name: `${database.name}.${table}`, columns })),
  );
  if (kind === "table")
    return nearest(
      name,
      all.map((table) => table.name).filter((one) => one !== name),
    );
  const text = sql.toLowerCase().replaceAll(/[`"\s]/g, "");
  const named = all.filter((table) => text.includes(table.name.toLowerCase()));
  const wanted = lastPart(name);
  const columns = new Set(named.flatMap((table) => table.columns.map((column) => column.name)));
  return nearest(
    wanted,
    [...columns].filter((one) => one !== wanted),
  );
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}
