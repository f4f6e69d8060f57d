/**
 * The token in the browser: from the address's fragment or the form, kept for this tab only.
 *
 *   /#token=… ──▶ sessionStorage, gone from the address bar and the history
 *
 * A fragment never leaves the browser; a query string would be logged on its way.
 *
 * @module
 */

const KEY = "weir.token";
/** What a token may look like; anything else would not fit into a header. */
const FORM = /^[\x21-\x7e]{1,512}$/;

/** The token that a fragment names, or undefined. */
export function tokenIn(fragment: string): string | undefined {
  const token = new URLSearchParams(fragment.replace(/^#/, "")).get("token")?.trim();
  return token !== undefined && FORM.test(token) ? token : undefined;
}

/** A fragment without its token; what else it says stays. */
export function withoutToken(fragment: string): string {
  const said = new URLSearchParams(fragment.replace(/^#/, ""));
  said.delete("token");
  return said.size === 0 ? "" : `#${said}`;
}

/** Keeps the address's token, if it has one, and takes it out of the address. */
export function tokenFromAddress(): void {
  const token = tokenIn(location.hash);
  if (token === undefined) return;
  keepToken(token);
  history.replaceState(null, "", location.pathname + location.search + withoutToken(location.hash));
}

/** The token of this tab. */
export function keptToken(): string | undefined {
  return sessionStorage.getItem(KEY) ?? undefined;
}

/** Keeps a token for this tab; false if it is none. */
export function keepToken(text: string): boolean {
  const token = text.trim();
  if (!FORM.test(token)) return false;
  sessionStorage.setItem(KEY, token);
  return true;
}

/** Forgets the token. */
export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
}
