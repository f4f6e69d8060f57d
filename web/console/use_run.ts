/**
 * Runs as React state: one at a time, stopped when another begins or the page is left.
 *
 * @module
 */
import { useCallback, useEffect, useRef, useState } from "react";
import { type Span, spanAt, spanNamed } from "./place.ts";
import { newId, type Run, runSql, stopSql } from "./query_run.ts";

/** A run, and where in the editor it is wrong. */
export type ShownRun = Run & { readonly id: string; readonly wrong?: Span | undefined };

/** What is run: a text, and where in the editor it begins. */
interface Chosen {
  readonly text: string;
  readonly from: number;
}

/** The newest run, and how to start and stop one. */
export function useRun(token: string) {
  const [run, setRun] = useState<ShownRun>();
  const current = useRef<{ readonly id: string; readonly stop: AbortController; isOver: boolean }>(undefined);

  const stop = useCallback(
    (isLeaving = false) => {
      const { current: open } = current;
      if (open === undefined || open.isOver) return;
      open.isOver = true;
      void stopSql({ token, id: open.id, isLeaving });
      open.stop.abort();
    },
    [token],
  );

  const start = useCallback(
    ({ text, from }: Chosen) => {
      stop();
      const id = newId();
      const own = { id, stop: new AbortController(), isOver: false };
      current.current = own;
      const tell = (told: Run) => {
        if (told.kind !== "running") own.isOver = true;
        // A run that was left for another one has nothing to say any more.
        if (current.current === own) setRun({ ...told, id, wrong: wrongIn(told, { text, from }) });
      };
      void runSql({ sql: text, token, id, tell, signal: own.stop.signal });
    },
    [stop, token],
  );

  useEffect(() => {
    const leave = () => stop(true);
    addEventListener("pagehide", leave);
    return () => {
      removeEventListener("pagehide", leave);
      leave();
    };
  }, [stop]);
  return { run, start, stop: useCallback(() => stop(), [stop]) };
}

function wrongIn(run: Run, { text, from }: Chosen): Span | undefined {
  if (run.kind !== "failed") return undefined;
  const { at, message } = run.problem;
  const span = at !== null && typeof at === "object" ? spanAt(text, at) : spanNamed(text, message);
  return span === undefined ? undefined : { from: from + span.from, to: from + span.to };
}
