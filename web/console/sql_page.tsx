/**
 * The SQL editor: the schema at its side, one statement, its answer.
 *
 *   editor ──Ctrl+Enter──▶ run ──rows as they arrive──▶ table        refused ──▶ mark in the editor, message, hint
 *
 * @module
 */
import { useCallback, useEffect, useRef, useState } from "react";
import { CopyButton } from "./copy_button.tsx";
import { DOWNLOADS, type Download, download } from "./download.ts";
import { Gate, type Inside } from "./gate.tsx";
import type { Problem } from "./query_run.ts";
import { ResultGrid } from "./result_grid.tsx";
import { ProblemBox, RunStatus } from "./run_status.tsx";
import { SchemaTree } from "./schema_tree.tsx";
import { openEditor, type SqlEditor } from "./sql_editor.ts";
import { firstSql, keepDraft, linkedSql, linkTo } from "./sql_link.ts";
import { readSchema, type SchemaDatabase, starterSql } from "./sql_schema.ts";
import { NARROW, Top } from "./top.tsx";
import { useRun } from "./use_run.ts";

/** The whole page. */
export function SqlPage() {
  return (
    <Gate at="/sql" does="runs SQL" scope="sql:read, sql:<layer> or sql:<layer>.<table>">
      {(inside) => <Workbench {...inside} />}
    </Gate>
  );
}

function Workbench({ token, leave }: Inside) {
  const { run, start, stop } = useRun(token);
  const [schema, setSchema] = useState<readonly SchemaDatabase[]>([]);
  const editor = useRef<SqlEditor>(undefined);
  const insert = useCallback((text: string) => editor.current?.insert(text), []);
  const onRun = useCallback(() => {
    const open = editor.current!;
    open.mark(undefined);
    linkTo(open.text());
    start(open.chosen());
  }, [start]);
  const isUnknown = run?.kind === "failed" && run.status === 401;
  useEffect(() => {
    if (isUnknown) leave("unknown");
  }, [isUnknown, leave]);
  const wrong = run?.kind === "failed" ? run.wrong : undefined;
  useEffect(() => editor.current?.mark(wrong), [wrong]);
  useEffect(() => {
    void readSchema(token).then((answer) => {
      if (answer === 401 || answer === 403) leave(answer === 401 ? "unknown" : "scope");
      if (typeof answer === "number") return;
      setSchema(answer);
      editor.current?.complete(answer);
      if (editor.current?.text() === "") editor.current.replace(starterSql(answer));
    });
  }, [token, leave]);
  return (
    <>
      <Top at="/sql" forget={() => leave("asked")} />
      <main className="bench">
        <aside className="card schema" aria-label="Schema">
          <details open={!matchMedia(NARROW).matches}>
            <summary>Schema</summary>
            <SchemaTree schema={schema} insert={insert} />
          </details>
        </aside>
        <div className="work">
          <section className="card" aria-label="Statement">
            <Editor editor={editor} onRun={onRun} />
            <Tools {...{ token, onRun, stop, editor }} isRunning={run?.kind === "running"} />
          </section>
          {run !== undefined && (
            <section className="card result" aria-label="Answer">
              <RunStatus run={run} />
              {run.kind === "failed" && <ProblemBox problem={run.problem} />}
              {run.columns.length > 0 && <ResultGrid key={run.id} {...run} />}
              {run.kind === "done" && run.count === 0 && <p className="empty">The statement has no rows.</p>}
            </section>
          )}
        </div>
      </main>
    </>
  );
}

type EditorRef = ReturnType<typeof useRef<SqlEditor>>;

function Editor({ editor, onRun }: { editor: EditorRef; onRun: () => void }) {
  const host = useRef<HTMLDivElement>(null);
  const latest = useRef(onRun);
  latest.current = onRun;
  useEffect(() => {
    const open = openEditor(host.current!, { text: firstSql(), onRun: () => latest.current(), onChange: keepDraft });
    editor.current = open;
    const onLink = () => {
      const linked = linkedSql(location.hash);
      if (linked !== undefined && linked !== open.text()) open.replace(linked);
    };
    addEventListener("hashchange", onLink);
    return () => {
      removeEventListener("hashchange", onLink);
      editor.current = undefined;
      open.close();
    };
  }, [editor]);
  return <div ref={host} className="editor" />;
}

interface ToolsProps {
  readonly token: string;
  readonly onRun: () => void;
  readonly stop: () => void;
  readonly isRunning: boolean;
  readonly editor: EditorRef;
}

function Tools({ token, onRun, stop, isRunning, editor }: ToolsProps) {
  const menu = useRef<HTMLDetailsElement>(null);
  const [loading, setLoading] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const save = async (wanted: Download) => {
    menu.current!.open = false;
    setProblem(undefined);
    setLoading(true);
    setProblem(await download(wanted, { sql: editor.current!.chosen().text, token }));
    setLoading(false);
  };
  return (
    <>
      <div className="tools">
        {isRunning ? (
          <button type="button" className="stop" onClick={stop}>
            Stop
          </button>
        ) : (
          <button type="button" onClick={onRun} title="Ctrl+Enter or ⌘Enter: the selection, or everything">
            Run
          </button>
        )}
        <details className="menu" ref={menu}>
          <summary>{loading ? "Downloading …" : "Download"}</summary>
          <div>
            {DOWNLOADS.map((wanted) => (
              <button key={wanted.name} type="button" onClick={() => void save(wanted)}>
                {wanted.name}
              </button>
            ))}
          </div>
        </details>
        <CopyButton text={() => linkTo(editor.current!.text())} name="Copy link" />
        <span className="about keys">Ctrl+Enter runs the selection, or everything</span>
      </div>
      {problem !== undefined && <ProblemBox problem={problem} />}
    </>
  );
}
