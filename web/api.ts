/**
 * Published endpoints: a SELECT behind an id, its parameters typed, its answer as new as the data behind it.
 *
 *   GET /v1/api            what there is, for this caller
 *   GET /v1/api/<id>       query string ──▶ values ──after=?──▶ Answers ──▶ {"data","meta"}
 *   GET /v1/api/<id>/live  the same, again whenever it changes (Server-Sent Events)
 *
 * @module
 */
import type { Api, ApiParam } from "@weir/sql";
import { paramHint } from "@weir/sql";
import { Exit } from "effect";
import { Hono } from "hono";
import { type Answered, Answers } from "./api/answers.ts";
import { askedBy, mayAsk } from "./api/fixed_params.ts";
import { readAsked } from "./api/params.ts";
import type { PublishedApi } from "./api/published.ts";
import type { Door, DoorEnv } from "./door.ts";
import { Refusal } from "./errors.ts";
import { SECURITY_HEADERS } from "./guard.ts";
import { Live } from "./live.ts";
import { decodePosition } from "./position.ts";
import { type Caller, mayDo } from "./tokens.ts";

/** How long `?after=` waits for a position to become visible, in milliseconds. */
export const AFTER_MS_MAX = 30_000;

const JSON_HEADERS = { ...SECURITY_HEADERS, "content-type": "application/json" };
const STREAM_HEADERS = { ...SECURITY_HEADERS, "content-type": "text/event-stream; charset=utf-8" };
const HEAD = Buffer.from('{"data":');

/** The routes below `/v1/api`. */
export function api(door: Door): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  const answers = new Answers(door);
  const live = new Live({ answers, apis: door.apis, visible: door.sources.visible, closing: door.closing });

  app.get("/", (c) => {
    const caller = c.get("caller");
    const apis = door.apis.all().filter(({ api }) => caller !== undefined && mayRead(caller, api));
    const mayAny = caller?.scopes.some((scope) => scope === "admin" || scope.startsWith("api:"));
    if (mayAny !== true) throw forbidden("api:*");
    return c.json({ apis: apis.map(({ api }) => described(api)) });
  });

  app.get("/:id", async (c) => {
    const startedAt = performance.now();
    const { caller, published } = authorised(door, { caller: c.get("caller"), id: c.req.param("id") });
    const { api } = published;
    const { values, after } = readAsked(api, askedBy(caller, { api, url: c.req.url }), ["after"]);
    if (after !== undefined) await untilVisible(door, after);
    const answered = await answers.get(published, values);
    door.counters.add("weir_api_answers_total", { api: api.id, cache: answered.cache }, 1);
    return new Response(bodyOf(answered, performance.now() - startedAt), { headers: JSON_HEADERS });
  });

  app.get("/:id/live", async (c) => {
    const { caller, published } = authorised(door, { caller: c.get("caller"), id: c.req.param("id") });
    const { api } = published;
    const { values } = readAsked(api, askedBy(caller, { api, url: c.req.url }), []);
    // Nobody would read the stream of a HEAD.
    if (c.req.method === "HEAD") return new Response(null, { headers: STREAM_HEADERS });
    const ends = (end: () => void) => door.tokens.onEnd(caller, end);
    const client = { lastId: c.req.header("last-event-id"), left: c.req.raw.signal, ends };
    const stream = await live.open(published, values, client);
    return new Response(stream, { headers: STREAM_HEADERS });
  });
  return app;
}

/** Who asks, and for what. */
interface Authorised {
  readonly caller: Caller;
  readonly published: PublishedApi;
}

function authorised(door: Door, { caller, id }: { caller: Caller | undefined; id: string }): Authorised {
  if (caller === undefined || !mayDo(caller, `api:${id}`)) throw forbidden(`api:${id.slice(0, 100)}`);
  const published = door.apis.get(id);
  if (published !== undefined) return { caller, published };
  const known = door.apis.all().flatMap(({ api }) => (mayRead(caller, api) ? [api.id] : []));
  const hint =
    known.length === 0 ? "Write api/<id>.sql and apply it." : `Known APIs: ${known.slice(0, 20).join(", ")}.`;
  throw new Refusal(404, "unknown_api", `Cannot answer: there is no API '${id.slice(0, 100)}'.`, hint);
}

function mayRead(caller: Caller, api: Api): boolean {
  return mayDo(caller, `api:${api.id}`) && mayAsk(caller, api);
}

function forbidden(scope: string): Refusal {
  const message = `Cannot do that: the token has not the scope ${scope}.`;
  return new Refusal(403, "forbidden", message, `Use a token with the scope ${scope}.`);
}

/** Waits until everything up to a position can be queried; throws a Refusal when that takes too long. */
async function untilVisible(door: Door, after: string): Promise<void> {
  const at = decodePosition(after);
  const running = at === undefined ? undefined : door.sources.get(at.source);
  const isThere = [...(at?.position.keys() ?? [])].every((partition) => partition < (running?.partitions ?? 0));
  if (at === undefined || running === undefined || !isThere) {
    const hint = "Send the `position` of an ingest answer, as it is.";
    throw new Refusal(400, "bad_parameter", "Cannot wait: 'after' is no position of this door.", hint, "after");
  }
  const { position } = at;
  const seen = await door.run(door.sources.visible.wait(running.target.statement, { position, waitMs: AFTER_MS_MAX }));
  if (Exit.isSuccess(seen) && seen.value) return;
  const message = "Cannot answer yet: the position of 'after' is not visible.";
  throw new Refusal(
    504,
    "not_visible",
    message,
    "Ask again with the same position; look at /readyz if it stays.",
    "after",
  );
}

function bodyOf({ answer, cache }: Answered, elapsedMs: number): Uint8Array {
  const { data, rows, freshTo } = answer;
  const meta = JSON.stringify({ rows, elapsed_ms: Math.round(elapsedMs), fresh_to: freshTo, cache });
  return Buffer.concat([HEAD, data, Buffer.from(`,"meta":${meta}}\n`)]);
}

function described({ id, doc, params }: Api) {
  return { id, doc, params: params.map(describedParam) };
}

function describedParam(param: ApiParam) {
  const { name, type, required, doc, min = null, max = null, values = null } = param;
  const standard = param.default === undefined || type.startsWith("Array") ? param.default : param.default[0];
  return { name, type, required, default: standard ?? null, min, max, values, doc, send: paramHint(param) };
}
