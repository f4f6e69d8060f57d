/**
 * The gate: a page's content for who has a token, the form for who has none that is good enough.
 *
 *   no token ──form──▶ content ──401──▶ form, token forgotten        content ──403──▶ form, token kept for the other pages
 *
 * @module
 */
import { type ReactNode, useCallback, useState } from "react";
import { forgetToken, keepToken, keptToken } from "./token.ts";
import { TokenForm } from "./token_form.tsx";
import type { PagePath } from "./top.tsx";

/** Why a page is left for the form: the caller wants it, the door does not know the token, or it lacks the scope. */
export type Leaving = "asked" | "unknown" | "scope";

/** What a page's content gets. */
export interface Inside {
  readonly token: string;
  readonly leave: (why: Leaving) => void;
}

/** What a page says of itself at its gate. */
export interface GateProps {
  readonly at: PagePath;
  /** Completes "This page …". */
  readonly does: string;
  /** The scope that the page needs. */
  readonly scope: string;
  readonly children: (inside: Inside) => ReactNode;
}

/** Asks for a token until there is one, and again when it is refused. */
export function Gate({ children, ...page }: GateProps) {
  const [token, setToken] = useState(keptToken);
  const [why, setWhy] = useState<Leaving>("asked");
  const take = (text: string) => {
    if (!keepToken(text)) return false;
    setWhy("asked");
    setToken(keptToken());
    return true;
  };
  const leave = useCallback((left: Leaving) => {
    if (left !== "scope") forgetToken();
    setWhy(left);
    setToken(undefined);
  }, []);
  if (token === undefined) return <TokenForm {...page} why={why} take={take} />;
  return children({ token, leave });
}
