/**
 * A dimension: what is known of things, kept whole, as a table and a dictionary over it.
 *
 *   file ──loadStatements──┐                          weir_state.dim__airport (view)
 *                          ├─▶ weir_state.dim__airport__v3 ◀──reads──┘ ◀──loads── dim.airport (dictionary)
 *   SELECT ──fillStatement─┘         └── repeatedKeysQuery · countQuery: before it is published
 *
 * `dim.airport` is one object: it can be read and joined as a table and asked by
 * `dictGet('dim.airport', 'name', iata)`. A key that is missing answers the type's
 * zero (`''`, 0, 1970-01-01; 1900-01-01 for Date32), or NULL where the column is Nullable.
 *
 * What must hold: a fresh version is loaded beside the old one and published only when
 * its checks have passed. Publishing moves the view and reloads the dictionary, which
 * answers from the old rows until it has the new ones and keeps them when loading fails.
 * Measured under load: beside `CREATE OR REPLACE DICTIONARY` one query in ten fails, inserts
 * into materialized views among them; beside an exchange about one in a thousand, no insert;
 * beside a reload none.
 *
 * @module
 */
import { identifier, literal } from "./definition/tokens.ts";
import { type Column, DEDUPLICATION_WINDOW_PARTS } from "./source.ts";

/** Which row stays when a key comes more than once; `largest` names a column, equals are settled by the other columns. */
export type RepeatedKeys = "error" | "first" | "last" | { readonly largest: string };

/** How a file is written. */
export type FileFormat = "csv" | "parquet" | "ndjson";

/** Where the rows come from. */
export type DimensionFrom =
  /** A file beside the definition; `path` is relative to the definition's own file. */
  | { readonly kind: "file"; readonly path: string; readonly format: FileFormat }
  /** A file inside an npm package, for example `data/airports.csv` of `vega-datasets`. */
  | { readonly kind: "package"; readonly package: string; readonly path: string; readonly format: FileFormat }
  /** A SELECT over the tables `reads`, asked again every `everyMs` if that is said. */
  | {
      readonly kind: "query";
      readonly sql: string;
      readonly reads: readonly string[];
      readonly everyMs: number | undefined;
    };

/** A definition of kind `dimension`, checked. */
export interface Dimension {
  readonly kind: "dimension";
  readonly layer: "dim";
  readonly name: string;
  readonly doc: string;
  /** One or more columns, in the order in which `dictGet` takes them. */
  readonly key: readonly string[];
  readonly from: DimensionFrom;
  readonly repeated: RepeatedKeys;
  /** Columns of the file that are not declared. */
  readonly unknown: "reject" | "ignore";
  /** Types without LowCardinality, which dictionaries do not have. */
  readonly columns: readonly Column[];
}

/** Keys that an error quotes. */
export const REPEATED_KEYS_SHOWN_MAX = 5;

/** Qualified name of a version's physical table, for example `weir_state.dim__airport__v1`. */
export function dimensionTable(dimension: Pick<Dimension, "name">, version: number): string {
  return `weir_state.dim__${dimension.name}__v${version}`;
}

/** Qualified name of the view from which the dictionary loads. */
export function dimensionSource(dimension: Pick<Dimension, "name">): string {
  return `weir_state.dim__${dimension.name}`;
}

/** Creates the physical table of one version. */
export function createDimensionTable(dimension: Dimension, version: number): string {
  const columns = dimension.columns.map(
    ({ name, type, comment, codec }) =>
      `  ${identifier(name)} ${type} COMMENT ${literal(comment)}${codec && ` CODEC${codec}`}`,
  );
  return `CREATE TABLE IF NOT EXISTS ${dimensionTable(dimension, version)}
(
${columns.join(",\n")}
)
ENGINE = MergeTree
ORDER BY (${dimension.key.map(identifier).join(", ")})
SETTINGS non_replicated_deduplication_window = ${DEDUPLICATION_WINDOW_PARTS}
COMMENT ${literal(dimension.doc)}`;
}

/** Fills a version's table from the dimension's SELECT; throws if its rows come from a file. */
export function fillStatement(dimension: Dimension, table: string): string {
  const { from, columns } = dimension;
  if (from.kind !== "query") throw new Error(`Cannot fill dim.${dimension.name} from a query: its rows are in a file.`);
  const names = columns.map(({ name }) => identifier(name)).join(", ");
  const values = columns.map(({ name, type }) => `CAST(${identifier(name)} AS ${type}) AS ${identifier(name)}`);
  return `INSERT INTO ${table} (${names})
SELECT ${names} FROM (SELECT ${values.join(", ")} FROM (
${from.sql}
))${onePerKey(dimension, undefined)}`;
}

/** Fills a version's table on another shard of a cluster with the rows of the first one. */
export function copyStatement({ columns }: Dimension, table: string, cluster: string): string {
  const names = columns.map(({ name }) => identifier(name)).join(", ");
  return `INSERT INTO ${table} (${names})
SELECT ${names} FROM cluster(${literal(cluster)}, ${table}) WHERE _shard_num = 1`;
}

/**
 * The clause that keeps one row of each key, empty if repeated keys are an error. `row` names the row's number in
 * its file; a query has none, so equals are settled by comparing all columns.
 */
export function onePerKey({ key, columns, repeated }: Dimension, row: string | undefined): string {
  if (repeated === "error") return "";
  const by = `LIMIT 1 BY ${key.map(identifier).join(", ")}`;
  if (repeated === "first" || repeated === "last")
    return `\nORDER BY ${row ?? "tuple()"}${repeated === "last" ? " DESC" : ""} ${by}`;
  const { largest } = repeated;
  const others = columns.filter(({ name }) => name !== largest).map(({ name }) => `${identifier(name)} DESC`);
  const settled = row === undefined ? others : [row];
  return `\nORDER BY ${[`${identifier(largest)} DESC NULLS LAST`, ...settled].join(", ")} ${by}`;
}

/** Asks for keys that come more than once: rows `{key, rows}`, at most `REPEATED_KEYS_SHOWN_MAX`; none if all is well. */
export function repeatedKeysQuery(dimension: Dimension, table: string): string {
  const key = dimension.key.map(identifier).join(", ");
  const shown = dimension.key.map((name) => `toString(${identifier(name)})`).join(", ");
  return `SELECT arrayStringConcat([${shown}], ', ') AS key, count() AS rows
FROM ${table} GROUP BY ${key} HAVING rows > 1 ORDER BY rows DESC, key LIMIT ${REPEATED_KEYS_SHOWN_MAX}`;
}

/** What to say about repeated keys, as `repeatedKeysQuery` answers them; undefined if there are none. */
export function repeatedKeysProblem(
  dimension: Dimension,
  found: readonly { readonly key: string; readonly rows: string | number }[],
): string | undefined {
  if (found.length === 0) return undefined;
  const keys = found.map(({ key, rows }) => `'${key.slice(0, 100)}' (${rows} rows)`).join(", ");
  const more = found.length === REPEATED_KEYS_SHOWN_MAX ? " and perhaps more" : "";
  const named = dimension.key.join(", ");
  return `Cannot load dim.${dimension.name}: its key ${named} is repeated: ${keys}${more}. Correct the rows, or say \`repeated: first\`, \`last\` or \`{ largest: <column> }\`.`;
}

/** Asks for the number of rows: one row `{rows}`. */
export function countQuery(table: string): string {
  return `SELECT count() AS rows FROM ${table}`;
}

/** What is published of a dimension: its definition and the number of its table. */
export interface PublishedDimension {
  readonly dimension: Dimension;
  readonly version: number;
}

/**
 * Statements, for the writer and in this order, that make a loaded version the one that people read. With the same
 * columns and key as `before` the dictionary only reloads. Otherwise a new dictionary is loaded aside and exchanged;
 * queries that begin in that moment can fail once, so that is for a barrier.
 */
export function publishDimension(
  { dimension, version }: PublishedDimension,
  before: Dimension | undefined,
): readonly string[] {
  const view = createSource(dimension, version);
  const own = `dim.${identifier(dimension.name)}`;
  if (before === undefined) return [view, createDictionary(dimension, own), reload(own)];
  if (shapeOf(before) === shapeOf(dimension)) return [view, reload(own)];
  const aside = `${dimensionTable(dimension, version)}__dictionary`;
  return [
    view,
    createDictionary(dimension, aside),
    reload(aside),
    `EXCHANGE DICTIONARIES ${aside} AND ${own}`,
    `DROP DICTIONARY IF EXISTS ${aside} SYNC`,
  ];
}

/** Statements that take back what `publishDimension` made; the physical tables stay. */
export function dropDimension(dimension: Pick<Dimension, "name">): readonly string[] {
  return [
    `DROP DICTIONARY IF EXISTS dim.${identifier(dimension.name)} SYNC`,
    `DROP VIEW IF EXISTS ${dimensionSource(dimension)} SYNC`,
  ];
}

/** The view lends the writer's rights, so who loads the dictionary needs none on the version's table. */
function createSource(dimension: Dimension, version: number): string {
  return `CREATE OR REPLACE VIEW ${dimensionSource(dimension)}
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT ${dimension.columns.map(({ name }) => identifier(name)).join(", ")} FROM ${dimensionTable(dimension, version)}`;
}

/** Without user and password it loads in the server itself, as `default`; LIFETIME(0): only when told to. */
function createDictionary(dimension: Dimension, name: string): string {
  const source = dimensionSource(dimension).split(".").map(literal);
  return `CREATE OR REPLACE DICTIONARY ${name}
(
${structure(dimension)}
)
PRIMARY KEY ${dimension.key.map(identifier).join(", ")}
SOURCE(CLICKHOUSE(DB ${source[0]} TABLE ${source[1]}))
LAYOUT(${layoutOf(dimension)}())
LIFETIME(0)
COMMENT ${literal(dimension.doc)}`;
}

function reload(dictionary: string): string {
  return `SYSTEM RELOAD DICTIONARY ${dictionary}`;
}

function structure({ columns }: Dimension): string {
  return columns.map(({ name, type }) => `  ${identifier(name)} ${type}`).join(",\n");
}

/** The simple layout turns every key into UInt64 without a word (1.25 into 1), so it is for UInt64 alone. */
function layoutOf({ key, columns }: Dimension): "HASHED" | "COMPLEX_KEY_HASHED" {
  const [first] = key;
  const isSimple = key.length === 1 && columns.some(({ name, type }) => name === first && type === "UInt64");
  return isSimple ? "HASHED" : "COMPLEX_KEY_HASHED";
}

/** What a dictionary cannot change without being made anew. */
function shapeOf(dimension: Dimension): string {
  return JSON.stringify([dimension.key, dimension.doc, structure(dimension)]);
}
