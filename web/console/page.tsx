/**
 * The page: asks for a token, then shows what lands while it lands.
 *
 *   no token · refused ──▶ form        token ──▶ numbers · map · charts · rows
 *
 * @module
 */
import { useCallback, useState } from "react";
import { FlightChart } from "./chart.tsx";
import { AirportMap } from "./map.tsx";
import { Mark } from "./mark.tsx";
import { Numbers } from "./numbers.tsx";
import { Rows } from "./rows.tsx";
import type { Airport, Minute, Today } from "./rows_api.ts";
import { seriesOf } from "./rows_api.ts";
import { DoorStatus } from "./status.tsx";
import { forgetToken, keepToken, keptToken } from "./token.ts";
import { TokenForm } from "./token_form.tsx";
import { useLive } from "./use_live.ts";

/** The whole page. */
export function Page() {
  const [token, setToken] = useState(keptToken);
  const [isRefused, setRefused] = useState(false);
  const take = (text: string) => {
    if (!keepToken(text)) return false;
    setRefused(false);
    setToken(keptToken());
    return true;
  };
  const leave = useCallback((refused: boolean) => {
    forgetToken();
    setRefused(refused);
    setToken(undefined);
  }, []);
  if (token === undefined) return <TokenForm isRefused={isRefused} take={take} />;
  return <Flights token={token} leave={leave} />;
}

/** How far back the charts go. */
const MINUTES = 60;

/** What a caller with a token sees. */
function Flights({ token, leave }: { token: string; leave: (refused: boolean) => void }) {
  const today = useLive<Today>(token, "today/live");
  const airports = useLive<Airport>(token, "airport_delays/live?hours=24");
  const minutes = useLive<Minute>(token, `minutes/live?minutes=${MINUTES}`);
  const all = [today, airports, minutes];
  const refused = all.find(({ state }) => state.kind === "refused");
  if (refused !== undefined && all.every(({ state }) => state.kind === "refused")) {
    // While drawing, state of another component must not change.
    queueMicrotask(() => leave(true));
    return null;
  }
  const series = seriesOf(minutes.result?.data ?? [], MINUTES);
  return (
    <>
      <header className="top">
        <h1>
          <Mark /> Weir
        </h1>
        <DoorStatus states={all.map(({ state }) => state)} freshTo={today.result?.meta.fresh_to ?? null} />
        <button type="button" className="quiet" onClick={() => leave(false)}>
          Forget token
        </button>
      </header>
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
        Data: US Bureau of Transportation Statistics. Times are UTC. The same numbers as JSON: <code>/v1/api</code>
      </footer>
    </>
  );
}
