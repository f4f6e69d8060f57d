/**
 * The catalog: which definitions are in force, and which were when a batch was announced.
 *
 *   weir.definition ──▶ applied sources ──▶ targets (by catalog version) ──▶ table actors
 *
 * A definition's text is the truth; everything else is derived from it again,
 * so a batch announced under an older version is landed exactly as it was meant.
 *
 * @module
 */
import { Warehouse, type WarehouseFailed } from "@weir/connectors";
import {
  type AppliedSource,
  blameColumn,
  type Conform,
  conform,
  DefinitionError,
  finishSource,
  literal,
  readSource,
  type Source,
  stateTable,
  structureOf,
} from "@weir/sql";
import { Effect } from "effect";
import type { Target } from "./landing.ts";
import { ONCE_SETTINGS } from "./once_settings.ts";
import { NUMBERS } from "./read_settings.ts";

/** One file of a project, path relative to its folder. */
export interface DefinitionFile {
  readonly path: string;
  readonly text: string;
}

interface DefinitionRow {
  readonly catalog: number;
  readonly name: string;
  readonly version: number;
  readonly file: string;
  readonly text: string;
}

/** Reads a definition and has the engine judge its types. */
export const checkSource = Effect.fnUntraced(function* (
  file: DefinitionFile,
): Effect.fn.Return<Source, DefinitionError | WarehouseFailed, Warehouse> {
  const draft = yield* Effect.try({ try: () => readSource(file.path, file.text), catch: asDefinitionError });
  const described = yield* Effect.catchIf(
    describe(draft.table.columns),
    (failed) => failed.outcome === "refused",
    (failed) =>
      Effect.flatMap(findColumn(draft.table.columns), (name) => Effect.fail(blameColumn(draft, name, failed.message))),
  );
  return yield* Effect.try({
    try: () => {
      const source = finishSource(draft, described);
      conform(source);
      return source;
    },
    catch: (error) => {
      if (error instanceof DefinitionError) return error;
      const message = error instanceof Error ? error.message : String(error);
      const named = draft.table.columns.find((column) => message.includes(`column ${column.name}`));
      return blameColumn(draft, named?.name ?? draft.table.columns[0].name, message);
    },
  });
});

type Columns = readonly { readonly name: string; readonly type: string }[];

const describe = Effect.fnUntraced(function* (columns: Columns) {
  const warehouse = yield* Warehouse;
  return yield* warehouse.rows<{ name: string; type: string }>(
    "writer",
    `DESCRIBE TABLE null(${literal(structureOf(columns))})`,
  );
});

/** The first column that the engine refuses by itself. */
const findColumn = Effect.fnUntraced(function* (columns: Columns) {
  for (const column of columns) {
    const isFine = yield* describe([column]).pipe(
      Effect.as(true),
      Effect.catchIf(
        (failed) => failed.outcome === "refused",
        () => Effect.succeed(false),
      ),
    );
    if (!isFine) return column.name;
  }
  return columns[0].name;
});

function asDefinitionError(error: unknown): DefinitionError {
  if (error instanceof DefinitionError) return error;
  throw error;
}

/** The newest version of every source, or of one name, at a version of the catalog (the newest by default). */
export const appliedSources = Effect.fnUntraced(function* (
  of: { readonly name?: string; readonly catalog?: number } = {},
) {
  const warehouse = yield* Warehouse;
  const byName = of.name === undefined ? "" : `AND name = ${literal(of.name)}`;
  const byCatalog = of.catalog === undefined ? "" : `AND catalog <= ${Math.trunc(of.catalog)}`;
  const rows = yield* warehouse.rows<DefinitionRow>(
    "writer",
    `SELECT catalog, name, version, file, text FROM weir.definition
     WHERE kind = 'source' ${byName} ${byCatalog} ORDER BY catalog DESC LIMIT 1 BY layer, name`,
    NUMBERS,
  );
  return yield* Effect.forEach(rows, ({ catalog, version, file, text }) =>
    Effect.map(checkSource({ path: file, text }), (source): AppliedSource => ({ source, text, version, catalog })),
  );
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

/** Writes one definition's new version: from now on it is in force. */
export const enterDefinition = Effect.fnUntraced(function* (entry: {
  source: Source;
  version: number;
  catalog: number;
  file: DefinitionFile;
  author: string;
}) {
  const warehouse = yield* Warehouse;
  const { source, version, catalog, file, author } = entry;
  const row = {
    catalog,
    kind: source.kind,
    layer: source.layer,
    name: source.name,
    version,
    file: file.path,
    text: file.text,
    author,
  };
  yield* warehouse.insert({
    statement:
      "INSERT INTO weir.definition (catalog, kind, layer, name, version, file, text, author) FORMAT JSONEachRow",
    body: [Buffer.from(JSON.stringify(row))],
    settings: {
      ...ONCE_SETTINGS,
      insert_deduplication_token: `definition:${source.layer}.${source.name}:${catalog}`,
    },
  });
});

/** Where batches of an applied source land. */
export function targetOf({ source, version, catalog }: AppliedSource, projection: Conform): Target {
  const statement = `${source.layer}.${source.name}`;
  return { statement, topic: source.topic, table: stateTable(source, version), catalog, projection };
}
