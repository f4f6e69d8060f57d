/**
 * The head of every page: which pages there are, how this one is, and how to leave.
 *
 * @module
 */
import type { ReactNode } from "react";
import { Mark } from "./mark.tsx";

const PAGES = [
  ["/", "Now"],
  ["/sql", "SQL"],
  ["/docs", "APIs"],
] as const;

/** Screens on which pages have one column, as the style sheets have it too. */
export const NARROW = "(max-width: 800px)";

/** A page's address. */
export type PagePath = (typeof PAGES)[number][0];

/** The head; `children` say how the page is. */
export function Top({ at, forget, children }: { at: PagePath; forget: () => void; children?: ReactNode }) {
  return (
    <header className="top">
      <h1>
        <Mark /> Weir
      </h1>
      <PageLinks at={at} />
      {children}
      <button type="button" className="quiet" onClick={forget}>
        Forget token
      </button>
    </header>
  );
}

/** Links to all pages; the token goes along, because it is the tab's. */
export function PageLinks({ at }: { at: PagePath }) {
  return (
    <nav className="pages" aria-label="Pages">
      {PAGES.map(([path, name]) => (
        <a key={path} href={path} aria-current={path === at ? "page" : undefined}>
          {name}
        </a>
      ))}
    </nav>
  );
}
