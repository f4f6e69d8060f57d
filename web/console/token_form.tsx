/**
 * The form for a token: why it is asked for, what was wrong with the last one, where one comes from.
 *
 * @module
 */
import { type FormEvent, useState } from "react";
import { Mark } from "./mark.tsx";

/** Asks for a token; `take` answers whether the text can be one. */
export function TokenForm({ isRefused, take }: { isRefused: boolean; take: (text: string) => boolean }) {
  const [isBroken, setBroken] = useState(false);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const text = new FormData(event.currentTarget).get("token");
    setBroken(!take(typeof text === "string" ? text : ""));
  };
  const problem = isBroken
    ? "That is no token: it is empty or has spaces in it."
    : isRefused
      ? "The door refused the token. It is unknown, or it lacks the scope api:* that this page needs."
      : undefined;
  return (
    <main className="gate">
      <form className="card" onSubmit={submit}>
        <h1>
          <Mark /> Weir
        </h1>
        <p>This page reads published APIs, so it needs a token. It stays in this tab and goes to this door only.</p>
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
          <code>/#token=weir_…</code>
        </p>
      </form>
    </main>
  );
}
