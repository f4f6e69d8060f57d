/**
 * The query string of an API's request: checked, typed, bounded.
 *
 *   ?state=CA&limit=5 ──▶ values for the engine, or a 400 that names the parameter and says what to send
 *
 * @module
 */
import { type Api, type ParamValues, paramHint, paramsSchema } from "@weir/sql";
import { Refusal } from "../errors.ts";

/** Parameters of the query string which are the door's own, beside the API's. */
export type OwnParam = "after";

/** What a request asks an API for. */
export interface Asked {
  readonly values: ParamValues;
  /** The position that must be visible first. */
  readonly after: string | undefined;
}

/** Pairs of one query string at most; an Array's elements may come one by one. */
const PAIRS_MAX = 10_200;

/** Reads a request's query string; throws a Refusal. */
export function readAsked(api: Api, search: URLSearchParams, own: readonly OwnParam[]): Asked {
  if (search.size > PAIRS_MAX) {
    const hint = "Send long lists as a JSON array.";
    throw new Refusal(400, "bad_parameter", `Cannot take more than ${PAIRS_MAX} parameters.`, hint);
  }
  const sent = new Map<string, string[]>();
  for (const [name, text] of search) {
    const texts = sent.get(name);
    if (texts === undefined) sent.set(name, [text]);
    else texts.push(text);
  }
  const after = own.includes("after") ? sent.get("after") : undefined;
  if (after !== undefined) sent.delete("after");
  if (after !== undefined && after.length > 1) {
    throw new Refusal(400, "bad_parameter", "Cannot use 'after' twice.", "Send the newest position only.", "after");
  }
  const result = paramsSchema(api).safeParse(Object.fromEntries(sent));
  if (result.success) return { values: result.data, after: after?.[0] };
  const [issue] = result.error.issues;
  if (issue!.code === "unrecognized_keys") throw unknownParam(api, issue!.keys[0]!, own);
  const param = api.params.find(({ name }) => name === issue!.path[0]);
  const name = param?.name ?? "";
  const code = sent.has(name) ? "bad_parameter" : "missing_parameter";
  const hint = param === undefined ? "Correct it." : `Send ${paramHint(param)}.`;
  throw new Refusal(400, code, `Cannot answer: the parameter '${name}' ${issue!.message}.`, hint, name);
}

function unknownParam(api: Api, name: string, own: readonly OwnParam[]): Refusal {
  const at = name.slice(0, 100);
  const known = [...api.params.map((param) => param.name), ...own];
  const hint = known.length === 0 ? "Send none." : `Known are ${known.join(", ")}.`;
  return new Refusal(400, "unknown_parameter", `Cannot answer: '${api.id}' has no parameter '${at}'.`, hint, at);
}
