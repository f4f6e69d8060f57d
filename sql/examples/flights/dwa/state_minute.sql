/*---
kind: model
doc: Departures and delays per state and minute.
owner: analytics
columns:
  state: of the airport of departure; empty where it is not known
  late: flights more than 15 minutes late
  average_delay: minutes
---*/
SELECT
  toStartOfMinute(departed_at) AS minute,
  origin_state AS state,
  count() AS flights,
  countIf(delay > 15) AS late,
  sum(delay) / count() AS average_delay
FROM dwf.flight
GROUP BY minute, state
