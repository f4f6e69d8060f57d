/**
 * The statement in the address: behind the #, so that it never reaches a server or its logs.
 *
 *   /sql#q=SELECT+1 ──linkedSql──▶ the editor        the editor ──linkTo──▶ /sql#q=…
 *
 * A link only fills the editor: nothing runs before its reader says so.
 *
 * @module
 */

/** Characters of a link that every browser and most programs carry. */
export const LINK_CHARS_MAX = 8_000;

const DRAFT = "weir.sql";

/** The statement that a fragment names, or undefined. */
export function linkedSql(fragment: string): string | undefined {
  return new URLSearchParams(fragment.replace(/^#/, "")).get("q") ?? undefined;
}

/** The fragment that names a statement; undefined if it would be too long for a link. */
export function fragmentOf(sql: string): string | undefined {
  const fragment = `#${new URLSearchParams({ q: sql })}`;
  return fragment.length > LINK_CHARS_MAX ? undefined : fragment;
}

/** Puts the statement into the address, without a new step in the history; answers the link. */
export function linkTo(sql: string): string | undefined {
  const fragment = fragmentOf(sql);
  history.replaceState(null, "", location.pathname + location.search + (fragment ?? ""));
  return fragment === undefined ? undefined : location.href;
}

/** The statement of the address, else the one that was last written in this tab. */
export function firstSql(): string {
  return linkedSql(location.hash) ?? sessionStorage.getItem(DRAFT) ?? "";
}

/** Keeps what is written, for this tab. */
export function keepDraft(sql: string): void {
  if (sql.length <= 1_000_000) sessionStorage.setItem(DRAFT, sql);
}
