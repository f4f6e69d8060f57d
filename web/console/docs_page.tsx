/**
 * The API documents: every operation that the token reaches, to be read and tried.
 *
 *   GET /v1/openapi.json ──▶ list of operations ──#get_state_minute──▶ one of them
 *
 * @module
 */
import { useEffect, useRef, useState } from "react";
import { type ApiDocument, type Operation, operationsIn } from "./docs_document.ts";
import { Method, OperationCard } from "./docs_operation.tsx";
import { save } from "./download.ts";
import { Gate, type Inside } from "./gate.tsx";
import { type Problem, problemOf } from "./query_run.ts";
import { ProblemBox } from "./run_status.tsx";
import { NARROW, Top } from "./top.tsx";

/** The whole page. */
export function DocsPage() {
  return (
    <Gate at="/docs" does="shows what a token reaches" scope="of some kind">
      {(inside) => <Documents {...inside} />}
    </Gate>
  );
}

const AWAY: Problem = { message: "The door does not answer.", hint: "Load the page again when it is there.", at: null };

function Documents({ token, leave }: Inside) {
  const [document, setDocument] = useState<ApiDocument>();
  const [problem, setProblem] = useState<Problem>();
  useEffect(() => {
    const load = async () => {
      const answer = await fetch("/v1/openapi.json", { headers: { authorization: `Bearer ${token}` } });
      if (answer.status === 401) leave("unknown");
      else if (answer.ok) setDocument((await answer.json()) as ApiDocument);
      else setProblem(await problemOf(answer));
    };
    load().catch(() => setProblem(AWAY));
  }, [token, leave]);
  return (
    <>
      <Top at="/docs" forget={() => leave("asked")}>
        {document !== undefined && (
          <button type="button" className="quiet" onClick={() => saveDocument(document)}>
            Save openapi.json
          </button>
        )}
      </Top>
      <main className="docs">
        {problem !== undefined && <ProblemBox problem={problem} />}
        {document !== undefined && <Operations document={document} token={token} />}
      </main>
    </>
  );
}

function saveDocument(document: ApiDocument): void {
  save(new Blob([JSON.stringify(document, null, 2)], { type: "application/json" }), "openapi.json");
}

function Operations({ document, token }: { document: ApiDocument; token: string }) {
  const operations = operationsIn(document);
  const wanted = useFragment();
  const chosen = operations.find(({ operationId }) => operationId === wanted) ?? operations[0];
  if (chosen === undefined) return <p className="empty">The token reaches nothing.</p>;
  return (
    <>
      <OperationList document={document} operations={operations} chosen={chosen} />
      <div className="work">
        <OperationCard key={chosen.operationId} document={document} operation={chosen} token={token} />
      </div>
    </>
  );
}

interface ListProps {
  readonly document: ApiDocument;
  readonly operations: readonly Operation[];
  readonly chosen: Operation;
}

function OperationList({ document, operations, chosen }: ListProps) {
  const [text, setText] = useState("");
  const folded = useRef<HTMLDetailsElement>(null);
  // On a narrow screen the list would hide what was chosen in it.
  const onChoose = () => {
    if (matchMedia(NARROW).matches) folded.current!.open = false;
  };
  const found = operations.filter(({ path, summary }) =>
    `${path} ${summary}`.toLowerCase().includes(text.toLowerCase()),
  );
  return (
    <aside className="card schema" aria-label="Operations">
      <details ref={folded} open={!matchMedia(NARROW).matches}>
        <summary>Operations</summary>
        <input
          type="search"
          aria-label="Search operations"
          placeholder="Search"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        {document.tags.map(({ name, description }) => {
          const own = found.filter(({ tags }) => tags.includes(name));
          return own.length === 0 ? null : (
            <nav key={name} aria-label={name}>
              <h2 title={description}>{name}</h2>
              <ul>
                {own.map(({ operationId, method, path }) => (
                  <li key={operationId}>
                    <a
                      href={`#${operationId}`}
                      onClick={onChoose}
                      aria-current={operationId === chosen.operationId ? "true" : undefined}
                    >
                      <Method name={method} /> <span>{path.replace(/^\/v1/, "")}</span>
                    </a>
                  </li>
                ))}
              </ul>
            </nav>
          );
        })}
      </details>
    </aside>
  );
}

/** What stands behind the # of the address, as it changes. */
function useFragment(): string {
  const [fragment, setFragment] = useState(() => location.hash.slice(1));
  useEffect(() => {
    const look = () => setFragment(location.hash.slice(1));
    addEventListener("hashchange", look);
    return () => removeEventListener("hashchange", look);
  }, []);
  return fragment;
}
