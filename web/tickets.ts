/**
 * Tickets: a little of a token for a short time, for what cannot send headers.
 *
 *   token ──POST /v1/tickets──▶ ticket ──?ticket=──▶ EventSource · sendBeacon
 *
 * A ticket names its token, scopes and end, signed by a key that only doors
 * have. Nothing is kept of it: no memory that a client could fill, the same
 * door knows it after a restart, and several doors with one key know each
 * other's. It dies with its token, because the token is looked up at every use.
 *
 * What must hold: it carries only `api:` and `ingest:` scopes, lives ten
 * minutes at most, and is written into no log and no answer but its own.
 *
 * @module
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";

/** Bounds of a ticket; it has to fit into an address. */
export const TICKET_LIMITS = { scopesMax: 20, expiresMs: 60_000, expiresMsMax: 600_000, charsMax: 8_192 } as const;

/** What a ticket says. */
export interface Ticket {
  readonly tokenId: string;
  readonly scopes: readonly string[];
  /** Unix milliseconds. */
  readonly expiresMs: number;
}

const FORM = /^wt1\.([\w-]+)\.([\w-]{43})$/;
const ticketSchema = z.tuple([z.string(), z.number(), z.array(z.string())]);

/** Writes a ticket: `wt1.<what it says>.<HMAC-SHA-256 of that>`, URL-safe. */
export function signTicket(key: Uint8Array, { tokenId, scopes, expiresMs }: Ticket): string {
  const said = `wt1.${Buffer.from(JSON.stringify([tokenId, expiresMs, scopes])).toString("base64url")}`;
  return `${said}.${signatureOf(key, said).toString("base64url")}`;
}

/** Reads a ticket; undefined if this key did not sign it. Whether it is over is the caller's to say. */
export function readTicket(key: Uint8Array, text: string): Ticket | undefined {
  if (text.length > TICKET_LIMITS.charsMax) return undefined;
  const [, said, signature] = FORM.exec(text) ?? [];
  if (said === undefined || signature === undefined) return undefined;
  // 43 characters are 32 bytes, whatever they are: the comparison cannot throw.
  if (!timingSafeEqual(signatureOf(key, `wt1.${said}`), Buffer.from(signature, "base64url"))) return undefined;
  const parsed = ticketSchema.safeParse(JSON.parse(Buffer.from(said, "base64url").toString("utf8")));
  if (!parsed.success) return undefined;
  const [tokenId, expiresMs, scopes] = parsed.data;
  return { tokenId, expiresMs, scopes };
}

function signatureOf(key: Uint8Array, said: string): Buffer {
  return createHmac("sha256", key).update(said).digest();
}
