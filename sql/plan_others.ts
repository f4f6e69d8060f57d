/**
 * The plan of models, dimensions, functions and APIs: what applying their files would change.
 *
 *   in force ─┐
 *   wanted   ─┴─▶ change: create · same · describe · rebuild
 *
 * Pure. A model whose rows would be the same is only described anew; any other
 * difference, or a table below it that is rebuilt, makes a new version beside it.
 *
 * @module
 */
import type { Api } from "./api.ts";
import type { Definition } from "./definitions.ts";
import type { Dimension } from "./dimension.ts";
import type { SqlFunction } from "./function.ts";
import type { Model } from "./model/model.ts";
import type { Change } from "./plan.ts";

/** A definition as the catalog has it. */
export interface InForce<D extends Definition = Definition> {
  readonly definition: D;
  readonly text: string;
  /** sha256 of the data that came with it. */
  readonly digest: string;
  readonly version: number;
  /** Whether its rows are kept up to date. */
  readonly isActive: boolean;
}

/** A definition as a file wants it. */
export interface Wanted<D extends Definition = Definition> {
  readonly definition: D;
  readonly text: string;
  readonly digest: string;
  /** The number that a new version gets: no number is used twice. */
  readonly nextVersion: number;
}

/** Why a model is to be made anew although its text may say the same. */
export interface Anew {
  /** What it reads that gets a new version, if anything does. */
  readonly below: string | undefined;
  /** Whether somebody asked for it. */
  readonly isMeant: boolean;
}

/** Compares a model. One that is suspended stays so until its text changes, or there is reason to make it anew. */
export function planModelChange(
  before: InForce<Model> | undefined,
  { definition, text, nextVersion }: Wanted<Model>,
  { below, isMeant }: Anew,
): Change {
  const name = `${definition.layer}.${definition.name}`;
  if (before === undefined)
    return { kind: "create", definition, version: nextVersion, notes: [`creates ${name}, ${definition.strategy}`] };
  if (below !== undefined) return again(definition, nextVersion, [`${below}, which it reads, changes`]);
  const anew = before.isActive ? "makes it anew and backfills it" : "it was suspended: makes it anew and backfills it";
  if (isMeant || (!before.isActive && before.text !== text)) return again(definition, nextVersion, [anew]);
  const same = { definition, version: before.version };
  if (before.text === text) {
    const notes = before.isActive ? [] : [`it is suspended: weir resume ${name} makes it anew`];
    return { kind: "same", ...same, notes };
  }
  const notes = differences(before.definition, definition);
  if (notes.length > 0) return again(definition, nextVersion, notes);
  return { kind: "describe", ...same, notes: ["changes its description"] };
}

function again(definition: Definition, version: number, notes: readonly string[]): Change {
  return { kind: "rebuild", definition, version, isDestructive: false, notes };
}

/** What differs between two models' rows and tables, in words. */
function differences(before: Model, after: Model): string[] {
  const old = new Map(before.columns.map((column) => [column.name, column.type]));
  const now = new Map(after.columns.map((column) => [column.name, column.type]));
  const added = [...now.keys()].filter((name) => !old.has(name));
  const removed = [...old.keys()].filter((name) => !now.has(name));
  const retyped = [...now].filter(([name, type]) => old.has(name) && old.get(name) !== type);
  const notes = [
    ...(before.strategy === after.strategy ? [] : [`becomes ${after.strategy} (was ${before.strategy})`]),
    ...added.map((name) => `adds ${name}`),
    ...removed.map((name) => `drops ${name}`),
    ...retyped.map(([name, type]) => `changes ${name} from ${old.get(name)} to ${type}`),
  ];
  if (notes.length > 0) return notes;
  if (queryOf(before) !== queryOf(after)) return ["changes how its rows are computed"];
  return tableOf(before) === tableOf(after) ? [] : ["changes its sort key, partitions, look-ups, schedule or ttl"];
}

const queryOf = (model: Model): string =>
  JSON.stringify([model.feeds, model.fillSelect("t"), model.readSelect("t"), model.columns.map(({ type }) => type)]);

const tableOf = ({ stateColumns, orderBy, partitionBy, ttl, lookup, refreshMs }: Model): string =>
  JSON.stringify([stateColumns.map(({ name, type }) => [name, type]), orderBy, partitionBy, ttl, lookup, refreshMs]);

/** Compares a dimension; other rows or columns are a new table behind it. */
export function planDimensionChange(
  before: InForce<Dimension> | undefined,
  { definition, text, digest, nextVersion }: Wanted<Dimension>,
): Change {
  if (before === undefined) {
    const from = definition.from.kind === "query" ? "a query" : definition.from.path;
    return { kind: "create", definition, version: nextVersion, notes: [`creates dim.${definition.name} from ${from}`] };
  }
  if (before.text === text && before.digest === digest)
    return { kind: "same", definition, version: before.version, notes: [] };
  const notes = [
    ...(before.digest === digest ? [] : ["its file has changed"]),
    ...(before.text === text ? [] : ["its definition has changed"]),
  ];
  return again(definition, nextVersion, [...notes, "loads it anew; rows that were landed keep what they looked up"]);
}

/** Whether models that look values up in it must be planned and built anew. */
export function changesShape(before: Dimension, after: Dimension): boolean {
  const shape = ({ key, columns }: Dimension) => JSON.stringify([key, columns.map(({ name, type }) => [name, type])]);
  return shape(before) !== shape(after);
}

/** Compares a function. */
export function planFunctionChange(
  before: InForce<SqlFunction> | undefined,
  { definition, text, nextVersion }: Wanted<SqlFunction>,
): Change {
  const { name } = definition;
  if (before === undefined)
    return { kind: "create", definition, version: nextVersion, notes: [`creates the function ${name}`] };
  if (before.text === text) return { kind: "same", definition, version: before.version, notes: [] };
  return again(definition, nextVersion, ["replaces it; models that call it are made anew"]);
}

/** Compares an API; what it answers from is not changed. */
export function planApiChange(
  before: InForce<Api> | undefined,
  { definition, text, nextVersion }: Wanted<Api>,
): Change {
  if (before === undefined)
    return { kind: "create", definition, version: nextVersion, notes: [`publishes /v1/api/${definition.id}`] };
  if (before.text === text) return { kind: "same", definition, version: before.version, notes: [] };
  return { kind: "describe", definition, version: before.version, notes: [`publishes /v1/api/${definition.id} anew`] };
}
