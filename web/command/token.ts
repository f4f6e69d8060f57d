/**
 * `weir token create | list | revoke`: who may come in.
 *
 *   flags ──▶ /v1/admin/tokens ──▶ terminal; a new token is the only thing on stdout, so that scripts can take it
 *
 * @module
 */
import type { Config } from "../config.ts";
import { ask, ClientFailed, type Refused } from "./client.ts";

/** What the command was told beside its verb. */
export interface TokenFlags {
  readonly name?: string | undefined;
  readonly scope?: readonly string[] | undefined;
  readonly expires?: string | undefined;
  readonly origin?: readonly string[] | undefined;
  /** `tenant=a`: a parameter of APIs that the token fixes; named again, it is an array. */
  readonly param?: readonly string[] | undefined;
  readonly isJson: boolean;
}

interface Shown {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly origins: readonly string[];
  readonly fixed_params: Readonly<Record<string, readonly string[]>>;
  readonly created_at: string | null;
  readonly expires_at: string | null;
}

const PATH = "/v1/admin/tokens";
const USAGE =
  'Say weir token create --name N --scope S [--expires "30 days"], weir token list, or weir token revoke ID.';

/** Runs `weir token <verb>`. */
export async function token(config: Config, [verb, id]: readonly string[], flags: TokenFlags): Promise<number> {
  switch (verb) {
    case "create":
      return create(config, flags);
    case "list":
      return list(config, flags);
    case "revoke":
      if (id === undefined) throw new ClientFailed("Say which: weir token revoke ID. weir token list shows the ids.");
      return revoke(config, id, flags);
    default:
      throw new ClientFailed(USAGE);
  }
}

async function create(config: Config, { name, scope, expires, origin, param, isJson }: TokenFlags): Promise<number> {
  if (name === undefined || scope === undefined) throw new ClientFailed(USAGE);
  const body = { name, scopes: scope, expires_in: expires, origins: origin, fixed_params: paramsOf(param) };
  const headers = { "content-type": "application/json" };
  const made = await answer<Shown & { readonly token: string }>(config, PATH, {
    ...{ method: "POST", headers, body: JSON.stringify(body) },
  });
  if (isJson) console.log(JSON.stringify(made));
  else {
    console.error(`${line(made)}\nIt is shown this once:`);
    console.log(made.token);
  }
  return 0;
}

async function list(config: Config, { isJson }: TokenFlags): Promise<number> {
  const { tokens } = await answer<{ readonly tokens: readonly Shown[] }>(config, PATH, {});
  if (isJson) console.log(JSON.stringify({ tokens }));
  else for (const shown of tokens) console.log(line(shown));
  return 0;
}

async function revoke(config: Config, id: string, { isJson }: TokenFlags): Promise<number> {
  const done = await answer<object>(config, `${PATH}/${encodeURIComponent(id)}`, { method: "DELETE" });
  console.log(isJson ? JSON.stringify(done) : `${id} is revoked`);
  return 0;
}

async function answer<A>(config: Config, path: string, init: RequestInit): Promise<A> {
  const response = await ask(config, path, init);
  const body = (await response.json()) as A & Partial<Refused>;
  if (response.ok) return body;
  throw new ClientFailed(`${body.error?.message} ${body.error?.hint}`);
}

function paramsOf(params: readonly string[] = []): Record<string, string | string[]> {
  const texts = new Map<string, string[]>();
  for (const param of params) {
    const [, name, text] = /^([^=]+)=(.*)$/s.exec(param) ?? [];
    if (name === undefined) throw new ClientFailed(`Cannot use --param '${param}'. Say --param tenant=a.`);
    texts.set(name, [...(texts.get(name) ?? []), text!]);
  }
  return Object.fromEntries([...texts].map(([name, all]) => [name, all.length === 1 ? all[0]! : all]));
}

/** `5f0e… dashboard  api:*  until 2026-12-31T00:00:00.000Z  from https://app.example.com  with tenant=a` */
function line({ id, name, scopes, origins, fixed_params, expires_at }: Shown): string {
  const fixed = Object.entries(fixed_params).map(([param, texts]) => `${param}=${texts.join(",")}`);
  return [
    ...[id, name, scopes.join(" "), expires_at === null ? "for ever" : `until ${expires_at}`],
    ...(origins.length > 0 ? [`from ${origins.join(" ")}`] : []),
    ...(fixed.length > 0 ? [`with ${fixed.join(" ")}`] : []),
  ].join("  ");
}
