/**
 * Scopes: what a token may do, as words, and whether a text is one of them.
 *
 *   admin · ingest:<source> · ingest:* · api:<id> · api:* · sql:read · sql:<layer> · sql:<layer>.<table>
 *
 * Pure. A name need not exist yet: a token may be made before the definition
 * that it is for.
 *
 * @module
 */
import { LAYERS } from "@weir/sql";

/** Characters of one scope. */
export const SCOPE_CHARS_MAX = 150;

const NAME = /^[a-z][a-z0-9_]{0,63}$/;
const KNOWN = "admin, ingest:<source>, ingest:*, api:<id>, api:*, sql:read, sql:<layer>, sql:<layer>.<table>";

/** What is wrong with a scope, to be read by people; undefined if nothing is. */
export function scopeProblem(scope: string): string | undefined {
  if (scope === "admin") return undefined;
  const said = `'${scope.slice(0, 100)}' is no scope`;
  const colon = scope.indexOf(":");
  const [kind, name] = [scope.slice(0, colon), scope.slice(colon + 1)];
  switch (colon < 0 ? "" : kind) {
    case "ingest":
    case "api": {
      if (name === "*" || NAME.test(name)) return undefined;
      return `${said}: after '${kind}:' comes a name such as ${kind === "api" ? "state_minute" : "flight"}, or *`;
    }
    case "sql":
      return isReadable(name)
        ? undefined
        : `${said}: after 'sql:' comes read, a layer (${LAYERS.join(", ")}), or a table such as dws.airport_hour`;
    default:
      return `${said}; there are ${KNOWN}`;
  }
}

function isReadable(name: string): boolean {
  if (name === "read") return true;
  const [layer, table, ...rest] = name.split(".");
  if (!LAYERS.some((known) => known === layer)) return false;
  return rest.length === 0 && (table === undefined || NAME.test(table));
}

/** Whether a scope may travel in an address, on a ticket. */
export function isTicketScope(scope: string): boolean {
  return scope.startsWith("api:") || scope.startsWith("ingest:");
}

/** What is wrong with the origin of a web page, as browsers write it; undefined if nothing is. */
export function originProblem(origin: string): string | undefined {
  const isPlain =
    /^https?:\/\/[a-z0-9.:[\]-]+$/.test(origin) && URL.canParse(origin) && new URL(origin).origin === origin;
  if (isPlain) return undefined;
  return `'${origin.slice(0, 100)}' is no origin; write scheme, host and port in small letters, such as https://app.example.com`;
}
