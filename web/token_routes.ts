/**
 * Tokens at the door: made, listed, revoked; and tickets, which a token's holder makes for a browser.
 *
 *   POST   /v1/admin/tokens       a new token, shown this once
 *   GET    /v1/admin/tokens       those in force, without their secrets
 *   DELETE /v1/admin/tokens/<id>  refused from now on
 *   POST   /v1/tickets            a ticket with some of the caller's own scopes
 *
 * The first three are mounted below `/v1/admin`, which needs the scope `admin`.
 *
 * @module
 */
import { DURATION_FORM, durationMs } from "@weir/sql";
import { Exit } from "effect";
import { Hono } from "hono";
import { z } from "zod";
import type { Door, DoorEnv } from "./door.ts";
import { Refusal } from "./errors.ts";
import { readJsonBody } from "./json_body.ts";
import { TICKET_LIMITS } from "./tickets.ts";
import { isUnwritten, revokeToken, storeCreated } from "./token_rows.ts";
import { isTicketScope, originProblem, SCOPE_CHARS_MAX, scopeProblem } from "./token_scopes.ts";
import { hashOf, type KnownToken, mayDo, newToken, TOKENS_MAX } from "./tokens.ts";

/** Bounds of one token. */
export const TOKEN_LIMITS = {
  nameCharsMax: 100,
  scopesMax: 100,
  originsMax: 20,
  fixedParamsMax: 20,
  expiresMsMax: 10 * 31_536_000_000,
} as const;

const FIXED_CHARS_MAX = 1_000;
const FIXED_ITEMS_MAX = 100;

const scope = z
  .string()
  .max(SCOPE_CHARS_MAX)
  .superRefine((text, context) => {
    const message = scopeProblem(text);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });

const origin = z.string().superRefine((text, context) => {
  const message = originProblem(text);
  if (message !== undefined) context.addIssue({ code: "custom", message });
});

const duration = (msMax: number, most: string) =>
  z.string().transform((text, context) => {
    const ms = durationMs(text) || undefined;
    if (ms !== undefined && ms <= msMax) return ms;
    const said = `'${text.slice(0, 50)}'`;
    const message = ms === undefined ? `${said} is no length of time; say ${DURATION_FORM}` : `at most ${most}`;
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  });

/** One value, or an array for a parameter that is one, as the texts that a request would send. */
const fixedValue = z.unknown().transform((value, context) => {
  const texts = [value].flat().map((one) => {
    if (typeof one === "string") return one;
    const isExact = typeof one === "number" && (!Number.isInteger(one) || Number.isSafeInteger(one));
    return isExact || typeof one === "boolean" ? String(one) : undefined;
  });
  const isGood =
    texts.length <= FIXED_ITEMS_MAX && texts.every((text) => (text?.length ?? Infinity) <= FIXED_CHARS_MAX);
  if (isGood) return texts as string[];
  const message = "a value is a text, a number, true or false, or an array of these; write large numbers as texts";
  context.addIssue({ code: "custom", message });
  return z.NEVER;
});
const fixedParams = z
  .record(
    z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, "a parameter's name has small letters, digits and underscores"),
    fixedValue,
  )
  .refine((all) => Object.keys(all).length <= TOKEN_LIMITS.fixedParamsMax, {
    message: `at most ${TOKEN_LIMITS.fixedParamsMax} parameters`,
  });

/** What a new token is made of. */
export const tokenBody = z
  .strictObject({
    name: z
      .string()
      .trim()
      .min(1)
      .max(TOKEN_LIMITS.nameCharsMax)
      .regex(/^[^\p{C}]*$/u, "a name has no control characters"),
    scopes: z.array(scope).min(1).max(TOKEN_LIMITS.scopesMax),
    expires_in: duration(TOKEN_LIMITS.expiresMsMax, "10 years")
      .optional()
      .describe("For example `90 days`; for ever if it is left out."),
    origins: z.array(origin).max(TOKEN_LIMITS.originsMax).default([]).describe("Of web pages that may use it."),
    fixed_params: fixedParams.default({}).describe("Values of APIs' parameters, which win over any request's."),
  })
  .superRefine(({ scopes, origins, fixed_params }, context) => {
    const unbound = scopes.findIndex((text) => !isTicketScope(text));
    if (Object.keys(fixed_params).length > 0 && unbound >= 0) {
      const message = `fixed_params bind APIs only, so the token cannot have the scope ${scopes[unbound]} too`;
      context.addIssue({ code: "custom", path: ["scopes", unbound], message });
    }
    if (origins.length > 0 && scopes.includes("admin")) {
      const message = "an administrator's token is not for pages of other origins";
      context.addIssue({ code: "custom", path: ["origins"], message });
    }
  });

/** What a ticket is made of. */
export const ticketBody = z.strictObject({
  scopes: z
    .array(scope.refine(isTicketScope, { message: "a ticket carries only scopes of api: and ingest:" }))
    .min(1)
    .max(TICKET_LIMITS.scopesMax),
  expires_in: duration(TICKET_LIMITS.expiresMsMax, "10 minutes")
    .optional()
    .describe("Ten minutes at most; a minute if it is left out."),
});

/** The routes below `/v1/admin/tokens`. */
export function adminTokens(door: Door): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();

  app.get("/", (c) => c.json({ tokens: door.tokens.list().map(shown) }));

  app.post("/", async (c) => {
    const body = await readJsonBody(c.req.raw, tokenBody);
    const nowMs = Date.now();
    if (door.tokens.list(nowMs).length >= TOKENS_MAX) {
      const message = `Cannot make a token: ${TOKENS_MAX} are in force already.`;
      throw new Refusal(409, "too_many_tokens", message, "Revoke some, or let new ones expire.");
    }
    const secret = newToken();
    const fixed = Object.entries(body.fixed_params);
    const token: KnownToken = {
      id: Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString("hex"),
      hash: hashOf(secret),
      expiresMs: body.expires_in === undefined ? undefined : nowMs + body.expires_in,
      createdMs: nowMs,
      createdBy: c.get("caller")?.name ?? "",
      caller: {
        ...{ name: body.name, scopes: [...new Set(body.scopes)], origins: [...new Set(body.origins)] },
        ...(fixed.length > 0 ? { fixedParams: new Map(fixed) } : {}),
      },
    };
    // Stored first: nobody holds a token that a restart would forget.
    const stored = await door.run(storeCreated(door, token));
    if (Exit.isFailure(stored)) {
      const message = "Cannot make a token: the warehouse did not store it.";
      throw new Refusal(503, "warehouse_unavailable", message, "Try again in some seconds.", null, stored.cause);
    }
    door.tokens.add(token);
    return c.json({ ...shown(token), token: secret }, 201);
  });

  app.delete("/:id", async (c) => {
    const id = c.req.param("id");
    const known = door.tokens.get(id);
    if (known !== undefined && known.createdMs === undefined) {
      const hint = "Delete `admin_token` in the data directory and start again: a new one is made.";
      throw new Refusal(409, "token_is_fixed", "Cannot revoke the token that the door was started with.", hint);
    }
    if (known === undefined && !isUnwritten(door, id)) {
      const message = "Cannot revoke it: no token in force has that id.";
      throw new Refusal(404, "unknown_token", message, "weir token list (GET /v1/admin/tokens) shows them.");
    }
    const stored = await door.run(revokeToken(door, { id, author: c.get("caller")?.name ?? "" }));
    if (Exit.isFailure(stored)) {
      const message = "Cannot revoke it for good yet: the warehouse did not store that.";
      const hint =
        "This process refuses the token already, and stores it when the warehouse answers. Send it again to be sure.";
      throw new Refusal(503, "warehouse_unavailable", message, hint, null, stored.cause);
    }
    return c.json({ id, revoked: true });
  });
  return app;
}

function shown({ id, caller, expiresMs, createdMs, createdBy }: KnownToken) {
  const { name, scopes, origins = [], fixedParams = new Map() } = caller;
  const at = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString());
  return {
    ...{ id, name, scopes, origins, fixed_params: Object.fromEntries(fixedParams) },
    ...{ created_at: at(createdMs), created_by: createdBy ?? null, expires_at: at(expiresMs) },
  };
}

/** The route `POST /v1/tickets`: for every caller, for less than it may do itself. */
export function tickets(door: Door): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  app.post("/", async (c) => {
    const { scopes, expires_in = TICKET_LIMITS.expiresMs } = await readJsonBody(c.req.raw, ticketBody);
    // Only known callers come here, and none with a ticket: the guard takes tickets for other routes.
    const caller = c.get("caller")!;
    const beyond = scopes.find((text) => !mayDo(caller, text));
    if (beyond !== undefined) {
      const message = `Cannot make a ticket: the token has not the scope ${beyond}.`;
      throw new Refusal(403, "forbidden", message, "Ask for scopes that the token itself has.", "/scopes");
    }
    const made = door.tokens.ticketFor(caller, { scopes: [...new Set(scopes)], expiresMs: Date.now() + expires_in });
    if (made === undefined) {
      const message = "Cannot let you in: the token is missing or unknown.";
      throw new Refusal(401, "unauthorized", message, "Send `Authorization: Bearer <token>`.");
    }
    return c.json({ ticket: made.ticket, expires_at: new Date(made.expiresMs).toISOString() }, 201);
  });
  return app;
}
