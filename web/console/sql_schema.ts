/**
 * The schema as `GET /v1/sql/schema` answers it: what the token's SQL may read.
 *
 * @module
 */

/** A column. */
export interface SchemaColumn {
  readonly name: string;
  readonly type: string;
  readonly comment: string;
}

/** A table or view. */
export interface SchemaTable {
  readonly name: string;
  readonly comment: string;
  readonly columns: readonly SchemaColumn[];
}

/** A layer, or for administrators Weir's own database. */
export interface SchemaDatabase {
  readonly name: string;
  readonly tables: readonly SchemaTable[];
}

/** Asks for the schema; the status alone where the door refuses or is away (0). */
export async function readSchema(token: string): Promise<readonly SchemaDatabase[] | number> {
  try {
    const answer = await fetch("/v1/sql/schema", { headers: { authorization: `Bearer ${token}` } });
    if (!answer.ok) return answer.status;
    return ((await answer.json()) as { databases: readonly SchemaDatabase[] }).databases;
  } catch {
    return 0;
  }
}

/** The tables whose names, columns or comments have the text in them; all for none. */
export function filtered(databases: readonly SchemaDatabase[], text: string): readonly SchemaDatabase[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return databases;
  const has = (...texts: readonly string[]) => texts.some((one) => one.toLowerCase().includes(wanted));
  return databases.flatMap(({ name, tables }) => {
    const found = tables.filter(
      (table) =>
        has(`${name}.${table.name}`, table.comment) || table.columns.some((column) => has(column.name, column.comment)),
    );
    return found.length === 0 ? [] : [{ name, tables: found }];
  });
}

/** A statement to begin with: the first rows of a table that is made to be read. */
export function starterSql(databases: readonly SchemaDatabase[]): string {
  for (const layer of ["dwa", "dws", "dwf", "ods", "dim"]) {
    const table = databases.find(({ name }) => name === layer)?.tables[0];
    if (table !== undefined) return `SELECT *\nFROM ${layer}.${table.name}\nLIMIT 1000`;
  }
  return "SELECT 1";
}
