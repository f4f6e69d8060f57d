/*---
kind: api
doc: Departures and delays of each of the newest minutes, all states together, the oldest first.
params:
  minutes: { default: 60, min: 1, max: 10080, doc: counted back from the newest departure }
---*/
SELECT
  m.minute AS minute,
  sum(m.flights) AS departures,
  sum(m.late) AS late_departures,
  sum(m.average_delay * m.flights) / sum(m.flights) AS average_delay
FROM dwa.state_minute AS m
WHERE m.minute > (SELECT max(minute) FROM dwa.state_minute) - toIntervalMinute({minutes:UInt32})
GROUP BY minute
ORDER BY minute
