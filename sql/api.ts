/**
 * An API: one SELECT with typed parameters, published under an id.
 *
 *   api/state_minute.sql ──readApi──▶ Api ──▶ door: query string ──paramsSchema──▶ values ──apiQuery──▶ engine
 *                                      └──probeQuery──▶ the engine judges the SELECT
 *
 * Plain data: what the author wrote, checked. What a parameter's text means is
 * `param.ts`'s.
 *
 * @module
 */
import { z } from "zod";
import { meaning, tokenize } from "./definition/tokens.ts";
import { checkParam, expectation, type ParamBounds, type ParamTexts, type ParamType, readParamType } from "./param.ts";

/** One parameter of an API. */
export interface ApiParam extends ParamBounds {
  readonly name: string;
  /** The type as the SELECT names it, for example `Array(UInt32)`. */
  readonly type: string;
  /** False when a request may leave it out: it has a default, or its type is Nullable. */
  readonly required: boolean;
  /** What is meant when it is left out, as a client would send it; undefined: null, or nothing if required. */
  readonly default: ParamTexts | undefined;
  /** A value to try it with, if the author named one. */
  readonly example?: ParamTexts | undefined;
  readonly doc: string;
}

/** A definition of kind `api`, checked. */
export interface Api {
  readonly kind: "api";
  readonly id: string;
  readonly doc: string;
  /** In the order in which the SELECT names them. */
  readonly params: readonly ApiParam[];
  /** The SELECT, without a semicolon. */
  readonly sql: string;
  /** Qualified names of the tables, views and dictionaries that the SELECT names, sorted. */
  readonly reads: readonly string[];
  /** It answers differently as time goes by, though no row has changed. */
  readonly asksClock: boolean;
}

/** Values by parameter, as the engine reads them; null is SQL's. */
export type ParamValues = Readonly<Record<string, string | null>>;

/** A statement and the values of its `{name:Type}`. */
export interface BoundQuery {
  readonly sql: string;
  readonly params: Readonly<Record<string, string>>;
}

const SCHEMAS = new WeakMap<Api, z.ZodType<ParamValues>>();

/** The schema of a request's query string: names → all texts that stand behind them. Strict; an issue's message ends with what to send. */
export function paramsSchema(api: Api): z.ZodType<ParamValues> {
  const known = SCHEMAS.get(api);
  if (known !== undefined) return known;
  const schema = z.strictObject(
    Object.fromEntries(api.params.map((param) => [param.name, paramSchema(param)])),
  ) as unknown as z.ZodType<ParamValues>;
  SCHEMAS.set(api, schema);
  return schema;
}

/** What to send for a parameter, to be put behind "Send". */
export function paramHint(param: ApiParam): string {
  return expectation(readParamType(param.type), param);
}

function paramSchema(param: ApiParam) {
  const type = readParamType(param.type);
  return z
    .array(z.string())
    .optional()
    .transform((sent, context) => {
      const texts = sent ?? param.default;
      if (texts === undefined && !param.required) return null;
      const checked = texts === undefined ? MISSING : checkParam(type, texts, param);
      if (checked.ok) return checked.value;
      context.addIssue({ code: "custom", message: checked.reason });
      return z.NEVER;
    });
}

const MISSING = { ok: false, reason: "is missing" } as const;

/** The SELECT with its values. A null cannot be sent as a value: it is written into the SELECT. */
export function apiQuery({ sql }: Pick<Api, "sql">, values: ParamValues): BoundQuery {
  const params: Record<string, string> = {};
  const absent = new Set<string>();
  for (const [name, value] of Object.entries(values)) {
    if (value === null) absent.add(name);
    else params[name] = value;
  }
  if (absent.size === 0) return { sql, params };
  let text = "";
  let at = 0;
  for (const { name, type, start, end } of placeholdersIn(sql)) {
    if (!absent.has(name)) continue;
    text += `${sql.slice(at, start)}CAST(NULL AS ${type})`;
    at = end;
  }
  return { sql: text + sql.slice(at), params };
}

/** A statement that makes the engine judge the SELECT and tell its columns, without reading a row. */
export function probeQuery(api: Api): BoundQuery {
  const values = Object.fromEntries(api.params.map((param) => [param.name, sampleOf(param)]));
  const { sql, params } = apiQuery(api, values);
  return { sql: `DESCRIBE (\n${sql}\n)`, params };
}

/** Any value that the parameter takes. */
function sampleOf(param: ApiParam): string | null {
  const checked = checkParam(readParamType(param.type), exampleTexts(param), param);
  return checked.ok ? checked.value : null;
}

/** What to send to try it: what the author names, the default, or any text that the parameter takes. */
export function exampleTexts(param: ApiParam): ParamTexts {
  return param.example ?? param.default ?? sampleTexts(readParamType(param.type), param);
}

const SAMPLES: Readonly<Record<string, string>> = {
  int: "1",
  float: "1",
  decimal: "0",
  bool: "true",
  uuid: "00000000-0000-0000-0000-000000000000",
  date: "2026-01-01",
  time: "2026-01-01T00:00:00Z",
};

function sampleTexts(type: ParamType, { values, min, max }: ParamBounds): readonly string[] {
  const item = type.kind === "array" ? type.of : type;
  const own = item.kind === "enum" ? item.names[0] : SAMPLES[item.kind];
  return [values?.[0] ?? min ?? max ?? own ?? ""];
}

/** A `{name:Type}` in a SELECT: what it says, and where. */
export interface Placeholder {
  readonly name: string;
  readonly type: string;
  /** Offsets in the SELECT: of the brace, of the type, and after the closing brace. */
  readonly start: number;
  readonly typeStart: number;
  readonly end: number;
}

/** The column to whose values a parameter is compared (`state = {state:String}`, `id IN {ids:…}`); undefined if to none. */
export function comparedColumn({ sql }: Pick<Api, "sql">, param: string): string | undefined {
  const tokens = tokenize(sql);
  for (const { name, start } of placeholdersIn(sql)) {
    const at = tokens.findIndex((token) => token.start === start);
    const [column, operator] = [tokens[at - 2], tokens[at - 1]];
    if (name !== param || column === undefined || !/^(?:=|IN)$/i.test(operator!.text)) continue;
    if (column.kind === "word" || column.kind === "quoted") return meaning(column);
  }
  return undefined;
}

/** Finds the parameters of a SELECT in its order, repeated ones too; strings and comments are not looked into. */
export function placeholdersIn(sql: string): readonly Placeholder[] {
  const found: Placeholder[] = [];
  const tokens = tokenize(sql);
  for (let index = 0; index + 2 < tokens.length; index++) {
    const [open, name, colon] = [tokens[index]!, tokens[index + 1]!, tokens[index + 2]!];
    if (open.text !== "{" || name.kind !== "word" || colon.text !== ":") continue;
    const close = tokens.findIndex(({ text }, at) => at > index + 2 && text === "}");
    if (close < 0) break;
    const typeStart = tokens[index + 3]!.start;
    const type = sql.slice(typeStart, tokens[close]!.start).trim().replaceAll(/\s+/g, " ");
    found.push({ name: name.text, type, start: open.start, typeStart, end: tokens[close]!.end });
    index = close;
  }
  return found;
}
