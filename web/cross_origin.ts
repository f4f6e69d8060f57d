/**
 * Web pages of other origins: what a browser asks before, and what it is told (https://fetch.spec.whatwg.org/#http-cors-protocol).
 *
 *   preflight ──some token allows the origin──▶ 204        actual request ──this token allows it──▶ answer, readable there
 *
 * What must hold: an origin is named, never `*`; no credentials, so a cookie or
 * a password of the browser is worth nothing here; nothing below /v1/admin.
 *
 * @module
 */

/** Routes that pages of other origins may use, with a token that allows them. */
const SHARED = /^\/v1\/(?:api|ingest|sql|tickets)(?:\/|$)/;
const METHODS = "GET, HEAD, POST, DELETE";
const HEADERS =
  "authorization, content-type, content-encoding, accept, idempotency-key, last-event-id, x-weir-query-id";
const READABLE = "x-weir-query-id, retry-after";
/** A browser may skip its question so long; what counts is checked at every request all the same. */
const ASKED_AGAIN_SECONDS = 600;

/** Whether pages of other origins may use a path. */
export function isShared(path: string): boolean {
  return SHARED.test(path);
}

/** Whether a request only asks whether another one would be taken. */
export function isPreflight(request: Request): boolean {
  return request.method === "OPTIONS" && request.headers.has("access-control-request-method");
}

/** The answer to that question: yes, from this origin. */
export function preflightAnswer(origin: string): Response {
  const headers = new Headers({
    "access-control-allow-methods": METHODS,
    "access-control-allow-headers": HEADERS,
    "access-control-max-age": String(ASKED_AGAIN_SECONDS),
  });
  share(headers, origin);
  return new Response(null, { status: 204, headers });
}

/** Lets pages of the origin read an answer. */
export function share(headers: Headers, origin: string): void {
  headers.set("access-control-allow-origin", origin);
  headers.set("access-control-expose-headers", READABLE);
  headers.append("vary", "Origin");
}
