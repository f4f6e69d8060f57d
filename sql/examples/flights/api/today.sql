/*---
kind: api
doc: Departures of the newest day that has any (UTC), all airports together.
---*/
SELECT
  toDate(max(h.hour)) AS day,
  sum(h.flights) AS departures,
  sum(h.late) AS late_departures,
  sum(h.early) AS early_departures,
  sum(h.total_delay) / sum(h.flights) AS average_delay,
  max(h.longest_delay) AS longest_delay,
  sum(h.miles) AS miles,
  uniqExact(h.airport) AS airports
FROM dws.airport_hour AS h
WHERE h.hour >= (SELECT toStartOfDay(max(hour)) FROM dws.airport_hour)
HAVING departures > 0
