/**
 * The guard: what every request passes before a route sees it.
 *
 *   request ──Host, Origin──▶ token or ticket (all of /v1) ──▶ strict path ──▶ route ──▶ headers, counters
 *      └─ 421, 403               └─ 401, 403                    └─ 400        └─ 404, 405
 *
 * What must hold: nothing under /v1 is reached without a known token, however
 * the path is written; a web page of another origin reaches nothing there
 * unless the token that it sends allows that origin.
 *
 * @module
 */
import type { Context, Hono, MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import type { Counters, Histogram } from "./counters.ts";
import { isPreflight, isShared, preflightAnswer, share } from "./cross_origin.ts";
import type { Door, DoorEnv } from "./door.ts";
import { answerOf, Refusal } from "./errors.ts";
import { type Caller, mayDo } from "./tokens.ts";

/** Headers of every answer; a route in a hurry may set them all by itself. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
};

const LOOPBACK_HOST = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i;
/** No percent-encoding, no empty segment: routes consist of identifiers, so nothing else is ever needed. */
const STRICT_PATH = /^\/$|^(?:\/[\w~.@:+,=-]+)+$/;
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;
const PATH_CHARS_MAX = 2_048;

/** Adds the security headers that a route did not set itself, and counts the request. */
export function answered({ counters }: Door): MiddlewareHandler<DoorEnv> {
  const timings = new Map<string, Timing>();
  return async (c, next) => {
    const startedAt = performance.now();
    await next();
    const { headers, status } = c.res;
    if (!headers.has("x-frame-options")) {
      for (const name in SECURITY_HEADERS) if (!headers.has(name)) headers.set(name, SECURITY_HEADERS[name]!);
    }
    const route = routePath(c, -1);
    const key = `${c.req.method} ${route} ${status}`;
    const timing = timings.get(key) ?? timingOf(counters, { method: c.req.method, route, status });
    timings.set(key, timing);
    timing.requests.add(1);
    timing.seconds.observe((performance.now() - startedAt) / 1_000);
  };
}

interface Timing {
  readonly requests: { readonly add: (count: number) => void };
  readonly seconds: Histogram;
}

function timingOf(counters: Counters, request: { method: string; route: string; status: number }): Timing {
  const route = request.route === "*" || request.route === "/*" ? "none" : request.route;
  const method = METHODS.includes(request.method as (typeof METHODS)[number]) ? request.method : "other";
  return {
    requests: counters.counter("weir_http_requests_total", { method, route, status: String(request.status) }),
    seconds: counters.histogram("weir_http_request_seconds", { method, route }),
  };
}

/** Refuses what did not come to this door by its own name, and pages of other origins where no token allows them. */
export function ownOrigin({ takesAnyHost = false, tokens }: Door): MiddlewareHandler<DoorEnv> {
  return async (c, next) => {
    const host = c.req.header("host") ?? hostOf(c.req.url);
    if (!takesAnyHost && !LOOPBACK_HOST.test(host)) {
      const hint = "Use localhost or 127.0.0.1, or start Weir with --host to open it to others.";
      throw new Refusal(421, "wrong_host", "Cannot answer: this door is open on loopback only.", hint, "Host");
    }
    const origin = c.req.header("origin");
    if (origin === undefined || hostOf(origin) === host) return next();
    const path = rawPath(c.req.url);
    const isRead = c.req.method === "GET" || c.req.method === "HEAD";
    if (isRead && !isGuarded(path)) return next();
    if (!isShared(path) || !tokens.allowsOrigin(origin)) throw crossOrigin();
    if (isPreflight(c.req.raw)) return preflightAnswer(origin);
    c.set("foreignOrigin", origin);
    await next();
    const caller = c.get("caller");
    // The page of a known origin may learn that its token or ticket is no longer one; that says nothing else.
    if (caller === undefined ? c.res.status === 401 : allows(caller, origin)) share(c.res.headers, origin);
  };
}

function allows({ origins = [] }: Caller, origin: string): boolean {
  return origins.includes(origin);
}

function crossOrigin(): Refusal {
  const hint = "Send it from a page of this door, not from a browser, or with a token that allows the page's origin.";
  return new Refusal(403, "cross_origin", "Cannot take requests from pages of this origin.", hint, "Origin");
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : "";
}

/** Lets nobody without a known token into /v1 or through a malformed path; then refuses the malformed path. */
export function knownCaller({ tokens }: Door): MiddlewareHandler<DoorEnv> {
  return async (c, next) => {
    const path = rawPath(c.req.url);
    const isStrict = path.length <= PATH_CHARS_MAX && STRICT_PATH.test(path) && !/\/\.{1,2}(?:\/|$)/.test(path);
    const authorization = c.req.header("authorization");
    const ticket = authorization === undefined ? ticketOf(c.req, path) : undefined;
    const caller = ticket === undefined ? tokens.callerOf(authorization) : tokens.callerOfTicket(ticket);
    if (caller === undefined && (!isStrict || isGuarded(path))) {
      const message = `Cannot let you in: the ${ticket === undefined ? "token is missing or unknown" : "ticket is unknown or over"}.`;
      throw new Refusal(401, "unauthorized", message, "Send `Authorization: Bearer <token>`.");
    }
    const foreign = c.get("foreignOrigin");
    if (foreign !== undefined && (caller === undefined || !allows(caller, foreign))) throw crossOrigin();
    if (!isStrict) {
      const hint = "Write it without empty segments and percent-encoding.";
      throw new Refusal(400, "bad_path", "Cannot use the path: it is not in its plain form.", hint);
    }
    c.set("caller", caller);
    await next();
  };
}

function isGuarded(path: string): boolean {
  return path === "/v1" || path.startsWith("/v1/");
}

/** The ticket in the address, where one is taken: reading APIs and writing events, nothing else. */
function ticketOf({ method, url }: Context["req"], path: string): string | undefined {
  if (!url.includes("ticket=")) return undefined;
  const isTaken = method === "POST" ? /^\/v1\/ingest\/\w+$/ : /^\/v1\/api\/\w+(?:\/live)?$/;
  if (!isTaken.test(path) || (method !== "POST" && method !== "GET" && method !== "HEAD")) return undefined;
  const [ticket, ...more] = new URL(url).searchParams.getAll("ticket");
  return more.length === 0 ? ticket : undefined;
}

/** The path as it was sent: Hono's own is decoded. */
function rawPath(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const end = url.slice(start).search(/[?#]/);
  return end < 0 ? url.slice(start) : url.slice(start, start + end);
}

/** Lets only callers with `scope` (or `admin`) through. */
export function scoped(scope: string): MiddlewareHandler<DoorEnv> {
  return async (c, next) => {
    const caller = c.get("caller");
    if (caller === undefined || !mayDo(caller, scope)) {
      const hint = `Use a token with the scope ${scope}.`;
      throw new Refusal(403, "forbidden", `Cannot do that: the token has not the scope ${scope}.`, hint);
    }
    await next();
  };
}

/** Answers what no route took: 405 when the path exists with another method, else 404. */
export function unrouted(app: Hono<DoorEnv>, role: Door["role"]): (c: Context<DoorEnv>) => Response {
  return (c) => {
    const { path, method } = c.req;
    const allowed = METHODS.filter((other) =>
      app.router.match(other, path)[0].some(([[, route]]) => route.method !== "ALL"),
    ).flatMap((other) => (other === "GET" ? ["GET", "HEAD"] : [other]));
    if (allowed.length === 0) {
      return answerOf(
        new Refusal(
          404,
          "not_found",
          "Cannot find that: there is no such route.",
          role === "worker"
            ? "This process is a worker: it lands events and is looked after here. Ask a gateway."
            : "Check the path; the README lists the routes.",
        ),
      );
    }
    const message = `Cannot do ${method} here.`;
    const answer = answerOf(new Refusal(405, "method_not_allowed", message, `Use ${allowed.join(", ")}.`));
    answer.headers.set("allow", allowed.join(", "));
    return answer;
  };
}
