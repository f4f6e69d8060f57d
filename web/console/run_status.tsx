/**
 * How a run is: what it counts while it goes on, how it ended, what was wrong.
 *
 * @module
 */
import { RESULT_LIMITS } from "./compact_rows.ts";
import type { Problem, Run } from "./query_run.ts";
import { COLUMNS_MAX } from "./result_grid.tsx";

/** One line for a run, and a notice where not everything is shown. */
export function RunStatus({ run }: { run: Run }) {
  const { kind, count, bytes, elapsedMs, columns } = run;
  const counted = `${count.toLocaleString("en")} ${count === 1 ? "row" : "rows"} · ${sizeOf(bytes)} · ${timeOf(elapsedMs)}`;
  return (
    <>
      <p className="run-status" role="status" data-kind={kind}>
        <strong>{WORDS[kind]}</strong> {counted}
      </p>
      {kind === "capped" && (
        <p className="notice">
          Only the first {count.toLocaleString("en")} rows are shown: a page holds{" "}
          {RESULT_LIMITS.rowsMax.toLocaleString("en")} rows or {RESULT_LIMITS.charsMax / 2 ** 20} MiB. A download has
          them all.
        </p>
      )}
      {kind === "stopped" && count > 0 && <p className="notice">What had arrived when it was stopped is shown.</p>}
      {columns.length > COLUMNS_MAX && (
        <p className="notice">
          Only the first {COLUMNS_MAX} of {columns.length.toLocaleString("en")} columns are shown.
        </p>
      )}
    </>
  );
}

const WORDS: Readonly<Record<Run["kind"], string>> = {
  running: "Running",
  done: "Done",
  capped: "Cut",
  stopped: "Stopped",
  failed: "Failed",
};

/** What went wrong, where, and what to do about it. */
export function ProblemBox({ problem: { message, hint, at } }: { problem: Problem }) {
  const place = at === null ? "" : typeof at === "string" ? at : `line ${at.line}, column ${at.column}`;
  return (
    <div className="problem" role="alert">
      <p>
        <strong>{message}</strong> {place !== "" && <span className="about">({place})</span>}
      </p>
      <p>{hint}</p>
    </div>
  );
}

function sizeOf(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  return bytes < 2 ** 20 ? `${(bytes / 1_024).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function timeOf(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
