/**
 * The form for a token: why it is asked for, what was wrong with the last one, where one comes from.
 *
 * @module
 */
import { type FormEvent, useState } from "react";
import type { GateProps, Leaving } from "./gate.tsx";
import { Mark } from "./mark.tsx";
import { PageLinks } from "./top.tsx";

type Props = Omit<GateProps, "children"> & { why: Leaving; take: (text: string) => boolean };

/** Asks for a token; `take` answers whether the text can be one. */
export function TokenForm({ at, does, scope, why, take }: Props) {
  const [isBroken, setBroken] = useState(false);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const text = new FormData(event.currentTarget).get("token");
    setBroken(!take(typeof text === "string" ? text : ""));
  };
  const problem = isBroken ? "That is no token: it is empty or has spaces in it." : refusalOf(why, scope);
  return (
    <main className="gate">
      <form className="card" onSubmit={submit}>
        <h1>
          <Mark /> Weir
        </h1>
        <PageLinks at={at} />
        <p>This page {does}, so it needs a token. It stays in this tab and goes to this door only.</p>
        <label htmlFor="token">Token</label>
        <input
          id="token"
          name="token"
          type="password"
          autoComplete="off"
          spellCheck={false}
          placeholder="weir_…"
          aria-describedby={problem === undefined ? "where" : "problem where"}
          aria-invalid={problem !== undefined}
        />
        {problem !== undefined && (
          <p id="problem" className="problem" role="alert">
            {problem}
          </p>
        )}
        <button type="submit">Open</button>
        <p id="where" className="about">
          <code>weir start</code> and <code>weir demo</code> print the administrator’s token. A link may carry one:{" "}
          <code>{at}#token=weir_…</code>
        </p>
      </form>
    </main>
  );
}

function refusalOf(why: Leaving, scope: string): string | undefined {
  switch (why) {
    case "asked":
      return undefined;
    case "unknown":
      return "The door does not know the token: it is wrong, revoked or expired.";
    case "scope":
      return `The token lacks the scope ${scope} that this page needs. The other pages may still work with it.`;
  }
}
