/**
 * What a model reads: every table that it names, known and allowed by the layers.
 *
 *   ods ──▶ dim ──▶ dwf ──▶ dws ──▶ dwa        a model reads its own layer or those before it
 *
 * @module
 */
import { LAYERS } from "../ddl.ts";
import { type ModelDraft, modelError } from "../definition/model_definition.ts";
import type { Token } from "../definition/tokens.ts";
import { isPureTable } from "./functions.ts";
import type { Readable } from "./model.ts";
import { isWord } from "./splice.ts";
import { findTables, type TableReference } from "./tables.ts";

/** A table reference with what it stands for. */
export interface Read extends TableReference {
  readonly readable: Readable;
}

/** Resolves every table that the text names; throws at what is unknown, above, or no table of the warehouse. */
export function resolveReads(
  draft: ModelDraft,
  is: { readonly known: (name: string) => Readable | undefined; readonly isRefresh: boolean },
): Read[] {
  const found: Read[] = [];
  for (const table of findTables(draft.tokens)) {
    if (table.isFunction) {
      if (is.isRefresh && isPureTable(table.name)) continue;
      const hint = "Define a source, a dimension or a capture, and read that.";
      throw modelError(draft, table, `it reads the table function ${table.name}`, hint);
    }
    // `x IN a.b` may name a column.
    if (table.after === "in" && is.known(table.name) === undefined) continue;
    found.push({ ...table, readable: resolve(draft, { table, known: is.known }) });
  }
  return found;
}

function resolve(
  draft: ModelDraft,
  { table, known }: { table: TableReference; known: (name: string) => Readable | undefined },
): Readable {
  const { name } = table;
  if (!name.includes(".")) {
    const layer = LAYERS.find((one) => known(`${one}.${name}`) !== undefined);
    const hint = `Write ${layer ?? "<layer>"}.${name}.`;
    throw modelError(draft, table, `'${name}' is not qualified`, hint);
  }
  checkLayer(draft, { name, at: table });
  if (name === `${draft.layer}.${draft.name}`)
    throw modelError(draft, table, "it reads itself", "Read what it is made of.");
  const readable = known(name);
  if (readable !== undefined) return readable;
  throw modelError(
    draft,
    table,
    `there is no ${name}`,
    "Define it, or name a source, dimension or model that is there.",
  );
}

/** Throws when a qualified name lies above the model, or in no layer. */
export function checkLayer(
  draft: ModelDraft,
  { name, at }: { name: string; at: Pick<Token, "start"> | undefined },
): void {
  const layer = name.slice(0, name.indexOf("."));
  const height = (LAYERS as readonly string[]).indexOf(layer);
  const order = LAYERS.join(", ");
  if (height < 0) throw modelError(draft, at, `'${layer}' is no layer`, `Read tables of the layers ${order}.`);
  if (height <= LAYERS.indexOf(draft.layer)) return;
  const hint = `Move this model to ${layer}/ or above: the layers are ${order}, each reads its own and those before.`;
  throw modelError(draft, at, `a model of ${draft.layer} reads ${name}, a layer above it`, hint);
}

/** The one table whose rows a view can follow; throws at every other way of reading. */
export function followed(draft: ModelDraft, { from, reads }: { from: readonly Token[]; reads: readonly Read[] }): Read {
  const [first] = from;
  const otherwise = "or compute it on a schedule with refresh: { every: 1 hour }";
  const main = reads.find((read) => read.start === first?.start);
  if (main === undefined) {
    const hint = `Make the subquery a model of its own and read that, ${otherwise}.`;
    throw modelError(draft, first, "a subquery in FROM cannot be kept up to date by views", hint);
  }
  const { readable } = main;
  const cannot = (problem: string) => modelError(draft, main, problem, "Say refresh: { every: 1 hour }.");
  if (readable.kind === "dimension") throw cannot(`${readable.name} is replaced as a whole, no view can follow it`);
  if (readable.strategy === "refresh") throw cannot(`${readable.name} is computed anew, no view can follow it`);
  for (const read of reads) {
    if (read === main || read.readable.kind === "dimension") continue;
    const hint = `Look it up as a dimension, ${otherwise}.`;
    throw modelError(draft, read, `it reads ${read.name} beside ${main.name}: a view sees inserts of one table`, hint);
  }
  checkFrom(draft, from);
  return main;
}

/** Throws at joins whose rows do not come from the followed table alone. */
function checkFrom(draft: ModelDraft, from: readonly Token[]): void {
  for (const [index, token] of from.entries()) {
    if (!isWord(token, "RIGHT", "FULL", "PASTE") || !isJoin(from, index)) continue;
    const hint = "Write LEFT JOIN or INNER JOIN.";
    throw modelError(draft, token, `${token.text.toUpperCase()} JOIN makes rows of what the view does not see`, hint);
  }
}

function isJoin(from: readonly Token[], index: number): boolean {
  return from.slice(index + 1, index + 4).some((token) => isWord(token, "JOIN"));
}

/** Whether any table is joined. */
export function hasJoin(from: readonly Token[]): boolean {
  return from.some((token, index) => isWord(token, "JOIN") && !isWord(from[index - 1], "ARRAY"));
}

/** The name by which columns of the followed table may be qualified. */
export function aliasOf(from: readonly Token[], read: Read): Token | undefined {
  const behind = from.filter((token) => token.start >= read.end);
  if (!read.isAliased) return undefined;
  return isWord(behind[0], "AS") ? behind[1] : behind[0];
}
