/*---
kind: api
doc: Airports with the longest average delay on departures of some hours, among those with enough flights.
params:
  from: { default: 2001-01-01T00:00:00Z }
  hours: { default: 24, min: 1, max: 8784 }
  flights: { default: 10, min: 1, max: 1000000 }
  limit: { default: 20, min: 1, max: 500 }
---*/
SELECT
  airport,
  dictGet('dim.airport', 'name', airport) AS name,
  sum(flights) AS departures,
  sum(late) AS late_departures,
  sum(total_delay) / sum(flights) AS average_delay,
  max(longest_delay) AS longest
FROM dws.airport_hour
WHERE hour >= {from:DateTime64(3, 'UTC')} AND hour < {from:DateTime64(3, 'UTC')} + toIntervalHour({hours:UInt32})
GROUP BY airport
HAVING departures >= {flights:UInt32}
ORDER BY average_delay DESC, airport
LIMIT {limit:UInt32}
