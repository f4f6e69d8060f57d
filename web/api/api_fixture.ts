/**
 * APIs for tests: published without a warehouse behind them, and rows as the engine streams them.
 *
 * @module
 */
import { readApi } from "@weir/sql";
import type { Apis, PublishedApi } from "./published.ts";

/** An API over `dwa.state_minute`, behind the source `ods.flight` unless said otherwise. */
export function published(
  id = "minutes",
  { sql = SELECT, params = "{ limit: { default: 60, max: 1440 } }", sources = ["ods.flight"] as string[] | null } = {},
): PublishedApi {
  const text = `/*---\nkind: api\ndoc: Flights a minute.\nparams: ${params}\n---*/\n${sql}`;
  return { api: readApi(`api/${id}.sql`, text), sources: sources ?? undefined };
}

const SELECT = "SELECT minute, flights FROM dwa.state_minute WHERE state = {state:String} LIMIT {limit:UInt32}";

/** Serves these. */
export function apisOf(...all: readonly PublishedApi[]): Apis {
  return { get: (id) => all.find(({ api }) => api.id === id), all: () => all };
}

/** What the engine streams for rows that are JSON texts. */
export function streamed(...rows: readonly string[]): readonly string[] {
  return [
    '{"meta":[{"name":"a","type":"UInt64"}]}\n',
    ...rows.map((row) => `{"row":${row}}\n`),
    '{"progress":{"read_rows":"3"}}\n',
  ];
}
