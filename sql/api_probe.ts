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

/** A statement that makes the engine judge the SELECT, without its tables; `columnsOf` knows their columns. */
export function probeOver(api: Api, columnsOf: (name: string) => readonly TypedColumn[]): BoundQuery {
  const { sql, params } = probeQuery(api);
  const tokens = tokenize(sql);
  const tables = findTables(tokens).filter(({ isFunction }) => !isFunction);
  return {
    sql: splice(
      sql,
      tokens,
      tableEdits(tokens, tables, ({ name }) => nullSource(columnsOf(name))),
    ),
    params,
  };
}
