/**
 * A whole platform behind a real port whose tokens are kept in its warehouse, on a folder that outlives it.
 *
 *   openKept(folder) ──▶ create · ask · revoke ──close──▶ openKept(folder): the next start
 *
 * @module
 */
import { app, keepTokens } from "@weir/web";
import { openWorld, type World } from "./world.ts";

const DEFINITIONS = {
  event: `/*---
kind: source
doc: Something that belongs to tenants.
key: id
---*/
CREATE TABLE ods.event ( id String, tenant String )
`,
  "api/events.sql": `/*---
kind: api
doc: Events of one tenant.
---*/
SELECT id, tenant FROM ods.event WHERE tenant = {tenant:String} ORDER BY id
`,
};

/** A token as the door made it. */
export interface Made {
  readonly id: string;
  readonly token: string;
}

/** The platform, and what its administrator can do. */
export interface Kept {
  readonly world: World;
  readonly url: string;
  readonly create: (body: object) => Promise<Made>;
  readonly revoke: (id: string) => Promise<number>;
  /** Makes a ticket of a token. */
  readonly ticket: (token: string, scopes: readonly string[]) => Promise<string>;
  /** Asks over the port, as the token's holder. */
  readonly ask: (token: string, path: string, init?: RequestInit) => Promise<Response>;
  readonly close: () => Promise<void>;
}

/** Opens the platform on a folder, with two tenants' events in it. */
export async function openKept(path: string): Promise<Kept> {
  const world = await openWorld({ path });
  const closing = new AbortController();
  await keepTokens(world.door, { until: closing.signal });
  await world.apply(DEFINITIONS);
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 120, fetch: app(world.door).fetch });
  const url = `http://127.0.0.1:${server.port}`;
  const ask: Kept["ask"] = (token, path, init = {}) => {
    const headers = { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) };
    return fetch(`${url}${path}`, { ...init, headers });
  };
  const post = async <A>(token: string, path: string, body: object): Promise<A> => {
    const headers = { "content-type": "application/json" };
    const answer = await ask(token, path, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(await answer.text());
    return (await answer.json()) as A;
  };
  const events = ["a", "b"].map((tenant) => ({ id: `${tenant}1`, tenant }));
  const landed = await world.post("/v1/ingest/event?wait=1", JSON.stringify(events), {
    ...{ "content-type": "application/json", "idempotency-key": "first" },
  });
  if (!landed.ok) throw new Error(await landed.text());
  return {
    ...{ world, url, ask },
    create: (body) => post<Made>(world.token, "/v1/admin/tokens", body),
    revoke: async (id) => (await ask(world.token, `/v1/admin/tokens/${id}`, { method: "DELETE" })).status,
    ticket: async (token, scopes) => (await post<{ ticket: string }>(token, "/v1/tickets", { scopes })).ticket,
    close: async () => {
      closing.abort();
      await server.stop(true);
      await world.close();
    },
  };
}
