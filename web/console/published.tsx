/**
 * What a warehouse publishes: its APIs, each with its sentence and the way to try it.
 *
 *   GET /v1/api ──once──▶ a list
 *
 * @module
 */
import { useEffect, useState } from "react";

/** An API as `GET /v1/api` tells it. */
interface Api {
  readonly id: string;
  readonly doc: string;
}

/** The card; nothing until the door has answered. */
export function Published({ token }: { token: string }) {
  const [apis, setApis] = useState<readonly Api[]>();
  useEffect(() => {
    const stop = new AbortController();
    void ask(token, stop.signal).then(setApis);
    return () => stop.abort();
  }, [token]);
  if (apis === undefined) return null;
  return (
    <section className="card" aria-label="Published APIs">
      <div className="head">
        <div>
          <h2>Published APIs</h2>
          <p className="about">
            {apis.length === 0
              ? "None yet: a SELECT in the folder api/ becomes one when it is applied."
              : "Each can be read, watched live and tried."}
          </p>
        </div>
      </div>
      <ul className="published">
        {apis.map(({ id, doc }) => (
          <li key={id}>
            <a href={`/docs#get_${id}`}>{id}</a> <span className="about">{doc}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The APIs that the token reads; none if the door does not say. */
async function ask(token: string, signal: AbortSignal): Promise<readonly Api[]> {
  try {
    const answer = await fetch("/v1/api", { headers: { authorization: `Bearer ${token}` }, signal });
    return answer.ok ? ((await answer.json()) as { readonly apis: readonly Api[] }).apis : [];
  } catch {
    // The page above says that the door is away.
    return [];
  }
}
