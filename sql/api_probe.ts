/**
 * The probe of an API: its SELECT over the columns of its tables, so that the engine can judge it before they are there.
 *
 *   SELECT … FROM dwa.state_minute ──▶ DESCRIBE (SELECT … FROM (SELECT * FROM null('…')) AS state_minute)
 *
 * @module
 */
import { type Api, type BoundQuery, probeQuery } from "./api.ts";
import { tokenize } from "./definition/tokens.ts";
import type { TypedColumn } from "./model/model.ts";
import { splice } from "./model/splice.ts";
import { findTables, nullSource, tableEdits } from "./model/tables.ts";

/** Columns of a table by its qualified name; undefined for what is not known. */
export type ColumnsOf = (name: string) => readonly TypedColumn[] | undefined;

/** A query whose tables are their columns without the tables; what is not known stays as it is. */
export function overColumns(sql: string, columnsOf: ColumnsOf): string {
  const tokens = tokenize(sql);
  const known = findTables(tokens).flatMap((table) => {
    const columns = table.isFunction ? undefined : columnsOf(table.name);
    return columns === undefined ? [] : [{ table, columns }];
  });
  const tables = known.map(({ table }) => table);
  const sourceOf = (table: (typeof tables)[number]) =>
    nullSource(known.find((one) => one.table === table)?.columns ?? []);
  return splice(sql, tokens, tableEdits(tokens, tables, sourceOf));
}

/** A statement that makes the engine judge the SELECT, without its tables. */
export function probeOver(api: Api, columnsOf: ColumnsOf): BoundQuery {
  const { sql, params } = probeQuery(api);
  return { sql: overColumns(sql, columnsOf), params };
}
