/**
 * Definitions of kind `api`: from a file to a checked `Api`.
 *
 *   file ──front matter──▶ id, params' bounds ─┐
 *     └──tokens──▶ `{name:Type}`, tables read ─┴──readApi──▶ Api ──probeQuery──▶ the engine judges the SELECT
 *
 * Pure. Found here is what makes an API unusable whatever the engine says:
 * parameters that nobody can send, more than one statement, a format of its
 * own. Where the engine's lexer could see other tokens, the text is refused.
 *
 * @module
 */
import { z } from "zod";
import { type Api, type ApiParam, type Placeholder, placeholdersIn } from "../api.ts";
import { asksClock } from "../clock.ts";
import { TypeRefused } from "../conform/column_type.ts";
import { checkParam, isOrdered, type ParamTexts, type ParamType, readParamType } from "../param.ts";
import { DefinitionError, lineAndColumn } from "./error.ts";
import { type CutFile, cutFile, placeOf, readFrontMatter } from "./front_matter.ts";
import { type SelectTokens, selectTokens, tablesRead } from "./select_tokens.ts";

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const paramOptions = z.strictObject({
  default: z
    .union([scalar, z.null(), z.array(scalar)], "Write a value, or a list of values for an Array")
    .optional()
    .describe("What is meant when a request leaves the parameter out; without it the parameter is required."),
  example: z
    .union([scalar, z.array(scalar)], "Write a value, or a list of values for an Array")
    .optional()
    .describe("A value to try the API with, for its documents; the default by default."),
  min: scalar.optional().describe("The smallest value taken."),
  max: scalar.optional().describe("The largest value taken."),
  values: z.array(scalar).min(1).max(1_000).optional().describe("The only values taken."),
  doc: z.string().min(1).optional().describe("What the parameter means."),
});

/** What an API's front matter may say. */
export const apiOptions = z.strictObject({
  kind: z.literal("api").describe("What this file defines."),
  doc: z.string().min(1).describe("What the API answers; shown wherever APIs are listed."),
  params: z
    .record(z.string(), paramOptions)
    .default({})
    .describe("Defaults, bounds and descriptions of parameters of the SELECT; their types stand there."),
});

type Options = z.output<typeof apiOptions>;
type ParamOptions = z.output<typeof paramOptions>;

/** Parameters of one API at most. */
export const PARAMS_MAX = 100;

const ID = /^[a-z][a-z0-9_]{0,63}$/;
const PARAM_NAME = /^[a-z][a-z0-9_]{0,63}$/;
/** Names in the query string that are the door's own. */
const RESERVED: ReadonlySet<string> = new Set(["after", "format", "token"]);

/** Reads an API's file; `file` is its path inside the project, for example `api/state_minute.sql`. Throws DefinitionError. */
export function readApi(file: string, text: string): Api {
  const cut = cutFile(file, text);
  const options = readFrontMatter(cut, apiOptions);
  const [folder, id] = /([^/]+)\/([^/]+)\.sql$/.exec(file)?.slice(1) ?? ["", file.replace(/\.sql$/, "")];
  const top = { file, line: 1, column: 1 };
  if (folder !== "api") throw wrong(top, "its file is not in the folder api/", "Put APIs into the folder api/.");
  if (!ID.test(id!)) {
    const hint = "Use lower-case letters, digits and underscores, beginning with a letter, 64 at most.";
    throw wrong(top, `${quoted(id!)} is not a usable name`, hint);
  }
  const select = selectTokens(cut);
  const params = paramsOf(cut, options, select);
  const { sql } = select;
  return {
    kind: "api",
    id: id!,
    doc: options.doc,
    params,
    sql,
    reads: tablesRead(cut, select),
    asksClock: asksClock(sql),
  };
}

interface Param {
  readonly name: string;
  readonly type: ParamType;
  readonly options: ParamOptions;
}

function paramsOf(cut: CutFile, options: Options, { sql, start }: SelectTokens): readonly ApiParam[] {
  const at = (offset: number) => ({ file: cut.file, ...lineAndColumn(cut.text, cut.sqlStart + start + offset) });
  const types = new Map<string, ParamType>();
  for (const placeholder of placeholdersIn(sql)) {
    const type = typeOf(placeholder, at);
    const known = types.get(placeholder.name);
    if (known !== undefined && spelled(known) !== spelled(type)) {
      const problem = `the parameter ${quoted(placeholder.name)} is ${type.text} here and ${known.text} before`;
      throw wrong(at(placeholder.typeStart), problem, "Give it one type everywhere.");
    }
    if (known === undefined) types.set(placeholder.name, type);
    if (types.size > PARAMS_MAX) {
      throw wrong(at(placeholder.start), `it has more than ${PARAMS_MAX} parameters`, "Use an Array parameter.");
    }
  }
  for (const name of Object.keys(options.params)) {
    if (types.has(name)) continue;
    const known = types.size === 0 ? "The SELECT has no parameter." : `It names: ${[...types.keys()].join(", ")}.`;
    const hint = `Write {${name}:Type} in the SELECT, or take the option out. ${known}`;
    throw wrong(placeOf(cut, ["params", name]), `the SELECT does not name the parameter ${quoted(name)}`, hint);
  }
  return [...types].map(([name, type]) => paramOf(cut, { name, type, options: options.params[name] ?? {} }));
}

function typeOf({ name, type, start, typeStart }: Placeholder, at: (offset: number) => Place): ParamType {
  if (RESERVED.has(name) || !PARAM_NAME.test(name)) {
    const state = RESERVED.has(name) ? "is the door's own" : "is not a usable name";
    const hint = "Use lower-case letters, digits and underscores; after, format and token are taken.";
    throw wrong(at(start), `the parameter's name ${quoted(name)} ${state}`, hint);
  }
  if (type === "Identifier") {
    const hint = "Write the name into the SELECT: what is read must not depend on who asks.";
    throw wrong(at(typeStart), `the parameter ${quoted(name)} is an Identifier`, hint);
  }
  try {
    return readParamType(type);
  } catch (error) {
    if (!(error instanceof TypeRefused)) throw error;
    const hint = `Use ${error.message}, spelled as ClickHouse prints it.`;
    throw wrong(at(typeStart), `the parameter ${quoted(name)} has the type ${quoted(type)}`, hint);
  }
}

/** Enums may be spelled with other spaces; the rest is the type's name. */
function spelled({ text }: ParamType): string {
  return text.replaceAll(/\s+/g, "");
}

/** Checks what the front matter says of one parameter against its type. */
function paramOf(cut: CutFile, param: Param): ApiParam {
  const { name, type, options } = param;
  const item = type.kind === "array" ? type.of : type;
  const bound = (option: "min" | "max") => {
    const value = options[option];
    if (value === undefined) return undefined;
    if (!isOrdered(type)) {
      const hint = "Use `values`, or leave it out: only numbers and times have bounds.";
      throw wrong(placeOf(cut, ["params", name, option]), `${item.plain} of ${quoted(name)} has no ${option}`, hint);
    }
    return checkedText(cut, param, { option, value });
  };
  const min = bound("min");
  const max = bound("max");
  if (min !== undefined && max !== undefined && !checkParam(item, [max], { min }).ok) {
    const place = placeOf(cut, ["params", name, "max"]);
    throw wrong(place, `max ${max} of ${quoted(name)} is below its min ${min}`, "Exchange them.");
  }
  const bounds = { min, max };
  const values = options.values?.map((value) => checkedText(cut, param, { option: "values", value, bounds }));
  const [standard, example] = (["default", "example"] as const).map((option) =>
    textsOf(cut, param, { option, bounds: { ...bounds, values } }),
  );
  const isOptional = "default" in options || (type.nullable && type.kind !== "array");
  return {
    name,
    type: type.text,
    required: !isOptional,
    default: standard,
    example,
    ...bounds,
    values,
    doc: options.doc ?? "",
  };
}

type Bounds = Pick<ApiParam, "min" | "max" | "values">;

/** A default or an example, as a request would send it. */
function textsOf(
  cut: CutFile,
  param: Param,
  { option, bounds }: { option: "default" | "example"; bounds: Bounds },
): ParamTexts | undefined {
  const { name, type, options } = param;
  const value = options[option];
  if (value === undefined) return undefined;
  const place = placeOf(cut, ["params", name, option]);
  if (value === null) {
    if (type.nullable && type.kind !== "array") return undefined;
    throw wrong(place, `the ${option} of ${quoted(name)} is empty`, `Write a value, or make the type Nullable.`);
  }
  const list = Array.isArray(value);
  if (list !== (type.kind === "array")) {
    const problem = `the ${option} of ${quoted(name)} is ${list ? "a list" : "one value"} and its type ${type.text}`;
    throw wrong(place, problem, list ? "Write one value." : "Write a list, for example [1, 2].");
  }
  const texts = list
    ? value.map((one) => checkedText(cut, param, { option, value: one, bounds }))
    : [checkedText(cut, param, { option, value, bounds })];
  // One text that begins like JSON would be read as a whole array.
  return list && texts.length < 2 ? [JSON.stringify(texts)] : texts;
}

interface Written {
  readonly option: "default" | "example" | "min" | "max" | "values";
  readonly value: z.output<typeof scalar>;
  readonly bounds?: Bounds;
}

/** The text of one value in the front matter, which must be one that a request could send. */
function checkedText(cut: CutFile, { name, type }: Param, { option, value, bounds }: Written): string {
  const place = placeOf(cut, ["params", name, option]);
  const item = type.kind === "array" ? type.of : type;
  if (typeof value === "number" && !isExact(value)) {
    const problem = `${option} ${value} of ${quoted(name)} has more digits than YAML's numbers keep`;
    throw wrong(place, problem, "Write it in quotes.");
  }
  const text = plainText(value);
  const checked = checkParam(item, [text], bounds);
  if (checked.ok) return text;
  const isSent = option === "default" || option === "example";
  const hint = isSent ? "Write a value that a request could send." : `Write a value of ${item.plain}.`;
  throw wrong(place, `${option} ${quoted(text)} of ${quoted(name)} ${checked.reason}`, hint);
}

function isExact(value: number): boolean {
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
}

/** Without an exponent where a fraction is small: Decimals have none. */
function plainText(value: z.output<typeof scalar>): string {
  const text = String(value);
  return typeof value === "number" && /e-/.test(text) ? value.toFixed(20).replace(/0+$/, "") : text;
}

type Place = ConstructorParameters<typeof DefinitionError>[0];

function wrong(place: Place, problem: string, hint: string): DefinitionError {
  return new DefinitionError(place, `Cannot use this API: ${problem}.`, hint);
}

const quoted = (text: string) => `'${text.slice(0, 100)}'`;
