/**
 * In force: every definition as the catalog has it, derived again from its text.
 *
 *   weir.definition ──newest of each name──▶ functions ──▶ sources ──▶ dimensions ──▶ models, lowest first ──▶ APIs
 *
 * A text that can no longer be read stays in the catalog and is shown with its
 * problem; what it made in the warehouse is left alone.
 *
 * @module
 */
import { Warehouse, type WarehouseFailed } from "@weir/connectors";
import {
  type Api,
  createFunction,
  type Definition,
  type DefinitionError,
  type Dimension,
  dimensionTable,
  type InForce,
  type Model,
  type ModelDraft,
  orderModels,
  planModel,
  type Readable,
  readableModel,
  readModel,
  SOURCE_COMPANIONS,
  type Source,
  type SqlFunction,
  stateTable,
} from "@weir/sql";
import { Effect } from "effect";
import { type KeptEntry, nameOf, newestEntries } from "./entries.ts";
import {
  apiIn,
  attempt,
  converse,
  type DefinitionFile,
  dimensionIn,
  functionIn,
  isDefinitionError,
  sourceIn,
  type Wording,
} from "./read.ts";

/** A definition in force, with its entry. */
export interface Kept<D extends Definition = Definition> extends InForce<D> {
  readonly entry: KeptEntry;
}

/** The definitions in force by name (`dwf.flight`), and what can no longer be read. */
export interface Holdings {
  readonly kept: Map<string, Kept>;
  readonly broken: Map<string, { readonly entry: KeptEntry; readonly problem: string }>;
}

/** A definition with its entry. */
export function keep<D extends Definition>(definition: D, entry: KeptEntry): Kept<D> {
  const { text, digest, version, state } = entry;
  return { definition, text, digest, version, isActive: state !== "suspended", entry };
}

/** The held definition of a name, if it is of that kind. */
export function held(kept: ReadonlyMap<string, Kept>, name: string, kind: "source"): Kept<Source> | undefined;
export function held(kept: ReadonlyMap<string, Kept>, name: string, kind: "dimension"): Kept<Dimension> | undefined;
export function held(kept: ReadonlyMap<string, Kept>, name: string, kind: "model"): Kept<Model> | undefined;
export function held(kept: ReadonlyMap<string, Kept>, name: string, kind: "function"): Kept<SqlFunction> | undefined;
export function held(kept: ReadonlyMap<string, Kept>, name: string, kind: "api"): Kept<Api> | undefined;
export function held(kept: ReadonlyMap<string, Kept>, name: string, kind: Definition["kind"]): Kept | undefined {
  const found = kept.get(name);
  return found?.definition.kind === kind ? found : undefined;
}

/** All held definitions of one kind. */
export function allOf<K extends Definition["kind"]>(
  kept: ReadonlyMap<string, Kept>,
  kind: K,
): readonly Kept<Extract<Definition, { kind: K }>>[] {
  return [...kept.values()].filter(({ definition }) => definition.kind === kind) as never;
}

/** What a definition is to the models that read it; undefined for what cannot be read. */
export function readableOf({ definition, version }: Pick<Kept, "definition" | "version">): Readable | undefined {
  switch (definition.kind) {
    case "source": {
      const { layer, name } = definition;
      const own = [
        ...definition.columns.map(({ name: column, type }) => ({ name: column, type })),
        ...SOURCE_COMPANIONS,
      ];
      const columns = definition.unknown === "keep" ? [...own, { name: "_rest", type: "String" }] : own;
      return { name: `${layer}.${name}`, kind: "source", layer, table: stateTable(definition, version), columns };
    }
    case "dimension": {
      const { layer, name, columns } = definition;
      const table = dimensionTable(definition, version);
      return { name: `${layer}.${name}`, kind: "dimension", layer, table, columns };
    }
    case "model":
      return readableModel(definition, stateTable(definition, version));
    default:
      return undefined;
  }
}

/** Reads everything that the catalog has; `isHeld` makes functions again, because models are judged by them. */
export const readHoldings = Effect.fnUntraced(function* ({ isHeld }: { readonly isHeld: boolean }) {
  const warehouse = yield* Warehouse;
  const holdings: Holdings = { kept: new Map(), broken: new Map() };
  const entries = yield* newestEntries();
  const of = (kind: string) => entries.filter((entry) => entry.kind === kind);
  for (const entry of of("function")) {
    yield* orBroken(holdings, entry, functionIn(fileOf(entry)));
    const made = held(holdings.kept, nameOf(entry), "function");
    if (made !== undefined && isHeld) yield* warehouse.command("writer", createFunction(made.definition));
  }
  for (const entry of of("source")) yield* orBroken(holdings, entry, sourceIn(fileOf(entry)));
  for (const entry of of("dimension")) yield* orBroken(holdings, entry, dimensionIn(fileOf(entry)));
  yield* readModels(holdings, of("model"));
  for (const entry of of("api")) yield* orBroken(holdings, entry, apiIn(fileOf(entry)));
  return holdings;
});

const readModels = Effect.fnUntraced(function* (holdings: Holdings, entries: readonly KeptEntry[]) {
  const { kept } = holdings;
  const drafts = new Map<string, { draft: ModelDraft; entry: KeptEntry }>();
  for (const entry of entries) {
    const draft = yield* Effect.catchIf(
      attempt(() => readModel(entry.file, entry.text)),
      isDefinitionError,
      (error) => Effect.sync(() => noteBroken(holdings, entry, error)),
    );
    if (draft !== undefined) drafts.set(nameOf(entry), { draft, entry });
  }
  const ordered = orderModels([...drafts.values()].map(({ draft }) => draft));
  for (const draft of ordered) {
    const { entry } = drafts.get(nameOf(draft))!;
    yield* orBroken(holdings, entry, plannedOver(kept, draft));
  }
});

/** The model that an entry defines, over what is held. */
export const modelOf = (kept: ReadonlyMap<string, Kept>, { file, text }: Pick<KeptEntry, "file" | "text">) =>
  Effect.flatMap(
    attempt(() => readModel(file, text)),
    (draft) => plannedOver(kept, draft),
  );

/** Plans a draft over definitions by name. */
export function plannedOver(
  definitions: ReadonlyMap<string, Pick<Kept, "definition" | "version">>,
  draft: ModelDraft,
  wording?: Wording,
): Effect.Effect<Model, DefinitionError | WarehouseFailed, Warehouse> {
  const knownFunctions = new Set(
    [...definitions.values()].flatMap(({ definition }) => (definition.kind === "function" ? [definition.name] : [])),
  );
  const known = (name: string) => {
    const found = definitions.get(name);
    return found === undefined ? undefined : readableOf(found);
  };
  return converse(() => planModel(draft, known, { knownFunctions }), wording);
}

/** Keeps what is read; what cannot be read is noted as broken. */
const orBroken = <R>(
  holdings: Holdings,
  entry: KeptEntry,
  read: Effect.Effect<Definition, DefinitionError | WarehouseFailed, R>,
) =>
  Effect.catchIf(
    Effect.map(read, (definition) => void holdings.kept.set(nameOf(entry), keep(definition, entry))),
    isDefinitionError,
    (error) => Effect.sync(() => void noteBroken(holdings, entry, error)),
  );

function noteBroken(holdings: Holdings, entry: KeptEntry, { message }: { readonly message: string }): undefined {
  holdings.broken.set(nameOf(entry), { entry, problem: message });
}

/** The file that an entry was made from. */
export function fileOf({ file, text }: Pick<KeptEntry, "file" | "text">): DefinitionFile {
  return { path: file, text };
}

/** Names of all definitions that read `name`, directly or through others, nearest first. */
export function dependentsOf(kept: ReadonlyMap<string, Kept>, name: string): readonly string[] {
  const found: string[] = [];
  const queue = [name];
  for (let below = queue.shift(); below !== undefined; below = queue.shift()) {
    for (const [above, { definition }] of kept) {
      if (found.includes(above) || above === name || !readsOf(definition).includes(below)) continue;
      found.push(above);
      queue.push(above);
    }
  }
  return found;
}

/** Qualified names that a definition reads, its functions too. */
export function readsOf(definition: Definition): readonly string[] {
  switch (definition.kind) {
    case "model":
      return [...definition.reads, ...definition.functions.map((name) => `functions.${name}`)];
    case "api":
      return definition.reads;
    case "dimension":
      return definition.from.kind === "query" ? definition.from.reads : [];
    default:
      return [];
  }
}

/** Sources whose events reach `name`, through any number of models: `flight` for `dwa.state_minute`. */
export function sourcesBehind(kept: ReadonlyMap<string, Kept>, name: string): readonly string[] {
  const seen = new Set<string>();
  const sources = new Set<string>();
  const visit = (at: string) => {
    if (seen.has(at)) return;
    seen.add(at);
    const definition = kept.get(at)?.definition;
    if (definition?.kind === "source") sources.add(definition.name);
    else if (definition !== undefined) for (const below of readsOf(definition)) visit(below);
  };
  visit(name);
  return [...sources];
}
