/**
 * Tokens: who may come in, and with what.
 *
 *   Authorization: Bearer … ──sha256──▶ known? in force? ──▶ Caller
 *   ?ticket=…               ──hmac────▶ its token in force? ──▶ Caller, with the ticket's scopes only
 *
 *   add ──▶ in force ──revoke──▶ revoked (for good, whatever is read later)
 *              └──time──▶ expired
 *
 * All of it is in memory, so that no request waits for the warehouse; `token_rows.ts`
 * keeps the copy. Only SHA-256 digests are held: a token is 256 random bits, which
 * nobody can guess however fast the hash is, so a slow one would protect nothing
 * and cost every request.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { readTicket, signTicket, type Ticket } from "./tickets.ts";

/** Who asks. */
export interface Caller {
  readonly name: string;
  readonly scopes: readonly string[];
  /** The token's id; what was made by hand for a test has none. */
  readonly id?: string;
  /** Pages of these origins may use the token, beside the door's own. */
  readonly origins?: readonly string[];
  /** Values of APIs' parameters by name, as texts: the token's win over any request's. */
  readonly fixedParams?: ReadonlyMap<string, readonly string[]>;
  /** True when a ticket in the address said so, not the token itself. */
  readonly isTicket?: boolean;
}

/** Whether a caller may do what `scope` names, for example `ingest:flight`; `admin` may do everything, `api:*` every `api:<id>`. */
export function mayDo({ scopes }: Caller, scope: string): boolean {
  if (scopes.includes("admin") || scopes.includes(scope)) return true;
  if (scope.startsWith("api:")) return scopes.includes("api:*");
  return scope.startsWith("ingest:") && scopes.includes("ingest:*");
}

/** A token as it is known: everything but the token itself. */
export interface KnownToken {
  readonly id: string;
  /** SHA-256, 32 bytes. */
  readonly hash: Uint8Array;
  readonly caller: Caller;
  /** Unix milliseconds; undefined: for ever. */
  readonly expiresMs?: number | undefined;
  /** Unix milliseconds; undefined for a token that the process was started with. */
  readonly createdMs?: number | undefined;
  readonly createdBy?: string;
}

/** Tokens in force at the same time, at most. */
export const TOKENS_MAX = 10_000;
/** Revocations remembered at most, so that a reading that began before one cannot undo it. */
const REVOKED_MAX = 100_000;
const TICKET_KEY_BYTES = 32;

/** A token that the process is started with: never stored, not to be revoked through the door. */
export interface FixedToken {
  readonly token: string;
  readonly caller: Caller;
}

/** Knows tokens by their hashes. */
export class Tokens {
  /** By the digest's bytes, each a character. */
  readonly #byHash = new Map<string, KnownToken>();
  readonly #byId = new Map<string, KnownToken>();
  readonly #revoked = new Set<string>();
  /** How many tokens allow an origin. */
  readonly #origins = new Map<string, number>();
  /** What ends with a token, by its id. */
  readonly #ends = new Map<string, Set<() => void>>();
  readonly #ticketKey: Uint8Array;

  /** `ticketKey` signs tickets; without one they die with the process. */
  constructor(fixed: readonly FixedToken[] = [], { ticketKey }: { readonly ticketKey?: Uint8Array } = {}) {
    this.#ticketKey = ticketKey ?? crypto.getRandomValues(new Uint8Array(TICKET_KEY_BYTES));
    for (const { token, caller } of fixed) {
      const hash = hashOf(token);
      this.add({ id: `fixed_${Buffer.from(hash).toString("hex", 0, 8)}`, hash, caller });
    }
  }

  /** The caller of an `Authorization: Bearer` header, if the token is known and in force. */
  callerOf(authorization: string | undefined, nowMs = Date.now()): Caller | undefined {
    const token = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization ?? "")?.[1];
    return token === undefined ? undefined : this.callerOfToken(token, nowMs);
  }

  /** The caller of a token itself, wherever it stood. */
  callerOfToken(token: string, nowMs = Date.now()): Caller | undefined {
    Bun.SHA256.hash(token, DIGEST);
    // Finding by digest tells an attacker's clock nothing that leads back to a token; equality is settled in constant time.
    const known = this.#byHash.get(DIGEST.toString("latin1"));
    if (known === undefined || !timingSafeEqual(known.hash, DIGEST)) return undefined;
    return isInForce(known, nowMs) ? known.caller : undefined;
  }

  /** The caller of a ticket, if it and its token are in force; it may do what both may. */
  callerOfTicket(text: string, nowMs = Date.now()): Caller | undefined {
    const ticket = readTicket(this.#ticketKey, text);
    if (ticket === undefined || ticket.expiresMs <= nowMs) return undefined;
    const known = this.#byId.get(ticket.tokenId);
    if (known === undefined || !isInForce(known, nowMs)) return undefined;
    const scopes = ticket.scopes.filter((scope) => mayDo(known.caller, scope));
    return { ...known.caller, scopes, isTicket: true };
  }

  /** A ticket for a caller, and when it ends: with its token at the latest. Undefined when the token is no more. */
  ticketFor(
    { id = "" }: Caller,
    { scopes, expiresMs }: Omit<Ticket, "tokenId">,
  ): { readonly ticket: string; readonly expiresMs: number } | undefined {
    const known = this.#byId.get(id);
    if (known === undefined) return undefined;
    const ends = Math.min(expiresMs, known.expiresMs ?? expiresMs);
    return { ticket: signTicket(this.#ticketKey, { tokenId: id, scopes, expiresMs: ends }), expiresMs: ends };
  }

  /** Whether some token allows pages of this origin. */
  allowsOrigin(origin: string): boolean {
    return this.#origins.has(origin);
  }

  /** Lets a token in from now on; what is known or was revoked stays as it is. */
  add(token: KnownToken): void {
    if (this.#revoked.has(token.id) || this.#byId.has(token.id)) return;
    const known = { ...token, caller: { ...token.caller, id: token.id } };
    this.#byId.set(known.id, known);
    this.#byHash.set(Buffer.from(known.hash).toString("latin1"), known);
    for (const origin of known.caller.origins ?? []) {
      this.#origins.set(origin, (this.#origins.get(origin) ?? 0) + 1);
    }
  }

  /** Lets a token in no more, from this moment, and ends what it still watches. */
  revoke(id: string): void {
    this.#revoked.add(id);
    if (this.#revoked.size > REVOKED_MAX) this.#revoked.delete(this.#revoked.values().next().value!);
    this.#forget(id);
  }

  /** Forgets tokens whose time is over, and ends what they still watch. */
  sweep(nowMs = Date.now()): void {
    for (const known of [...this.#byId.values()]) if (!isInForce(known, nowMs)) this.#forget(known.id);
  }

  /** The tokens in force, the newest first. */
  list(nowMs = Date.now()): KnownToken[] {
    const all = [...this.#byId.values()].filter((known) => isInForce(known, nowMs));
    return all.sort((a, b) => (b.createdMs ?? 0) - (a.createdMs ?? 0));
  }

  /** The token with that id, if it is in force. */
  get(id: string, nowMs = Date.now()): KnownToken | undefined {
    const known = this.#byId.get(id);
    return known !== undefined && isInForce(known, nowMs) ? known : undefined;
  }

  /** Calls `end` when the caller's token is revoked or expires, at once if it is no more; answers how to take that back. */
  onEnd({ id = "" }: Caller, end: () => void): () => void {
    if (!this.#byId.has(id)) {
      end();
      return () => undefined;
    }
    const ends = this.#ends.get(id) ?? new Set();
    this.#ends.set(id, ends.add(end));
    return () => {
      ends.delete(end);
      if (ends.size === 0 && this.#ends.get(id) === ends) this.#ends.delete(id);
    };
  }

  #forget(id: string): void {
    const known = this.#byId.get(id);
    if (known === undefined) return;
    this.#byId.delete(id);
    this.#byHash.delete(Buffer.from(known.hash).toString("latin1"));
    for (const origin of known.caller.origins ?? []) {
      const count = (this.#origins.get(origin) ?? 1) - 1;
      if (count > 0) this.#origins.set(origin, count);
      else this.#origins.delete(origin);
    }
    const ends = this.#ends.get(id);
    this.#ends.delete(id);
    for (const end of ends ?? []) end();
  }
}

/** Filled and read within one call, so that a request makes no garbage for it. */
const DIGEST = Buffer.alloc(32);

function isInForce({ expiresMs }: KnownToken, nowMs: number): boolean {
  return expiresMs === undefined || nowMs < expiresMs;
}

/** A new token: 256 random bits. */
export function newToken(): string {
  return `weir_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")}`;
}

/** SHA-256 of a token, 32 bytes: all that is ever kept of it. */
export function hashOf(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}
