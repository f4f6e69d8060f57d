/**
 * The newest day in four numbers.
 *
 * @module
 */
import { dayName, share, short, type Today, tenths, whole } from "./rows_api.ts";
import { Card } from "./status.tsx";
import type { Live } from "./use_live.ts";

/** The newest day's departures, late share, average delay and miles. */
export function Numbers({ live }: { live: Live<Today> }) {
  const today = live.result?.data[0];
  const day = today === undefined ? "The newest day" : dayName(today.day);
  return (
    <Card title={day} about="Departures so far (UTC), all airports together" live={live} className="numbers">
      {today === undefined ? (
        <p className="empty">No flight has landed yet.</p>
      ) : (
        <dl>
          <Tile name="Departures" value={whole(today.departures)} about={`from ${whole(today.airports)} airports`} />
          <Tile
            name="Late"
            value={share(today.late_departures, today.departures)}
            about={`${whole(today.late_departures)} by more than 15 minutes`}
          />
          <Tile
            name="Average delay"
            value={today.average_delay === null ? "–" : tenths(today.average_delay)}
            unit="min"
            about={`the longest ${whole(today.longest_delay)} minutes`}
          />
          <Tile
            name="Early"
            value={share(today.early_departures, today.departures)}
            about={`${short(today.miles)} miles flown in all`}
          />
        </dl>
      )}
    </Card>
  );
}

function Tile({ name, value, unit, about }: { name: string; value: string; unit?: string; about: string }) {
  return (
    <div className="tile">
      <dt>{name}</dt>
      <dd>
        <strong>
          {value}
          {unit !== undefined && <small> {unit}</small>}
        </strong>
        <span className="about">{about}</span>
      </dd>
    </div>
  );
}
