/*---
kind: api
doc: Departures and delays of each airport over the newest hours that have any, with its place.
params:
  hours: { default: 24, min: 1, max: 8784, doc: counted back from the newest departure }
  limit: { default: 500, min: 1, max: 5000 }
---*/
SELECT
  h.airport AS airport,
  dictGet('dim.airport', 'name', airport) AS name,
  dictGet('dim.airport', 'city', airport) AS city,
  dictGet('dim.airport', 'state', airport) AS state,
  dictGet('dim.airport', 'latitude', CAST(airport AS String)) AS latitude,
  dictGet('dim.airport', 'longitude', CAST(airport AS String)) AS longitude,
  sum(h.flights) AS departures,
  sum(h.late) AS late_departures,
  sum(h.total_delay) / sum(h.flights) AS average_delay
FROM dws.airport_hour AS h
WHERE h.hour > (SELECT max(hour) FROM dws.airport_hour) - toIntervalHour({hours:UInt32})
GROUP BY airport
ORDER BY departures DESC, airport
LIMIT {limit:UInt32}
