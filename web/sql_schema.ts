/**
 * The schema tree: databases, tables and columns that a caller's SQL may read.
 *
 *   GET /v1/sql/schema ──▶ system.tables · system.columns (as the writer) ──what the scopes allow──▶ JSON
 *
 * In place of SHOW, DESCRIBE and EXISTS, whose answers the engine cuts by its
 * accounts and not by tokens.
 *
 * @module
 */
import { LAYERS, literal } from "@weir/sql";
import type { Door } from "./door.ts";
import { orRefuse } from "./errors.ts";
import type { SqlTables } from "./sql_scope.ts";

/** A column as it is answered. */
export interface SchemaColumn {
  readonly name: string;
  readonly type: string;
  readonly comment: string;
}

/** A database with what can be read of it. */
export interface SchemaDatabase {
  readonly name: string;
  readonly tables: readonly {
    readonly name: string;
    readonly comment: string;
    readonly columns: readonly SchemaColumn[];
  }[];
}

interface ColumnRow extends SchemaColumn {
  readonly database: string;
  readonly table: string;
  readonly table_comment: string;
}

/** Names of the engine's tables behind views, as `stateTable` gives them: their columns hold the comments. */
const STATE = "^([a-z]+)__(.+)__v([0-9]+)$";

function query(databases: readonly string[]): string {
  const names = databases.map(literal).join(", ");
  return `SELECT c.database AS database, c.table AS table, c.name AS name, c.type AS type, t.comment AS table_comment,
  if(c.comment != '', c.comment, s.comment) AS comment
FROM system.columns AS c
INNER JOIN (SELECT database, name, comment FROM system.tables WHERE database IN (${names}) AND NOT is_temporary) AS t
  ON t.database = c.database AND t.name = c.table
LEFT JOIN (
  SELECT parts[1] AS layer, parts[2] AS model, name, argMax(comment, toUInt32OrZero(parts[3])) AS comment
  FROM (
    SELECT extractGroups(table, '${STATE}') AS parts, name, comment
    FROM system.columns WHERE database = 'weir_state' AND match(table, '${STATE}') AND comment != ''
  )
  GROUP BY layer, model, name
) AS s ON s.layer = c.database AND s.model = c.table AND s.name = c.name
WHERE c.database IN (${names})
ORDER BY database, table, c.position`;
}

/** Everything that may be read, sorted by the layers' order and by name. */
export async function schemaOf(
  door: Pick<Door, "run" | "warehouse">,
  tables: SqlTables,
): Promise<readonly SchemaDatabase[]> {
  const databases = [...LAYERS, ...(tables.isAdmin ? ["weir"] : [])];
  const rows = await orRefuse(door.run(door.warehouse.rows<ColumnRow>("writer", query(databases))));
  const readable = rows.filter(({ database, table }) => tables.mayRead({ database, name: table }));
  return databases.flatMap((name) => {
    const own = readable.filter(({ database }) => database === name);
    const byTable = Map.groupBy(own, ({ table }) => table);
    const listed = [...byTable].map(([table, columns]) => ({
      name: table,
      comment: columns[0]!.table_comment,
      columns: columns.map(({ name, type, comment }) => ({ name, type, comment })),
    }));
    return listed.length === 0 ? [] : [{ name, tables: listed }];
  });
}
