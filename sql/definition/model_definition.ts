/**
 * Definitions of kind `model`: front matter and one SELECT, from a file to a draft that the planner takes further.
 *
 *   dwa/state_minute.sql ──readModel──▶ ModelDraft ──planModel──▶ Model
 *
 * Pure. Only what can be said without the engine is said here; every error has
 * its line and column in the author's file.
 *
 * @module
 */
import { z } from "zod";
import { LAYERS } from "../ddl.ts";
import { findTables } from "../model/tables.ts";
import { duration } from "./duration.ts";
import { DefinitionError, lineAndColumn } from "./error.ts";
import { type CutFile, cutFile, placeOf, readFrontMatter } from "./front_matter.ts";
import { meaning, type Token, tokenize } from "./tokens.ts";

const age = z
  .string()
  .meta({ examples: ["none", "90 days"] })
  .transform((text, context) => {
    if (text.trim() === "none") return undefined;
    const parsed = duration.safeParse(text);
    if (parsed.success) return parsed.data;
    context.addIssue({ code: "custom", message: "Write none or a span of time, for example 90 days" });
    return z.NEVER;
  });

/** What a model's front matter may say. */
export const modelOptions = z.strictObject({
  kind: z.literal("model").describe("What this file defines."),
  doc: z.string().min(1).describe("What the rows are; shown wherever the table is."),
  owner: z.string().min(1).optional().describe("Who answers for it."),
  ttl: age.optional().describe("Rows older than this, by the time column, go; none by default."),
  strategy: z
    .enum(["append", "fold", "refresh"])
    .optional()
    .describe("How it is kept up to date; derived from the SELECT by default."),
  refresh: z
    .strictObject({ every: duration.describe("How often it is computed anew.") })
    .optional()
    .describe("Computes the whole SELECT anew on a schedule."),
  order_by: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe("Columns of the sort key, the one that is filtered by most first."),
  partition_by: z
    .enum(["month", "day", "none"])
    .optional()
    .describe("How the table is partitioned, by its time column; month by default."),
  lookup: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe("Columns whose single values are looked up: each gets a Bloom filter."),
  columns: z.record(z.string(), z.string()).optional().describe("What each column means: its name and a comment."),
});

/** Layers that hold models. */
export type ModelLayer = "dwf" | "dws" | "dwa";

const NAME = /^[a-z][a-z0-9_]{0,63}$/;
const REFRESH_MS_MIN = 1_000;

/** A model as read from its file, before the engine has judged it. */
export interface ModelDraft {
  readonly file: string;
  readonly cut: CutFile;
  readonly layer: ModelLayer;
  readonly name: string;
  readonly options: z.output<typeof modelOptions>;
  /** The SELECT, without a semicolon at its end; offsets of tokens count from its beginning. */
  readonly sql: string;
  readonly tokens: readonly Token[];
  /** Every qualified table that the text names, each once. */
  readonly reads: readonly string[];
}

/** Reads a model's file; `path` is its place in the project, for example `dwa/state_minute.sql`. */
export function readModel(path: string, text: string): ModelDraft {
  const cut = cutFile(path, text);
  const options = readFrontMatter(cut, modelOptions);
  const [layer, name] = /([^/]+)\/([^/]+)\.sql$/.exec(path)?.slice(1) ?? ["", path];
  const all = tokenize(cut.sql);
  while (all.at(-1)?.text === ";") all.pop();
  const sql = cut.sql.slice(0, all.at(-1)?.end ?? 0);
  const draft = { file: path, cut, layer: layer as ModelLayer, name, options, sql, tokens: all };
  const [first] = all;
  if (layer !== "dwf" && layer !== "dws" && layer !== "dwa") {
    const isLayer = (LAYERS as readonly string[]).includes(layer);
    const why = isLayer ? `the folder ${layer}/ has no models` : "its file is not in a layer's folder";
    throw modelError(draft, first, why, "Put models into the folder dwf/, dws/ or dwa/.");
  }
  if (!NAME.test(name)) {
    const hint = "Use lower-case letters, digits and underscores, beginning with a letter, 64 at most.";
    throw modelError(draft, first, `${quoted(name)} is not a usable name`, hint);
  }
  checkText(draft);
  checkStrategy(draft);
  const reads = [...findTables(all).map((table) => table.name), ...dictionaries(all)];
  return { ...draft, reads: [...new Set(reads.filter((one) => one.includes(".")))] };
}

type Unread = Omit<ModelDraft, "reads">;

function checkText(draft: Unread): void {
  const { tokens } = draft;
  const [first] = tokens;
  if (first === undefined) throw modelError(draft, undefined, "it has no SELECT", "Write one below the front matter.");
  if (!/^(SELECT|WITH|\()$/i.test(first.text))
    throw modelError(draft, first, `it begins with ${quoted(first.text)}`, "Write one SELECT, nothing else.");
  for (const [index, token] of tokens.entries()) {
    const [next, afterNext] = [tokens[index + 1], tokens[index + 2]];
    if (token.text === ";") {
      const hint = "One file is one model; make another file.";
      throw modelError(draft, next ?? token, "something follows its SELECT", hint);
    }
    if (token.text === "{" && next?.kind === "word" && afterNext?.text === ":")
      throw modelError(draft, token, `it has a parameter ${quoted(next.text)}`, "Put parameters into the API.");
  }
}

function checkStrategy({ options, cut }: Unread): void {
  const { strategy, refresh } = options;
  const fail = (option: string, problem: string, hint: string) => {
    throw new DefinitionError(placeOf(cut, option.split(".")), `Cannot use this model: ${problem}.`, hint);
  };
  if (refresh !== undefined && refresh.every < REFRESH_MS_MIN)
    fail("refresh.every", "it would be refreshed more often than once a second", "Write 1 s or more.");
  if (refresh !== undefined && (strategy ?? "refresh") !== "refresh")
    fail("strategy", `its strategy is ${strategy} and it has a refresh`, "Remove one of them.");
  if (strategy === "refresh" && refresh === undefined)
    fail("strategy", "nothing says how often it is refreshed", "Add refresh: { every: 1 hour }.");
}

/** Dictionaries that the text looks values up in, by the names written into the calls. */
function dictionaries(tokens: readonly Token[]): string[] {
  return tokens.flatMap((token, index) => {
    const [bracket, name] = tokens.slice(index + 1, index + 3);
    const isCall = token.kind === "word" && /^dict[A-Z]/.test(token.text) && bracket?.text === "(";
    return isCall && name?.kind === "string" ? [meaning(name)] : [];
  });
}

/** An error at a token of the SELECT, or where the SELECT begins. */
export function modelError(
  draft: Pick<ModelDraft, "file" | "cut">,
  at: Pick<Token, "start"> | undefined,
  problem: string,
  hint: string,
): DefinitionError {
  const place = lineAndColumn(draft.cut.text, draft.cut.sqlStart + (at?.start ?? 0));
  return new DefinitionError({ file: draft.file, ...place }, `Cannot use this model: ${problem}.`, hint);
}

/** An error at an option of the front matter. */
export function optionError(
  draft: Pick<ModelDraft, "cut">,
  option: readonly string[],
  is: { readonly problem: string; readonly hint: string },
): DefinitionError {
  return new DefinitionError(placeOf(draft.cut, option), `Cannot use this model: ${is.problem}.`, is.hint);
}

const quoted = (text: string) => `'${text.slice(0, 100)}'`;
