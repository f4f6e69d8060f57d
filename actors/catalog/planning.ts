/**
 * Planning: what applying files would change, in the order in which it would be done.
 *
 *   files ──read──▶ definitions ──compared with what is in force──▶ changes
 *        functions ▶ sources ▶ dimensions ▶ models, lowest first ▶ APIs
 *
 * Nothing is changed here, save for stand-ins of functions and dimensions that
 * are not there yet, which are gone afterwards. What is rebuilt takes along
 * every model that reads it.
 *
 * @module
 */
import { type Warehouse, type WarehouseFailed, Warehouse as WarehousePort } from "@weir/connectors";
import {
  type Api,
  blameApi,
  blameSyntax,
  type Change,
  changesShape,
  type Definition,
  DefinitionError,
  FOLDERS,
  type Folder,
  type ModelDraft,
  missingRead,
  modelError,
  namesIn,
  orderModels,
  overColumns,
  planApiChange,
  planDimensionChange,
  planFunctionChange,
  planModelChange,
  planReset,
  planSource,
  probeOver,
  qualifiedName,
  readModel,
  syntaxQuestion,
} from "@weir/sql";
import { Effect, type Scope } from "effect";
import { nextVersions } from "./entries.ts";
import { allOf, fileOf, held, type Kept, plannedOver, readableOf, readsOf } from "./in_force.ts";
import { apiIn, attempt, type DefinitionFile, dimensionIn, functionIn, isDefinitionError, sourceIn } from "./read.ts";
import type { Site } from "./site.ts";
import { StandIns } from "./stand_ins.ts";

/** One change, with the file that asks for it. */
export interface Planned {
  readonly change: Change;
  readonly file: DefinitionFile;
  /** sha256 of the file's data; empty if it has none. */
  readonly digest: string;
}

/** What files would change. */
export interface Planning {
  readonly planned: readonly Planned[];
  readonly errors: readonly DefinitionError[];
}

/** What is known while planning: what is in force, and over it what is planned so far. */
interface Sketch {
  readonly kept: ReadonlyMap<string, Kept>;
  readonly after: Map<string, { readonly definition: Definition; readonly version: number }>;
  /** Names whose readers must be made anew. */
  readonly touched: Set<string>;
  readonly planned: Planned[];
  readonly errors: DefinitionError[];
  /** Names of what is asked for and has an error: what reads them is not judged, their own errors are told. */
  readonly failed: Set<string>;
  readonly nextVersionOf: (name: string) => number;
  readonly hasRegistry: boolean;
  readonly standIns: StandIns;
}

type Planner<A> = Effect.fn.Return<A, WarehouseFailed, Warehouse | Scope.Scope>;

/**
 * Plans files against what is in force; `again` names models that are to be made anew whatever their text says, and
 * sources that are to begin anew.
 */
export const planFiles = Effect.fnUntraced(function* (
  { kept, owners }: Pick<Site, "kept" | "owners">,
  files: readonly DefinitionFile[],
  again: ReadonlySet<string> = new Set(),
): Effect.fn.Return<Planning, WarehouseFailed, Warehouse> {
  const versions = yield* nextVersions();
  const sketch: Sketch = {
    kept,
    after: new Map(kept),
    touched: new Set(again),
    planned: [],
    errors: [],
    failed: new Set(),
    nextVersionOf: (name) => versions.get(name) ?? 1,
    hasRegistry: owners.schemas.hasRegistry,
    standIns: new StandIns(yield* WarehousePort),
  };
  yield* Effect.scoped(planAll(sketch, files));
  return { planned: sketch.planned, errors: sketch.errors };
});

const planAll = Effect.fnUntraced(function* (sketch: Sketch, files: readonly DefinitionFile[]): Planner<void> {
  const of = (folder: Folder) => files.filter((file) => folderOf(file) === folder);
  for (const file of files) if (folderOf(file) === undefined) sketch.errors.push(misplaced(file));
  for (const file of of("functions")) yield* orNote(sketch, file, planFunctionFile(sketch, file));
  for (const file of of("ods")) yield* orNote(sketch, file, planSourceFile(sketch, file));
  for (const file of of("dim")) yield* orNote(sketch, file, planDimensionFile(sketch, file));
  yield* planModels(sketch, [...of("dwf"), ...of("dws"), ...of("dwa")]);
  for (const file of of("api")) yield* orNote(sketch, file, planApiFile(sketch, file));
  // What is in force and answers from a model that changes must go on to work.
  for (const { definition, entry } of allOf(sketch.kept, "api")) {
    const isAsked = files.some((file) => folderOf(file) === "api" && file.path.endsWith(`/${definition.id}.sql`));
    if (isAsked || !definition.reads.some((name) => sketch.touched.has(name))) continue;
    yield* orNote(sketch, fileOf(entry), judgeApi(sketch, definition, fileOf(entry)));
  }
});

/** The folder that a file lies in, if it is one of a project's. */
function folderOf({ path }: DefinitionFile): Folder | undefined {
  const folder = path.split("/").at(-2) ?? "";
  return folder in FOLDERS ? (folder as Folder) : undefined;
}

function misplaced({ path }: DefinitionFile): DefinitionError {
  const hint = `Put it into one of the folders ${Object.keys(FOLDERS).join(", ")}.`;
  return new DefinitionError({ file: path, line: 1, column: 1 }, "Cannot tell what this file defines.", hint);
}

/** Plans a file; notes its error, unless that can only follow from the error of what it reads. */
const orNote = <R>(
  sketch: Sketch,
  file: DefinitionFile,
  planning: Effect.Effect<void, DefinitionError | WarehouseFailed, R>,
) =>
  Effect.catchIf(planning, isDefinitionError, (error) =>
    Effect.sync(() => {
      if (!isFollowing(sketch, file)) sketch.errors.push(error);
      sketch.failed.add(nameOfFile(file));
    }),
  );

/** `dwa.state_minute` of `dwa/state_minute.sql`. */
function nameOfFile({ path }: DefinitionFile): string {
  return path
    .replace(/\.sql$/, "")
    .split("/")
    .slice(-2)
    .join(".");
}

/** Whether a file names something that has an error of its own. */
function isFollowing({ failed }: Sketch, file: DefinitionFile): boolean {
  return failed.size > 0 && [...namesIn(file.text)].some((name) => failed.has(name));
}

/** Notes a change, and what its definition will be. */
function note(sketch: Sketch, planned: Planned): void {
  const { change } = planned;
  sketch.planned.push(planned);
  if (change.kind === "refuse") return;
  const { definition, version } = change;
  sketch.after.set(qualifiedName(definition), { definition, version });
  if (change.kind === "rebuild" && definition.kind !== "dimension") sketch.touched.add(qualifiedName(definition));
}

const planFunctionFile = Effect.fnUntraced(function* (sketch: Sketch, file: DefinitionFile) {
  const definition = yield* functionIn(file);
  const name = qualifiedName(definition);
  const wanted = { definition, text: file.text, digest: "", nextVersion: sketch.nextVersionOf(name) };
  const change = planFunctionChange(held(sketch.kept, name, "function"), wanted);
  if (change.kind !== "same") yield* sketch.standIns.addFunction(definition);
  note(sketch, { change, file, digest: "" });
});

const planSourceFile = Effect.fnUntraced(function* (sketch: Sketch, file: DefinitionFile) {
  const source = yield* sourceIn(file, sketch);
  const before = held(sketch.kept, qualifiedName(source), "source");
  const applied = before && { source: before.definition, ...before, catalog: before.entry.catalog };
  const nextVersion = sketch.nextVersionOf(qualifiedName(source));
  const isReset = applied !== undefined && sketch.touched.has(qualifiedName(source));
  const change = isReset
    ? planReset(applied, nextVersion)
    : planSource(applied, { source, text: file.text, nextVersion });
  note(sketch, { change, file, digest: "" });
});

const planDimensionFile = Effect.fnUntraced(function* (sketch: Sketch, file: DefinitionFile) {
  const definition = yield* dimensionIn(file, (sql) => overTables(sketch, sql));
  const name = qualifiedName(definition);
  const digest = digestOf(file.data);
  const before = held(sketch.kept, name, "dimension");
  if (definition.from.kind !== "query" && file.data === undefined && before?.text !== file.text) {
    const hint = "Apply it from its project's folder: the command sends the file along.";
    const at = { file: file.path, line: 1, column: 1 };
    yield* Effect.fail(new DefinitionError(at, "Cannot load this dimension: its data did not come along.", hint));
  }
  const sent = file.data === undefined && before !== undefined ? before.digest : digest;
  const wanted = { definition, text: file.text, digest: sent, nextVersion: sketch.nextVersionOf(name) };
  const change = planDimensionChange(before, wanted);
  const isNewShape = before === undefined || changesShape(before.definition, definition);
  if (isNewShape) yield* sketch.standIns.addDimension(definition);
  if (isNewShape && before !== undefined) sketch.touched.add(name);
  note(sketch, { change, file, digest: sent });
});

/** A question without the tables that it names: they may not be there yet, or not as they will be. */
function overTables({ after, standIns }: Sketch, sql: string): string {
  return standIns.phrase(
    overColumns(sql, (name) => {
      const found = after.get(name);
      return found && readableOf(found)?.columns;
    }),
  );
}

function digestOf(data: Uint8Array | undefined): string {
  return data === undefined ? "" : new Bun.CryptoHasher("sha256").update(data).digest("hex");
}

/** Plans the models of files, and those in force that read what changes. */
const planModels = Effect.fnUntraced(function* (sketch: Sketch, files: readonly DefinitionFile[]): Planner<void> {
  const drafts = new Map<string, { draft: ModelDraft; file: DefinitionFile; isAsked: boolean }>();
  for (const { entry } of allOf(sketch.kept, "model")) {
    const file = fileOf(entry);
    drafts.set(`${entry.layer}.${entry.name}`, { draft: readModel(file.path, file.text), file, isAsked: false });
  }
  for (const file of files) {
    yield* orNote(
      sketch,
      file,
      Effect.map(
        attempt(() => readModel(file.path, file.text)),
        (draft) => void drafts.set(`${draft.layer}.${draft.name}`, { draft, file, isAsked: true }),
      ),
    );
  }
  const ordered = yield* attempt(() => orderModels([...drafts.values()].map(({ draft }) => draft))).pipe(
    Effect.catchIf(isDefinitionError, (error) => {
      sketch.errors.push(error);
      for (const name of drafts.keys()) sketch.failed.add(name);
      return Effect.succeed([]);
    }),
  );
  for (const draft of ordered) {
    const { file, isAsked } = drafts.get(`${draft.layer}.${draft.name}`)!;
    yield* orNote(sketch, file, planModelFile(sketch, { draft, file, isAsked }));
  }
});

const planModelFile = Effect.fnUntraced(function* (
  sketch: Sketch,
  { draft, file, isAsked }: { draft: ModelDraft; file: DefinitionFile; isAsked: boolean },
) {
  const name = `${draft.layer}.${draft.name}`;
  const { kept, after, touched } = sketch;
  const before = held(kept, name, "model");
  const isMeant = touched.has(name);
  const readBefore = before === undefined ? [] : readsOf(before.definition);
  const below = [...draft.reads, ...readBefore].find((read) => touched.has(read));
  if (!isAsked && !isMeant && below === undefined) return;
  const isSame = before?.text === file.text && !isMeant && below === undefined;
  const model = isSame ? before.definition : yield* plannedOver(after, draft, sketch.standIns);
  // Its functions are known only once it is planned.
  const called = model.functions.map((one) => `functions.${one}`).find((one) => touched.has(one));
  const wanted = { definition: model, text: file.text, digest: "", nextVersion: sketch.nextVersionOf(name) };
  const change = planModelChange(before, wanted, { below: below ?? called, isMeant });
  const { feeds } = model;
  const isStale = feeds !== undefined && !touched.has(feeds) && kept.get(feeds)?.entry.state === "suspended";
  if (isStale && (change.kind === "create" || change.kind === "rebuild"))
    yield* Effect.fail(overSuspended(draft, feeds));
  after.delete(name);
  note(sketch, { change, file, digest: "" });
});

function overSuspended(draft: ModelDraft, feeds: string): DefinitionError {
  const at = draft.tokens.find(({ text }) => text === feeds.split(".")[1]);
  const hint = `Correct ${feeds}, or make it anew with weir resume ${feeds}, then apply this.`;
  return modelError(draft, at, `${feeds}, which it reads, is suspended`, hint);
}

const planApiFile = Effect.fnUntraced(function* (sketch: Sketch, file: DefinitionFile) {
  const definition = yield* apiIn(file);
  yield* judgeApi(sketch, definition, file);
  const name = qualifiedName(definition);
  const wanted = { definition, text: file.text, digest: "", nextVersion: sketch.nextVersionOf(name) };
  note(sketch, { change: planApiChange(held(sketch.kept, name, "api"), wanted), file, digest: "" });
});

/** Has the engine judge an API's SELECT over the tables as they will be. */
const judgeApi = Effect.fnUntraced(function* (
  { after, standIns }: Sketch,
  api: Api,
  file: DefinitionFile,
): Effect.fn.Return<void, DefinitionError | WarehouseFailed, Warehouse> {
  const columnsOf = (name: string) => {
    const found = after.get(name);
    return found && readableOf(found)?.columns;
  };
  const missing = api.reads.find((name) => columnsOf(name) === undefined);
  if (missing !== undefined) return yield* Effect.fail(missingRead(file, missing));
  const warehouse = yield* WarehousePort;
  const { sql, params } = probeOver(api, columnsOf);
  const settings = Object.fromEntries(Object.entries(params).map(([name, value]) => [`param_${name}`, value]));
  const ask = (question: string, blame: (message: string) => DefinitionError | undefined) =>
    Effect.catchIf(
      warehouse.rows("writer", question, settings),
      ({ outcome }) => outcome === "refused",
      ({ message }) => {
        const error = blame(standIns.plain(message));
        return error === undefined ? Effect.void : Effect.fail(error);
      },
    );
  yield* ask(syntaxQuestion(api), (message) => blameSyntax(file, message));
  yield* ask(standIns.phrase(sql), (message) => blameApi(file, message));
});
