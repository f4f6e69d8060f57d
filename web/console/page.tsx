/**
 * The page: asks for a token, then shows what lands while it lands.
 *
 *   no token · refused ──▶ form        token ──▶ numbers · map · charts · rows
 *                                        └──a warehouse without the demo's APIs──▶ rows · its own APIs
 *
 * @module
 */
import { FlightChart } from "./chart.tsx";
import { Gate, type Inside } from "./gate.tsx";
import { AirportMap } from "./map.tsx";
import { Numbers } from "./numbers.tsx";
import { Published } from "./published.tsx";
import { Rows } from "./rows.tsx";
import type { Airport, Minute, Today } from "./rows_api.ts";
import { seriesOf } from "./rows_api.ts";
import { DoorStatus } from "./status.tsx";
import { Top } from "./top.tsx";
import { useLive } from "./use_live.ts";

/** The whole page. */
export function Page() {
  return (
    <Gate at="/" does="reads published APIs" scope="api:*">
      {(inside) => <Now {...inside} />}
    </Gate>
  );
}

/** How far back the charts go. */
const MINUTES = 60;

/** What a caller with a token sees. */
function Now({ token, leave }: Inside) {
  const today = useLive<Today>(token, "today/live");
  const airports = useLive<Airport>(token, "airport_delays/live?hours=24");
  const minutes = useLive<Minute>(token, `minutes/live?minutes=${MINUTES}`);
  const all = [today, airports, minutes];
  const refused = all.flatMap(({ state }) => (state.kind === "refused" ? [state.status] : []));
  if (refused.length === all.length) {
    // While drawing, state of another component must not change.
    queueMicrotask(() => leave(refused.includes(401) ? "unknown" : "scope"));
    return null;
  }
  if (all.every(({ state }) => state.kind === "missing")) return <Own token={token} leave={leave} />;
  const series = seriesOf(minutes.result?.data ?? [], MINUTES);
  return (
    <>
      <Top at="/" forget={() => leave("asked")}>
        <DoorStatus states={all.map(({ state }) => state)} freshTo={today.result?.meta.fresh_to ?? null} />
      </Top>
      <main>
        <Numbers live={today} />
        <AirportMap live={airports} />
        <div className="pair">
          <FlightChart
            title="Departures a minute"
            about={`The newest ${MINUTES} minutes`}
            live={minutes}
            times={series.times}
            lines={[
              { name: "departures", values: series.departures, colour: "--line-1", filled: true },
              { name: "late", values: series.late, colour: "--line-2", filled: true },
            ]}
          />
          <FlightChart
            title="Average delay"
            about="Below zero is early"
            live={minutes}
            times={series.times}
            lines={[{ name: "average delay", values: series.delay, colour: "--line-3", filled: false, unit: "min" }]}
          />
        </div>
        <Rows token={token} />
      </main>
      <footer>
        Data: US Bureau of Transportation Statistics. Times are UTC. The same numbers as JSON: <a href="/docs">APIs</a>
      </footer>
    </>
  );
}

/** A warehouse of one's own: where its rows are, and what it publishes. */
function Own({ token, leave }: Inside) {
  return (
    <>
      <Top at="/" forget={() => leave("asked")} />
      <main>
        <Rows token={token} />
        <Published token={token} />
      </main>
    </>
  );
}
