/**
 * Tokens: who may come in. For now there is one, the administrator's.
 *
 * Only the token's SHA-256 is kept in memory and compared in constant time;
 * the token itself lies in a file of mode 0600 that local commands read.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";

/** Who asks. */
export interface Caller {
  readonly name: string;
  readonly scopes: readonly string[];
}

/** Whether a caller may do what `scope` names, for example `ingest:flight`; `admin` may do everything, `api:*` every `api:<id>`. */
export function mayDo({ scopes }: Caller, scope: string): boolean {
  if (scopes.includes("admin") || scopes.includes(scope)) return true;
  return scope.startsWith("api:") && scopes.includes("api:*");
}

/** Knows tokens by their hashes. */
export class Tokens {
  readonly #known: readonly { readonly hash: Uint8Array; readonly caller: Caller }[];

  constructor(tokens: readonly { readonly token: string; readonly caller: Caller }[]) {
    this.#known = tokens.map(({ token, caller }) => ({ hash: sha256(token), caller }));
  }

  /** The caller of an `Authorization: Bearer` header, if the token is known. */
  callerOf(authorization: string | undefined): Caller | undefined {
    const token = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization ?? "")?.[1];
    if (token === undefined) return undefined;
    const hash = sha256(token);
    let found: Caller | undefined;
    for (const known of this.#known) if (timingSafeEqual(known.hash, hash)) found = known.caller;
    return found;
  }
}

function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
