/**
 * Where rows are now: accepted, waiting, stored, quarantined, and the actors that move them. For administrators.
 *
 *   /v1/admin/actors · /metrics ──every 2 s──▶ the four numbers, and a table
 *
 * A token without the scope sees nothing of it.
 *
 * @module
 */
import { useEffect, useState } from "react";
import { whole } from "./rows_api.ts";
import { pause } from "./watch.ts";

/** An actor as `/v1/admin/actors` reports it. */
interface Actor {
  readonly address: string;
  readonly state: string;
  readonly mailbox: number;
  readonly restarts: number;
  readonly rows?: number;
  readonly note?: string;
}

/** What is known of the rows since the process began. */
interface Flow {
  readonly accepted: number;
  readonly waiting: number;
  readonly stored: number;
  readonly quarantined: number;
  /** Of the quarantined: refused at the door, so never accepted. */
  readonly rejected: number;
  readonly actors: readonly Actor[];
}

const EVERY_MS = 2_000;

/** The card; nothing for a token that may not see it. */
export function Rows({ token }: { token: string }) {
  const [flow, setFlow] = useState<Flow>();
  useEffect(() => {
    const stop = new AbortController();
    void follow(token, { tell: setFlow, signal: stop.signal });
    return () => stop.abort();
  }, [token]);
  if (flow === undefined) return null;
  return (
    <section className="card rows" aria-label="Where rows are now">
      <div className="head">
        <div>
          <h2>Where rows are now</h2>
          <p className="about">Since this door opened; what is accepted is durable, what is stored can be queried</p>
        </div>
      </div>
      <dl className="flow">
        <Step name="Accepted" value={flow.accepted} about="in the log" />
        <Step name="Waiting" value={flow.waiting} about="on their way" isBusy={flow.waiting > 0} />
        <Step name="Stored" value={flow.stored} about="counted every few seconds" />
        <Step
          name="Quarantined"
          value={flow.quarantined}
          about={`${whole(flow.rejected)} of them refused at the door`}
          isBad={flow.quarantined > 0}
        />
      </dl>
      <details>
        <summary>{flow.actors.length} actors at work</summary>
        <div className="scroll">
          <ActorTable actors={flow.actors} />
        </div>
      </details>
    </section>
  );
}

function Step(props: { name: string; value: number; about: string; isBusy?: boolean; isBad?: boolean }) {
  const { name, value, about, isBusy = false, isBad = false } = props;
  return (
    <div className="tile" data-busy={isBusy} data-bad={isBad}>
      <dt>{name}</dt>
      <dd>
        <strong>{whole(value)}</strong>
        <span className="about">{about}</span>
      </dd>
    </div>
  );
}

function ActorTable({ actors }: { actors: readonly Actor[] }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Actor</th>
          <th scope="col">State</th>
          <th scope="col">Rows</th>
          <th scope="col">Mailbox</th>
          <th scope="col">Restarts</th>
        </tr>
      </thead>
      <tbody>
        {actors.map(({ address, state, rows, mailbox, restarts, note }) => (
          <tr key={address}>
            <th scope="row">{address}</th>
            <td>
              {state} {note !== undefined && <span className="about">{note}</span>}
            </td>
            <td>{whole(rows ?? 0)}</td>
            <td>{whole(mailbox)}</td>
            <td>{whole(restarts)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Asks again and again; a door that is away is asked like one that is there, a refusal ends it. */
async function follow(token: string, { tell, signal }: { tell: (flow: Flow) => void; signal: AbortSignal }) {
  const headers = { authorization: `Bearer ${token}` };
  const ask = (path: string) => fetch(path, { headers, signal, cache: "no-store" });
  while (!signal.aborted) {
    try {
      if (!document.hidden) {
        const [actors, metrics] = await Promise.all([ask("/v1/admin/actors"), ask("/metrics")]);
        if (actors.status === 401 || actors.status === 403) return;
        if (actors.ok && metrics.ok) tell(flowOf(await actors.json(), await metrics.text()));
      }
    } catch {
      // Away: the page's status says so.
    }
    await pause(EVERY_MS, signal);
  }
}

interface ActorsAnswer {
  readonly actors: readonly Actor[];
  readonly sources: readonly { readonly lag: number | null }[];
}

function flowOf({ actors, sources }: ActorsAnswer, metrics: string): Flow {
  const rejected = summed(metrics, "weir_events_rejected_total");
  return {
    rejected,
    accepted: summed(metrics, "weir_events_accepted_total"),
    stored: summed(metrics, "weir_landed_stored_total"),
    quarantined: rejected + summed(metrics, "weir_landed_quarantined_total"),
    waiting: sources.reduce((sum, { lag }) => sum + (lag ?? 0), 0),
    actors,
  };
}

/** The sum over all series of a counter in Prometheus' text. */
export function summed(metrics: string, name: string): number {
  let sum = 0;
  for (const line of metrics.split("\n")) {
    if (line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      sum += Number(line.slice(line.lastIndexOf(" ") + 1));
  }
  return sum;
}
