/**
 * What a token fixes: parameters that have its value, whatever a request says.
 *
 *   ?tenant=b&minutes=5 ──token: tenant=a──▶ 403        ?minutes=5 ──▶ ?minutes=5&tenant=a
 *
 * What must hold: a token that is bound to a tenant reads that tenant's rows or
 * nothing. So an API without the parameter is refused too: it would read all.
 * The values become the request's own, hence part of its answer's key.
 *
 * @module
 */
import { type Api, checkParam, type ParamTexts, readParamType } from "@weir/sql";
import { Refusal } from "../errors.ts";
import type { Caller } from "../tokens.ts";

/** The parameters of a request: the query string without a ticket, with what the token fixes. Throws a Refusal. */
export function askedBy({ fixedParams, isTicket }: Caller, { api, url }: { api: Api; url: string }): URLSearchParams {
  const search = new URL(url).searchParams;
  if (isTicket === true) search.delete("ticket");
  for (const [name, texts] of fixedParams ?? []) {
    const fixed = meaningOf(api, name, texts);
    if (fixed === undefined) {
      const message = `Cannot answer: the token fixes '${name}', which '${api.id}' does not take so.`;
      throw new Refusal(403, "forbidden", message, "Ask another API, or use a token that does not fix it.", name);
    }
    const sent = search.getAll(name);
    if (sent.length > 0 && meaningOf(api, name, sent) !== fixed) {
      const message = `Cannot answer: the token fixes '${name}' to another value.`;
      throw new Refusal(403, "fixed_parameter", message, `Leave '${name}' out.`, name);
    }
    search.delete(name);
    for (const text of texts) search.append(name, text);
  }
  return search;
}

/** Whether the token's fixed values let it ask the API at all. */
export function mayAsk({ fixedParams }: Caller, api: Api): boolean {
  return [...(fixedParams ?? [])].every(([name, texts]) => meaningOf(api, name, texts) !== undefined);
}

/** What texts mean as the API's parameter; undefined if it has none of that name, or does not take them. */
function meaningOf(api: Api, name: string, texts: ParamTexts): string | undefined {
  const param = api.params.find((one) => one.name === name);
  if (param === undefined) return undefined;
  const checked = checkParam(readParamType(param.type), texts, param);
  return checked.ok && checked.value !== null ? checked.value : undefined;
}
