/**
 * `weir token create | list | revoke`: who may come in.
 *
 *   flags ──▶ /v1/admin/tokens ──▶ terminal; a new token is the only thing on stdout, so that scripts can take it
 *
 * @module
 */
import { Argument, Command, Flag } from "effect/cli";
import { askJson, ClientFailed, postJson } from "./client.ts";
import { answering, jsonFlag, textFlag, textsFlag } from "./root.ts";

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

const createFlags = {
  name: Flag.String("name").pipe(Flag.withMetavar("NAME"), Flag.withDescription("what people know it by")),
  scope: textsFlag("scope", {
    metavar: "SCOPE",
    doc: "what it may do: ingest:sale, api:sales_day, sql:read, sql:dwa, admin",
    min: 1,
  }),
  expires: textFlag("expires", { metavar: "TIME", doc: 'how long it is valid, such as "30 days" (for ever)' }),
  origin: textsFlag("origin", { metavar: "URL", doc: "pages of this origin may use it: https://app.example.com" }),
  param: textsFlag("param", { metavar: "NAME=VALUE", doc: "a parameter of APIs that it fixes: tenant=a" }),
  json: jsonFlag,
};

/** `weir token create`; the token alone is on stdout, so that scripts can take it. */
const create = Command.make("create", createFlags, ({ name, scope, expires, origin, param, json }) =>
  answering({}, async (config) => {
    const fixed = { origins: origin, fixed_params: paramsOf(param) };
    const body = { name, scopes: scope, expires_in: expires, ...fixed };
    const made = await postJson<Shown & { readonly token: string }>(config, PATH, body);
    if (json) console.log(JSON.stringify(made));
    else {
      console.error(`${line(made)}\nIt is shown this once:`);
      console.log(made.token);
    }
    return 0;
  }),
).pipe(
  Command.withDescription("Make a token; it is shown once"),
  Command.withExamples([
    { command: 'weir token create --name shop --scope ingest:sale --expires "90 days"' },
    { command: "weir token create --name dashboard --scope api:sales_day --origin https://dash.example.com" },
  ]),
);

/** `weir token list`. */
const list = Command.make("list", { json: jsonFlag }, ({ json }) =>
  answering({}, async (config) => {
    const { tokens } = await askJson<{ readonly tokens: readonly Shown[] }>(config, PATH);
    if (json) console.log(JSON.stringify({ tokens }));
    else for (const shown of tokens) console.log(line(shown));
    return 0;
  }),
).pipe(Command.withDescription("List the tokens that are in force"));

const idArgument = Argument.String("id").pipe(Argument.withDescription("its id, as weir token list shows it"));

/** `weir token revoke`. */
const revoke = Command.make("revoke", { id: idArgument, json: jsonFlag }, ({ id, json }) =>
  answering({}, async (config) => {
    const done = await askJson<object>(config, `${PATH}/${encodeURIComponent(id)}`, { method: "DELETE" });
    console.log(json ? JSON.stringify(done) : `${id} is revoked`);
    return 0;
  }),
).pipe(
  Command.withDescription("Revoke a token: it is refused at once"),
  Command.withExamples([{ command: "weir token revoke 5f0e2b9c7a1d4e63" }]),
);

/** `weir token`. */
export const tokenCommand = Command.make("token").pipe(
  Command.withDescription("Who may come in: create, list and revoke tokens"),
  Command.withSubcommands([create, list, revoke]),
);

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
