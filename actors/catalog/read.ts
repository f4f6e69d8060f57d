/**
 * Reading definitions: from a file's text to what it defines, judged by the engine.
 *
 *   file ──readX──▶ draft ──questions──▶ engine ──answers──▶ finishX ──▶ definition
 *
 * The rooms below know what to ask and what the answers mean; here somebody asks.
 *
 * @module
 */
import { Warehouse, type WarehouseFailed } from "@weir/connectors";
import {
  type Answer,
  type Api,
  type AppliedSource,
  blameColumn,
  blameDimension,
  blameFunction,
  blameRegistry,
  conform,
  DefinitionError,
  type Dimension,
  finishDimension,
  finishFunction,
  finishSource,
  type KnownFunction,
  literal,
  namesQuestion,
  type Question,
  readApi,
  readDimension,
  readFunction,
  readSource,
  type Source,
  type SqlFunction,
  structureOf,
  treeQuestion,
  typesQuestion,
  usesRegistry,
} from "@weir/sql";
import { Effect } from "effect";
import { newestEntries } from "./entries.ts";

/** One file of a project, path relative to its folder. */
export interface DefinitionFile {
  readonly path: string;
  readonly text: string;
  /** What the file that a dimension names holds. */
  readonly data?: Uint8Array;
}

type Read<A> = Effect.fn.Return<A, DefinitionError | WarehouseFailed, Warehouse>;

/** Runs what throws DefinitionErrors. */
export const attempt = <A>(read: () => A): Effect.Effect<A, DefinitionError> =>
  Effect.try({ try: read, catch: asDefinitionError });

/** Whether an error is a definition's own. */
export const isDefinitionError = (error: unknown): error is DefinitionError => error instanceof DefinitionError;

function asDefinitionError(error: unknown): DefinitionError {
  if (error instanceof DefinitionError) return error;
  throw error;
}

/** Turns a refusal of the engine into the definition's own error. */
const orBlame = <A, R>(
  asked: Effect.Effect<A, WarehouseFailed, R>,
  blame: (failed: WarehouseFailed) => Effect.Effect<never, DefinitionError | WarehouseFailed, R>,
) => Effect.catchIf(asked, ({ outcome }) => outcome === "refused", blame);

const ask = Effect.fnUntraced(function* <Row>(sql: string) {
  const warehouse = yield* Warehouse;
  return yield* warehouse.rows<Row>("writer", sql);
});

type Typed = { readonly name: string; readonly type: string };

/** Reads a source and has the engine judge its types; what is in force may have lost its registry, what is applied needs one. */
export const sourceIn = Effect.fnUntraced(function* (
  file: DefinitionFile,
  { hasRegistry }: { readonly hasRegistry: boolean } = { hasRegistry: true },
): Read<Source> {
  const draft = yield* attempt(() => readSource(file.path, file.text));
  const { columns } = draft.table;
  const described = yield* orBlame(describe(columns), (failed) =>
    Effect.flatMap(firstRefused(columns), (name) => Effect.fail(blameColumn(draft, name, failed.message))),
  );
  return yield* attempt(() => {
    const source = finishSource(draft, described);
    if (usesRegistry(source.format) && !hasRegistry) throw blameRegistry(draft);
    try {
      conform(source);
    } catch (error) {
      if (error instanceof DefinitionError) throw error;
      const message = error instanceof Error ? error.message : String(error);
      const named = columns.find((column) => message.includes(`column ${column.name}`));
      throw blameColumn(draft, named?.name ?? columns[0].name, message);
    }
    return source;
  });
});

const describe = (columns: readonly Typed[]) => ask<Typed>(`DESCRIBE TABLE null(${literal(structureOf(columns))})`);

/** The first column that the engine refuses by itself. */
const firstRefused = Effect.fnUntraced(function* (columns: readonly Typed[]) {
  for (const column of columns) {
    const isFine = yield* describe([column]).pipe(
      Effect.as(true),
      Effect.catchIf(
        ({ outcome }) => outcome === "refused",
        () => Effect.succeed(false),
      ),
    );
    if (!isFine) return column.name;
  }
  return columns[0].name;
});

/** Reads a function and has the engine parse it. */
export const functionIn = Effect.fnUntraced(function* (file: DefinitionFile): Read<SqlFunction> {
  const draft = yield* attempt(() => readFunction(file.path, file.text));
  const tree = yield* orBlame(ask<{ explain: string }>(treeQuestion(draft)), (failed) =>
    Effect.fail(blameFunction(draft, failed.message)),
  );
  const known = yield* ask<KnownFunction>(namesQuestion(draft, tree));
  return yield* attempt(() => finishFunction(draft, { tree, known }));
});

/** Reads a dimension and has the engine judge its types or its SELECT; `over` may put other tables into that. */
export const dimensionIn = Effect.fnUntraced(function* (
  file: DefinitionFile,
  over: (sql: string) => string = (sql) => sql,
): Read<Dimension> {
  const draft = yield* attempt(() => readDimension(file.path, file.text));
  const described = yield* orBlame(ask<Typed>(over(typesQuestion(draft))), (failed) => {
    if (draft.table === undefined) return Effect.fail(blameDimension(draft, failed.message));
    return Effect.flatMap(firstRefused(draft.table.columns), (name) =>
      Effect.fail(blameDimension(draft, failed.message, name)),
    );
  });
  return yield* attempt(() => finishDimension(draft, described));
});

/** Reads an API; whether the engine takes its SELECT is asked once its tables are there. */
export const apiIn = (file: DefinitionFile): Effect.Effect<Api, DefinitionError> =>
  attempt(() => readApi(file.path, file.text));

/** Other names for what is asked about: put into the questions, and taken out of the answers. */
export interface Wording {
  readonly phrase: (sql: string) => string;
  readonly plain: (answer: string) => string;
}

const AS_IT_IS: Wording = { phrase: (sql) => sql, plain: (answer) => answer };

/** Answers the questions of a planner until it has what it needs. */
export const converse = Effect.fnUntraced(function* <A>(
  conversation: () => Generator<Question, A, Answer>,
  { phrase, plain }: Wording = AS_IT_IS,
): Read<A> {
  const questions = yield* attempt(conversation);
  let turn = yield* attempt(() => questions.next());
  while (!turn.done) {
    const { sql } = turn.value;
    const answer: Answer = yield* ask<Record<string, unknown>>(phrase(sql)).pipe(
      Effect.map((rows) => ({ rows: rows.map((row) => worded(row, plain)) })),
      Effect.catchIf(
        ({ outcome }) => outcome === "refused",
        ({ message }) => Effect.succeed({ refused: plain(message) }),
      ),
    );
    turn = yield* attempt(() => questions.next(answer));
  }
  return turn.value;
});

function worded(row: Readonly<Record<string, unknown>>, plain: Wording["plain"]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, typeof value === "string" ? plain(value) : value]),
  );
}

/** A source as it was at a version of the catalog. */
export const appliedSource = Effect.fnUntraced(function* (of: {
  readonly name: string;
  readonly catalog: number;
}): Read<AppliedSource | undefined> {
  const [entry] = yield* newestEntries({ kind: "source", ...of });
  if (entry === undefined) return undefined;
  const { file, text, version, catalog } = entry;
  return { source: yield* sourceIn({ path: file, text }), text, version, catalog };
});
