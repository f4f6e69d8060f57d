/**
 * How the door is: live, being asked, or away and when it is asked again. And what a card says instead of its content.
 *
 * @module
 */
import { type ReactNode, useEffect, useState } from "react";
import type { Live } from "./use_live.ts";
import type { Watched } from "./watch.ts";

type State = Watched<unknown>;

/** One word for the whole page, and how new its numbers are. */
export function DoorStatus({ states, freshTo }: { states: readonly State[]; freshTo: string | null }) {
  const nowMs = useNow();
  const away = states.flatMap((state) => (state.kind === "away" ? [state.againAtMs] : []));
  if (away.length > 0) {
    const seconds = Math.max(0, Math.ceil((Math.min(...away) - nowMs) / 1_000));
    const when = seconds === 0 ? "trying now" : `trying again in ${seconds} s`;
    return (
      <p className="status away" role="status">
        The door does not answer: {when}. What you see is from before.
      </p>
    );
  }
  if (states.some(({ kind }) => kind === "live")) {
    return (
      <p className="status live" role="status">
        Live{freshTo !== null && <span className="about"> · newest rows {timeOf(freshTo)}</span>}
      </p>
    );
  }
  const word = states.some(({ kind }) => kind === "connecting") ? "Asking the door …" : "Nothing to show";
  return (
    <p className="status" role="status">
      {word}
    </p>
  );
}

function timeOf(text: string): string {
  return `${new Date(text).toISOString().slice(11, 19)} UTC`;
}

/** The time, once a second. */
function useNow(): number {
  const [nowMs, setNowMs] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return nowMs;
}

/** A card's frame: its title, and its content, or why there is none. */
export function Card<Row>(props: {
  title: string;
  about: string;
  live: Live<Row>;
  className?: string;
  aside?: ReactNode;
  children: ReactNode;
}) {
  const { title, about, live, aside, children, className = "" } = props;
  const problem = problemOf(live);
  return (
    <section className={`card ${className}`} aria-label={title} data-old={live.state.kind === "away"}>
      <div className="head">
        <div>
          <h2>{title}</h2>
          <p className="about">{about}</p>
        </div>
        {aside}
      </div>
      {problem !== undefined && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {live.result === undefined
        ? problem === undefined && <p className="empty">Waiting for the first rows …</p>
        : children}
    </section>
  );
}

function problemOf<Row>({ state }: Live<Row>): string | undefined {
  if (state.kind === "missing") return `${state.message} ${state.hint}`;
  if (state.kind === "refused") return "The token may not read this: it lacks the scope.";
  return undefined;
}
